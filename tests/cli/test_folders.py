"""`npcam explain` on folders: several photographs at the same time, and what is told of them."""

import csv
import io
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.program import start
from PIL import Image

import npcam
from npcam.cli import explain as explain_module
from npcam.cli import small_pictures
from npcam.cli.commands import main
from npcam.pictures.saved import Origin, is_own, save_picture
from npcam.pictures.sheet import Sheet
from npcam.weights import read_weights, write_weights

EPS = float(np.finfo(np.float32).eps)
PHOTOS = (
    "p/a.png",
    "p/b.jpg",
    "p/cat.png",
    "p/q/cat.jpg",
    "p/q/r/d.webp",
    *(f"p/z/{n}.png" for n in range(7)),
)


@pytest.fixture(autouse=True)
def folder():
    """Twelve photographs in a folder and below it, among other files."""
    rng = np.random.default_rng(1)
    for name in PHOTOS:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (*rng.integers(20, 70, 2), 3)).astype(np.uint8)
        Image.fromarray(pixels).save(name)
    Path("p/notes.txt").write_text("no photograph")


@pytest.fixture
def explain(narrow, capsys):
    """Run `npcam explain` with the narrow network; what it says on standard output, and on standard error."""

    def explain(*words, weights=narrow, status=0):
        assert main(["explain", *map(str, words), "--weights", str(weights)]) == status
        return capsys.readouterr()

    return explain


def files(folder="."):
    """All files below a folder, and what is in them."""
    return {str(path): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def pixels(name):
    """A picture's pixels."""
    with Image.open(name) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_folder(explain, narrow):
    """All photographs in their order, each with its picture, each as `npcam.explain` has it."""
    out, err = explain("p", "-o", "maps", "--json")
    assert err == ""
    found = json.loads(out)
    assert [one["photo"] for one in found] == sorted(PHOTOS)
    names = ["a", "b", "p_cat", "q_cat", "d", *map(str, range(7))]
    suffixes = [".jpg" if name.endswith(".jpg") else ".png" for name in sorted(PHOTOS)]
    expected = [f"maps/{name}_cam{suffix}" for name, suffix in zip(names, suffixes, strict=True)]
    assert [one["overlay"] for one in found] == expected
    assert sorted(files("maps")) == sorted(expected)
    model = npcam.load_model(narrow)
    for one in found:
        e = npcam.explain(model, one["photo"])
        assert one["label"] == e.label
        # 128 units of rounding of the largest map, and as many for its sums: tests/stream/test_batches.py.
        weights = model.class_weights(e.target)[0]
        largest = float(np.abs(e.seen.features).max()) * float(np.abs(weights).sum())
        assert one["logit"] == pytest.approx(e.logit, rel=0, abs=256 * EPS * largest)
        assert one["box"] == (e.box and list(e.box))


def test_json_lines_and_csv_are_the_json(explain):
    """The same objects a line each, the same numbers a row each; with one that cannot be read."""
    Path("p/half.png").write_bytes(Path("p/a.png").read_bytes()[:-40])
    found = json.loads(explain("p", "-o", "maps", "--json", status=2).out)
    out, err = explain("p", "-o", "maps", "--jsonl", "--csv", "tables/t.csv", status=2)
    assert [json.loads(line) for line in out.splitlines()] == found
    assert len(found) == 13
    (failed,) = (one for one in found if "error" in one)
    assert err == f"npcam: {failed['error']}\n"
    assert set(failed) == {"photo", "error"}
    with Path("tables/t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["photo"] for row in rows] == [one["photo"] for one in found]
    for row, one in zip(rows, found, strict=True):
        if "error" in one:
            assert row["error"] == one["error"]
            continue
        for name in ("probability", "logit", "completeness", "evidence_in_box"):
            assert float(row[name]) == one[name]
        assert [int(row[name]) for name in ("width", "height")] == one["size"]
        assert [row[name] for name in ("label", "overlay", "photo_sha256")] == [
            one[name] for name in ("label", "overlay", "photo_sha256")
        ]
        assert [row[f] for f in ("x0", "y0", "x1", "y1")] == [str(n) for n in one["box"] or [""] * 4]


@pytest.mark.parametrize("cores", [1, 4])
def test_the_same_bytes_every_time(explain, monkeypatch, cores):
    """What a second run says and writes is the first one's to the byte, on however many cores."""
    options = [
        "-o",
        "maps",
        "--save-map",
        "--csv",
        "t.csv",
        "--contact-sheet",
        "sheet.png",
        "--sort",
        "logit",
    ]
    words, lines = explain("p", *options).out, explain("p", *options, "--jsonl").out
    before = files()
    monkeypatch.setattr(explain_module, "cores", lambda: cores)
    assert explain("p", *options).out == words
    assert explain("p", *options, "--jsonl").out == lines
    assert files() == before
    assert len(files("maps")) == 2 * len(PHOTOS)


def test_pictures_in_the_folder_are_not_explained(explain):
    """What npcam drew there is left out of the next run, which is said; its results are the same."""
    first = explain("p", "-o", "p", "--jsonl", "--contact-sheet", "p/sheet.png").out
    before = files()
    out, err = explain("p", "-o", "p", "--jsonl", "--contact-sheet", "p/sheet.png")
    assert out == first
    assert err == "npcam: note: 13 of the pictures found were drawn by npcam, and are left out\n"
    assert files() == before


def test_a_list_and_patterns(explain, monkeypatch):
    """Standard input and what a shell did not resolve name the same photographs as their folder."""
    found = explain("p", "-o", "maps", "--json").out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(sorted(PHOTOS)).encode())))
    assert explain("-", "-o", "maps", "--json").out == found
    assert explain("p/**/*.[jpw]*", "-o", "maps", "--json").out == found


def test_what_was_not_found_is_a_failure(explain):
    """An empty folder is named in words, JSON and table; the photographs beside it are explained."""
    Path("none").mkdir()
    nothing = "none: holds no pictures; name a folder that does"
    out, err = explain("none", "p/q", "-o", "maps", "--json", "--csv", "t.csv", status=2)
    found = json.loads(out)
    assert found[0] == {"photo": "none", "error": nothing}
    assert len(found) == 3
    assert err == f"npcam: {nothing}\n"
    assert nothing in Path("t.csv").read_text()
    assert (
        explain("none", "--json", "--contact-sheet", "s.png", status=2).out
        == json.dumps(found[:1], indent=2) + "\n"
    )
    assert not Path("s.png").exists()


def test_one_picture_by_its_name(explain):
    """-o FILE is that picture, as a PNG or a JPEG as it ends, and its map lies beside it."""
    expected = explain("p/a.png", "-o", "maps", "--json").out
    for name, file_format in (
        ("x/y.png", "PNG"),
        ("x/y.jpg", "JPEG"),
        ("x/Y.PNG", "PNG"),
        ("x/y.jpeg", "JPEG"),
    ):
        (found,) = json.loads(explain("p/a.png", "-o", name, "--save-map", "--json").out)
        assert found["overlay"] == name
        with Image.open(name) as picture:
            assert picture.format == file_format
        assert Path(name).with_suffix(".npy").is_file()
    assert np.array_equal(pixels("x/y.png"), pixels(json.loads(expected)[0]["overlay"]))
    explain("p/b.jpg", "-o", "x/y.png")  # npcam's own may be replaced: it is named
    Image.new("RGB", (5, 5)).save("x/y.png")
    before = files("x")
    said = "npcam: x/y.png: is there, and npcam did not make it; move it or choose another -o\n"
    assert explain("p/a.png", "-o", "x/y.png", status=2) == ("", said)
    assert files("x") == before


def test_formats(explain):
    """A JPEG of a JPEG, a PNG of all else, or what is asked for; the same but for what a JPEG loses."""
    explain("p/a.png", "p/b.jpg", "-o", "own")
    explain("p/a.png", "p/b.jpg", "-o", "png", "--format", "png")
    explain("p/a.png", "p/b.jpg", "-o", "jpeg", "--format", "jpeg")
    assert list(files("own")) == ["own/a_cam.png", "own/b_cam.jpg"]
    assert list(files("png")) == ["png/a_cam.png", "png/b_cam.png"]
    assert list(files("jpeg")) == ["jpeg/a_cam.jpg", "jpeg/b_cam.jpg"]
    assert files("own")["own/a_cam.png"] == files("png")["png/a_cam.png"]
    for name in "ab":
        exact, lossy = pixels(f"png/{name}_cam.png").astype(float), pixels(f"jpeg/{name}_cam.jpg")
        assert exact.shape == lossy.shape
        assert 0 < np.abs(exact - lossy).mean() < 8


def test_max_size(explain):
    """No photograph has more pixels on its longer side in its picture; a smaller one is as it is."""
    Image.effect_noise((400, 90), 50).convert("RGB").save("wide.png")
    explain("wide.png", "-o", "whole")
    explain("wide.png", "-o", "small", "--max-size", "200")
    explain("wide.png", "-o", "large", "--max-size", "400")
    assert pixels("large/wide_cam.png").shape == pixels("whole/wide_cam.png").shape
    assert list(files("large").values()) == list(files("whole").values())
    found, expected = (pixels(f"{name}/wide_cam.png").shape for name in ("small", "whole"))
    assert found[1] < expected[1]
    assert found[1] >= 200


def test_photographs_of_one_name_in_one_call_and_in_two(explain):
    """Both pictures stay, whichever call they are from, and reruns replace their own."""
    explain("p/cat.png", "p/q/cat.jpg", "-o", "one", "--format", "png")
    assert list(files("one")) == ["one/p_cat_cam.png", "one/q_cat_cam.png"]
    for photo in ("p/cat.png", "p/q/cat.jpg"):
        explain(photo, "-o", "two", "--format", "png")
    before = files("two")
    assert list(before) == ["two/cat_cam.png", "two/q_cat_cam.png"]
    for photo in ("p/q/cat.jpg", "p/cat.png", "p/q/cat.jpg"):
        explain(photo, "-o", "two", "--format", "png")
    assert files("two") == before


def test_other_weights_keep_both(explain, narrow):
    """The second picture is named after its weights, and reruns of either replace their own."""
    weights = read_weights(narrow)
    write_weights("other.h5", replace(weights, class_names=("a", "b", "c", "d", "e")))
    explain("p/a.png", "-o", "maps", "--save-map")
    explain("p/a.png", "-o", "maps", "--save-map", weights="other.h5")
    before = files("maps")
    assert list(before) == [
        f"maps/a_{end}" for end in ("cam.npy", "cam.png", "other_cam.npy", "other_cam.png")
    ]
    explain("p/a.png", "-o", "maps", "--save-map")
    explain("p/a.png", "-o", "maps", "--save-map", weights="other.h5")
    assert files("maps") == before


def test_a_turn_that_was_not_made(explain):
    """It is said in words, JSON and table; --exif-transpose makes it, and says nothing."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((80, 40), 50).convert("RGB").save("turned.jpg", exif=exif)
    out, err = explain("turned.jpg", "p/a.png", "--csv", "t.csv")
    (note,) = (line for line in out.splitlines() if line.startswith("  note "))
    assert err == ""
    found, plain = json.loads(explain("turned.jpg", "p/a.png", "--json").out)
    assert (found["exif_orientation"], found["size"]) == (6, [80, 40])
    assert [f"  note          {one}" for one in found["notes"]] == [note]
    assert (plain["exif_orientation"], plain["notes"]) == (None, [])
    with Path("t.csv").open(newline="") as file:
        row, other = csv.DictReader(file)
    assert (row["exif_orientation"], row["notes"]) == ("6", found["notes"][0])
    assert (other["exif_orientation"], other["notes"]) == ("", "")
    out, _ = explain("turned.jpg", "--exif-transpose", "--jsonl")
    assert (json.loads(out)["exif_orientation"], json.loads(out)["size"]) == (None, [40, 80])
    assert json.loads(out)["notes"] == []


class Watched(Sheet):
    """A contact sheet that remembers what is put on it, and in which order."""

    captions: tuple = ()

    def add(self, index, thumbnail, *caption):
        Watched.captions += ((index, thumbnail is not None, caption),)
        super().add(index, thumbnail, *caption)


def test_a_contact_sheet(explain, monkeypatch):
    """Each photograph in its turn, one that cannot be read crossed out; sorted, that one comes last."""
    monkeypatch.setattr(small_pictures, "Sheet", Watched)
    Path("p/bad.png").write_text("no photograph")
    for sort in ([], ["--sort", "probability"]):
        Watched.captions = ()
        out = explain("p", "-o", "maps", "--contact-sheet", "sheet.png", "--json", *sort, status=2).out
        found = json.loads(out)
        assert [index for index, *_ in Watched.captions] == list(range(13))
        for (_, there, caption), one in zip(Watched.captions, found, strict=True):
            assert there == ("error" not in one)
            assert Path(one["photo"]).name in caption
        if sort:
            shown = [one["probability"] for one in found[:-1]]
            assert shown == sorted(shown, reverse=True)
            assert found[-1]["photo"] == "p/bad.png"
    with Image.open("sheet.png") as sheet:
        assert sheet.format == "PNG"
    assert is_own("sheet.png")


def test_contact_sheets_replace_nothing_else(explain, monkeypatch):
    """No other program's file and no photograph's picture, on any page; said before anything is run."""
    monkeypatch.setattr(
        small_pictures, "Sheet", lambda count, finished: Sheet(count, 100, 2, finished=finished)
    )
    monkeypatch.setattr("npcam.pictures.sheet.MOST_PIXELS", 10**5)
    explain("p", "-o", "maps", "--contact-sheet", "sheet.png")
    pages = sorted(name for name in files() if name.startswith("sheet"))
    assert pages[:2] == ["sheet-2.png", "sheet.png"]
    explain("p", "-o", "maps", "--contact-sheet", "sheet.png")  # its own are replaced
    foreign = "is there, and npcam did not make it; move it or choose another --contact-sheet"
    picture = "is the picture of a photograph; choose another --contact-sheet"
    monkeypatch.setattr("npcam.stream.batches.look", None)
    for page in pages:
        before = Path(page).read_bytes()
        for said in (foreign, picture):
            if said == foreign:
                Image.new("RGB", (5, 5)).save(page)
            else:
                save_picture(Image.new("RGB", (5, 5)), Path(page), Origin("a" * 64, "b" * 64))
            kept = files()
            err = explain("p", "-o", "maps", "--contact-sheet", "sheet.png", status=2).err
            assert err == f"npcam: {page}: {said}\n"
            assert files() == kept
        Path(page).write_bytes(before)


def test_a_contact_sheet_over_this_runs_own_picture(explain):
    """The picture stays, and the line says so."""
    err = explain("p/a.png", "-o", "maps", "--contact-sheet", "maps/a_cam.png", status=2).err
    assert err == "npcam: maps/a_cam.png: is the picture of a photograph; choose another --contact-sheet\n"
    (found,) = json.loads(explain("p/a.png", "-o", "maps", "--json").out)
    assert found["overlay"] == "maps/a_cam.png"


def test_several_classes_of_several_photographs(explain):
    """A picture for each photograph and class, a row each in the table."""
    words = ["--target", "cow", "--target", "dog", "--separate", "--save-map", "--csv", "t.csv"]
    found = json.loads(explain("p/a.png", "p/b.jpg", "-o", "maps", *words, "--json").out)
    stems = [f"maps/{name}_{label}_cam" for name in "ab" for label in ("cow", "dog")]
    pictures = [f"{stem}.{'png' if '/a_' in stem else 'jpg'}" for stem in stems]
    assert [each["overlay"] for one in found for each in one["targets"]] == pictures
    assert sorted(files("maps")) == sorted([*pictures, *(f"{stem}.npy" for stem in stems)])
    with Path("t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["photo"], row["label"], row["overlay"]) for row in rows] == [
        (photo, label, picture)
        for (photo, label), picture in zip(
            [(photo, label) for photo in ("p/a.png", "p/b.jpg") for label in ("cow", "dog")],
            pictures,
            strict=True,
        )
    ]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_middle(narrow, number):
    """Status 130 without a word; every file there is whole, no table or sheet, and nothing unfinished."""
    rng = np.random.default_rng(2)
    for n in range(150):
        Image.fromarray(rng.integers(0, 256, (150, 200, 3)).astype(np.uint8)).save(
            f"p/{n}.png", compress_level=0
        )
    options = ["-o", "maps", "--save-map", "--csv", "t.csv", "--contact-sheet", "sheet.png", "--jsonl"]
    with start("explain", "p", "--weights", narrow, *options) as process:
        lines = [process.stdout.readline() for _ in range(12)]
        process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=60)
        took = time.monotonic() - began
    assert (process.returncode, err) == (130, "")
    assert took < 10
    for line in [*lines, *out.splitlines()][:-1]:
        json.loads(line)
    assert not Path("t.csv").exists()
    assert not Path("sheet.png").exists()
    made = os.listdir("maps")  # noqa: PTH208
    assert 12 <= len([name for name in made if name.endswith(("png", "jpg"))]) < 162
    for name in made:
        if name.endswith(".npy"):
            np.load(Path("maps", name))
        else:
            assert name.endswith((".png", ".jpg"))
            with Image.open(Path("maps", name)) as picture:
                picture.load()

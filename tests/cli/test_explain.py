"""`npcam explain` as people run it: words, JSON, pictures, and the names of files."""

import errno
import hashlib
import io
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.program import peak_memory
from PIL import Image

import npcam
from npcam.cli import sharing
from npcam.cli.commands import main
from npcam.common.where import weights_path
from npcam.resnet import Architecture
from npcam.stream import batches
from npcam.weights import Weights, read_weights, write_weights

CHELSEA = str(Path(__file__).parents[2] / "examples" / "chelsea.png")


def test_words_and_picture(run):
    """Classes, target, box and completeness in words, and the overlay at the photograph's size."""
    done = run("explain", CHELSEA, "--save-map")
    assert (done.returncode, done.stderr) == (0, "")
    e = npcam.explain(npcam.load_model(), CHELSEA)
    lines = done.stdout.split("\n")
    assert lines[0] == CHELSEA
    for line, (_, name, probability) in zip(lines[1:6], e.top(5), strict=True):
        shown, label = line.split("%  ")
        assert (len(line) - len(line.lstrip()), label) == (4 if probability < 0.1 else 3, name)
        assert float(shown) == pytest.approx(100 * probability, abs=0.00501)
    pattern = rf"  target        {e.label} \(class {e.target}\), logit (-?\d+\.\d{{4}})"
    logit = re.fullmatch(pattern, lines[6])
    assert float(logit[1]) == pytest.approx(e.logit, abs=0.0000501)
    assert lines[7] == f"  box           {e.box}, everywhere"
    assert re.fullmatch(r"  completeness  [+-]\d\.\de-\d\d \(mean of map \+ bias - logit\)", lines[8])
    assert lines[9:] == ["  overlay       chelsea_cam.png", ""]
    with Image.open("chelsea_cam.png") as overlay:
        assert np.array_equal(np.asarray(overlay), np.asarray(e.figure()))
        assert overlay.format == "PNG"
    assert np.array_equal(np.load("chelsea_cam.npy"), e.cam)


def test_json_is_the_explanation(capsys):
    """Every field of the array is what `npcam.explain` gives, in full precision, and how it came about."""
    command = ["explain", CHELSEA, "--json", "--top", "3", "--target", "dog", "-o", "maps/here"]
    assert main([*command, "--threshold", "0.3"]) == 0
    out = capsys.readouterr().out
    (found,) = json.loads(out)
    assert out == json.dumps([found], indent=2) + "\n"
    e = npcam.explain(npcam.load_model(), CHELSEA, "dog", threshold=0.3)
    options = found.pop("options")
    given = {"target": ["dog"], "threshold": 0.3, "alpha": None, "legend": True, "exif_transpose": False}
    assert given.items() <= options.items()
    assert not {"photos", "weights", "output", "json", "csv", "run"} & set(options)
    assert found == {
        "photo": CHELSEA,
        "photo_sha256": hashlib.sha256(Path(CHELSEA).read_bytes()).hexdigest(),
        "size": [451, 300],
        "exif_orientation": None,
        "top": [p._asdict() for p in e.top(3)],
        "target": e.target,
        "label": "dog",
        "probability": e.probability,
        "logit": e.logit,
        "box": list(e.box),
        "everywhere": e.everywhere,
        "evidence_in_box": e.evidence_in_box,
        "boxes": [{"box": list(part.box), "evidence": part.evidence} for part in e.boxes],
        "completeness": e.completeness,
        "overlay": str(Path("maps/here/chelsea_dog_cam.png")),
        "notes": [],
        "npcam": npcam.__version__,
        "weights_sha256": hashlib.sha256(weights_path().read_bytes()).hexdigest(),
    }
    assert np.array_equal(np.asarray(Image.open(found["overlay"])), np.asarray(e.figure()))
    assert [path.name for path in Path("maps/here").iterdir()] == ["chelsea_dog_cam.png"]


@pytest.mark.parametrize(
    ("words", "options", "drawn"),
    [
        ([], {}, {}),
        (["--target", "2"], {"target": 2}, {}),
        (["--colormap", "jet"], {}, {"colormap": "jet"}),
        (["--alpha", "0.9"], {}, {"alpha": 0.9}),
        (["--no-box", "--threshold", "0.7"], {"threshold": 0.7}, {"box": False}),
        (["--signed"], {}, {"signed": True}),
        (["--boxes", "2", "--threshold", "0.7"], {"threshold": 0.7}, {"boxes": 2}),
        (["--threshold", "0.7"], {"threshold": 0.7}, {}),
        (["--interpolation", "bilinear"], {"interpolation": "bilinear"}, {}),
        (["--exif-transpose"], {"exif_transpose": True}, {}),
        (["--align", "centers"], {"align": "centers"}, {}),
        (["--align", "corners"], {"align": "corners"}, {}),
    ],
)
def test_options(narrow, photo, capsys, words, options, drawn):
    """Each option is the library's own of that name; without any, all are as in the library."""
    with Image.open(photo) as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save("turned.png", exif=exif)
    assert main(["explain", "turned.png", "--weights", narrow, "--json", *words]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    e = npcam.explain(npcam.load_model(narrow), "turned.png", **options)
    assert found["top"] == [p._asdict() for p in e.top(5)]
    assert (found["label"], found["logit"], found["box"]) == (e.label, e.logit, e.box and list(e.box))
    with Image.open(found["overlay"]) as picture:
        pixels = np.asarray(picture)
    assert found["overlay"] == ("turned_cow_cam.png" if "--target" in words else "turned_cam.png")
    assert np.array_equal(pixels, np.asarray(e.figure(**drawn)))
    plain = npcam.explain(npcam.load_model(narrow), "turned.png").figure()
    assert np.array_equal(pixels, np.asarray(plain)) == (words in ([], ["--align", "corners"]))


@pytest.mark.parametrize(
    ("words", "drawn"),
    [
        (["--style", "flat"], {"style": "flat"}),
        (
            ["--style", "flat", "--colormap", "jet", "--alpha", "0.3"],
            {"style": "flat", "colormap": "jet", "alpha": 0.3},
        ),
        (["--style", "flat", "--boxes", "3"], {"style": "flat", "boxes": 3}),
        (["--no-legend"], {}),
        (["--no-legend", "--signed", "--no-box"], {"signed": True, "box": False}),
    ],
)
def test_pictures_of_the_photographs_size(narrow, photo, words, drawn):
    """The tutorials' overlay, and any without a legend, have the photograph's size: `e.overlay()` itself."""
    assert main(["explain", photo, "--weights", narrow, *words]) == 0
    with Image.open("cat_cam.png") as picture:
        assert picture.size == (90, 60)
        found = np.asarray(picture)
    e = npcam.explain(npcam.load_model(narrow), photo)
    assert np.array_equal(found, np.asarray(e.overlay(**drawn)))


def pictures():
    """The pictures that lie in the folder."""
    return sorted(path.name for path in Path().glob("*_cam*.png"))


def pixels(name):
    """A picture's pixels."""
    with Image.open(name) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize(
    ("words", "targets", "name"),
    [
        (["--target", "cow", "--target", "dog"], ["cow", "dog"], "cat_cow_dog_cam.png"),
        (["--target", "top3"], "top3", "cat_top3_cam.png"),
    ],
)
def test_several_targets(narrow, photo, capsys, words, targets, name):
    """One picture of all side by side, a list in JSON, and each in words; the first one as if alone."""
    found = npcam.explain(npcam.load_model(narrow), photo, targets=targets)
    assert main(["explain", photo, "--weights", narrow, *words, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert [(one["target"], one["logit"]) for one in result["targets"]] == [
        (e.target, e.logit) for e in found
    ]
    assert {key: result[key] for key in result["targets"][0]} == result["targets"][0]
    assert result["overlay"] == name
    assert pictures() == [name]
    assert np.array_equal(pixels(name), np.asarray(found.figure()))
    assert main(["explain", photo, "--weights", narrow, *words]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"target +(\w+) \(class (\d)\)", out) == [(e.label, str(e.target)) for e in found]
    assert out.count("completeness") == len(found)
    assert out.endswith(f"\n  overlay       {name}\n")


def test_a_picture_for_each_class(narrow, photo, capsys):
    """The class stands in the name of picture and map; all are on one scale; a picture of before stays."""
    assert main(["explain", photo, "--weights", narrow]) == 0
    before = Path("cat_cam.png").read_bytes()
    capsys.readouterr()
    command = ["explain", photo, "--weights", narrow, "--target", "cow", "--target", "dog", "--separate"]
    assert main([*command, "--save-map", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert [one["overlay"] for one in result["targets"]] == ["cat_cow_cam.png", "cat_dog_cam.png"]
    assert result["overlay"] == "cat_cow_cam.png"
    found = npcam.explain(npcam.load_model(narrow), photo, targets=["cow", "dog"])
    for e in found:
        assert np.array_equal(pixels(f"cat_{e.label}_cam.png"), np.asarray(e.figure()))
        assert np.array_equal(np.load(f"cat_{e.label}_cam.npy"), e.cam)
    assert pictures() == ["cat_cam.png", "cat_cow_cam.png", "cat_dog_cam.png"]
    assert Path("cat_cam.png").read_bytes() == before
    assert main(command) == 0
    out = capsys.readouterr().out
    assert re.findall(r"overlay +(\S+)", out) == ["cat_cow_cam.png", "cat_dog_cam.png"]
    assert main(["explain", photo, "--weights", narrow, "--target", "crow", "--separate"]) == 0
    assert "cat_crow_cam.png" in pictures()


def test_versus(narrow, photo, capsys):
    """The map of the difference, its numbers, and both classes in the picture's name."""
    command = ["explain", photo, "--weights", narrow, "--target", "cow", "--versus", "dog"]
    assert main([*command, "--json", "--save-map"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    e = npcam.explain(npcam.load_model(narrow), photo, "cow")
    why = e.versus("dog")
    assert (result["label"], result["logit"]) == ("cow", e.logit)
    assert result["versus"] == {
        "target": 1,
        "label": "dog",
        "logit_difference": why.logit,
        "box": why.box and list(why.box),
        "everywhere": why.everywhere,
        "evidence_in_box": why.evidence_in_box,
        "boxes": [{"box": list(part.box), "evidence": part.evidence} for part in why.boxes],
        "completeness": why.completeness,
    }
    assert result["overlay"] == "cat_cow_versus_dog_cam.png"
    assert np.array_equal(pixels(result["overlay"]), np.asarray(why.figure()))
    assert np.array_equal(np.load("cat_cow_versus_dog_cam.npy"), why.cam)
    assert main(command) == 0
    assert f"  versus        dog, logits {why.logit:+.4f} apart\n" in capsys.readouterr().out
    assert main([*command, "--target", "cat"]) == 0
    assert "cat_versus_dog_cam.png" in pictures()


def test_boxes_in_words(narrow, photo, capsys):
    """Each part with its share; no more than there are, and no more than are asked for."""
    e = npcam.explain(npcam.load_model(narrow), photo, threshold=0.5)
    assert len(e.boxes) > 1
    for count in (1, 99):
        assert main(["explain", photo, "--weights", narrow, "--threshold", "0.5", "--boxes", str(count)]) == 0
        lines = [line for line in capsys.readouterr().out.split("\n") if line.startswith("  box")]
        assert len(lines) == min(count, len(e.boxes))
        for line, part in zip(lines, e.boxes, strict=False):
            assert f"({', '.join(map(str, part.box))})" in line
            assert line.endswith(f"{part.evidence:.1%} of the evidence")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--style", "neon"], "style 'neon': expected one of evidence, flat"),
        (["--style", "flat", "--signed"], 'style "flat" shows only what speaks for a class'),
        (
            ["--style", "flat", "--versus", "dog"],
            "--style flat shows only what speaks for a class; leave it out",
        ),
        (["--signed", "--colormap", "jet"], "colormap 'jet': a signed scale has two colours of its own"),
        (
            ["--versus", "dog", "--colormap", "jet"],
            "colormap 'jet': a signed scale has two colours of its own",
        ),
        (["--style", "flat", "--target", "top2"], "--style flat: draws one class at a time; add --separate"),
        (
            ["--no-legend", "--target", "cow", "--target", "dog"],
            "--no-legend: draws one class at a time; add",
        ),
        (["--threshold", "1"], "threshold 1.0: expected a share of the map's maximum"),
        (["--target", "top2", "--target", "zebra"], "target 'zebra': no such class"),
        (["--versus", "zebra"], "target 'zebra': no such class"),
        (["--boxes", "0"], "argument --boxes: expected a whole number from 1 up"),
    ],
)
def test_options_that_do_not_fit(narrow, photo, capsys, monkeypatch, words, said):
    """One line says which, before anything is computed."""
    monkeypatch.setattr("npcam.stream.batches.look", None)
    assert main(["explain", photo, "--weights", narrow, *words]) == 2
    assert capsys.readouterr().err.startswith(f"npcam: {said}")
    assert pictures() == []


def test_versus_the_class_itself(narrow, photo, capsys):
    """Another photograph may be of another class, so this is that photograph's error."""
    assert main(["explain", photo, "--weights", narrow, "--target", "dog", "--versus", "dog"]) == 2
    expected = "npcam: versus 'dog': is the class that is explained; name another one\n"
    assert capsys.readouterr() == ("", expected)


def test_nothing_speaks_for_a_class(narrow, photo, capsys):
    """A class that every activation speaks against has no box, and the words and the JSON say so."""
    model = npcam.load_model(narrow)
    kernel = model.weights.tensors["predictions"]["kernel"].copy()
    kernel[:, 2] = -1
    write_weights("against.h5", model.with_weights({"predictions": {"kernel": kernel}}).weights)
    command = ["explain", photo, "--weights", "against.h5", "--target", "cow"]
    assert main(command) == 0
    assert "  box           none: nothing speaks for this class\n" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["box"] is None


def test_what_is_assumed_is_said(narrow, photo, capsys):
    """Each assumption of the weights stands on standard error, and in the JSON of every photograph."""
    weights = replace(read_weights(narrow), assumed=("preprocessing", "activation"))
    write_weights("assumed.h5", weights)
    assert len(weights.assumptions) == 2
    assert main(["explain", photo, photo, "--weights", "assumed.h5", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [found["notes"] for found in json.loads(out)] == [list(weights.assumptions)] * 2
    assert err == "".join(f"npcam: note: {note}\n" for note in weights.assumptions)


def test_a_linear_top_has_values_and_no_probabilities(narrow, photo, capsys):
    """The words show no percentage, and the JSON says `value`: both are the logits themselves."""
    weights = read_weights(narrow)
    write_weights("l.h5", replace(weights, architecture=replace(weights.architecture, activation="linear")))
    e = npcam.explain(npcam.load_model("l.h5"), photo)
    assert main(["explain", photo, "--weights", "l.h5", "--json", "--top", "2"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert "probability" not in found
    assert found["value"] == found["logit"] == e.logit
    best = [{"index": p.index, "name": p.name, "value": p.probability} for p in e.top(2)]
    assert found["top"] == best
    assert main(["explain", photo, "--weights", "l.h5", "--top", "2"]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert lines[1:3] == [f"  {p['value']:9.4f}  {p['name']}" for p in best]


def test_one_bad_photograph_does_not_stop_the_others(narrow, photo, capsys):
    """It is reported, in words and in JSON, and the exit status says so."""
    Path("bad.jpg").write_text("no photograph")
    command = ["explain", "bad.jpg", photo, "--weights", narrow]
    assert main([*command, "--json"]) == 2
    out, err = capsys.readouterr()
    bad, good = json.loads(out)
    assert set(bad) == {"photo", "error"}
    assert bad["photo"] == "bad.jpg"
    assert good["photo"] == photo
    assert err == f"npcam: {bad['error']}\n"
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out.startswith(f"{photo}\n")
    assert err == f"npcam: {bad['error']}\n"


def test_a_photograph_that_takes_too_much_memory(narrow, photo, capsys, monkeypatch):
    """It is named, and the others are explained."""
    decode = batches.open_photo

    def small_machine(path, *arguments):
        if path == "large.png":
            raise MemoryError
        return decode(path, *arguments)

    monkeypatch.setattr(batches, "open_photo", small_machine)
    assert main(["explain", "large.png", photo, "--weights", narrow, "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)[0] == {"photo": "large.png", "error": "large.png: not enough memory"}
    assert json.loads(out)[1]["photo"] == photo
    assert err == "npcam: large.png: not enough memory\n"


@pytest.mark.parametrize(
    ("terminal", "count", "shown"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_progress_on_a_terminal(narrow, photo, capsys, monkeypatch, terminal, count, shown):
    """Of several photographs it is said on standard error how many are done, if somebody looks at it."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert main(["explain", *[photo] * count, "--weights", narrow, "--json"]) == 0
    found = capsys.readouterr().err
    assert ("\r\x1b[K2/2 photographs, " in found) == shown
    assert shown or found == ""
    assert "\n" not in found


def test_nothing_is_computed_for_a_wrong_option(narrow, photo, monkeypatch):
    """Style, class and folder are checked before the first photograph."""
    monkeypatch.setattr("npcam.stream.batches.look", None)
    for wrong in (["--colormap", "hot"], ["--alpha", "2"], ["--target", "zebra"], ["-o", "cat.png"]):
        assert main(["explain", photo, "--weights", narrow, *wrong]) == 2


def test_a_network_without_top(photo, capsys):
    """It has no classes to explain."""
    arch = Architecture(blocks=(1,), strides=(1,), activation=None)
    write_weights("notop.h5", Weights(arch, random_tensors(arch, width=2), input_size=(33, 33)))
    assert main(["explain", photo, "--weights", "notop.h5"]) == 2
    assert capsys.readouterr().err.startswith("npcam: notop.h5: holds a network without a top")


def test_a_folder_that_cannot_be_made(narrow, photo, capsys):
    """The folder, the system's reason and the option stand in the line."""
    assert main(["explain", photo, "--weights", narrow, "-o", "cat.png/maps"]) == 2
    reason = os.strerror(errno.ENOTDIR)
    expected = f"npcam: cat.png/maps: cannot make this folder ({reason}); choose another -o\n"
    assert capsys.readouterr().err == expected


def test_photographs_of_one_name_do_not_hide_each_other(narrow, photo, capsys):
    """Three inputs called cat give three pictures, which say of which they are; no input is written over."""
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Image.open(photo).save(Path(folder, "cat.png"))
    Image.open(photo).save("cat_cam.png")
    before = Path("cat_cam.png").read_bytes()
    photos = ["a/cat.png", "b/cat.png", "cat.png", "cat_cam.png"]
    assert main(["explain", *photos, "--weights", narrow, "--json"]) == 0
    overlays = [e["overlay"] for e in json.loads(capsys.readouterr().out)]
    assert overlays == ["a_cat_cam.png", "b_cat_cam.png", "cat_png_cam.png", "cat_cam_cam.png"]
    assert Path("cat_cam.png").read_bytes() == before


@pytest.mark.parametrize("full_at", ["png", "npy"])
def test_files_are_whole_or_not_there(narrow, photo, monkeypatch, capsys, full_at):
    """A disk that fills up while a picture or a map is written leaves what was there before."""
    command = ["explain", photo, "--weights", narrow, "--save-map"]
    assert main([*command, "--target", "cow"]) == 0
    name = f"cat_cow_cam.{full_at}"
    before = Path(name).read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((Image.Image, "save", full) if full_at == "png" else (Path, "write_bytes", full)))
    capsys.readouterr()
    assert main([*command, "--target", "cow", "--colormap", "jet"]) == 2
    assert Path(name).read_bytes() == before
    assert sorted(p.name for p in Path().iterdir()) == ["cat.png", "cat_cow_cam.npy", "cat_cow_cam.png"]
    reason = f"writing failed ({os.strerror(errno.ENOSPC)}); nothing was changed"
    assert capsys.readouterr() == ("", f"npcam: {name}: {reason}\n")


@pytest.mark.parametrize("name", ["cat_cam.png", "cat_cam.npy"])
def test_another_programs_file_is_not_written_over(narrow, photo, capsys, name):
    """It stays as it is, nothing else is written for that photograph, and the line says what to do."""
    Path(name).write_bytes(b"old")
    assert main(["explain", photo, "--weights", narrow, "--save-map"]) == 2
    assert Path(name).read_bytes() == b"old"
    assert sorted(p.name for p in Path().iterdir()) == sorted(["cat.png", name])
    said = "is there, and npcam did not make it; move it or choose another -o"
    assert capsys.readouterr() == ("", f"npcam: {name}: {said}\n")


def test_a_map_of_before_stands_in_no_ones_way(narrow, photo):
    """Without --save-map no map is written, so whose file lies at its place does not matter."""
    Path("cat_cam.npy").write_bytes(b"old")
    assert main(["explain", photo, "--weights", narrow]) == 0
    assert Path("cat_cam.npy").read_bytes() == b"old"


def test_each_explanation_is_printed_at_once(narrow, photo, monkeypatch):
    """Who waits for a thousand photographs sees each when it is done, in a pipe as well."""
    flushed = []

    class Pipe(io.StringIO):
        encoding = "utf-8"

        def flush(self):
            flushed.append(self.getvalue().count("overlay"))

    monkeypatch.setattr(sys, "stdout", Pipe())
    look, seen = batches.look, []

    def watched(*arguments, **options):
        seen.append(max(flushed, default=0))
        return look(*arguments, **options)

    monkeypatch.setattr(batches, "look", watched)
    monkeypatch.setattr(sharing, "cores", lambda: 1)
    assert main(["explain", *[photo] * 17, "--weights", narrow]) == 0
    assert seen == [0, 1, 9]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell its peak memory")
@pytest.mark.parametrize(
    "words", [[], ["--style", "flat"], ["--target", "top3"], ["--target", "top3", "--separate", "--signed"]]
)
def test_memory_of_24_megapixels(words):
    """A telephone's photograph takes less than 1 GB in all, however many pictures are made of it."""
    with Image.open(CHELSEA) as image:
        image.resize((6000, 4000)).save("large.jpg")
    status, err, peak = peak_memory("explain", "large.jpg", *words)
    assert (status, err) == (0, "")
    assert peak < 1e9

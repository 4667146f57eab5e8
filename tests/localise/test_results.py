"""What is written at the end: which files, without which libraries, of how few photographs."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import measured
from helpers.evaluated import measured_rows
from helpers.needs import needs
from PIL import Image, ImageDraw

from npcam.common.errors import InputError
from npcam.localise import results
from npcam.localise.accuracy import metrics
from npcam.localise.evaluation import picture_path
from npcam.localise.results import write_results
from npcam.localise.sheets import choose

CHARTS = {"curve.png", "confusion.png", "reliability.png"}
SHEETS = {"best.png", "worst.png", "mistakes.png"}
PLAIN = {"metrics.json", "per_photo.csv"}
PROVENANCE = {"weights": "w.h5", "notes": ["one"]}
pytestmark = pytest.mark.usefixtures("everything")


@pytest.fixture
def everything():
    """The libraries that charts and page need."""
    needs("matplotlib")
    needs("jinja2")


def draw_pictures(folder, rows):
    """A small picture for each photograph that was read: its number as a colour."""
    read = sorted((row for row in rows if "error" not in row), key=lambda row: row["photo"])
    for i, row in enumerate(read):
        path = picture_path(folder / "pictures", row["photo"])
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (120, 90 + i % 20), (i, 255 - i, 120))
        ImageDraw.Draw(image).ellipse((10, 10, 60, 60), (250, 250, 0))
        image.save(path)


def write(folder, rows, pictures=True, notes=("a note",)):
    """Write the results of rows into a folder; returns the figures and what was left out."""
    folder.mkdir(exist_ok=True)
    if pictures:
        draw_pictures(folder, rows)
    found = {**metrics(rows), "provenance": PROVENANCE}
    return found, write_results(folder, found, rows, "w.h5 on photos", notes)


def files(folder):
    """The files in a folder, without those below it."""
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_all_of_it(tmp_path):
    """Figures, a line for each photograph, charts, sheets and the page, and nothing half-written."""
    rows = measured_rows()
    found, left_out = write(tmp_path / "results", rows)
    assert left_out == []
    assert files(tmp_path / "results") == PLAIN | CHARTS | SHEETS | {"index.html"}
    text = (tmp_path / "results" / "metrics.json").read_text("ascii")
    assert json.loads(text) == json.loads(json.dumps(found))
    assert text.endswith("}\n")
    with (tmp_path / "results" / "per_photo.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["photo"] for line in lines] == sorted(row["photo"] for row in rows)
    assert [line["error"] for line in lines if line["error"]] == ["is empty, as <i>"]
    page = (tmp_path / "results" / "index.html").read_text("utf-8")
    assert all(f'"{name}"' in page for name in CHARTS | SHEETS)
    assert "w.h5 on photos" in page
    assert "a note" in page


@pytest.mark.slow
def test_the_same_bytes(tmp_path):
    """From rows in any order, in any folder, a second time over the first."""
    rows = measured_rows()
    write(tmp_path / "one", rows)
    write(tmp_path / "another one", rows[::-1])
    for path in sorted(path for path in (tmp_path / "one").iterdir() if path.is_file()):
        first = path.read_bytes()
        assert (tmp_path / "another one" / path.name).read_bytes() == first, path.name
        path.write_bytes(b"old")
    write(tmp_path / "one", rows)
    for name in files(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "another one" / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "lost"), [("matplotlib", CHARTS), ("jinja2", {"index.html"}), (None, CHARTS | {"index.html"})]
)
def test_without_a_library(tmp_path, monkeypatch, missing, lost):
    """What needs it is left out, and said in a line each; all else is there."""
    for name in [missing] if missing else ["matplotlib", "jinja2"]:
        for module in [module for module in sys.modules if module.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)
    _, left_out = write(tmp_path / "results", measured_rows())
    assert files(tmp_path / "results") == (PLAIN | CHARTS | SHEETS | {"index.html"}) - lost
    said = {"matplotlib": "`pip install matplotlib`", "jinja2": "`pip install jinja2`"}
    expected = [said[missing]] if missing else list(said.values())
    assert len(left_out) == len(expected)
    assert all(words in line for words, line in zip(expected, left_out, strict=True))
    if missing == "matplotlib":
        assert "curve.png" not in (tmp_path / "results" / "index.html").read_text("utf-8")


def test_what_stands_on_the_sheets(tmp_path, monkeypatch):
    """The small pictures of those that were chosen, in their order; none for one that is gone."""
    given = measured_rows(120)
    shown = {}
    monkeypatch.setattr(
        results,
        "draw_sheet",
        lambda choice, picture: (
            shown.update({choice.name: [picture(row) for row in choice.rows]}) or Image.new("RGB", (9, 9))
        ),
    )
    draw_pictures(tmp_path, given)
    gone = choose(given)[0].rows[3]["photo"]
    picture_path(tmp_path / "pictures", gone).unlink()
    write(tmp_path, given[::-1], pictures=False)
    assert set(shown) == {"best", "worst", "mistakes"}
    for choice in choose(given):
        for row, picture in zip(choice.rows, shown[choice.name], strict=True):
            if row["photo"] == gone:
                assert picture is None
                continue
            with Image.open(picture_path(tmp_path / "pictures", row["photo"])) as file:
                assert np.array_equal(np.asarray(picture), np.asarray(file))


def test_a_value_that_is_no_probability_is_no_percentage(tmp_path):
    """A linear top has no reliability diagram."""
    row = {name: value for name, value in measured_rows(1)[0].items() if name not in ("drop", "increase")}
    write(tmp_path / "results", [row | {"probability": 7.25, "probability_of_class": 7.25}])
    assert json.loads((tmp_path / "results/metrics.json").read_text())["calibration"] is None
    assert not (tmp_path / "results/reliability.png").exists()


@pytest.mark.slow
def test_without_small_pictures_there_are_no_sheets(tmp_path):
    """Those of an earlier run go; the page shows none."""
    rows = measured_rows()
    write(tmp_path / "results", rows)
    for path in (tmp_path / "results" / "pictures").rglob("*.jpg"):
        path.unlink()
    write(tmp_path / "results", rows, pictures=False)
    assert files(tmp_path / "results") == PLAIN | CHARTS | {"index.html"}
    page = (tmp_path / "results" / "index.html").read_text("utf-8")
    assert not any(name in page for name in SHEETS)
    assert "pictures/" not in page


def test_no_boxes_at_all(tmp_path):
    """Figures of classes alone: no curve, and no best or worst box."""
    rows = measured_rows(boxes=False)
    found, left_out = write(tmp_path / "results", rows)
    assert left_out == []
    assert found["curve"] is None
    drawn = {"mistakes.png", "confusion.png", "reliability.png"}
    assert files(tmp_path / "results") == PLAIN | drawn | {"index.html"}


@pytest.mark.parametrize("right", [True, False])
def test_one_photograph(tmp_path, right):
    """Nothing is divided by nothing; of one that is right there are no mistakes."""
    row = measured.row("cat/a.jpg", predicted=0 if right else 3, hits=np.ones((4, 1000), bool), iou=0.6)
    row |= {
        "probability_of_class": 0.9,
        "completeness": 0.0,
        "box": [1, 2, 3, 4],
        "true_boxes": [[1, 2, 3, 4]],
    }
    found, left_out = write(tmp_path / "results", [row])
    assert left_out == []
    assert found["top1"]["value"] == right
    wanted = SHEETS if not right else SHEETS - {"mistakes.png"}
    assert files(tmp_path / "results") == PLAIN | CHARTS | wanted | {"index.html"}


def test_none_could_be_read(tmp_path):
    """Figures of nothing: no charts, no sheets; the page and the table name each photograph and why."""
    rows = [{"photo": f"cat/{i}.jpg", "error": f"cat/{i}.jpg: is empty"} for i in range(3)]
    found, left_out = write(tmp_path / "results", rows)
    assert left_out == []
    assert (found["photographs"], found["unreadable"], found["top1"]) == (0, 3, None)
    assert files(tmp_path / "results") == PLAIN | {"index.html"}
    assert "3 could not be read" in (tmp_path / "results/index.html").read_text("utf-8")


@pytest.mark.slow
def test_old_files_do_not_stay(tmp_path, monkeypatch):
    """What these photographs have no chart of goes, and so does a page that cannot be made."""
    write(tmp_path / "results", measured_rows())
    write(tmp_path / "results", measured_rows(boxes=False))
    assert files(tmp_path / "results") & CHARTS == CHARTS - {"curve.png"}
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in [module for module in sys.modules if module.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, module)
    _, left_out = write(tmp_path / "results", measured_rows())
    assert len(left_out) == 2
    assert files(tmp_path / "results") == PLAIN | SHEETS


def test_names_of_any_kind(tmp_path):
    """Bars, angle brackets, line feeds, bytes that are no text, in classes and photographs: one row each."""
    names = ["a|b", "<b>x</b>", "new\nline", "half \ud800", "{{ 7 }}"]
    rows = [
        measured.row(f"{name}/{i}.jpg", i, (i + 1) % 5, iou=0.3)
        | {"class": name, "predicted_class": names[(i + 1) % 5], "probability_of_class": 0.1}
        | {"completeness": 0.0, "box": None, "true_boxes": [[1, 2, 3, 4]]}
        for i, name in enumerate(names)
    ]
    found, left_out = write(tmp_path / "results", rows, pictures=False, notes=["<i>x\ny"])
    assert left_out == []
    assert list(json.loads((tmp_path / "results/metrics.json").read_text())["per_class"]) == names
    page = (tmp_path / "results/index.html").read_text("utf-8")
    assert "<b>x" not in page
    assert "<i>x" not in page
    with (tmp_path / "results/per_photo.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5
    assert list(found["per_class"]) == names


def test_nowhere_to_write(tmp_path):
    """A folder in a result's place: one line that names it, and no half of a file."""
    (tmp_path / "metrics.json").mkdir()
    with pytest.raises(InputError, match=r"metrics\.json: cannot write here \(a directory\)"):
        write(tmp_path, measured_rows(4), pictures=False)
    assert files(tmp_path) == set()
    assert Path(tmp_path, "metrics.json").is_dir()

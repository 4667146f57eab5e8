"""Results as a table: what csv and pandas read back is what was there."""

import csv
import errno
import io
import math
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers.needs import needs

from npcam import InputError
from npcam.cli import table
from npcam.cli.table import COLUMNS, SORTS, Table, in_order_of


def result(photo="a.jpg", **changes):
    """A photograph's result, as JSON has it."""
    found = {
        "photo": photo,
        "photo_sha256": "0" * 64,
        "size": [451, 300],
        "exif_orientation": None,
        "top": [],
        "target": 3,
        "label": "garbage truck",
        "probability": 0.1 + 0.2,
        "logit": -1e-7,
        "box": (1, 2, 30, 40),
        "everywhere": False,
        "evidence_in_box": 1 / 3,
        "boxes": [],
        "completeness": 5e-324,
        "overlay": "a_cam.png",
        "notes": ("one, two", 'with "quotes"'),
    }
    return found | changes


def written(*results, sort=None):
    """The table's text."""
    whole = Table(Path("t.csv"), sort)
    for one in results:
        whole.add(one)
    whole.write()
    return Path("t.csv").read_bytes().decode()


def rows(*results, sort=None):
    """What csv reads back."""
    return list(csv.DictReader(io.StringIO(written(*results, sort=sort), newline=""), strict=True))


def read_by_pandas():
    """What pandas reads back; what it has to say of its own future while it is imported is not npcam's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pandas = needs("pandas")
    return pandas.read_csv("t.csv")


def test_a_row_for_each_photograph():
    """Every number with all its digits, nothing where there is none, and one line feed after each row."""
    text = written(result(), {"photo": "b.jpg", "error": "b.jpg: no such file"})
    lines = text.split("\n")
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 4
    assert lines[3] == ""
    assert lines[1] == (
        f"a.jpg,{'0' * 64},451,300,,3,garbage truck,0.30000000000000004,,-1e-07,1,2,30,40,False,"
        '0.3333333333333333,5e-324,,,a_cam.png,"one, two; with ""quotes""",'
    )
    assert lines[2] == f"b.jpg{',' * (len(COLUMNS) - 1)}b.jpg: no such file"
    first, second = rows(result(), {"photo": "b.jpg", "error": "b.jpg: no such file"})
    assert set(first) == set(COLUMNS)
    assert (float(first["probability"]), float(first["completeness"])) == (0.1 + 0.2, 5e-324)
    assert second["error"] == "b.jpg: no such file"


def test_no_photographs():
    """The heading alone."""
    assert written() == ",".join(COLUMNS) + "\n"


def test_numbers_of_every_kind():
    """NumPy's own are written as Python's are; NaN and infinity as every reader knows them."""
    found = rows(
        result(
            probability=np.float64(0.25), everywhere=np.bool_(True), logit=math.nan, completeness=-math.inf
        )
    )
    (row,) = found
    assert (row["probability"], row["everywhere"]) == ("0.25", "True")
    assert math.isnan(float(row["logit"]))
    assert float(row["completeness"]) == -math.inf


def test_without_a_box_and_without_probabilities():
    """The box's columns are empty; a linear top has values in a column of their own."""
    linear = result(box=None, value=2.5)
    del linear["probability"]
    (row,) = rows(linear)
    assert [row[name] for name in ("x0", "y0", "x1", "y1", "probability")] == [""] * 5
    assert row["value"] == "2.5"


def test_versus():
    """The box and what lies in it are those of the difference; logit and probability the class's own."""
    versus = {
        "target": 1,
        "label": "dog",
        "logit_difference": 0.75,
        "box": (5, 6, 7, 8),
        "everywhere": True,
        "evidence_in_box": 0.875,
        "boxes": [],
        "completeness": 1e-9,
    }
    (row,) = rows(result(versus=versus))
    assert (row["label"], row["versus"], row["logit"], row["logit_difference"]) == (
        *("garbage truck", "dog", "-1e-07", "0.75"),
    )
    assert [row[name] for name in ("x0", "y0", "x1", "y1")] == ["5", "6", "7", "8"]
    assert (row["everywhere"], row["evidence_in_box"], row["completeness"]) == ("True", "0.875", "1e-09")


def test_several_targets():
    """A row for each class, with its own picture where it has one."""
    cow, dog = (
        {"target": n, "label": name, "logit": float(n), "box": None} for n, name in ((1, "cow"), (2, "dog"))
    )
    together = rows(result(**cow, targets=[cow, dog]))
    assert [(row["label"], row["logit"], row["overlay"]) for row in together] == [
        ("cow", "1.0", "a_cam.png"),
        ("dog", "2.0", "a_cam.png"),
    ]
    separate = rows(result(**cow, targets=[cow | {"overlay": "a_cow.png"}, dog | {"overlay": "a_dog.png"}]))
    assert [row["overlay"] for row in separate] == ["a_cow.png", "a_dog.png"]
    assert [row["photo"] for row in separate] == ["a.jpg"] * 2


STRANGE = (
    "a,b",
    'a"b',
    "a\nb",
    "a\rb",
    "a\r\nb",
    "caf\u00e9",
    "\u732b \U0001f63a",
    " a ",
    "=1+1",
    "a\x1b[2J",
    "\u202f",
)


@pytest.mark.parametrize("name", STRANGE)
def test_names_of_every_kind(name):
    """Commas, quotes, every end of line, any letters: read back as they were."""
    (row,) = rows(result(name, label=name, notes=(name,)))
    assert (row["photo"], row["label"], row["notes"]) == (name,) * 3


def test_names_that_are_no_text():
    """A byte of a file's name, or half a letter, that UTF-8 cannot hold is an escape."""
    (row,) = rows(result(os.fsdecode(b"a\xff.jpg"), label="\ud800"))
    assert (row["photo"], row["label"]) == ("a\\udcff.jpg", "\\ud800")


@pytest.mark.slow
def test_read_by_pandas():
    """The same names, and numbers to 14 digits, as older pandas reads; what is not there is missing."""
    rng = np.random.default_rng(0)
    results = [
        result(name, probability=float(p), logit=float(z))
        for name, p, z in zip(STRANGE, rng.random(len(STRANGE)), rng.normal(size=len(STRANGE)), strict=True)
    ]
    written(*results, {"photo": "gone.jpg", "error": "gone.jpg: no such file"})
    found = read_by_pandas()
    assert tuple(found.columns) == COLUMNS
    assert found["photo"].tolist() == [*STRANGE, "gone.jpg"]
    for name in ("probability", "logit", "evidence_in_box"):
        assert found[name][:-1].tolist() == pytest.approx([one[name] for one in results], rel=1e-14, abs=0)
        assert math.isnan(found[name].iloc[-1])
    assert found["error"].isna().tolist() == [True] * len(STRANGE) + [False]
    assert found["value"].isna().all()
    assert (found["x1"] - found["x0"])[:-1].tolist() == [29.0] * len(STRANGE)


VALUES = [0.5, math.nan, 0.75, None, 0.25, 0.75, -math.inf, math.inf]


@pytest.mark.parametrize("sort", ["probability", "logit", "evidence_in_box"])
def test_sorted_by_a_number(sort):
    """The largest first, equal ones as they came, no number or a missing one last; so in JSON, too."""
    results = [result(f"{n}.jpg", **{sort: value}) for n, value in enumerate(VALUES)]
    expected = [f"{n}.jpg" for n in (7, 2, 5, 0, 4, 6, 1, 3)]
    assert [row["photo"] for row in rows(*results, sort=sort)] == expected
    assert [one["photo"] for one in in_order_of(results, sort)] == expected
    assert in_order_of(results, None) == results
    assert [row["photo"] for row in rows(*results)] == [one["photo"] for one in results]


@pytest.mark.parametrize("sort", ["photo", "label"])
def test_sorted_by_a_name(sort):
    """In the order of their letters; a photograph without a result has a name, and no class."""
    names = ["b", "\udcff", "a", "c"]
    results = [result(**{"photo": str(n)} | {sort: name}) for n, name in enumerate(names)]
    results.append({"photo": "aa", "error": "aa: no such file"})
    found = [one.get(sort) for one in in_order_of(results, sort)]
    assert found == (["a", "aa", "b", "c", "\udcff"] if sort == "photo" else ["a", "b", "c", "\udcff", None])
    assert len(rows(*results, sort=sort)) == 5


def test_values_are_sorted_where_there_are_no_probabilities():
    """A linear top's."""
    results = [result(f"{value}.jpg", value=value) for value in (1.5, -2.0, 30.0)]
    for one in results:
        del one["probability"]
    assert [one["value"] for one in in_order_of(results, "probability")] == [30.0, 1.5, -2.0]
    assert set(SORTS) == {"probability", "logit", "evidence_in_box", "photo", "label"}


def test_a_difference_is_sorted_alike():
    """Table and JSON have one order: what the difference's box holds, where a difference is shown."""
    shown = {"label": "dog", "logit_difference": 0.0, "everywhere": False, "completeness": 0.0, "box": None}
    results = [
        result(f"{n}.jpg", evidence_in_box=own, versus=shown | {"evidence_in_box": of_difference})
        for n, (own, of_difference) in enumerate([(0.9, 0.1), (0.5, 0.5), (0.1, 0.9)])
    ]
    expected = ["2.jpg", "1.jpg", "0.jpg"]
    assert [row["photo"] for row in rows(*results, sort="evidence_in_box")] == expected
    assert [one["photo"] for one in in_order_of(results, "evidence_in_box")] == expected


def test_whole_or_not_there(monkeypatch):
    """A disk that fills up leaves the old table, and nothing half-written beside it."""
    before = written(result("old.jpg"))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(table, "_line", full)
    with pytest.raises(
        InputError, match=r"^t\.csv: writing failed \(No space left on device\); nothing was "
    ):
        written(result("new.jpg"))
    assert Path("t.csv").read_bytes().decode() == before
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_place_that_is_no_file(make):
    """It is said before anything is computed, and a pipe is not waited for."""
    make(Path("t.csv"))
    with pytest.raises(InputError, match=r"^t\.csv: .*; choose another --csv$"):
        Table(Path("t.csv"), None)

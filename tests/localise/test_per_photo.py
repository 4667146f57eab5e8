"""The table of photographs, read back by the csv module and by pandas."""

import csv
import math

import numpy as np
import pytest
from helpers.evaluated import rows
from helpers.needs import needs

from npcam.common.errors import InputError
from npcam.localise.per_photo import COLUMNS, write_per_photo


def test_pandas_reads_the_same_numbers(tmp_path):
    """To the last bit, under the column's name, sorted by the photograph's."""
    pandas = needs("pandas")
    given = sorted(rows(), key=lambda row: row["photo"])
    write_per_photo(tmp_path / "per_photo.csv", rows())
    floats = ("probability", "probability_of_class", "iou", "drop", "peak_x", "peak_y")
    exact = dict.fromkeys(floats, lambda text: float(text or "nan"))  # some versions round the last bit
    table = pandas.read_csv(tmp_path / "per_photo.csv", converters=exact)
    assert tuple(table.columns) == COLUMNS
    assert table["photo"].tolist() == [row["photo"] for row in given]
    for name in floats[:4]:
        expected = np.array([row.get(name, math.nan) for row in given])
        np.testing.assert_array_equal(table[name].to_numpy(), expected)
    corners = np.array([(row.get("box") or [math.nan] * 4) for row in given])
    np.testing.assert_array_equal(table[["x0", "y0", "x1", "y1"]].to_numpy(), corners)
    peaks = np.array([row.get("peak", [math.nan] * 2) for row in given])
    np.testing.assert_array_equal(table[["peak_x", "peak_y"]].to_numpy(), peaks)
    truths = {"true": True, "false": False, True: True, False: False}
    for name in ("peak_hit", "increase"):
        assert [truths.get(x) for x in table[name]] == [row.get(name) for row in given]
    right = [row["predicted"] == row["label"] if "label" in row else None for row in given]
    assert [truths.get(x) for x in table["right"]] == right
    hit = [row["iou"] >= 0.5 if "iou" in row else None for row in given]
    assert [truths.get(x) for x in table["hit"]] == hit
    assert {True, False, None} <= set(right) | set(hit)


def test_the_order_of_rows_does_not_matter(tmp_path):
    """The same photographs make the same bytes."""
    write_per_photo(tmp_path / "a.csv", rows())
    write_per_photo(tmp_path / "b.csv", reversed(rows()))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_names_of_any_kind_are_one_cell(tmp_path):
    """Commas, quotes, line feeds and letters of any script read back; a byte that is no text is named."""
    names = ["a,b.jpg", 'a"b.jpg', "a\nb.jpg", "\u732b.jpg", "z\udcff.jpg"]
    write_per_photo(tmp_path / "a.csv", [{"photo": name, "error": "is empty"} for name in names])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        found = [row["photo"] for row in csv.DictReader(file)]
    assert found == sorted([*names[:-1], "z\\udcff.jpg"])


def test_whole_or_not_there(tmp_path):
    """Rows that fail in the middle leave the old file, and nothing beside it."""
    path = tmp_path / "a.csv"
    path.write_text("old")

    def failing():
        yield rows()[0]
        raise InputError("broken off")

    with pytest.raises(InputError, match="broken off"):
        write_per_photo(path, failing())
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "old"

"""Figures in words: all that there are, each with what stands beside it."""

import pytest
from helpers.evaluated import figures, metrics, rows

from npcam.localise.shown import MEASURES, cards, classes_table, lead, measures, share


def test_every_measure_is_shown():
    """Each place of the list that has a share has a line, in the list's order."""
    given = figures()
    given["cross_fitted"]["top1_localisation"] = given["top1_localisation_20"] = given["top1"]
    lines = [line for group in measures(given) for line in group.lines]
    specs = [spec for _, group in MEASURES for spec in group]
    assert [line.name for line in lines] == [name for _, name, _, _ in specs]
    for line, (place, _, _, _) in zip(lines, specs, strict=True):
        assert line.share == share(given, place)


def test_other_boxes_stand_beside_those_that_they_can_be_held_against():
    """The blind box and the grid's best count from an IoU of 0.5 on: they stand beside such measures."""
    beside = {
        line.name for group in measures(figures()) for line in group.lines if line.centred and line.grid
    }
    assert beside == {"MaxBoxAcc (V1)", "IoU 0.5", "GT-known localisation"}
    line = cards(figures())[1]
    assert line.centred.value == "75.0%"
    assert line.grid.value == "80.0%"


@pytest.mark.parametrize(
    ("found", "value", "interval", "at", "left", "width"),
    [
        ({"value": 0.8314, "low": 0.81, "high": 0.8525}, "83.1%", "81.0 to 85.2%", 83.14, 81, 4.25),
        ({"value": 1, "low": 0.98, "high": 1}, "100.0%", "98.0 to 100.0%", 100, 98, 2),
        ({"value": -0.02, "low": -0.1, "high": 0.05}, "-2.0%", "-10.0 to 5.0%", 0, 0, 5),
        (0.25, "25.0%", "", 25, 25, 0),
    ],
)
def test_a_share_in_words(found, value, interval, at, left, width):
    """Per cent to one place, and where it lies from 0 to 100, within the bar."""
    shown = share({"x": {"y": found}}, "x.y")
    assert shown[:2] == (value, interval)
    assert shown[2:5] == pytest.approx((at, left, width))
    assert shown.has_interval == bool(interval)


def test_what_there_is_none_of_is_left_out():
    """No boxes: no lines of boxes, and no empty group; no classes: no table."""
    given = {"photographs": 3, "with_boxes": 0, "top1": 0.5, "max_box_acc": {"v1": None}, "pointing": None}
    assert [[line.name for line in group.lines] for group in measures(given)] == [["Top-1"]]
    assert [line.name for line in cards(given)] == ["Top-1"]
    assert lead(given) == "3 photographs, 0 of them with boxes."
    assert classes_table(given, {}) is None


def test_classes():
    """A row for each class, with its index for the filter, and a cell for each column."""
    given = metrics(rows())
    table = classes_table(given, {"cat": 0, "dog": 1})
    assert [row["name"] for row in table["rows"]] == list(given["per_class"])
    assert [row["label"] for row in table["rows"]] == [0, 1, None]
    assert table["columns"][:4] == ("Photographs", "With boxes", "Top-1", "MaxBoxAcc (V1)")
    for row in table["rows"]:
        assert len(row["cells"]) == len(table["columns"])
        assert row["cells"][0].value == str(given["per_class"][row["name"]]["photographs"])
        assert row["cells"][3].value == "71.0%"

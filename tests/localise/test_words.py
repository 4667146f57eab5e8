"""The figures as Markdown: every one that metrics.json has, in tables that stay tables."""

import re

import numpy as np
import pytest
from helpers import evaluated, measured
from helpers.evaluated import measured_rows

from npcam.localise.accuracy import metrics
from npcam.localise.words import in_markdown


def tables(text):
    """The tables of Markdown: of each its rows, of each its cells."""
    found, lines = [], []
    for line in [*text.split("\n"), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif lines:
            found.append(lines)
            lines = []
    return found


def test_every_figure_is_there():
    """Each value and interval of metrics.json, by its name; the two other boxes beside those they fit."""
    found = metrics(measured_rows(200))
    overall, classes, calibration = tables(in_markdown(found))
    cells = {}
    for name, *others in overall[2:]:
        cells.setdefault(name.split(":")[0], []).append(others)

    def shown(share):
        return [f"{share['value']:.1%}", f"{100 * share['low']:.1f} to {share['high']:.1%}"]

    expected = {
        "Top-1": [found["top1"]],
        "Top-5": [found["top5"]],
        "MaxBoxAcc (V1)": [found["max_box_acc"]["v1"], found["cross_fitted"]["v1"]],
        "MaxBoxAccV2": [found["max_box_acc"]["v2"], found["cross_fitted"]["v2"]],
        "IoU 0.3": [found["max_box_acc"]["iou30"]],
        "IoU 0.5": [found["max_box_acc"]["iou50"]],
        "IoU 0.7": [found["max_box_acc"]["iou70"]],
        "Top-1 localisation": [
            found["top1_localisation"],
            found["cross_fitted"]["top1_localisation"],
            found["top1_localisation_20"],
        ],
        "GT-known localisation": [found["gt_known_20"]],
        "Pointing game": [found["pointing"]],
        "Average Drop": [found["average_drop"]],
        "Average Increase": [found["average_increase"]],
    }
    for name, shares in expected.items():
        assert [row[:2] for row in cells[name]] == [shown(share) for share in shares], name
    beside = [f"{found['centred_box']['value']:.1%}", f"{found['grid_best']['value']:.1%}"]
    assert cells["GT-known localisation"][0][2:] == beside
    assert [row[2:] for row in cells["MaxBoxAcc (V1)"]] == [beside, beside]
    assert cells["Top-1"][0][2:] == ["", ""]
    above = next(row for row in overall if "above the centred box" in row[0])
    assert above[1:3] == shown(found["gt_known_20_above_centred_box"])
    assert [row[0] for row in classes[2:]] == [
        "**all**",
        *(name.replace("<", r"\<") for name in found["per_class"]),
    ]
    for row, figures in zip(classes[3:], found["per_class"].values(), strict=True):
        assert row[1:3] == [str(figures["photographs"]), str(figures["with_boxes"])]
        assert row[3] == "{} ({})".format(*shown(figures["top1"]))
        assert row[-1] == "{} ({})".format(*shown(figures["pointing"]))
    assert [int(row[1]) for row in calibration[2:]] == [one["photographs"] for one in found["calibration"]]
    assert f"expected calibration error: {found['expected_calibration_error']:.3f}" in in_markdown(found)


def test_what_there_is_none_of_is_left_out():
    """No boxes: no figures of boxes, and no columns of them; a linear top: no calibration and no drop."""
    text = in_markdown(metrics(measured_rows(boxes=False)))
    assert "Box" not in text
    assert tables(text)[1][0] == ["class", "photographs", "with boxes", "top-1"]
    assert "Average Drop" in text
    linear = [
        {k: v for k, v in row.items() if k not in ("drop", "increase")} for row in measured_rows(boxes=False)
    ]
    text = in_markdown(metrics([row | {"probability": 2.0} if "class" in row else row for row in linear]))
    assert "Average" not in text
    assert "calibration" not in text


def test_nothing_could_be_read():
    """One sentence, and tables of nothing that are tables still."""
    text = in_markdown(metrics([{"photo": "a.jpg", "error": "is empty"}]))
    assert "1 could not be read" in text.split("\n")[0]
    assert all(len({len(row) for row in table}) == 1 for table in tables(text))


def test_one_photograph():
    """It is one photograph, not one photographs."""
    row = measured.row("a.jpg", hits=np.ones((4, 1000), bool), iou=0.6)
    assert in_markdown(metrics([row])).startswith("1 photograph, 1 of them with boxes")


@pytest.mark.parametrize("name", ["a|b", "||", "<b>x</b>", "new\nline", "\x1b[2J", "half \ud800", "`x`"])
def test_names_of_any_kind(name):
    """A bar makes no cell, a line feed no row, and nothing becomes HTML; the name can still be told."""
    rows = [
        row | ({"class": name} if row.get("label") == 0 else {}) for row in evaluated.rows(20, boxes=False)
    ]
    rows = [row | ({"predicted_class": name} if row.get("predicted") == 0 else {}) for row in rows]
    text = in_markdown(metrics(rows))
    _, classes, _ = tables(text)
    assert len(classes) == 3 + 3
    assert {len(row) for row in classes} == {4}
    assert "\n\n|" in text
    assert not re.search(r"(?<!\\)<", text)
    assert text.isascii() or name.isascii()
    told = classes[3][0].replace("\\|", "|").replace("\\<", "<")
    assert told == name if name.isprintable() else "\\" in told

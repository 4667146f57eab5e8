"""Contact sheets of an evaluation: who stands on them, and what is drawn."""

import numpy as np
import pytest
from helpers.evaluated import rows
from helpers.pictures import picture

from npcam.explain import Explanation
from npcam.localise.sheets import COLUMNS, TRUE_BOX, Choice, caption, choose, draw_sheet, thumbnail
from npcam.pictures.lettering import WHITE

GREY = (90, 90, 90)


def evidence(size=(300, 200), box=(30, 20, 150, 120), colour=GREY):
    """An explanation whose map is nothing but 0, so that what is drawn is the photograph and its boxes."""
    photo = picture(size=size)
    photo.paste(colour, (0, 0, *size))
    nothing = np.zeros((7, 7), np.float32)
    return Explanation(photo, 0, "cat", np.ones(1), 0.0, nothing, np.zeros((224, 224), np.float32), box, 0.0)


def test_the_best_and_the_worst_boxes():
    """By their IoU over all photographs with true boxes, in any order of rows."""
    given = rows(200)
    best, worst, _ = choose(reversed(given), 10)
    by_iou = sorted((row for row in given if "iou" in row), key=lambda row: row["iou"])
    assert [row["photo"] for row in best.rows] == [row["photo"] for row in by_iou[::-1][:10]]
    ties = [row for row in by_iou if row["iou"] == 0]
    assert len(ties) > 10
    sure = sorted(ties, key=lambda row: -row["probability_of_class"])
    assert [row["photo"] for row in worst.rows] == [row["photo"] for row in sure[:10]]


def test_the_surest_mistakes():
    """Only photographs that were taken for another class, the most probable one first."""
    mistakes = choose(rows(200))[2]
    wrong = [row for row in rows(200) if "label" in row and row["label"] != row["predicted"]]
    expected = sorted(wrong, key=lambda row: -row["probability"])[:24]
    assert [row["photo"] for row in mistakes.rows] == [row["photo"] for row in expected]


def test_equal_ones_are_in_the_order_of_their_names():
    """So that the same photographs make the same sheet."""
    same = {**rows()[1], "iou": 0.5, "probability_of_class": 0.5}
    for kind in choose([{**same, "photo": name} for name in "dbca"], 3)[:2]:
        assert [row["photo"] for row in kind.rows] == ["a", "b", "c"]


def test_sheets_without_photographs_are_left_out():
    """No true boxes: mistakes alone; no photograph that could be read: nothing."""
    assert [choice.name for choice in choose(rows(boxes=False))] == ["mistakes"]
    assert choose([{"photo": "x", "error": "is empty"}]) == ()


@pytest.mark.parametrize("size", [(300, 200), (150, 100), (75, 50), (600, 400)])
def test_boxes_are_where_they_belong(size):
    """True boxes in blue, the found one in white above them, at the thumbnail's scale."""
    k = size[0] / 300
    found = evidence(size, tuple(round(k * c) for c in (40, 20, 160, 120)))
    small = np.asarray(thumbnail(found, [[k * c for c in (100, 60, 280, 180)]], 150))
    assert small.shape == (100, 150, 3)
    for colour, (x0, y0, x1, y1) in ((TRUE_BOX, (50, 30, 140, 90)), (WHITE, (20, 10, 80, 60))):
        lines, columns = np.nonzero((small == colour).all(axis=2))
        assert (columns.min(), lines.min(), columns.max() + 1, lines.max() + 1) == (x0 + 0, y0 + 0, x1, y1)
    drawn = {tuple(map(int, c)) for c in small.reshape(-1, 3)}
    assert drawn == {GREY, TRUE_BOX, WHITE, (0, 0, 0)}


def test_the_map_is_drawn():
    """The tint of `Explanation.overlay` where the evidence is, at the thumbnail's size."""
    plain = evidence((200, 200), None)
    heatmap = np.zeros((224, 224), np.float32)
    heatmap[:, :112] = 1
    mapped = Explanation(
        plain.photo, 0, "cat", np.ones(1), 0.0, np.ones((7, 7)), heatmap, None, 0.0, scale=1.0
    )
    small = np.asarray(thumbnail(mapped, [], 100)).astype(int)
    assert (small[:, 52:] == GREY).all()
    whole = np.asarray(mapped.overlay()).astype(int)
    assert tuple(small[50, 20]) == tuple(whole[100, 40])
    assert abs(small[50, 20] - GREY).max() > 30


@pytest.mark.parametrize("box", [(-50, -50, 400, 300), (299.9, 10, 300, 20), (310, 10, 320, 20)])
def test_boxes_that_leave_the_photograph(box):
    """What lies outside is cut off, and a box that lies outside is not drawn."""
    assert thumbnail(evidence(box=None), [box], 150).size == (150, 100)


def test_a_sheet(monkeypatch):
    """A cell for each row, with its caption; a photograph that has gone since is a crossed cell."""
    given = rows(20)[:9]

    def small(row):
        return None if row is given[4] else picture(size=(120, 80))

    written = []
    monkeypatch.setattr("npcam.localise.sheets.Sheet.add", lambda _, i, *rest: written.append((i, *rest)))
    page = draw_sheet(Choice("best", "x", tuple(given)), small, 120)
    assert page.size[0] > COLUMNS * 120
    assert [i for i, *_ in written] == list(range(9))
    assert [thumb is None for _, thumb, *_ in written] == [i == 4 for i in range(9)]
    assert [words for _, _, *words in written] == [[caption(row), row["photo"]] for row in given]


def test_captions():
    """What it is, what it was taken for, and its IoU where there is one."""
    row = {"class": "cat", "predicted_class": "cat", "label": 0, "predicted": 0, "probability": 0.974}
    assert caption(row) == "cat 0.974"  # of a linear top
    row["drop"] = 0.1
    assert caption(row) == "cat 97%"
    assert caption({**row, "iou": 0.936}) == "IoU 0.94, cat 97%"
    wrong = {**row, "predicted": 1, "predicted_class": "dog"}
    assert caption({**wrong, "iou": 0}) == "IoU 0.00, dog 97%, is cat"

"""The row of one photograph: worked by hand, and hits against the plain definition."""

import json

import numpy as np
import pytest
from helpers import wsol
from helpers.needs import needs

import npcam
from npcam import InputError
from npcam.localise.measure import of_boxes, of_classes, of_drop, pack, unpack


def square_map():
    """An 8x8 map that is 1 in 4x4 pixels at (2, 2), 0.5 in a frame around them, and -1 elsewhere."""
    heatmap = np.full((8, 8), -1.0)
    heatmap[1:7, 1:7] = 0.5
    heatmap[2:6, 2:6] = 1
    heatmap[3, 4] = 2
    return heatmap


def test_a_row_by_hand():
    """A map of 8x8 over a photograph 16 wide and 24 high: boxes, peak and the two marks."""
    row = of_boxes(square_map(), (2, 2), [(2, 3, 14, 21)], (24, 16))
    assert row["box"] == [2, 3, 14, 21]
    assert row["iou"] == 1
    assert row["peak"] == [9, 10.5]
    assert row["peak_hit"] is True
    assert row["centred_iou"] == pytest.approx(0.75**2 / 0.85**2)
    assert row["grid_iou"] == pytest.approx(0.75**2)
    assert row["true_boxes"] == [[2, 3, 14, 21]]
    json.dumps(row)


def test_hits_by_hand():
    """V1's box is (1, 1, 7, 7) of pixels above bytes to 126, (2, 2, 6, 6) to 169, (4, 3, 5, 4) from 170 on.

    The true box is (1, 1, 7, 7), with its last pixels 7x7: overlaps are 1, 25 / 49 and 4 / 49.
    """
    found = unpack(of_boxes(square_map(), (2, 2), [(1, 1, 7, 7)], (8, 8))["hits"])
    byte = (np.arange(0, 1, 0.001) * 255).astype(int)
    assert (found[0] == (byte < 170)).all()
    assert (found[1] == (byte < 170)).all()
    assert (found[2] == (byte < 170)).all()
    assert (found[3] == (byte < 127)).all()


def test_an_overlap_of_exactly_a_half_is_a_hit():
    """A box of 4x2 pixels, its last ones included, around a true box of 2x2."""
    heatmap = np.zeros((4, 8))
    heatmap[0, :3] = 1
    found = unpack(of_boxes(heatmap, (1, 1), [(0, 0, 1, 1)], (4, 8))["hits"])
    assert found.all(axis=1).tolist() == [True, True, True, False]
    assert not found[3].any()


@pytest.mark.parametrize("cells", [3, 7])
def test_hits_are_the_definitions(cells):
    """V1 and V2 at every threshold, with several true boxes, on maps and photographs that are not square."""
    cv2 = needs("cv2")
    rng = np.random.default_rng(cells)
    reached = []
    for _ in range(4):
        heatmap = npcam.upsample_map(rng.standard_normal((cells, cells + 1)).astype(np.float32), (60, 90))
        size = (int(rng.integers(50, 300)), int(rng.integers(50, 300)))  # height, width
        corners = np.sort(rng.uniform(0, 1, (9, 2, 2)), axis=1).reshape(9, 4)
        boxes = corners * [size[1], size[0], size[1], size[0]]
        row = of_boxes(heatmap, (cells, cells + 1), boxes.tolist(), size)
        expected = wsol.hits(cv2, heatmap, boxes, size[::-1])
        assert (unpack(row["hits"]) == expected).all()
        reached.append(expected.mean(axis=1))
    assert (np.mean(reached, axis=0) > 0).all()  # each of the four has some, and not all
    assert (np.mean(reached, axis=0) < 1).all()


def test_where_nothing_is_positive_there_is_no_box():
    """Its overlap is 0; the maximum is a peak all the same, except in a constant map."""
    row = of_boxes(square_map() - 5, (2, 2), [(0, 0, 8, 8)], (8, 8))
    assert (row["box"], row["iou"], row["peak"], row["peak_hit"]) == (None, 0, [4.5, 3.5], True)
    row = of_boxes(np.zeros((8, 8)), (2, 2), [(0, 0, 8, 8)], (8, 8))
    assert (row["box"], row["peak"], row["peak_hit"]) == (None, None, False)
    assert not unpack(row["hits"]).any()


def test_a_peak_misses_farther_than_15_pixels_of_the_input():
    """However large the photograph is."""
    heatmap = np.zeros((224, 224))
    heatmap[100, 100] = 1
    for size in (100, 4000):
        at = np.array([115.4, 90, 130, 110]) * size / 224
        assert of_boxes(heatmap, (7, 7), [at], (size, size))["peak_hit"]
        assert not of_boxes(heatmap, (7, 7), [at + 0.2 * size / 224], (size, size))["peak_hit"]


def test_hits_survive_packing():
    """All 4,000 bits come back."""
    found = np.random.default_rng(0).random((4, 1000)) < 0.5
    assert (unpack(pack(found)) == found).all()


@pytest.mark.parametrize("boxes", [[], [(3, 3, 3, 9)], [(0, 0, np.nan, 5)]])
def test_boxes_that_hold_nothing_are_refused(boxes):
    """No box, one without area, one that is no number: one line."""
    with pytest.raises(InputError, match="expected some"):
        of_boxes(square_map(), (2, 2), boxes, (8, 8))


def test_classes_are_ranked_by_their_logits():
    """Where probabilities are rounded to the same number, too; of equal logits the first comes first."""
    logits = np.array([0, -200, -190, 0, -300, -250, 90], np.float32)
    probabilities = np.array([0, 0, 0, 0, 0, 0, 1], np.float32)
    row = of_classes(logits, probabilities, 2, 2, None)
    assert row["top"] == [6, 0, 3, 2, 1]
    assert (row["predicted"], row["predicted_class"], row["class"]) == (6, "6", "2")
    assert (row["probability"], row["probability_of_class"]) == (1, 0)
    json.dumps(row)


def test_a_drop_is_a_share_of_what_there_was():
    """Chattopadhay et al.'s two numbers; nothing can be lost where there was nothing."""
    assert of_drop(0.8, 0.6)["drop"] == pytest.approx(0.25)
    assert of_drop(0.8, 0.8) == {"drop": 0, "increase": False}
    assert of_drop(0.0, 0.5) == {"drop": 0, "increase": True}

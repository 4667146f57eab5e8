"""Overlaps of boxes, against counting squares and pixels."""

import numpy as np
import pytest
from helpers import wsol

from npcam.localise.overlaps import best_of_grid, near, overlaps, pixel_boxes, pixel_overlaps


def covered(box, side=20):
    """The unit squares that a box of whole numbers covers."""
    x0, y0, x1, y1 = box
    squares = np.zeros((side, side), bool)
    squares[y0:y1, x0:x1] = True
    return squares


def random_boxes(rng, count):
    corners = np.sort(rng.integers(0, 20, (count, 2, 2)), axis=1)
    return corners.reshape(count, 4)


def test_overlaps_are_shares_of_squares():
    """By edges: intersection over union is that of the unit squares covered; a box without area has none."""
    rng = np.random.default_rng(0)
    boxes = random_boxes(rng, 30)
    for box in random_boxes(rng, 30):
        expected = []
        for other in boxes:
            both, either = covered(box) & covered(other), covered(box) | covered(other)
            expected.append(both.sum() / either.sum() if either.any() else 0)
        assert overlaps(tuple(box), boxes) == pytest.approx(expected)


def test_pixel_overlaps_are_the_evaluators():
    """By whole pixels, the last ones included: one pixel more on two sides than by edges."""
    rng = np.random.default_rng(1)
    boxes, others = random_boxes(rng, 20), random_boxes(rng, 7)
    expected = [[wsol.iou(box, other) for other in others] for box in boxes]
    assert (pixel_overlaps(boxes, others) == np.array(expected)).all()
    wider, one = boxes + np.array([0, 0, 1, 1]), tuple(others[0] + np.array([0, 0, 1, 1]))
    assert pixel_overlaps(boxes, others)[:, 0] == pytest.approx(overlaps(one, wider))


def test_true_boxes_are_truncated():
    """55.9 of 113 columns is 110.81 of 224, and becomes 110."""
    found = pixel_boxes(np.array([[0.0, 1.0, 55.9, 200.0]]), (200, 113), (224, 224))
    assert found.tolist() == [[0, 1, 110, 224]]


def test_a_peak_may_lie_a_margin_outside_its_box():
    """In each direction by itself, the margin included, and from any of several boxes."""
    boxes = np.array([[10.0, 10.0, 20.0, 20.0], [50.0, 50.0, 60.0, 60.0]])
    assert near((15, 15), boxes, 0)
    assert near((45, 65), boxes, 5)
    assert not near((44.9, 55), boxes, 5)
    assert not near((15, 55), boxes, 5)


@pytest.mark.parametrize("grid", [(1, 1), (2, 3), (5, 4)])
def test_the_best_of_a_grid_is_the_best_of_all_its_rectangles(grid):
    """Against a loop over every rectangle of whole cells."""
    rows, columns = grid
    rng = np.random.default_rng(rows)
    for _ in range(10):
        box = np.sort(rng.uniform(0, 1, (2, 2)), axis=0).reshape(1, 4)
        expected = max(
            overlaps((x0 / columns, y0 / rows, x1 / columns, y1 / rows), box)[0]
            for y0 in range(rows)
            for y1 in range(y0 + 1, rows + 1)
            for x0 in range(columns)
            for x1 in range(x0 + 1, columns + 1)
        )
        assert best_of_grid(grid, box) == pytest.approx(expected)
        assert best_of_grid(grid, np.concatenate([[[0, 0, 1, 1]], box])) == 1

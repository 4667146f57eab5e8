"""Sparseness, complexity and evidence in boxes: the papers' formulas in loops, identities, and by hand."""

import numpy as np
import pytest
import scipy.stats

from npcam.audit.shape import POINTS, complexity, gini, in_boxes, inside, lorenz
from npcam.cam import evidence_inside

MAP = np.random.default_rng(0).normal(size=(9, 11))


def test_gini_is_the_mean_difference():
    """Half the mean absolute difference of all pairs over the mean: another definition of the same number."""
    a = np.abs(MAP).ravel()
    pairs = sum(abs(p - q) for p in a for q in a) / len(a) ** 2
    assert gini(MAP) == pytest.approx(pairs / (2 * a.mean()), abs=1e-12)


def test_gini_is_hurley_and_rickards_formula():
    """1 - 2 sum_k (c_k / |c|_1) (N - k + 1/2) / N, term by term."""
    c = sorted(abs(float(v)) for v in MAP.ravel())
    n, total = len(c), sum(c)
    expected = 1 - 2 * sum(v / total * (n - k + 0.5) / n for k, v in enumerate(c, start=1))
    assert gini(MAP) == pytest.approx(expected, abs=1e-12)


def test_the_ends_of_sparseness():
    """All alike, one cell alone, nothing at all; a factor and a sign change nothing."""
    one = np.zeros((7, 7))
    one[3, 3] = -2
    assert gini(np.full((7, 7), -3.0)) == pytest.approx(0, abs=1e-12)
    assert gini(one) == pytest.approx(1 - 1 / 49, abs=1e-12)
    assert gini(np.zeros((7, 7))) == complexity(np.zeros((7, 7))) == 0
    assert gini(-5 * MAP) == pytest.approx(gini(MAP), abs=1e-12)
    assert complexity(np.full((7, 7), 2.0)) == pytest.approx(1, abs=1e-12)
    assert complexity(one) == 0


def test_complexity_is_scipys_entropy():
    """Of the shares of absolute values, over the logarithm of their number."""
    assert complexity(MAP) == pytest.approx(scipy.stats.entropy(np.abs(MAP).ravel()) / np.log(99), abs=1e-12)


def test_the_lorenz_curve_gives_the_gini_index():
    """Twice the area between it and the diagonal, where its points fall on cells: 20 cells, 21 points."""
    values = np.random.default_rng(1).random((4, 5))
    curve = np.array(lorenz(values))
    assert len(curve) == POINTS
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(1)
    area = (curve[1:] + curve[:-1]).sum() / 2 / 20
    assert 1 - 2 * area == pytest.approx(gini(values), abs=1e-12)


def test_inside_is_pixel_by_pixel():
    """A pixel is inside where its centre is, in two boxes that overlap, on a photograph of another size."""
    boxes = np.array([[10.0, 5.5, 61.0, 30.0], [50.0, 20.0, 90.0, 39.0]])
    found = inside(boxes, (40, 100), (14, 20))
    for y in range(14):
        for x in range(20):
            row, column = (y + 0.5) * 40 / 14, (x + 0.5) * 100 / 20
            yes = any(x0 <= column < x1 and y0 <= row < y1 for x0, y0, x1, y1 in boxes)
            assert found[y, x] == yes


def test_mass_is_the_evidence_in_a_box():
    """What `evidence_inside` gives for the same rectangle of pixels."""
    truth = np.zeros(MAP.shape, bool)
    truth[2:6, 3:9] = True
    assert in_boxes(MAP, truth)["inside.mass"] == pytest.approx(evidence_inside(MAP, (3, 2, 9, 6)))


def test_rank_is_counted_in_a_loop():
    """As many of the largest pixels as there are inside, in a sorted list of Python's."""
    truth = np.random.default_rng(2).random(MAP.shape) < 0.3
    order = sorted(range(99), key=lambda i: (-MAP.ravel()[i], i))[: int(truth.sum())]
    expected = sum(bool(truth.ravel()[i]) for i in order) / truth.sum()
    found = in_boxes(MAP, truth)
    assert found["inside.rank"] == pytest.approx(expected)
    assert found["inside.area"] == pytest.approx(truth.mean())


def test_the_best_and_the_worst_map():
    """The truth itself as a map reaches 1 and 1; its reverse 0 and 0; nothing positive has no mass."""
    truth = np.zeros((6, 6), bool)
    truth[:2, :3] = True
    assert in_boxes(truth.astype(float), truth) == {"inside.mass": 1, "inside.rank": 1, "inside.area": 1 / 6}
    assert in_boxes(1.0 - truth, truth)["inside.mass"] == in_boxes(1.0 - truth, truth)["inside.rank"] == 0
    assert in_boxes(-np.ones((6, 6)), truth)["inside.mass"] == 0
    assert in_boxes(np.ones((6, 6)), np.zeros((6, 6), bool))["inside.rank"] == 0

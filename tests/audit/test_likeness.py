"""Likeness of maps against SciPy and plain loops."""

import numpy as np
import pytest
import scipy.stats

from npcam.audit.likeness import pearson, spearman, ssim
from npcam.localise.contours import unit_map

RNG = np.random.default_rng(0)
PAIRS = [
    (RNG.normal(size=(9, 12)), RNG.normal(size=(9, 12))),
    (RNG.integers(0, 3, (9, 12)).astype(float), RNG.integers(0, 3, (9, 12)).astype(float)),  # many ties
]


@pytest.mark.parametrize("pair", PAIRS)
def test_correlations_are_scipys(pair):
    """Pearson's and Spearman's coefficients, ties included."""
    one, other = (m.ravel() for m in pair)
    assert pearson(*pair) == pytest.approx(scipy.stats.pearsonr(one, other).statistic, abs=1e-12)
    assert spearman(*pair) == pytest.approx(scipy.stats.spearmanr(one, other).statistic, abs=1e-12)


def test_equal_opposite_and_constant_maps():
    """1 for the same map, constant or not; -1 for its negative; 0 where one of two is constant."""
    m, flat = PAIRS[0][0], np.ones((9, 12))
    for likeness in (pearson, spearman):
        assert likeness(m, m) == likeness(flat, flat) == 1
        assert likeness(m, -m) == pytest.approx(-1, abs=1e-12)
        assert likeness(m, flat) == 0
    assert ssim(m, m) == 1


def test_ranks_do_not_feel_a_rising_function():
    """exp of a map has its ranks, and another picture."""
    m = PAIRS[0][0]
    assert spearman(m, np.exp(m)) == pytest.approx(1, abs=1e-12)
    assert pearson(m, np.exp(m)) < 0.95


def test_structural_similarity_is_that_of_a_loop():
    """Window by window, as the paper's equation 13 has it, sample covariances by NumPy's `cov`."""
    one, other = PAIRS[0]
    a, b = (unit_map(m).astype(float) for m in (one, other))
    values = []
    for y in range(9 - 6):
        for x in range(12 - 6):
            p, q = a[y : y + 7, x : x + 7].ravel(), b[y : y + 7, x : x + 7].ravel()
            (vp, both), (_, vq) = np.cov(p, q)
            above = (2 * p.mean() * q.mean() + 1e-4) * (2 * both + 9e-4)
            values.append(above / ((p.mean() ** 2 + q.mean() ** 2 + 1e-4) * (vp + vq + 9e-4)))
    assert ssim(one, other) == pytest.approx(np.mean(values), abs=1e-12)

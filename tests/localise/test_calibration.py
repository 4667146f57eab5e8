"""Reliability and its one number, and Wilson's interval."""

import numpy as np
import pytest
import scipy.stats

from npcam.localise.calibration import calibration, wilson


def test_wilsons_interval_is_the_published_one():
    """Newcombe 1998, table I: 81 of 263, method 3."""
    found = wilson(np.arange(263) < 81)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 7)])
def test_wilsons_interval_is_scipys(hits, n):
    """With no hits and with nothing else, too."""
    theirs = scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(np.arange(n) < hits) == pytest.approx((hits / n, theirs.low, theirs.high), abs=1e-6)


def test_a_calibrated_forecast_has_no_error():
    """70 % sure and right in 70 of 100."""
    table, error = calibration(np.full(100, 0.7), np.arange(100) % 10 < 7)
    assert [(row.photographs, row.right.value) for row in table] == [(100, 0.7)]
    assert error == pytest.approx(0)


def test_bins_hold_their_upper_edges():
    """0.1 is in (0, 0.1], 0.1001 is not, and 0 is in the first, too; the error weighs bins by photographs."""
    table, error = calibration(np.array([0.0, 0.1, 0.1001, 1.0]), np.array([True, False, False, True]))
    assert [(row.low, row.photographs) for row in table] == [(0, 2), (0.1, 1), (0.9, 1)]
    assert error == pytest.approx((2 * abs(0.05 - 0.5) + 0.1001) / 4)

"""The fit that tells which epsilon a batch norm used: what it must see, and what it must not take for one."""

import numpy as np
import pytest

from npcam.verify.epsilon import fit_epsilon
from npcam.verify.rounding import Estimate

CHANNELS, UNIT = 64, 2.0**-48 / 3
VARIANCE = np.geomspace(1e-3, 1, CHANNELS)


def fit(epsilon, offset):
    """The fit to a batch norm whose betas are ten times what they are added to, off by `offset`."""
    x = np.random.default_rng(0).normal(3, 1, (3136, CHANNELS))
    one, beta = np.ones(CHANNELS), 30 / np.sqrt(VARIANCE)
    weights = {"gamma": one, "beta": beta, "moving_mean": 0 * one, "moving_variance": VARIANCE}
    exact, found = (x / np.sqrt(VARIANCE + e) + beta for e in (1e-5, epsilon))
    return fit_epsilon(found + offset, Estimate(exact, UNIT * exact**2), weights, 1e-5, UNIT)


def test_one_rounding_of_a_channels_offset_is_no_epsilon():
    """Each small channel's beta is rounded down, as far as float32 may: a pattern, but not this one."""
    assert fit(1e-5, np.where(VARIANCE < 0.03, -(2.0**-24) * 30 / np.sqrt(VARIANCE), 0)).ok


@pytest.mark.parametrize("epsilon", [1e-3, 2e-5, 0.0])
def test_another_epsilon_is_found_beside_such_offsets(epsilon):
    """The epsilon comes back within 5 of its standard deviations, with the same offset or none."""
    for offset in (0.0, -(2.0**-24) * 30 / np.sqrt(VARIANCE)):
        found = fit(epsilon, offset)
        assert not found.ok
        assert found.fits
        assert 1e-5 + found.shift == pytest.approx(
            epsilon, abs=5 * abs(found.shift / found.deviations), rel=0
        )

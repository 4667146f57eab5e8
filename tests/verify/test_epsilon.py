"""The fit that tells which epsilon a batch norm used: what it must see, and what it must not take for one."""

import numpy as np
import pytest

from npcam.verify.epsilon import EpsilonFit, fit_epsilon, wrong_epsilons
from npcam.verify.rounding import Estimate

CHANNELS, UNIT = 64, 2.0**-48 / 3
VARIANCE = np.geomspace(1e-3, 1, CHANNELS)
EXPECTED = 1e-5


def fit(epsilon, offset):
    """The fit to a batch norm whose betas are ten times what they are added to, off by `offset`."""
    x = np.random.default_rng(0).normal(3, 1, (3136, CHANNELS))
    one, beta = np.ones(CHANNELS), 30 / np.sqrt(VARIANCE)
    weights = {"gamma": one, "beta": beta, "moving_mean": 0 * one, "moving_variance": VARIANCE}
    exact, found = (x / np.sqrt(VARIANCE + e) + beta for e in (EXPECTED, epsilon))
    return fit_epsilon(found + offset, Estimate(exact, UNIT * exact**2), weights, EXPECTED, UNIT)


def test_one_rounding_of_a_channels_offset_is_no_epsilon():
    """Each small channel's beta is rounded down, as far as float32 may: a pattern, but not this one."""
    assert fit(EXPECTED, np.where(VARIANCE < 0.03, -(2.0**-24) * 30 / np.sqrt(VARIANCE), 0)).ok


@pytest.mark.parametrize("epsilon", [1e-3, 2e-5, 0.0])
def test_another_epsilon_is_found_beside_such_offsets(epsilon):
    """The epsilon comes back within 5 of its standard deviations, with the same offset or none."""
    for offset in (0.0, -(2.0**-24) * 30 / np.sqrt(VARIANCE)):
        found = fit(epsilon, offset)
        assert not found.ok
        assert found.fits
        assert EXPECTED + found.shift == pytest.approx(
            epsilon, abs=5 * abs(found.shift / found.deviations), rel=0
        )


class BatchNorm:
    """A batch norm of 8 channels and 12 positions, whose epsilon is expected to be 1e-5."""

    def __init__(self, beta, mean, noise):
        """`noise` is the variance of each position's own roundings, the same within a channel."""
        rng = np.random.default_rng(5)
        self.variance = np.geomspace(1e-3, 1, 8)
        gamma = rng.uniform(0.5, 2, 8) * [1, -1, 1, 1, -1, 1, 1, 1]
        self.weights = {
            "gamma": gamma,
            "beta": np.full(8, float(beta)),
            "moving_mean": np.full(8, float(mean)),
            "moving_variance": self.variance,
        }
        self.x = rng.normal(2, 1, (3, 2, 2, 8)) * np.sqrt(self.variance) + mean
        self.noise = noise * rng.uniform(0.5, 2, 8) * np.ones_like(self.x)
        self.exact = self.with_epsilon(EXPECTED)
        self.moved = mean * gamma / np.sqrt(self.variance + EXPECTED)

    def with_epsilon(self, epsilon):
        """Its output, in float64."""
        w = self.weights
        return (self.x - w["moving_mean"]) * w["gamma"] / np.sqrt(self.variance + epsilon) + w["beta"]

    def fit(self, value, unit):
        """What the fit says of another program's output."""
        return fit_epsilon(value, Estimate(self.exact, self.noise), self.weights, EXPECTED, unit)

    def by_matrices(self, value, unit):
        """The same by generalised least squares with whole covariance matrices, and NumPy's polyfit."""
        beta, shared = self.weights["beta"], unit * (self.moved**2 + (self.weights["beta"] - self.moved) ** 2)
        ratios, variances = [], []
        for c in range(8):
            scaled = (self.exact[..., c] - beta[c]).ravel()
            off = (value - self.exact)[..., c].ravel()
            covariance = np.diag(self.noise[..., c].ravel()) + shared[c]
            lever = np.linalg.solve(covariance, scaled)
            ratios.append(1 + lever @ off / (lever @ scaled))
            variances.append(4 * unit + 1 / (lever @ scaled))  # the scale's own four roundings
        rise, deviation = np.array(ratios) ** -2 - 1, 2 * np.sqrt(variances)
        line = 1 / (self.variance + EXPECTED)
        (shift, start), covariance = np.polyfit(line, rise, 1, w=1 / deviation, cov="unscaled")
        left = np.mean(((rise - shift * line - start) / deviation) ** 2)
        return shift, shift / np.sqrt(covariance[0, 0]), left


@pytest.mark.parametrize(("beta", "mean"), [(0, 0), (0, 3), (30, 0), (-5, 20)])
def test_the_fit_is_that_of_generalised_least_squares(beta, mean):
    """Offsets that all positions share, and each position's own noise, weighted as covariances say."""
    norm, unit = BatchNorm(beta, mean, noise=1e-12), 1e-13
    rng = np.random.default_rng(6)
    value = norm.with_epsilon(2e-5) + rng.normal(size=norm.x.shape) * 1e-6 + rng.normal(size=8) * 1e-5
    found, (shift, deviations, _) = norm.fit(value, unit), norm.by_matrices(value, unit)
    assert found.shift == pytest.approx(shift, rel=1e-8)  # both solve 12 equations in float64
    assert found.deviations == pytest.approx(deviations, rel=1e-8)


@pytest.mark.parametrize(
    ("unit", "beta", "noise"),
    [(1e-12, 0, 1e-30), (1e-16, 0, 1e-12), (1e-12, 100, 1e-30), (1e-12, 100, 1e-9)],
    ids=["scale", "own", "shared", "all"],
)
def test_deviations_are_standard_deviations(unit, beta, noise):
    """2,000 outputs with roundings drawn at random: the epsilon found scatters as the fit says itself.

    A deviation of 2,000 numbers is known to 1 / sqrt(4,000), 1.6 %, and their mean to 1 / sqrt(2,000);
    five of each.
    """
    norm, epsilon, samples = BatchNorm(beta, 1, noise), 1.2e-5, 2000
    rng, value = np.random.default_rng(7), norm.with_epsilon(epsilon)
    scores = []
    for _ in range(samples):
        scale, offset, other = rng.normal(size=(3, 8)) * np.sqrt(unit)
        drawn = value + 2 * scale * (value - beta) + offset * norm.moved + other * (beta - norm.moved)
        found = norm.fit(drawn + rng.normal(size=value.shape) * np.sqrt(norm.noise), unit)
        scores.append((found.shift - (epsilon - EXPECTED)) / (found.shift / found.deviations))
        assert found.fits
    assert np.std(scores) == pytest.approx(1, abs=5 / (2 * samples) ** 0.5)
    assert np.mean(scores) == pytest.approx(0, abs=5 / samples**0.5)


def scaled(ratios, unit=1e-12):
    """The fit to channels that are off by a factor each, with no rounding but the scales' own."""
    norm = BatchNorm(0, 0, noise=0.0)
    return norm.fit(norm.exact * ratios, unit)


def test_another_pattern_is_no_epsilon():
    """What is left of the ratios, 9 times what rounding leaves, is another fault of the scales."""
    ratios = 1 + 1e-3 * np.random.default_rng(8).normal(size=8)
    rise, line = ratios**-2 - 1, 1 / (np.geomspace(1e-3, 1, 8) + EXPECTED)
    left = np.mean((rise - np.polyval(np.polyfit(line, rise, 1), line)) ** 2)
    variance = left / 9  # of a ratio's inverse square, four times that of the ratio with its four roundings
    assert scaled(ratios, unit=variance / 16 * 1.001).fits
    assert not scaled(ratios, unit=variance / 16 * 0.999).fits


def test_a_factor_that_all_channels_share_is_no_epsilon():
    """A library's inverse root may be off by the same bit in all of them."""
    found = scaled(np.full(8, 1 + 2.0**-23), unit=UNIT)
    assert found.ok
    assert found.fits


def test_channels_that_say_nothing_are_left_out():
    """A dead channel, and one with an infinity in it, change nothing of what the others say."""
    norm = BatchNorm(0, 0, noise=1e-12)
    value = norm.with_epsilon(2e-5)
    expected = norm.fit(value, 1e-13)
    for name, array in norm.weights.items():
        norm.weights[name] = np.append(array, [1.0, 1.0] if name != "beta" else [0.0, 0.0])
    dead, wild = np.zeros((3, 2, 2, 1)), np.full((3, 2, 2, 1), 2.0)
    norm.noise = np.concatenate([norm.noise, dead, wild], axis=-1)
    norm.exact = np.concatenate([norm.exact, dead, wild], axis=-1)
    for number in (np.inf, np.nan):
        found = norm.fit(np.concatenate([value, dead, number * wild], axis=-1), 1e-13)
        assert found == pytest.approx(expected, rel=1e-12)


def cut(channels, ratios=1.0, variance=None):
    """The fit to the first channels alone."""
    norm = BatchNorm(0, 0, noise=1e-12)
    norm.weights = {name: array[:channels] for name, array in norm.weights.items()}
    if variance is not None:
        norm.weights["moving_variance"] = np.array(variance)
    norm.exact, norm.noise = norm.exact[..., :channels], norm.noise[..., :channels]
    return norm.fit(norm.exact * ratios, 1e-13)


def test_too_little_is_no_fit():
    """A line through two channels, channels of one variance, or a scale of no or of the other sign."""
    assert cut(2) is None
    assert cut(3) is not None
    assert cut(4, variance=[0.5, 0.5, 0.5, 0.5]) is None
    assert cut(4, ratios=np.array([1, 1, 0.01, 1])) is not None
    assert cut(4, ratios=np.array([1, 1, 0.0, 1])) is None
    assert cut(4, ratios=np.array([1, 1, -1.0, 1])) is None


def test_sure_is_more_than_4_5_deviations():
    """Either way; a fit of no epsilon at all does not make it the right one."""
    for deviations in (4.5, -4.5, 0.0):
        assert EpsilonFit(1e-3, deviations, True).ok
    for deviations in (4.51, -4.51):
        assert not EpsilonFit(1e-3, deviations, True).ok
        assert not EpsilonFit(1e-3, deviations, False).ok


@pytest.mark.parametrize(
    ("shift", "deviations", "other", "fits", "alike"),
    [
        (1e-3, 2.6, 1e-3, True, True),
        (1e-3, -2.6, 1e-3, True, True),
        (1e-3, 2.5, 1e-3, True, False),  # may as well be the epsilon expected
        (1e-3, 4.0, 1e-3, False, False),  # the other one is no epsilon
        (1e-3, 4.0, 1.625e-3, True, True),  # 0.625 * 4 deviations away from the other
        (1e-3, 4.0, 1.626e-3, True, False),
        (1e-3, 4.0, 0.375e-3, True, True),
        (1e-3, 4.0, 0.374e-3, True, False),
        (-1e-3, -4.0, -1.5e-3, True, True),
        (-1e-3, -4.0, 1e-3, True, False),
    ],
)
def test_two_layers_may_have_the_same_epsilon(shift, deviations, other, fits, alike):
    """Within 2.5 of this layer's deviations of the other's epsilon, and beyond them from the expected one."""
    assert EpsilonFit(shift, deviations, True).like(EpsilonFit(other, 1e4, fits)) == alike


def test_a_sure_layer_convicts_those_that_are_like_it():
    """The sure ones, whatever they fit, and the likely ones beside a sure one; not the likely ones alone."""
    fits = {
        "good": EpsilonFit(1e-7, 1.0, True),
        "likely": EpsilonFit(9.9e-4, 3.0, True),
        "sure": EpsilonFit(1e-3, 1e4, True),
        "of another value": EpsilonFit(-9.9e-4, -3.0, True),
        "no epsilon": EpsilonFit(1e-3, 1e4, False),
    }
    assert list(wrong_epsilons(fits)) == ["likely", "sure", "no epsilon"]
    assert wrong_epsilons(fits)["likely"] is fits["likely"]
    del fits["sure"]
    assert list(wrong_epsilons(fits)) == ["no epsilon"]
    assert wrong_epsilons({}) == {}

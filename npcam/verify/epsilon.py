"""Which epsilon did a batch norm use? Told from what went in and what came out.

With another epsilon e' in place of e, a channel of variance v is scaled by sqrt((v + e) / (v + e')).
Where v is large, as behind a first convolution that sees pixels, that is less than one rounding, and
no single number shows it. But it has a pattern: if 1 + a is the ratio of the scale found to the one
expected, then (1 + a)^-2 - 1 = (e' - e) / (v + e), which over the channels is a straight line in
1 / (v + e). The line's slope is fitted by weighted least squares; its intercept is free, for a
library's inverse root may be off by the same bit in all channels. A channel's ratio is told by how
its values differ from each other more than by their mean: the more so, the larger the roundings are
that shift all its values alike.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from npcam.shapes import Array
from npcam.verify.rounding import Estimate

SURE = 4.5  # standard deviations; the right epsilon on three backends stays below 2.5
LIKELY = 2.5  # standard deviations; enough beside another layer that surely has the same wrong epsilon
GOOD_FIT = 9.0  # the mean square of what the line leaves over, in variances


class EpsilonFit(NamedTuple):
    """What the outputs say about epsilon.

    Attributes:
        shift: the epsilon found, less the one expected.
        deviations: `shift` in its standard deviations.
        fits: whether another epsilon explains all that is off.
    """

    shift: float
    deviations: float
    fits: bool

    @property
    def ok(self) -> bool:
        """Whether it is the epsilon expected, as far as this layer alone tells."""
        return abs(self.deviations) <= SURE

    def like(self, other: "EpsilonFit") -> bool:
        """Whether it is likely the same epsilon as another layer's, and hardly the one expected."""
        if not other.fits or abs(self.deviations) <= LIKELY:
            return False
        return abs(other.shift / self.shift - 1) * abs(self.deviations) <= LIKELY


def wrong_epsilons(fits: Mapping[str, EpsilonFit]) -> dict[str, EpsilonFit]:
    """The fits that speak of another epsilon: the sure ones, and those that are like a sure one.

    An epsilon is most often wrong in the whole network, and least to be seen in its first layer.

    >>> fits = {"conv1_bn": EpsilonFit(9.7e-4, 3.4, True), "bn2": EpsilonFit(9.9e-4, 2e4, True)}
    >>> list(wrong_epsilons(fits)), list(wrong_epsilons({"conv1_bn": fits["conv1_bn"]}))
    (['conv1_bn', 'bn2'], [])
    """
    sure = [fit for fit in fits.values() if not fit.ok]
    return {name: fit for name, fit in fits.items() if not fit.ok or any(map(fit.like, sure))}


def fit_epsilon(
    value: Array, expected: Estimate, weights: Mapping[str, Array], epsilon: float, unit: float
) -> EpsilonFit | None:
    """Fit epsilon to the output of a batch norm.

    Args:
        value: what a program put out, (..., C).
        expected: the same in float64 with the epsilon expected, and the variance of rounding.
        weights: gamma, beta, moving_mean and moving_variance, (C,) each.
        epsilon: the one expected.
        unit: the variance of one rounding, from `rounding.roundoff_variance`.

    Returns:
        The fit; None where fewer than three channels say anything.

    >>> x, one = np.arange(12.0).reshape(4, 3), np.ones(3)
    >>> variance = np.array([1e-3, 1e-2, 1.0])
    >>> found, exact = (x / np.sqrt(variance + e) for e in (2e-3, 1e-5))
    >>> weights = {"gamma": one, "beta": 0 * one, "moving_mean": 0 * one, "moving_variance": variance}
    >>> fit = fit_epsilon(found, Estimate(exact, 0 * x), weights, 1e-5, unit=2.0**-48)
    >>> round(1e-5 + fit.shift, 9), fit.fits
    (0.002, True)
    """
    beta, channels = weights["beta"], len(weights["beta"])
    root = np.sqrt(weights["moving_variance"] + epsilon)
    moved = weights["moving_mean"] * weights["gamma"] / root
    centred = (expected.value - beta).reshape(-1, channels)  # what the scale multiplies
    off = (value - expected.value).reshape(-1, channels)
    variance = expected.variance.reshape(-1, channels)
    shared = unit * (moved**2 + (beta - moved) ** 2)  # the roundings that all positions share, (C,)
    own = np.mean(variance, axis=0) / len(off) + np.finfo(np.float64).tiny
    lever = centred - np.mean(centred, axis=0) * shared / (shared + own)  # generalised least squares
    energy = np.sum(lever * centred, axis=0)
    used = (energy > 0) & np.isfinite(np.sum(off, axis=0))
    energy, lever, off = energy[used], lever[:, used], off[:, used]
    ratio = 1 + np.sum(off * lever, axis=0) / energy
    if len(ratio) < 3 or np.min(ratio) <= 0:
        return None
    noise = np.sum(lever**2 * variance[:, used], axis=0) + shared[used] * np.sum(lever, axis=0) ** 2
    weight = 1 / (4 * (4 * unit + noise / energy**2))  # 4 roundings of the scale, which all positions share
    slope, rise = 1 / (weights["moving_variance"][used] + epsilon), ratio**-2 - 1
    slope = slope - np.average(slope, weights=weight)
    rise = rise - np.average(rise, weights=weight)
    precision = float(np.sum(weight * slope**2))
    if precision == 0:
        return None
    shift = float(np.sum(weight * slope * rise)) / precision
    left = float(np.mean(weight * (rise - shift * slope) ** 2))
    return EpsilonFit(shift, shift * precision**0.5, left < GOOD_FIT)

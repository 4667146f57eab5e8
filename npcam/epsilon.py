"""Which epsilon did a batch norm use? Told from what went in and what came out.

With another epsilon e' in place of e, a channel of variance v is scaled by sqrt((v + e) / (v + e')).
Where v is large, as behind a first convolution that sees pixels, that is less than one rounding, and
no single number shows it. But it has a pattern: with 1 + a the ratio of the scales found and
expected, (1 + a)^-2 - 1 = (e' - e) / (v + e), a straight line over the channels. The line's slope is
fitted by weighted least squares; its intercept is free, for a library's inverse root may be off by
the same bit in all channels.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from npcam.rounding import Estimate
from npcam.shapes import Array

SURE = 4.5  # standard deviations; full-size ResNet-50 on three backends stays below 2.3
GOOD_FIT = 9.0  # mean square of what is left over, in variances


class EpsilonFit(NamedTuple):
    """What the outputs say about epsilon.

    Attributes:
        shift: the epsilon found, less the one expected.
        deviations: that, in its standard deviations.
        fits: whether another epsilon explains the whole of it.
    """

    shift: float
    deviations: float
    fits: bool

    @property
    def ok(self) -> bool:
        """Whether it is the epsilon expected."""
        return abs(self.deviations) <= SURE


def fit_epsilon(
    value: Array, expected: Estimate, weights: Mapping[str, Array], epsilon: float, unit: float
) -> EpsilonFit | None:
    """Fit epsilon to the output of a batch norm.

    Args:
        value: what a program put out, (..., C).
        expected: the same in float64 with the epsilon expected, and the variance of rounding.
        weights: beta and moving_variance, (C,).
        epsilon: the one expected.
        unit: variance of one rounding, from `rounding.roundoff_variance`.

    Returns:
        The fit; None where fewer than three channels say anything.

    >>> x, one = np.arange(12.0).reshape(4, 3), np.ones(3)
    >>> variance = np.array([1e-3, 1e-2, 1.0])
    >>> found, exact = (x / np.sqrt(variance + e) for e in (2e-3, 1e-5))
    >>> weights = {"beta": 0 * one, "moving_variance": variance}
    >>> fit = fit_epsilon(found, Estimate(exact, 0 * x), weights, 1e-5, unit=2.0**-48)
    >>> round(1e-5 + fit.shift, 9), fit.fits
    (0.002, True)
    """
    channels = len(weights["beta"])
    centred = (expected.value - weights["beta"]).reshape(-1, channels)  # what the scale multiplies
    off = (value - expected.value).reshape(-1, channels)
    energy = np.sum(centred**2, axis=0)  # (C,)
    used = (energy > 0) & np.isfinite(np.sum(off, axis=0))
    centred, off, energy = centred[:, used], off[:, used], energy[used]
    ratio = 1 + np.sum(off * centred, axis=0) / energy
    if len(ratio) < 3 or np.min(ratio) <= 0:
        return None
    noise = np.sum(centred**2 * expected.variance.reshape(-1, channels)[:, used], axis=0) / energy**2
    weight = 1 / (4 * (4 * unit + noise))  # 4 roundings of the scale, which all positions share
    slope, rise = 1 / (weights["moving_variance"][used] + epsilon), ratio**-2 - 1
    slope = slope - np.average(slope, weights=weight)
    rise = rise - np.average(rise, weights=weight)
    precision = float(np.sum(weight * slope**2))
    if precision == 0:
        return None
    shift = float(np.sum(weight * slope * rise)) / precision
    left = float(np.mean(weight * (rise - shift * slope) ** 2))
    return EpsilonFit(shift, shift * precision**0.5, left < GOOD_FIT)

"""Whether a network is as often right as it is sure: the reliability table and its one number."""

from typing import NamedTuple

import numpy as np

from npcam.localise.intervals import Share
from npcam.shapes import Array

Z = 1.959964  # standard normal deviations of a two-sided 95 % interval


class Bin(NamedTuple):
    """Photographs whose top probability lies in (low, high]: how sure, and how often right."""

    low: float
    high: float
    photographs: int
    confidence: float
    right: Share


def wilson(hits: Array) -> Share:
    """The share of hits (n,) with Wilson's interval (1927), which is sound for few cases and near 0 or 1.

    A bootstrap would give no width at all where all of a few are right.

    >>> [round(number, 3) for number in wilson(np.arange(10) < 8)]
    [0.8, 0.49, 0.943]
    """
    n, p = len(hits), float(np.mean(hits))
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * float(np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))) / (1 + Z**2 / n)
    return Share(p, max(0.0, centre - half), min(1.0, centre + half))


def calibration(top: Array, right: Array, bins: int = 10) -> tuple[list[Bin], float]:
    """Reliability table and expected calibration error: Guo et al. 2017 (arXiv:1706.04599), equation 3.

    Args:
        top: (n,) probability of the most probable class.
        right: (n,) bool, whether it was the true one.
        bins: of equal width.

    Returns:
        The bins that hold any photograph, with Wilson's intervals, and the error: the mean over all
        photographs of |confidence - right| of their bin.

    >>> round(calibration(np.array([0.95, 0.95]), np.array([True, False]))[1], 2)
    0.45
    """
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.digitize(top, edges, right=True) - 1, 0, bins - 1)
    table, error = [], 0.0
    for number in np.unique(index):
        mine = index == number
        low, high = float(edges[number]), float(edges[number + 1])
        found = Bin(low, high, int(mine.sum()), float(top[mine].mean()), wilson(right[mine]))
        table.append(found)
        error += found.photographs * abs(found.confidence - found.right.value) / len(top)
    return table, error

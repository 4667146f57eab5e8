"""The arithmetic of `measure_bundled.py`: overlaps, shares with their uncertainty, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Z = 1.959964  # standard normal deviations of a two-sided 95 % interval


class Share(NamedTuple):
    """A share of n cases, with its 95 % confidence interval."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})" if self.n else "-"


def share(hits: Sequence[bool] | np.ndarray) -> Share:
    """The share of hits, with Wilson's interval, which is sound for few cases and for shares near 0 or 1.

    >>> print(share([True] * 8 + [False] * 2))
    0.800 (0.490-0.943)
    """
    n = len(hits)
    if n == 0:
        return Share(float("nan"), float("nan"), float("nan"), 0)
    p = float(np.mean(hits))
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Share(p, max(0.0, float(centre - half)), min(1.0, float(centre + half)), n)


def gain(ours: np.ndarray, theirs: np.ndarray) -> Share:
    """The mean of a paired difference of hits, with a normal 95 % interval.

    >>> print(gain(np.array([1, 1, 1, 0] * 25), np.array([1, 0, 1, 0] * 25)))
    0.250 (0.165-0.335)
    """
    difference = ours.astype(float) - theirs.astype(float)
    n, mean = len(difference), float(difference.mean())
    half = Z * float(difference.std(ddof=1)) / np.sqrt(n)
    return Share(mean, mean - half, mean + half, n)


def overlap(box: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1), ends exclusive.

    >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    both = max(0.0, across) * max(0.0, down)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return both / (sum(areas) - both) if both else 0.0


def near(point: tuple[float, float], boxes: np.ndarray, margin: float) -> bool:
    """Whether a point (x, y) lies in one of the boxes (n, 4), or at most `margin` outside."""
    x, y = point
    inside_x = (boxes[:, 0] - margin <= x) & (x <= boxes[:, 2] + margin)
    inside_y = (boxes[:, 1] - margin <= y) & (y <= boxes[:, 3] + margin)
    return bool((inside_x & inside_y).any())


class Bin(NamedTuple):
    """Cases whose top probability lies in (low, high]: how sure, and how often right."""

    low: float
    high: float
    n: int
    confidence: float
    right: Share


def calibration(top: np.ndarray, right: np.ndarray, bins: int = 10) -> tuple[list[Bin], float]:
    """Reliability table and expected calibration error.

    Args:
        top: (N,) probability of the top class.
        right: (N,) bool, whether it was the true one.
        bins: of equal width.

    Returns:
        The bins that hold any case, and the ECE: the mean over all cases of |confidence - right|
        of their bin.

    >>> round(calibration(np.array([0.95, 0.95]), np.array([True, False]))[1], 2)
    0.45
    """
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.digitize(top, edges, right=True) - 1, 0, bins - 1)
    table, error = [], 0.0
    for number in np.unique(index):
        mine = index == number
        low, high = float(edges[number]), float(edges[number + 1])
        found = Bin(low, high, int(mine.sum()), float(top[mine].mean()), share(right[mine]))
        table.append(found)
        error += found.n * abs(found.confidence - found.right.value) / len(top)
    return table, error

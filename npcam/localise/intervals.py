"""How far a figure may be off because other photographs could have been taken: bootstrap intervals of 95 %.

Efron 1979: photographs are drawn with replacement, as many as there are, a thousand times, and the figure is
taken anew each time; the interval reaches from the 2.5th to the 97.5th percentile. The seed is fixed, so
the same results give the same interval.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from npcam.shapes import Array

RESAMPLES = 1_000
SEED = 20_200_708
AT_ONCE = 4_000_000  # counts that are in memory at the same time


class Share(NamedTuple):
    """A figure with its interval of 95 %; all three NaN where there is nothing to take it of."""

    value: float
    low: float
    high: float


def draws(n: int) -> Iterator[Array]:
    """How often each of n photographs is drawn, in every resample: arrays (resamples, n) float32, in pieces.

    >>> [piece.shape for piece in draws(3)], int(next(draws(3))[0].sum())
    ([(1000, 3)], 3)
    """
    generator = np.random.default_rng(SEED)
    rows = max(1, AT_ONCE // max(n, 1))
    for start in range(0, RESAMPLES, rows):
        piece = np.empty((min(rows, RESAMPLES - start), n), np.float32)
        for row in piece:  # one at a time, so that the numbers do not depend on the pieces
            row[:] = np.bincount(generator.integers(n, size=n), minlength=n)
        yield piece


def with_intervals(n: int, figures: Callable[[Array], Array]) -> list[Share]:
    """Take figures of all photographs, and of each resample.

    Args:
        n: photographs, at least one.
        figures: (resamples, n) counts -> (resamples, k), the same k figures for each row of counts; NaN where
            a resample has nothing to take one of, which then does not count to its interval.

    Returns:
        k shares.

    >>> right = np.array([1.0, 1.0, 0.0, 1.0])
    >>> with_intervals(4, lambda counts: counts @ right[:, None] / 4)
    [Share(value=0.75, low=0.25, high=1.0)]
    """
    values = np.asarray(figures(np.ones((1, n), np.float32)), np.float64)[0]
    resampled = np.concatenate([figures(piece) for piece in draws(n)])  # (RESAMPLES, k)
    shares = []
    for value, column in zip(values, resampled.T, strict=True):
        there = column[~np.isnan(column)]
        low, high = np.percentile(there, [2.5, 97.5]) if len(there) else (np.nan, np.nan)
        shares.append(Share(float(value), float(low), float(high)))
    return shares


def means(columns: Array) -> Callable[[Array], Array]:
    """The means of columns (n, k) as figures for `with_intervals`.

    Added up in the order of photographs by NumPy and not by BLAS, whose order depends on its threads.
    """
    rows = np.ascontiguousarray(columns.T, np.float64)  # (k, n)

    def figures(counts: Array) -> Array:
        sums = [np.einsum("bn,n->b", counts, row) for row in rows]
        return np.stack(sums, axis=1) / float(counts.shape[1])

    return figures


def medians(columns: Array) -> Callable[[Array], Array]:
    """The medians of columns (n, k) as figures for `with_intervals`.

    Of an even number of photographs it is the mean of the middle two.

    >>> medians(np.array([[1.0], [2.0], [9.0]]))(np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 2.0]])).tolist()
    [[2.0], [5.0]]
    """
    orders = np.argsort(columns, axis=0, kind="stable").T  # (k, n)
    wide = np.asarray(columns, np.float64)

    def figures(counts: Array) -> Array:
        found = np.empty((len(counts), len(orders)))
        for k, order in enumerate(orders):
            up_to = np.cumsum(counts[:, order], axis=1, dtype=np.float64)  # photographs up to each
            whole = up_to[:, -1:]
            low, high = ((up_to < place).sum(axis=1) for place in (whole / 2, whole / 2 + 1))
            exact = (up_to == whole / 2).any(axis=1)  # half of them up to here: the next one counts, too
            first = wide[order[low], k]
            found[:, k] = np.where(
                exact, (first + wide[order[np.minimum(high, len(order) - 1)], k]) / 2, first
            )
        return found

    return figures


def mean_of_classes(found: Array, labels: Array) -> Callable[[Array], Array]:
    """The mean over classes of the share found in each, as a figure for `with_intervals`.

    Args:
        found: (n,) bool.
        labels: (n,) int, a class for each photograph. A class that is not drawn does not count.
    """
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))

    def figures(counts: Array) -> Array:
        drawn = counts[:, order]
        all_of, found_of = (
            np.add.reduceat(c, starts, axis=1, dtype=np.float64) for c in (drawn, drawn * found[order])
        )
        shares = np.divide(found_of, all_of, out=np.zeros_like(all_of), where=all_of > 0)
        mean: Array = shares.sum(axis=1) / (all_of > 0).sum(axis=1)
        return mean[:, None]

    return figures

"""The connected parts of a picture at every level of brightness at once.

At level v a picture's parts are the connected pieces of {pixels >= v}. They only grow and join as v falls, so
one pass over the pixels and one over the places where peaks meet tells all 255 levels; labelling each
level by itself takes tens of times as long.

Each pixel belongs to the peak that steepest ascent leads it to. All pixels on that way are at least as
bright, so at each level a pixel is connected with its peak; what is left to know is at which level
neighbouring peaks join, which is Kruskal's algorithm on the few borders between peaks.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from npcam.shapes import Array

LEVELS = 256  # of a byte
NOWHERE = np.iinfo(np.int32).max  # where a part would begin that is not there
AROUND = {  # the neighbours that stand before a pixel in reading order: (rows, columns)
    4: ((-1, 0), (0, -1)),
    8: ((-1, -1), (-1, 0), (-1, 1), (0, -1)),
}


class Parts(NamedTuple):
    """All parts of all levels, in tables whose rows are peaks; a joined part stands in one peak's row.

    Attributes:
        bounds: (peaks, 4, 256) int32; for the part of {pixels >= v} in a row: its first pixel in reading
            order, its first column, minus its last column, minus its last row. NOWHERE where there is none.
        weights: (peaks, 256) int64, what its pixels were given to carry, added up.
        peak: (H, W), the row of each pixel's peak.
        parent: (peaks,), the row that a peak's row is joined to, its own where to none.
        joined: (peaks,), the highest level at which it is.
    """

    bounds: Array
    weights: Array
    peak: Array
    parent: Array
    joined: Array

    def row(self, pixels: Array, levels: Array) -> Array:
        """The row of the part that a pixel (a flat index) is in at a level that it reaches."""
        rows = self.peak.ravel()[pixels]
        while True:
            move = levels <= self.joined[rows]
            if not move.any():
                return rows
            rows = np.where(move, self.parent[rows], rows)


def find_parts(height: Array, byte: Array, neighbours: int, carried: tuple[Array, Array, Array]) -> Parts:
    """Find the connected parts of {byte >= v} for all v.

    Args:
        height: (H, W) float, what the bytes are made of: byte rises with it, never falls. It only tells more
            finely where to climb. Time and memory grow with its peaks (6 KB each); what was enlarged has few.
        byte: (H, W) uint8.
        neighbours: 4 or 8.
        carried: pixels (flat indices), bytes and amounts: each amount is added to the part of its pixel
            at every level up to its byte, which is at most the pixel's own.

    >>> nothing = (np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))
    >>> found = find_parts(np.array([[9.0, 5.0, 7.0]]), np.array([[9, 5, 7]], np.uint8), 8, nothing)
    >>> [int((found.bounds[:, 0, level] != NOWHERE).sum()) for level in (5, 6, 7, 8, 9, 10)]
    [1, 2, 2, 1, 1, 0]
    """
    ends = _climb(height, neighbours)
    tops = np.flatnonzero(ends.ravel() == np.arange(ends.size))
    number = np.zeros(ends.size, int)
    number[tops] = np.arange(len(tops))
    peak = number[ends]  # (H, W)
    bounds = _own_bounds(peak, byte, len(tops))
    slots = peak.ravel()[carried[0]] * LEVELS + carried[1]
    weights = np.bincount(slots, carried[2], len(tops) * LEVELS).astype(np.int64).reshape(-1, LEVELS)
    # From "exactly v" to "v and brighter".
    bounds = np.minimum.accumulate(bounds[..., ::-1], axis=2)[..., ::-1]
    weights = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    parent, joined = np.arange(len(tops)), np.full(len(tops), -1)
    size = np.bincount(peak.ravel())
    bounds, weights = np.ascontiguousarray(bounds), np.ascontiguousarray(weights)
    for level, one, other in _meetings(peak, byte, neighbours):
        a, b = _root(parent, one), _root(parent, other)
        if a == b:
            continue
        if size[a] < size[b]:
            a, b = b, a
        size[a] += size[b]
        parent[b], joined[b] = a, level
        below = slice(0, level + 1)
        np.minimum(bounds[a, :, below], bounds[b, :, below], out=bounds[a, :, below])
        weights[a, below] += weights[b, below]
        bounds[b, :, below] = NOWHERE
        weights[b, below] = 0
    return Parts(bounds, weights, peak, parent, joined)


def _root(parent: Array, row: int) -> int:
    while parent[row] != row:
        row = int(parent[row])
    return row


def _shifted(shape: tuple[int, ...], rows: int, columns: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The places that have a neighbour so many rows and columns further, and those neighbours."""

    def along(length: int, step: int) -> tuple[slice, slice]:
        return slice(max(0, -step), length - max(0, step)), slice(max(0, step), length + min(0, step))

    (here_r, there_r), (here_c, there_c) = along(shape[0], rows), along(shape[1], columns)
    return (here_r, here_c), (there_r, there_c)


def _climb(height: Array, neighbours: int) -> Array:
    """Where steepest ascent from each pixel ends, as flat indices (H, W).

    Of equally high pixels the one that is later in reading order counts as higher: no way leads in a circle.
    """
    index = np.arange(height.size).reshape(height.shape)
    best, way = np.full(height.shape, -np.inf, height.dtype), index.copy()
    before = AROUND[neighbours]
    for rows, columns in (*before, (0, 0), *((-r, -c) for r, c in reversed(before))):  # in reading order
        here, there = _shifted(height.shape, rows, columns)
        higher = height[there] >= best[here]
        np.copyto(best[here], height[there], where=higher)
        np.copyto(way[here], index[there], where=higher)
    flat: Array = way.ravel()
    while True:
        further = flat[flat]
        if np.array_equal(further, flat):
            return flat.reshape(height.shape)
        flat = further


def _own_bounds(peak: Array, byte: Array, peaks: int) -> Array:
    """`Parts.bounds` of the pixels that have exactly a byte, of each peak by itself."""
    bounds = np.full((peaks, 4, LEVELS), NOWHERE, np.int32)
    h, w = peak.shape
    slot = peak * (4 * LEVELS) + byte  # (H, W)
    table = bounds.reshape(-1)
    # Of several values for one place the last one stays: each is written in descending order.
    backwards = slot.ravel()[::-1]
    table[backwards] = np.arange(h * w - 1, -1, -1)
    table[slot.T.ravel()[::-1] + LEVELS] = np.repeat(np.arange(w - 1, -1, -1), h)
    table[slot.T.ravel() + 2 * LEVELS] = -np.repeat(np.arange(w), h)
    table[slot.ravel() + 3 * LEVELS] = -np.repeat(np.arange(h), w)
    return bounds


def _meetings(peak: Array, byte: Array, neighbours: int) -> Iterator[tuple[int, int, int]]:
    """(level, peak, other peak) for each two peaks that touch, the highest level first."""
    keys, levels = [], []
    peaks = int(peak.max(initial=-1)) + 1
    for rows, columns in AROUND[neighbours]:
        here, there = _shifted(peak.shape, rows, columns)
        apart = peak[here] != peak[there]
        one, other = peak[here][apart].astype(np.int64), peak[there][apart].astype(np.int64)
        keys.append(np.minimum(one, other) * peaks + np.maximum(one, other))
        levels.append(np.minimum(byte[here][apart], byte[there][apart]))
    key, level = np.concatenate(keys), np.concatenate(levels).astype(int)
    order = np.lexsort((-level, key))  # the highest place where two meet is the first of its key
    first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    for i in first[np.argsort(-level[first], kind="stable")]:
        yield int(level[i]), int(key[i] // peaks), int(key[i] % peaks)

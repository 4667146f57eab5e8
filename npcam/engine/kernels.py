"""The engine's layers. Each function records the operations of one worker's share.

Activations are as `filters.BlockFilters` says: x - b for the bias b that is due. A share is a
number of whole images, or a range of rows of one image. In the shape comments m is the number of
positions in it.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from npcam.engine.filters import Filters
from npcam.engine.program import Recorder
from npcam.engine.winograd import AT, BT, TILE
from npcam.shapes import Array


class Span(NamedTuple):
    """Images `i` to `j`, rows `top` to `bottom`, of an activation."""

    i: int
    j: int
    top: int
    bottom: int

    def of(self, x: Array) -> Array:
        """That part of `x`, a view."""
        return x[self.i : self.j, self.top : self.bottom]


def spans(whole: Span, row: int, budget: int, multiple: int = 1) -> Iterator[Span]:
    """Cut a share into pieces of about `budget` numbers, `row` being those of one row.

    Reason: what one operation writes is still in the cache when the next one reads it.

    >>> list(spans(Span(0, 4, 0, 8), row=10, budget=160))
    [Span(i=0, j=2, top=0, bottom=8), Span(i=2, j=4, top=0, bottom=8)]
    >>> list(spans(Span(0, 1, 0, 8), row=10, budget=60, multiple=4))
    [Span(i=0, j=1, top=0, bottom=4), Span(i=0, j=1, top=4, bottom=8)]
    """
    i, j, top, bottom = whole
    if i == j or top == bottom:
        return
    images = budget // max(row * (bottom - top), 1)
    if images >= 1:
        parts = -(-(j - i) // images)
        edges = [i + (j - i) * p // parts for p in range(parts + 1)]
        for a, b in pairwise(edges):
            yield Span(a, b, top, bottom)
        return
    steps = -(-(bottom - top) // multiple)  # rows go in multiples, but for the last ones
    parts = min(-(-row * (bottom - top) // budget), steps)
    edges = [min(top + steps * p // parts * multiple, bottom) for p in range(parts + 1)]
    for image in range(i, j):
        for a, b in pairwise(edges):
            yield Span(image, image + 1, a, b)


def fill_border(
    record: Recorder, padded: Array, inside: tuple[slice, slice], rows: slice, floor: Array
) -> None:
    """Surround `rows` of images (n, H+, W+, C) with zeros; a zero is kept as 0 - b, the floor.

    `inside` says which rows and columns of `padded` are the image's. The rows above go with the
    image's first row, those below with its last.
    """
    down, across = inside
    if rows.start == down.start:
        record(np.copyto, padded[:, : down.start], floor)
    if rows.stop == down.stop:
        record(np.copyto, padded[:, down.stop :], floor)
    record(np.copyto, padded[:, rows, : across.start], floor)
    record(np.copyto, padded[:, rows, across.stop :], floor)


def conv1x1(record: Recorder, x: Array, kernel: Array, floor: Array, y: Array) -> None:
    """1x1 convolution, bias and ReLU: x (n, h, w, C) -> y (n, h, w, K), which may be any view.

    One matmul on (m, C), without columns to lay out.
    """
    c, k = kernel.shape
    n, h, w, _ = x.shape
    if not x.flags.c_contiguous:
        packed = record.scratch.take("packed", x.shape)
        record(np.copyto, packed, x)
        x = packed
    t = record.scratch.take("t", (n * h * w, k))
    record(np.matmul, x.reshape(-1, c), kernel, out=t)
    record(np.maximum, t.reshape(n, h, w, k), floor, out=y)


def conv3x3(record: Recorder, padded: Array, kernel: Array, floor: Array, stride: int, y: Array) -> None:
    """3x3 convolution by im2col, bias and ReLU: padded rows (n, H, W, C) -> y (n, h, w, K).

    The 3 C numbers of a window's row lie side by side, so im2col copies 3 runs per window, not 9.
    """
    n, h, w, k = y.shape
    c = padded.shape[3]
    columns = record.scratch.take("columns", (n, h, w, 3, 3 * c))
    sn, sh, sw, sc = padded.strides
    windows = as_strided(padded, columns.shape, (sn, stride * sh, stride * sw, sh, sc), writeable=False)
    record(np.copyto, columns, windows)
    t = record.scratch.take("t", (n * h * w, k))
    record(np.matmul, columns.reshape(-1, 9 * c), kernel.reshape(9 * c, k), out=t)
    record(np.maximum, t.reshape(n, h, w, k), floor, out=y)


def winograd3x3(record: Recorder, padded: Array, kernel: Array, floor: Array, y: Array) -> None:
    """3x3 convolution, F(4x4, 3x3), bias and ReLU: padded rows (n, H, W, C) -> y (n, h, w, K).

    `kernel` is (36, C, K).

    Reason: a quarter of the multiplications. With the transforms a 3x3 takes 1.0-1.4 ms of one
    core per photograph instead of 2.5-3.6 by im2col. As sums of slices, the transforms took
    most of what was gained; they are matmuls too, of 6x6 matrices with long rows.
    """
    tiles_out(record, tiles_in(record, padded, *y.shape[1:3]), kernel, floor, y)


def tile_count(y: Array) -> int:
    """How many 4x4 tiles cover y (n, h, w, K)."""
    n, h, w, _ = y.shape
    return int(n * -(-h // TILE) * -(-w // TILE))


def tiles_in(record: Recorder, padded: Array, h: int, w: int) -> Array:
    """B^T d B of every 6x6 tile d: padded rows (n, H, W, C) -> (36, tiles, C), for h x w results."""
    n, _, _, c = padded.shape
    rows, columns = -(-h // TILE), -(-w // TILE)
    tiles = n * rows * columns
    d, v = (record.scratch.take(name, (6, 6, tiles * c)) for name in "dv")
    sn, sh, sw, sc = padded.strides
    strides = (sh, sw, sn, TILE * sh, TILE * sw, sc)
    windows = as_strided(padded, (6, 6, n, rows, columns, c), strides, writeable=False)
    record(np.copyto, d.reshape(windows.shape), windows)
    bt = BT.astype(padded.dtype)
    record(np.matmul, bt, d.transpose(1, 0, 2), out=v.transpose(1, 0, 2))  # B^T d
    record(np.matmul, bt, v, out=d)  # (B^T d) B
    return d.reshape(36, tiles, c)


def tiles_out(record: Recorder, tiles: Array, kernel: Array, floor: Array, y: Array) -> None:
    """A^T m A of every tile's products m, bias and ReLU: (36, tiles, C) -> y (n, h, w, K)."""
    n, h, w, k = y.shape
    rows, columns = -(-h // TILE), -(-w // TILE)
    take = record.scratch.take
    m = take("v", (36, n * rows * columns, k))
    record(np.matmul, tiles, kernel, out=m)
    m = m.reshape(6, 6, -1)
    z = take("d", (TILE, 6, m.shape[2]))
    at = AT.astype(y.dtype)
    record(np.matmul, at, m.transpose(1, 0, 2), out=z.transpose(1, 0, 2))  # A^T m
    t = take("v", (TILE, TILE, m.shape[2]))
    record(np.matmul, at, z, out=t)  # (A^T m) A
    untile(record, t.reshape(TILE, TILE, n, rows, columns, k), floor, y)


def untile(record: Recorder, t: Array, floor: Array, y: Array) -> None:
    """Tiles (4, 4, n, rows, columns, K) back into y (n, h, w, K), cut at its edges, with the ReLU."""
    n, h, w, k = y.shape
    sn, sh, sw, sc = y.strides
    for a, i, high in _edges(h):
        for b, j, wide in _edges(w):
            down, across = (h // TILE if high == TILE else 1), (w // TILE if wide == TILE else 1)
            shape = (high, wide, n, down, across, k)
            target = as_strided(y[:, a:, b:], shape, (sh, sw, sn, TILE * sh, TILE * sw, sc))
            source = t[:high, :wide, :, i : i + down, j : j + across]
            order = (2, 3, 0, 4, 1, 5)
            record(np.maximum, source.transpose(order), floor, out=target.transpose(order))


def _edges(size: int) -> list[tuple[int, int, int]]:
    """Whole tiles and the rest: (first position, first tile, positions per tile)."""
    whole, rest = divmod(size, TILE)
    return [(0, 0, TILE)] * bool(whole) + [(whole * TILE, whole, rest)] * bool(rest)


def max_pool(record: Recorder, x: Array, top: int, left: int, floor: Array, y: Array) -> None:
    """3x3 at stride 2, bias and ReLU: x (1, H, W, C) -> y (1, h, w, C), columns first, then rows.

    The pool's zeros may be left out: what is pooled was no less than 0. `top` and `left` say how
    many of them stand before the first row and column.
    """
    _, high, _, c = x.shape
    w = y.shape[2]
    columns = record.scratch.take("pool", (1, high, w, c))
    _max3(record, x.transpose(2, 0, 1, 3), left, columns.transpose(2, 0, 1, 3))
    _max3(record, columns.transpose(1, 0, 2, 3), top, y.transpose(1, 0, 2, 3))
    record(np.maximum, y, floor, out=y)


def _max3(record: Recorder, x: Array, before: int, y: Array) -> None:
    """y[o] = the largest of x[2 o - before] and the two after it, along the first axis."""
    both = min(len(y), len(x) // 2)  # windows that have a row 2 o + 1; the last may lack it
    record(np.maximum, x[0 : 2 * both : 2], x[1 : 2 * both : 2], out=y[:both])
    if both < len(y):
        record(np.copyto, y[both:], x[2 * both : 2 * both + 1])
    if before:
        record(np.maximum, y[1:], x[1 : 2 * len(y) - 2 : 2], out=y[1:])
    else:
        three = min(len(y), (len(x) - 1) // 2)
        record(np.maximum, y[:three], x[2 : 2 * three + 1 : 2], out=y[:three])


def stem(record: Recorder, padded: Array, filters: Filters, pool_padding: int, rows: Span, y: Array) -> None:
    """7x7 convolution and max pool of some rows of one image: (1, H+6, W+6, 3) -> rows of y (n, h, w, K).

    Bias and ReLU come after the pool, on a quarter of the numbers: max(a + b, c + b) = max(a, c) + b.
    """
    _, high, wide, c = padded.shape
    h1, w1 = (high - 7) // 2 + 1, (wide - 7) // 2 + 1
    first, last = max(2 * rows.top - pool_padding, 0), min(2 * rows.bottom + 1 - pool_padding, h1)
    columns = record.scratch.take("columns", (last - first, w1, 7, 7 * c))
    _, sh, sw, sc = padded.strides
    source = as_strided(padded[0, 2 * first :], columns.shape, (2 * sh, 2 * sw, sh, sc), writeable=False)
    record(np.copyto, columns, source)
    t = record.scratch.take("t", (1, last - first, w1, filters.stem.shape[1]))
    record(np.matmul, columns.reshape(-1, 49 * c), filters.stem, out=t.reshape(-1, t.shape[3]))
    before = first - (2 * rows.top - pool_padding)
    max_pool(record, t, before, pool_padding, filters.stem_floor, rows.of(y))


def relu(record: Recorder, x: Array, y: Array) -> None:
    """ReLU, (n, h, w, K) -> y, both contiguous. For the row of zeros see `filters.BlockFilters`."""
    zeros = np.zeros(x.shape[2] * x.shape[3], x.dtype)
    record(np.maximum, x.reshape(-1, zeros.size), zeros, out=y.reshape(-1, zeros.size))

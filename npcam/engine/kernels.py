"""The engine's layers but for Winograd's. Each function records one thread's operations on its span.

An activation inside a block is kept without its bias: x - b instead of x (see the package's
docstring). So every `floor` here is minus a bias, (K,), and bias and ReLU are one maximum with it.
In the shape comments m is the number of positions.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from npcam.engine.products import multiply
from npcam.engine.program import Recorder
from npcam.shapes import Array


class Span(NamedTuple):
    """Photographs `i` to `j`, rows `top` to `bottom`, of an activation."""

    i: int
    j: int
    top: int
    bottom: int

    def of(self, x: Array) -> Array:
        """That part of `x`, a view."""
        return x[self.i : self.j, self.top : self.bottom]


def spans(whole: Span, row: int, budget: int, multiple: int = 1) -> Iterator[Span]:
    """Cut a span into pieces of about `budget` numbers, `row` being those of one row.

    Where a photograph is cut, its pieces begin a multiple of `multiple` rows below its top.

    Reason: what one operation writes is still in the cache when the next one reads it.

    >>> list(spans(Span(0, 4, 0, 8), row=10, budget=160))
    [Span(i=0, j=2, top=0, bottom=8), Span(i=2, j=4, top=0, bottom=8)]
    >>> list(spans(Span(0, 1, 0, 8), row=10, budget=60, multiple=4))
    [Span(i=0, j=1, top=0, bottom=4), Span(i=0, j=1, top=4, bottom=8)]
    """
    i, j, top, bottom = whole
    if i == j or top == bottom:
        return
    photographs = budget // max(row * (bottom - top), 1)
    if photographs >= 1:
        pieces = -(-(j - i) // photographs)
        edges = [i + (j - i) * p // pieces for p in range(pieces + 1)]
        for a, b in pairwise(edges):
            yield Span(a, b, top, bottom)
        return
    steps = -(-(bottom - top) // multiple)  # rows go in multiples, but for the last ones
    pieces = min(-(-row * (bottom - top) // budget), steps)
    edges = [min(top + steps * p // pieces * multiple, bottom) for p in range(pieces + 1)]
    for photograph in range(i, j):
        for a, b in pairwise(edges):
            yield Span(photograph, photograph + 1, a, b)


def fill_border(record: Recorder, padded: Array, inside: tuple[slice, slice], floor: Array) -> None:
    """Surround activations (n, H+, W+, C) with zeros; a zero is kept as 0 - b, the floor.

    `inside` says which rows and columns of `padded` are the activation's.
    """
    n, _, wide, c = padded.shape
    down, across = inside
    left, right = across.start, wide - across.stop
    borders = [padded[:, : down.start], padded[:, down.stop :]]
    if left == right:  # both at once
        sn, sh, sw, sc = padded.strides
        shape = (n, down.stop - down.start, 2, left, c)
        borders.append(as_strided(padded[:, down], shape, (sn, sh, across.stop * sw, sw, sc)))
    else:
        borders += [padded[:, down, :left], padded[:, down, across.stop :]]
    for border in borders:
        if border.size:
            record(np.copyto, border, floor)


def conv1x1(
    record: Recorder, x: Array, kernel: Array, floor: Array, y: Array, shortcut: Array | None = None
) -> None:
    """1x1 convolution, bias and ReLU: x (n, h, w, C) -> y (n, h, w, K), which may be any view.

    `kernel` is (S, C, K / S), and multiplies (m, C), without columns to lay out. A `shortcut`,
    (n, h, w, K), is added before the ReLU.
    """
    take, free = record.scratch.take, record.scratch.free
    packed = None if x.flags.c_contiguous else take("packed", x.shape)
    if packed is not None:
        record(np.copyto, packed, x)
        x = packed
    sums = take("sums", y.shape)
    multiply(record, x.reshape(-1, x.shape[3]), kernel, sums.reshape(-1, y.shape[3]))
    if shortcut is not None:
        record(np.add, sums, shortcut, out=sums)
    add_floor(record, sums, floor, y)
    free(sums, *([] if packed is None else [packed]))


def conv3x3(record: Recorder, padded: Array, kernel: Array, floor: Array, stride: int, y: Array) -> None:
    """3x3 convolution by im2col, bias and ReLU: padded rows (n, H, W, C) -> y (n, h, w, K).

    `kernel` is (S, 3, 3, C, K / S).
    """
    windows = windows3x3(padded, stride, *y.shape[1:3])
    columns = record.scratch.take("columns", windows.shape)
    record(np.copyto, columns, windows)
    multiply_columns(record, columns, kernel, floor, y)
    record.scratch.free(columns)


def multiply_columns(record: Recorder, columns: Array, kernel: Array, floor: Array, y: Array) -> None:
    """What im2col laid out, (n, h, w, ...), times (S, ..., K / S), with bias and ReLU -> y (n, h, w, K)."""
    flat = kernel.reshape(len(kernel), -1, kernel.shape[-1])
    conv1x1(record, columns.reshape(*y.shape[:3], -1), flat, floor, y)


def windows3x3(padded: Array, stride: int, h: int, w: int) -> Array:
    """The windows of a 3x3 over (n, H, W, C) as a view, (n, h, w, 3, 3 C), rows of a window apart.

    The 3 C numbers of a window's row lie side by side, so im2col copies 3 runs per window, not 9.
    """
    n, _, _, c = padded.shape
    sn, sh, sw, sc = padded.strides
    return as_strided(padded, (n, h, w, 3, 3 * c), (sn, stride * sh, stride * sw, sh, sc), writeable=False)


def max_pool(record: Recorder, x: Array, top: int, left: int, floor: Array, y: Array) -> None:
    """3x3 at stride 2, bias and ReLU: x (1, H, W, C) -> y (1, h, w, C), columns first, then rows.

    The pool's zeros may be left out: what is pooled was no less than 0. `top` and `left` say how
    many of them stand before the first row and column.
    """
    _, high, _, c = x.shape
    w = y.shape[2]
    columns = record.scratch.take("columns pooled", (1, high, w, c))
    _max3(record, x.transpose(2, 0, 1, 3), left, columns.transpose(2, 0, 1, 3))
    _max3(record, columns.transpose(1, 0, 2, 3), top, y.transpose(1, 0, 2, 3))
    record.scratch.free(columns)
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


def stem(
    record: Recorder, padded: Array, kernel: Array, floor: Array, pool_padding: int, rows: Span, y: Array
) -> None:
    """7x7 convolution and max pool of some rows: one photograph (1, H+6, W+6, 3) -> `rows` of y (n, h, w, K).

    `kernel` is (147, K). Bias and ReLU come after the pool, on a quarter of the numbers:
    max(a + b, c + b) = max(a, c) + b.
    """
    _, high, wide, c = padded.shape
    w1 = (wide - 7) // 2 + 1
    first, last = stem_rows(rows.top, rows.bottom, pool_padding, high)
    columns = record.scratch.take("columns", (last - first, w1, 7, 7 * c))
    _, sh, sw, sc = padded.strides
    source = as_strided(padded[0, 2 * first :], columns.shape, (2 * sh, 2 * sw, sh, sc), writeable=False)
    record(np.copyto, columns, source)
    sums = record.scratch.take("sums", (1, last - first, w1, kernel.shape[1]))
    multiply(record, columns.reshape(-1, 49 * c), kernel[None], sums.reshape(-1, kernel.shape[1]))
    record.scratch.free(columns)
    before = first - (2 * rows.top - pool_padding)
    max_pool(record, sums, before, pool_padding, floor, rows.of(y))
    record.scratch.free(sums)


def stem_rows(top: int, bottom: int, pool_padding: int, high: int) -> tuple[int, int]:
    """The rows of `conv1_conv` that some rows of the pool read; the padded photograph has `high` rows.

    Row r of the convolution reads the rows 2 r to 2 r + 6 of the padded photograph.
    """
    return max(2 * top - pool_padding, 0), min(2 * bottom + 1 - pool_padding, (high - 7) // 2 + 1)


def add_floor(record: Recorder, sums: Array, floor: Array, y: Array) -> None:
    """Bias and ReLU: sums (n, h, w, K) -> y, which may be any view.

    Reason for whole rows: they take from half to three quarters of the time of single positions.
    """
    n, h, w, k = y.shape
    if y.strides[2] == k * y.itemsize:
        sums, floor, y = sums.reshape(n, h, w * k), np.tile(floor, w), y.reshape(n, h, w * k)
    record(np.maximum, sums, floor, out=y)

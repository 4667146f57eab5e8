"""Matmuls with kernels that lie in slices, in pieces so small that BLAS need not pack them."""

from functools import cache

import numpy as np

from npcam.engine.program import Recorder
from npcam.shapes import Array

TERMS = 257  # of a sum at a time, if they can be chosen: 256 channels and a bias
SUMS = 1 << 18  # numbers in the parts of sums of several slices: what stays in the cache
ROWS = 24  # at a time, if there are as many: fewer are slower


def multiply(record: Recorder, x: Array, kernel: Array, out: Array) -> None:
    """Record x (..., m, C) times the slices of a kernel, (..., S, C, k), -> out (..., m, S k).

    Where BLAS packs nothing of small matrices, it is given small ones: some rows, and some terms of
    the sums, which are then added up.
    """
    *stack, slices, c, k = kernel.shape
    m = x.shape[-2]
    parts, rows = cut(m, c, k, record.unpacked)
    if slices > 1 and parts > 1 and parts * out.size > SUMS:
        for s in range(slices):
            multiply(record, x, kernel[..., s : s + 1, :, :], out[..., s * k : (s + 1) * k])
        return
    taken = (parts, *out.shape)
    sums = record.scratch.take("parts of sums", taken) if parts > 1 else out.reshape(taken)
    a = x.reshape(*stack, m // rows, rows, parts, c // parts)
    b = kernel.reshape(*stack, slices, parts, c // parts, k)
    y = sums.reshape(parts, *stack, m // rows, rows, slices, k)
    # (parts, ..., slices, pieces of rows, rows or terms, terms or channels)
    a, b = np.moveaxis(a, -2, 0)[..., None, :, :, :], np.moveaxis(b, -3, 0)[..., None, :, :]
    record(np.matmul, a, b, out=np.moveaxis(y, -2, -4))
    if parts > 1:
        record(np.add.reduce, sums, axis=0, out=out)
        record.scratch.free(sums)


@cache
def cut(m: int, c: int, k: int, most: int) -> tuple[int, int]:
    """Into how many parts to cut sums of c terms, and how many of m rows to take at a time.

    So few parts, then so many rows, that a matmul with k columns has no more than `most` products. One
    part and all rows where that cannot be, or `most` is 0.

    >>> cut(49, 2048, 64, most=10**6), cut(392, 2048, 64, most=10**6), cut(49, 2048, 64, most=0)
    ((8, 49), (4, 28), (1, 49))
    """
    for parts in (parts for parts in _divisors(c) if parts == 1 or c // parts >= TERMS // 2):
        for rows in reversed(_divisors(m)):
            if rows >= min(ROWS, m) and rows * (c // parts) * k <= most:
                return parts, rows
    return 1, m


def whole_terms(c: int, most: int) -> int:
    """As many terms as c, or a few more, of which zeros can be made: equal parts of some 257.

    >>> whole_terms(513, most=10**6), whole_terms(513, most=0)
    (514, 513)
    """
    parts = -(-c // TERMS) if most else 1
    return -(-c // parts) * parts


@cache
def _divisors(n: int) -> list[int]:
    """Those of a number, the smallest first."""
    return [d for d in range(1, n + 1) if n % d == 0]

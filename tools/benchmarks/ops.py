"""What an operation of the engine takes: its arithmetic, the memory it touches, and the roofline of both."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from npcam.engine.blas import one_blas_thread
from npcam.engine.program import Op
from npcam.shapes import Array


class Core(NamedTuple):
    """What one core can do.

    Attributes:
        peak: float32 multiplications and additions of matmuls, per second.
        bandwidth: bytes read and written, per second.
    """

    peak: float
    bandwidth: float


def products(op: Op) -> int:
    """Multiplications and additions of a matmul; 0 for any other operation.

    >>> a, b, y = np.ones((3, 4, 5)), np.ones((5, 2)), np.ones((3, 4, 2))
    >>> products(Op(np.matmul, a, b, out=y))  # 24 results of 5 multiplications and 5 additions each
    240
    """
    if op.func is not np.matmul:
        return 0
    return int(2 * op.keywords["out"].size * op.args[0].shape[-1])


def touched(op: Op) -> int:
    """Bytes that an operation reads and writes: each of its arrays once, the one it writes included.

    Of an array whose elements share memory, such as overlapping windows, that memory counts once.

    >>> x, y = np.ones((100, 8), np.float32), np.ones((100, 8), np.float32)
    >>> touched(Op(np.copyto, y, x)), touched(Op(np.copyto, y, np.broadcast_to(x[0], y.shape)))
    (6400, 3232)
    """
    return sum(min(array.nbytes, _extent(array)) for array in _arrays(op))


def seconds(op: Op, core: Core) -> float:
    """The roofline: what takes longer on one core, the arithmetic or the memory.

    >>> a, y = np.ones((100, 100), np.float32), np.ones((100, 100), np.float32)
    >>> matmul = Op(np.matmul, a, a, out=y)  # 2 million operations on 120,000 bytes
    >>> seconds(matmul, Core(1e9, 1e9)), seconds(matmul, Core(1e9, 1e7))
    (0.002, 0.012)
    """
    return max(products(op) / core.peak, touched(op) / core.bandwidth)


def measured_core() -> Core:
    """This machine's core: a large matmul, and the copy of an array that no cache holds."""
    with one_blas_thread:
        return Core(sgemm_peak(), copy_bandwidth())


def sgemm_peak(size: int = 2048, runs: int = 5) -> float:
    """Operations per second of the best of some large matmuls."""
    a = np.ones((size, size), np.float32)
    out = np.empty_like(a)
    return 2 * size**3 / min(_times(Op(np.matmul, a, a, out=out), runs))


def copy_bandwidth(size: int = 1 << 26, runs: int = 5) -> float:
    """Bytes read and written per second by the best of some copies of so many float32 numbers."""
    copy = Op(np.copyto, np.zeros(size, np.float32), np.ones(size, np.float32))
    return touched(copy) / min(_times(copy, runs))


def _times(op: Op, runs: int) -> Iterator[float]:
    """The seconds of each of some runs."""
    for _ in range(runs):
        start = time.perf_counter()
        op()
        yield time.perf_counter() - start


def _arrays(op: Op) -> Iterator[Array]:
    """The arrays that an operation is called with; what it writes where it reads counts twice."""
    for value in [*op.args, *op.keywords.values()]:
        if isinstance(value, np.ndarray):
            yield value


def _extent(array: Array) -> int:
    """Bytes from an array's first element to its last."""
    if not array.size:
        return 0
    steps = zip(array.shape, array.strides, strict=True)
    return int(array.itemsize + sum((n - 1) * abs(stride) for n, stride in steps))

"""Array operations recorded once, with all their views made, and then run again and again.

Reason to record: making a view or checking a shape costs a microsecond or more, as much as the
arithmetic on a small array, and only one thread at a time can do it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from npcam.shapes import Array


class Op(partial[Any]):
    """A call that knows what it is for.

    Attributes:
        layer: the Keras layer that it works on.
    """

    layer: str


Phases = list[list[list[Op]]]  # by phase and task


class Workspace:
    """Scratch memory, taken by the name of what is to lie in it, and used again once it is free.

    What is recorded later runs later, so memory may be taken again as soon as the last operation
    that reads it is recorded. A name that is still in use cannot be taken: that is checked while
    recording, so it costs a run nothing.

    >>> scratch = Workspace(np.float32)
    >>> columns = scratch.take("columns", (2, 3))
    >>> scratch.free(columns)
    >>> scratch.take("products", (6, 1)).base is columns.base
    True
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self._free: list[Array] = []  # flat pieces of memory
        self._used: dict[str, tuple[Array, Array]] = {}  # {name: (as it was given out, its piece)}

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """An array of that shape, contiguous, its content undefined, valid until it is freed.

        It lies in the smallest free piece that is large enough.

        Raises:
            RuntimeError: what has that name is still in use.
        """
        if name in self._used:
            raise RuntimeError(f"scratch memory: {name!r} is still in use")
        size = prod(shape)
        fitting = [i for i, piece in enumerate(self._free) if piece.size >= size]
        if fitting:
            piece = self._free.pop(min(fitting, key=lambda i: self._free[i].size))
        else:
            piece = np.empty(size, self._dtype)
        array = piece[:size].reshape(shape)
        self._used[name] = array, piece
        return array

    def free(self, *arrays: Array) -> None:
        """Nothing that is recorded from here on reads these arrays, each as `take` gave it.

        Raises:
            RuntimeError: one of them is not in use.
        """
        for array in arrays:
            self._free.append(self._used.pop(self._name(array))[1])

    def rename(self, array: Array, name: str) -> None:
        """In the memory of `array` now lies something else, which was computed in place.

        Raises:
            RuntimeError: `array` is not in use, or what has that name is.
        """
        if name in self._used:
            raise RuntimeError(f"scratch memory: {name!r} is still in use")
        self._used[name] = self._used.pop(self._name(array))

    @property
    def nbytes(self) -> int:
        """How much memory it has taken, in bytes."""
        return sum(piece.nbytes for piece in [*self._free, *(piece for _, piece in self._used.values())])

    def _name(self, array: Array) -> str:
        """The name of an array that is in use."""
        for name, (given, _) in self._used.items():
            if given is array:
                return name
        raise RuntimeError(f"scratch memory: an array of shape {array.shape} that is not in use")


class Recorder:
    """The operations of one share of the work, and the scratch memory that is its own.

    Attributes:
        scratch: that memory.
        layer: the Keras layer that what is recorded next works on.
        unpacked: see `npcam.engine.blas.unpacked_products`.
    """

    def __init__(self, dtype: Any, unpacked: int = 0) -> None:
        self.scratch = Workspace(dtype)
        self.unpacked = unpacked
        self.layer = ""
        self._ops: list[Op] = []

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Record `function(*args, **kwargs)`."""
        op = Op(function, *args, **kwargs)
        op.layer = self.layer
        self._ops.append(op)

    def cut(self) -> list[Op]:
        """What was recorded since the last cut."""
        ops, self._ops = self._ops, []
        return ops


class Program:
    """What some threads do together, recorded in phases, each of tasks that depend on nothing in their phase.

    Attributes:
        shares: a recorder for each share of the work. There may be more of them than threads: a
            task is what one share has to do in a phase, and whichever thread is free does it.
        shared: the scratch memory that all of them see. What lies there may be freed at a meeting
            and not before, for other tasks may still read it.
        phases: what was recorded.
    """

    def __init__(self, shares: Sequence[Recorder], dtype: Any) -> None:
        self.shares = shares
        self.shared = Workspace(dtype)
        self.phases: Phases = []

    def meet(self) -> None:
        """End a phase: no task of the next one begins before all of this one are done."""
        self.phases.append([ops for ops in (share.cut() for share in self.shares) if ops])


def run_ops(ops: Sequence[Op]) -> None:
    """Run what was recorded."""
    for op in ops:
        op()

"""Array operations recorded once, with all their views made, and then run again and again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from npcam.shapes import Array


class Op(partial[Any]):
    """A call that knows what it is for.

    Attributes:
        layer: the Keras layer that it works on.
    """

    layer: str


class Workspace:
    """Named scratch arrays; an array asked for again is the same memory again.

    >>> workspace = Workspace(np.float32)
    >>> workspace.take("x", (2, 3)).base is workspace.take("x", (1, 6)).base
    True
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = dtype
        self._flat: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """An array of that shape, its content undefined, valid until the name is taken again."""
        size = int(np.prod(shape))
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size, self._dtype)
        return self._flat[name][:size].reshape(shape)

    @property
    def nbytes(self) -> int:
        """How much memory it has taken."""
        return sum(flat.nbytes for flat in self._flat.values())


class Recorder:
    """One worker's operations, and the scratch memory that is its own.

    Reason to record: making a view or checking a shape costs a microsecond or more, as much as
    the arithmetic on a small array, and only one thread at a time can do it.
    """

    def __init__(self, dtype: Any) -> None:
        self.scratch = Workspace(dtype)
        self.layer = ""
        self.ops: list[Op] = []

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Record `function(*args, **kwargs)`, for the layer that was set last."""
        op = Op(function, *args, **kwargs)
        op.layer = self.layer
        self.ops.append(op)

    def cut(self) -> list[Op]:
        """What was recorded since the last cut."""
        ops, self.ops = self.ops, []
        return ops


def run_ops(ops: list[Op]) -> None:
    """Run what was recorded."""
    for op in ops:
        op()

"""A network compiled for speed, ready to run."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from npcam import ops, resnet
from npcam.engine.filters import fold_network
from npcam.engine.layouts import Layout, ManyPhotographs, OnePhotograph
from npcam.engine.team import Team, cores, one_blas_thread
from npcam.layers import layers
from npcam.resnet import ACTIVATIONS, Architecture, Outputs, Tensors
from npcam.shapes import Array

GROUP = 16  # photographs per worker and pass
IDLE = 3  # recorded passes to keep, with their scratch memory, when nobody runs them


def compile(architecture: Architecture, tensors: Tensors, dtype: Any = np.float32) -> "Engine":
    """Compile a network.

    Args:
        architecture: what the weights alone do not tell.
        tensors: {layer name: {weight name: array}}, in Keras's names and layouts.
        dtype: the float type to compute in.
    """
    return Engine(architecture, tensors, dtype)


class Engine:
    """The network, compiled. May be called from several threads at once."""

    def __init__(
        self, architecture: Architecture, tensors: Tensors, dtype: Any = np.float32, threads: int | None = None
    ) -> None:
        self._arch = architecture
        self._tensors = {
            layer: {name: np.asarray(a).astype(dtype, copy=False) for name, a in arrays.items()}
            for layer, arrays in tensors.items()
        }
        self._dtype = np.dtype(dtype).type
        self._names = {layer.name for layer in layers(architecture)}
        self._features = resnet.last_activation(architecture)
        self._filters = fold_network(self._tensors, architecture)
        self._team = Team(threads or cores())
        self._idle: list[tuple[tuple[int, ...], Layout]] = []
        self._lock = threading.Lock()

    def run(self, x: Array, names: Sequence[str] = ()) -> Outputs:
        """Run a preprocessed batch.

        Args:
            x: (N, H, W, 3), any float dtype; H and W from 32 up.
            names: the Keras layers whose activations to return.

        Returns:
            The logits, and the activations by name.

        Raises:
            ValueError: `x` is no batch of images of at least 32x32, or a name is unknown.
        """
        if x.ndim != 4 or x.shape[3] != 3 or min(x.shape[1:3]) < 32:
            msg = f"expected a batch (N, H, W, 3) of images from 32x32 up, got shape {x.shape}"
            raise ValueError(msg)
        unknown = [name for name in names if name not in self._names]
        if unknown:
            msg = f"no layer is called {unknown[0]!r}; the network's layers are named as Keras names them"
            raise ValueError(msg)
        compiled = {self._features, "avg_pool", "predictions", "input_layer"}
        run = self._fast if compiled.issuperset(names) else self._unfolded
        return run(x.astype(self._dtype, copy=False), names)

    def _unfolded(self, x: Array, names: Sequence[str]) -> Outputs:
        """Layer by layer, as Keras does: what folding destroys is only to be had so."""
        return resnet.run(x, self._tensors, self._arch, names)

    def _fast(self, x: Array, names: Sequence[str]) -> Outputs:
        """The compiled pass."""
        found: dict[str, list[Array]] = {self._features: [], "avg_pool": []}
        at = 0
        while at < len(x):
            with self._layout(len(x) - at, *x.shape[1:3]) as layout, one_blas_thread:
                y = layout.run(x[at : at + layout.size])
                found["avg_pool"].append(ops.global_average_pool2d(y))
                if self._features in names:
                    found[self._features].append(y.copy())
                at += layout.size
        activations = {name: np.concatenate(pieces) for name, pieces in found.items() if pieces}
        activations["input_layer"] = x
        logits = None
        if self._arch.activation is not None:
            logits = ops.dense(activations["avg_pool"], **self._tensors["predictions"])
            if "predictions" in names:
                activations["predictions"] = ACTIVATIONS[self._arch.activation](logits)
        return Outputs(logits, {name: activations[name] for name in names})

    @contextmanager
    def _layout(self, n: int, height: int, width: int) -> Iterator[Layout]:
        """A recorded pass for so many of `n` photographs as go at once, for this caller alone."""
        group = min(n // self._team.size, GROUP) if n > 1 else 0
        key = (group, height, width)
        with self._lock:
            found = [i for i, (k, _) in enumerate(self._idle) if k == key]
            layout = self._idle.pop(found[-1])[1] if found else None
        layout = layout or self._record(*key)
        try:
            yield layout
        finally:
            with self._lock:
                self._idle = [*self._idle, (key, layout)][-IDLE:]

    def _record(self, group: int, height: int, width: int) -> Layout:
        """Record a pass of `group` photographs per member of the team, or one among all."""
        args = self._filters, self._arch.pool_padding, height, width, self._team
        return ManyPhotographs(*args, group) if group else OnePhotograph(*args)

"""A network compiled for speed, ready to run."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from npcam import ops, resnet
from npcam.engine.filters import fold_network
from npcam.engine.layouts import Layout, ManyPhotographs, OnePhotograph
from npcam.engine.steps import Step, list_steps
from npcam.engine.team import cores, one_blas_thread, team_of
from npcam.layers import layers
from npcam.resnet import ACTIVATIONS, Architecture, Outputs, Tensors
from npcam.shapes import Array

GROUP = 16  # photographs per worker and pass: more than that makes conv5 no faster
SCRATCH = 512 << 20  # bytes of scratch memory, above which a batch is cut into smaller pieces


def compile(
    architecture: Architecture, tensors: Tensors, dtype: Any = np.float32, threads: int | None = None
) -> "Engine":
    """Compile a network.

    Args:
        architecture: what the weights alone do not tell.
        tensors: {layer name: {weight name: array}}, in Keras's names and layouts. Arrays of
            another float type are converted.
        dtype: the float type to compute in.
        threads: how many cores to use; None for all that the process may.
    """
    return Engine(architecture, tensors, dtype, threads)


def scratch_bytes(photographs: int, height: int, width: int, workers: int) -> int:
    """An upper bound of the scratch memory of one pass, for the widths of Keras's ResNets in float32.

    One photograph takes 12 MB per worker and 350 bytes per pixel. Several at once, each worker
    with its own, take that per worker, and 110 bytes per pixel and photograph for what they keep
    until the late stages.

    >>> scratch_bytes(1, 224, 224, workers=2) / 1e6
    41.5616
    """
    pixels = height * width
    if photographs == 1:
        return workers * 12_000_000 + 350 * pixels
    return workers * (12_000_000 + 350 * pixels) + 110 * photographs * pixels


class Engine:
    """The network, compiled. It may be called from several threads at once.

    The same input gives the same bits, whatever else runs. A photograph alone and the same one in
    a batch take different ways through the same arithmetic, and agree to rounding.
    """

    def __init__(
        self,
        architecture: Architecture,
        tensors: Tensors,
        dtype: Any = np.float32,
        threads: int | None = None,
    ) -> None:
        self._arch = architecture
        self._tensors = {
            layer: {name: np.asarray(a).astype(dtype, copy=False) for name, a in arrays.items()}
            for layer, arrays in tensors.items()
        }
        self._dtype = np.dtype(dtype)
        self._names = {layer.name for layer in layers(architecture)}
        self._features = resnet.last_activation(architecture)
        self._team = team_of(threads or cores())
        with one_blas_thread:
            self._filters = fold_network(self._tensors, architecture, self._team)
        self._idle: list[tuple[tuple[int, ...], Layout]] = []
        self._lock = threading.Lock()

    def run(self, x: Array, names: Sequence[str] = ()) -> Outputs:
        """Run a preprocessed batch, cut into pieces where it would take too much memory.

        Args:
            x: (N, H, W, 3), any float dtype; H and W from 32 up.
            names: the Keras layers whose activations to return. The last activation, `avg_pool`
                and `predictions` come from the compiled pass; with any other, the batch runs layer
                by layer as in `resnet`, because folding and skipping leave the others incomplete.

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
        x = x.astype(self._dtype, copy=False)
        compiled = {self._features, "avg_pool", "predictions", "input_layer"}
        run = self._fast if compiled.issuperset(names) else self._layer_by_layer
        pieces = list(run(x, names)) or [resnet.run(x, self._tensors, self._arch, names)]
        if len(pieces) == 1:
            return pieces[0]
        logits = [piece.logits for piece in pieces if piece.logits is not None]
        return Outputs(
            np.concatenate(logits) if logits else None,
            {name: np.concatenate([piece.activations[name] for piece in pieces]) for name in names},
        )

    def plan(self, photographs: int, height: int, width: int) -> list[Step]:
        """What the engine does for so many photographs of that size, layer by layer."""
        group = self._group(photographs, height, width)
        size = (height, width)
        return list_steps(self._filters, self._arch.pool_padding, group, size, self._team.size)

    def _layer_by_layer(self, x: Array, names: Sequence[str]) -> Iterator[Outputs]:
        """Every activation as it is in Keras; columns and activations take 800 bytes per pixel."""
        step = max(1, SCRATCH // (800 * x.shape[1] * x.shape[2]))
        for i in range(0, len(x), step):
            yield resnet.run(x[i : i + step], self._tensors, self._arch, names)

    def _fast(self, x: Array, names: Sequence[str]) -> Iterator[Outputs]:
        """The compiled pass."""
        at = 0
        while at < len(x):
            with one_blas_thread, self._layout(len(x) - at, *x.shape[1:3]) as layout:
                piece = x[at : at + layout.size]
                yield self._head(piece, layout.run(piece), names)
                at += layout.size

    def _head(self, x: Array, y: Array, names: Sequence[str]) -> Outputs:
        """What follows the last activation `y`, which is scratch memory, and what was asked for."""
        found = {"input_layer": x}
        if self._features in names:
            found[self._features] = y.copy()
        logits = None
        if self._arch.activation is not None:
            found["avg_pool"] = ops.global_average_pool2d(y)
            logits = ops.dense(found["avg_pool"], **self._tensors["predictions"])
            if "predictions" in names:
                found["predictions"] = ACTIVATIONS[self._arch.activation](logits)
        return Outputs(logits, {name: found[name] for name in names})

    def _group(self, n: int, height: int, width: int) -> int:
        """Photographs per worker in the next pass when `n` are left; 0: one, shared by all workers."""
        workers = self._team.size
        group = min(n // workers, GROUP) if n > 1 else 0
        while group and scratch_bytes(group * workers, height, width, workers) > SCRATCH:
            group //= 2
        return group

    @contextmanager
    def _layout(self, n: int, height: int, width: int) -> Iterator[Layout]:
        """A recorded pass for so many of `n` photographs as go at once, for this caller alone."""
        key = (self._group(n, height, width), height, width)
        with self._lock:
            found = [i for i, (k, _) in enumerate(self._idle) if k == key]
            layout = self._idle.pop(found[-1])[1] if found else None
        layout = layout or self._record(*key)
        try:
            yield layout
        finally:
            with self._lock:
                self._idle.append((key, layout))
                while len(self._idle) > 1 and sum(other.nbytes for _, other in self._idle) > SCRATCH:
                    self._idle.pop(0)

    def _record(self, group: int, height: int, width: int) -> Layout:
        """Record a pass of `group` photographs per worker, or of one among all workers."""
        args = self._filters, self._arch.pool_padding, height, width, self._team
        return ManyPhotographs(*args, group) if group else OnePhotograph(*args)

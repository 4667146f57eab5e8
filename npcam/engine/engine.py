"""A network compiled for speed, ready to run."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from npcam import ops, resnet
from npcam.engine.fold import Folded, fold_batch_norm
from npcam.engine.kernels import Workspace, conv1x1, conv2d, conv3x3_same, max_pool3x3, padded
from npcam.layers import layers
from npcam.resnet import ACTIVATIONS, Architecture, Outputs, Tensors
from npcam.shapes import Array

PIECE_BYTES = 256 << 20  # scratch memory that one piece of a batch may take


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

    def __init__(self, architecture: Architecture, tensors: Tensors, dtype: Any = np.float32) -> None:
        self._arch = architecture
        self._tensors = {
            layer: {name: np.asarray(a).astype(dtype, copy=False) for name, a in arrays.items()}
            for layer, arrays in tensors.items()
        }
        self._dtype = np.dtype(dtype).type
        self._names = {layer.name for layer in layers(architecture)}
        self._features = resnet.last_activation(architecture)
        self._convs = {
            layer.inputs[0]: fold_batch_norm(self._tensors, layer.inputs[0], layer.name, architecture)
            for layer in layers(architecture)
            if layer.kind == "BatchNormalization"
        }
        self._idle: list[Workspace] = []
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
        x = x.astype(self._dtype, copy=False)
        compiled = {self._features, "avg_pool", "predictions", "input_layer"}
        run = self._fast if compiled.issuperset(names) else self._unfolded
        step = max(1, PIECE_BYTES // self._image_bytes(*x.shape[1:3]))
        pieces = [run(x[i : i + step], names) for i in range(0, max(len(x), 1), step)]
        if len(pieces) == 1:
            return pieces[0]
        logits = [p.logits for p in pieces if p.logits is not None]
        return Outputs(
            np.concatenate(logits) if logits else None,
            {name: np.concatenate([p.activations[name] for p in pieces]) for name in names},
        )

    def _image_bytes(self, height: int, width: int) -> int:
        """Scratch memory per image: the stem's and the first stage's buffers are the largest."""
        stem = self._convs["conv1_conv"].kernel.shape
        wide = max(conv.kernel.shape[3] for name, conv in self._convs.items() if name.startswith("conv2"))
        per_pixel = (7 * 7 * 3 + 2 * stem[3]) / 4 + (4 * wide) / 16
        return int(height * width * per_pixel * np.dtype(self._dtype).itemsize)

    def _unfolded(self, x: Array, names: Sequence[str]) -> Outputs:
        """Layer by layer, as Keras does: what folding destroys is only to be had so."""
        return resnet.run(x, self._tensors, self._arch, names)

    def _fast(self, x: Array, names: Sequence[str]) -> Outputs:
        """The compiled pass."""
        with self._workspace() as workspace:
            y = self._features_of(x, workspace)
            found = {"input_layer": x}
            if self._features in names:
                found[self._features] = y.copy()
            if self._arch.activation is None:
                return Outputs(None, {name: found[name] for name in names})
            found["avg_pool"] = ops.global_average_pool2d(y)
        logits = ops.dense(found["avg_pool"], **self._tensors["predictions"])
        if "predictions" in names:
            found["predictions"] = ACTIVATIONS[self._arch.activation](logits)
        return Outputs(logits, {name: found[name] for name in names})

    def _features_of(self, x: Array, scratch: Workspace) -> Array:
        """The last activation, in a buffer of `scratch`."""
        x = padded(x, ((3, 3), (3, 3)), scratch)
        x = conv2d(x, self._convs["conv1_conv"], 2, scratch, "a")
        np.maximum(x, 0, out=x)
        p = self._arch.pool_padding
        x = max_pool3x3(padded(x, ((p, p), (p, p)), scratch), scratch, "x")
        for block in resnet.residual_blocks(self._arch):
            x = self._bottleneck(x, block, scratch)
        return x

    def _bottleneck(self, x: Array, block: resnet.Block, scratch: Workspace) -> Array:
        """One residual block, into the buffer that `x` does not use."""
        first, second = (block.stride, 1) if self._arch.stride_in == 1 else (1, block.stride)

        def conv(part: int) -> Folded:
            return self._convs[f"{block.name}_{part}_conv"]

        shortcut = conv1x1(x, conv(0), block.stride, scratch, "shortcut") if block.projects else x
        y = conv1x1(x, conv(1), first, scratch, "a")
        np.maximum(y, 0, out=y)
        y = conv3x3_same(y, conv(2), second, scratch, "b")
        np.maximum(y, 0, out=y)
        free = "y" if np.shares_memory(shortcut, scratch.take("x", (1,))) else "x"
        y = conv1x1(y, conv(3), 1, scratch, free)
        y += shortcut
        return np.maximum(y, 0, out=y)

    @contextmanager
    def _workspace(self) -> Iterator[Workspace]:
        """Scratch memory of one's own, so that several threads may run one engine."""
        with self._lock:
            workspace = self._idle.pop() if self._idle else Workspace(self._dtype)
        try:
            yield workspace
        finally:
            with self._lock:
                self._idle.append(workspace)

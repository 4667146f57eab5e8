"""A network's weights in the form in which the engine multiplies with them."""

import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from npcam.engine.strides import BlockStrides, block_strides
from npcam.engine.team import Team
from npcam.engine.winograd import transform_filters
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array


class Folded(NamedTuple):
    """A convolution with its batch norm in it: y = conv(x, kernel) + bias.

    Attributes:
        kernel: (KH, KW, C, K).
        bias: (K,), float64: more will be added to it.
    """

    kernel: Array
    bias: Array


def fold_batch_norm(
    tensors: Tensors, conv: str, bn: str, arch: Architecture, out: Array | None = None
) -> Folded:
    """One convolution that does what a convolution and the batch norm behind it do.

    gamma (conv(x) + b - mean) / sqrt(var + epsilon) + beta is conv with its kernel scaled per
    output channel, and one bias. Scale and bias are found in float64; the kernel is scaled in its
    own type, three times as fast, which shows neither in the features nor in the logits. It goes
    into `out` where that is given.

    Reason: batch norm is three passes over every activation, all of them memory traffic. With it,
    reused buffers and ReLU in place, the readable forward pass went from 93.7 to 66.6 ms.
    """
    kernel, bias = tensors[conv]["kernel"], tensors[conv].get("bias", 0.0)
    gamma, beta, mean, variance = (
        tensors[bn][n].astype(np.float64) for n in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + arch.epsilon)  # (K,)
    folded_bias = (np.asarray(bias, np.float64) - mean) * scale + beta
    return Folded(np.multiply(kernel, scale.astype(kernel.dtype), out=out), folded_bias)


@dataclass
class BlockFilters:
    """The convolutions of one residual block, batch norms folded in.

    Inside a block the engine keeps an activation x as x - b, b being the bias of the convolution
    that made it: relu(conv + b) - b = max(conv, -b), so that bias and ReLU together are one pass
    against the vector -b, the `floor`. What the next convolution misses by it, W b, goes into its
    own bias. The last bias of a block is a row of its last kernel, against a column of ones, so
    that the block's output is the true one: carried on from block to block, the sum of the biases
    would cost six times the rounding.

    Reason: one pass over each activation instead of two, and a maximum of two arrays runs at
    three times the speed of one against the number 0 (8 against 2 billion numbers a second).

    Attributes:
        strides: its strides, its name, and whether its shortcut is a convolution.
        kernel_1: (C, F) of the first 1x1.
        kernel_2: (3, 3, F, F2) of the 3x3.
        kernel_3: (F2 + 1, K) of the last 1x1 and its bias; with a projecting shortcut the
            shortcut's (C, K) stands between the two.
        floor_1, floor_2: minus the biases, a vector each.
    """

    strides: BlockStrides
    kernel_1: Array = field(repr=False)
    kernel_2: Array = field(repr=False)
    kernel_3: Array = field(repr=False)
    floor_1: Array = field(repr=False)
    floor_2: Array = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _transformed: Array | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Keras's name of the block."""
        return self.strides.name

    @property
    def projects(self) -> bool:
        """Whether its shortcut is a convolution."""
        return self.strides.projects

    @property
    def in_place(self) -> bool:
        """Whether its output may take the memory of its input: its shortcut is the whole input."""
        return not self.projects and self.strides.stride_0 == 1

    @property
    def size(self) -> int:
        """How many numbers its kernels hold."""
        return self.kernel_1.size + self.kernel_2.size + self.kernel_3.size

    def transformed(self) -> Array:
        """Winograd's form of `kernel_2`, (36, F, F2); made when first asked for, then kept."""
        with self._lock:
            if self._transformed is None:
                self._transformed = transform_filters(self.kernel_2)
            return self._transformed


@dataclass
class Filters:
    """All convolutions of a network.

    Attributes:
        stem: (147, K) of the 7x7, rows in the order height, width, channel.
        stem_floor: minus its bias.
        blocks: the residual blocks in order.
        pool_padding: zeros around the input of `pool1_pool`.
    """

    stem: Array = field(repr=False)
    stem_floor: Array = field(repr=False)
    blocks: list[BlockFilters]
    pool_padding: int


def fold_network(tensors: Tensors, arch: Architecture, team: Team) -> Filters:
    """Fold every batch norm, and every offset into the bias behind it, the blocks shared by a team."""
    stem = fold_batch_norm(tensors, "conv1_conv", "conv1_bn", arch)
    strides = block_strides(arch)
    blocks: list[BlockFilters] = [None] * len(strides)  # type: ignore[list-item]
    edges = list(accumulate((block_size(tensors, block) for block in strides), initial=0))
    memory = np.empty(edges[-1], stem.kernel.dtype)  # in one piece, for it comes in huge pages

    def fold(thread: int) -> None:
        for i in range(thread, len(strides), team.size):
            room = memory[edges[i] : edges[i + 1]]
            blocks[i] = fold_block(tensors, arch, strides[i], None if i else stem.bias, room)

    team.run([[partial(fold, thread) for thread in range(team.size)]])
    kernel = stem.kernel.reshape(-1, stem.kernel.shape[3])
    return Filters(kernel, (-stem.bias).astype(kernel.dtype), blocks, arch.pool_padding)


def block_size(tensors: Tensors, block: BlockStrides) -> int:
    """How many numbers a block's folded kernels hold: as many as its kernels, and a bias."""
    parts = (0, 1, 2, 3) if block.projects else (1, 2, 3)
    kernels = [tensors[f"{block.name}_{part}_conv"]["kernel"] for part in parts]
    return int(sum(kernel.size for kernel in kernels) + kernels[-1].shape[3])


def fold_block(
    tensors: Tensors, arch: Architecture, block: BlockStrides, x_offset: Array | None, room: Array
) -> BlockFilters:
    """The convolutions of one block. Biases are summed in float64.

    Args:
        tensors, arch: the network.
        block: its name and strides.
        x_offset: (C,), what its input misses: the stem's bias for the first block.
        room: memory for its kernels, (`block_size`,).
    """
    kernels = [tensors[f"{block.name}_{part}_conv"]["kernel"] for part in (1, 2, 3)]
    f, c = kernels[2].shape[2], kernels[0].shape[2] if block.projects else 0
    edges = kernels[0].size, kernels[0].size + kernels[1].size
    kernel_1, kernel_2 = (
        room[: edges[0]].reshape(kernels[0].shape),
        room[slice(*edges)].reshape(kernels[1].shape),
    )
    kernel_3 = room[edges[1] :].reshape(f + c + 1, kernels[2].shape[3])

    def fold(part: int, out: Array) -> Array:
        conv, bn = f"{block.name}_{part}_conv", f"{block.name}_{part}_bn"
        return fold_batch_norm(tensors, conv, bn, arch, out).bias

    offset_1, bias_2 = fold(1, kernel_1), fold(2, kernel_2)
    if x_offset is not None:
        offset_1 += x_offset @ kernel_1[0, 0]
    offset_2 = bias_2 + np.einsum("c,abck->k", offset_1, kernel_2)
    offset_3 = fold(3, kernel_3[None, None, :f]) + np.einsum("c,ck->k", offset_2, kernel_3[:f])
    if block.projects:
        shortcut = kernel_3[None, None, f:-1]
        offset_3 += join_shortcut(Folded(shortcut, fold(0, shortcut)), x_offset)
    kernel_3[-1] = offset_3
    floor_1, floor_2 = ((-offset).astype(room.dtype) for offset in (offset_1, offset_2))
    return BlockFilters(block, kernel_1[0, 0], kernel_2, kernel_3, floor_1, floor_2)


def join_shortcut(shortcut: Folded, x_offset: Array | None) -> Array:
    """What a projecting shortcut adds to its block's last bias, its kernel being part of the last one.

    Both 1x1s and their bias are one matmul: [y, x, 1] @ [[W3], [W0], [b]] = y W3 + x W0 + b.

    Reason: the sum of the two, which is the largest activation of its stage, is never written and
    read again; x, smaller by half or more, is copied beside y instead. And a matmul with more
    terms runs closer to its peak: 92 % instead of 89.
    """
    bias = shortcut.bias.copy()
    if x_offset is not None:
        bias += x_offset @ shortcut.kernel[0, 0]
    return bias

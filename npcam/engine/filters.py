"""A network's weights in the form in which the engine multiplies with them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from npcam.engine.products import whole_terms
from npcam.engine.slices import Machine, is_large
from npcam.engine.strides import BlockStrides, block_strides
from npcam.engine.team import Team
from npcam.engine.winograd import Form, transform_filters
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
    scale, shape = scale.astype(kernel.dtype), kernel.shape if out is None else out.shape
    return Folded(np.multiply(kernel.reshape(shape), scale.reshape(shape[3:]), out=out), folded_bias)


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

    The kernels lie in S slices, each of some output channels (`npcam.engine.slices`).

    Attributes:
        strides: its strides, its name, and whether its shortcut is a convolution.
        kernel_1: (S, C, F / S) of the first 1x1.
        kernel_2: (S, 3, 3, F, F2 / S) of the 3x3.
        kernel_3: (S, F2 + 1, K / S) of the last 1x1 and its bias; with a projecting shortcut the
            shortcut's (C, K) stands between the two. There may be rows of zeros before the bias.
        floor_1, floor_2: minus the biases, a vector each.
        machine: what the slices are cut for.
    """

    strides: BlockStrides
    kernel_1: Array = field(repr=False)
    kernel_2: Array = field(repr=False)
    kernel_3: Array = field(repr=False)
    floor_1: Array = field(repr=False)
    floor_2: Array = field(repr=False)
    machine: Machine
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _transformed: dict[int, Array] = field(default_factory=dict, repr=False)

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

    @property
    def large(self) -> bool:
        """Whether a batch shares it by channels."""
        return is_large(self.size)

    @property
    def channels(self) -> tuple[int, int, int]:
        """How many output channels its convolutions have: F, F2, K."""
        f, f2, k = (
            len(kernel) * kernel.shape[-1] for kernel in (self.kernel_1, self.kernel_2, self.kernel_3)
        )
        return f, f2, k

    def has(self, form: Form) -> bool:
        """Whether a form of Winograd's of `kernel_2` is made."""
        return form.tile in self._transformed

    def transformed(self, form: Form, room: Array | None = None) -> Array:
        """A form of Winograd's of `kernel_2`, (36, S, F, F2 / S) for F(4x4); made when first asked for.

        It lies in `room` where that is given.
        """
        with self._lock:
            if form.tile not in self._transformed:
                slices, *_, f, k = self.kernel_2.shape
                each = self.machine.winograd_slices(f, k, self.size if slices == 1 else 0)
                self._transformed[form.tile] = transform_filters(self.kernel_2, form, each, room)
            return self._transformed[form.tile]


def transform_blocks(forms: Sequence[tuple[BlockFilters, Form]], team: Team) -> None:
    """Make the forms of Winograd's that some blocks still lack, all in one piece of memory, shared by a team.

    Reason for one piece: it comes in huge pages, where a block's own would be too small for them.
    """
    made = [(block, form) for block, form in forms if not block.has(form)]
    edges = list(accumulate((form.products * block.kernel_2.size // 9 for block, form in made), initial=0))
    memory = np.empty(edges[-1], forms[0][0].kernel_2.dtype if forms else np.float32)
    tasks = [
        partial(block.transformed, form, memory[a:b])
        for (block, form), (a, b) in zip(made, pairwise(edges), strict=True)
    ]
    team.run([tasks])


@dataclass
class Filters:
    """All convolutions of a network.

    Attributes:
        stem: (147, K) of the 7x7, rows in the order height, width, channel.
        stem_floor: minus its bias.
        blocks: the residual blocks in order.
        pool_padding: zeros around the input of `pool1_pool`.
        machine: what they are laid out for.
        dense: (C, K) of the last layer; None in a network without a top.
    """

    stem: Array = field(repr=False)
    stem_floor: Array = field(repr=False)
    blocks: list[BlockFilters]
    pool_padding: int
    machine: Machine
    dense: Array | None = field(default=None, repr=False)


def fold_network(tensors: Tensors, arch: Architecture, team: Team, unpacked: int = 0) -> Filters:
    """Fold every batch norm, and every offset into the bias behind it, the blocks shared by a team.

    For `unpacked` see `npcam.engine.blas.unpacked_products`.
    """
    machine = Machine(team.size, unpacked)
    stem = fold_batch_norm(tensors, "conv1_conv", "conv1_bn", arch)
    strides = block_strides(arch)
    blocks: list[BlockFilters] = [None] * len(strides)  # type: ignore[list-item]
    edges = list(accumulate((block_size(tensors, block, unpacked) for block in strides), initial=0))
    memory = np.empty(edges[-1], stem.kernel.dtype)  # in one piece, for it comes in huge pages

    def fold(i: int) -> None:
        room = memory[edges[i] : edges[i + 1]]
        blocks[i] = fold_block(tensors, arch, strides[i], None if i else stem.bias, room, machine)

    largest_first = sorted(range(len(strides)), key=lambda i: edges[i] - edges[i + 1])
    team.run([[partial(fold, i) for i in largest_first]])
    kernel = stem.kernel.reshape(-1, stem.kernel.shape[3])
    floor = (-stem.bias).astype(kernel.dtype)
    dense = None if arch.activation is None else tensors["predictions"]["kernel"]
    return Filters(kernel, floor, blocks, arch.pool_padding, machine, dense)


def block_size(tensors: Tensors, block: BlockStrides, unpacked: int = 0) -> int:
    """How many numbers a block's folded kernels hold."""
    return sum(prod(shape) for shape in _shapes(tensors, block, unpacked))


def _shapes(tensors: Tensors, block: BlockStrides, unpacked: int) -> list[tuple[int, ...]]:
    """Of a block's folded kernels; the last has its own rows, its shortcut's, some to spare, and a bias."""
    parts = (0, 1, 2, 3) if block.projects else (1, 2, 3)
    *shortcut, first, second, last = (tensors[f"{block.name}_{part}_conv"]["kernel"].shape for part in parts)
    terms = last[2] + sum(shape[2] for shape in shortcut) + 1
    return [first[2:], second, (whole_terms(terms, unpacked), last[3])]


def fold_block(
    tensors: Tensors,
    arch: Architecture,
    block: BlockStrides,
    x_offset: Array | None,
    room: Array,
    machine: Machine,
) -> BlockFilters:
    """The convolutions of one block. Biases are summed in float64.

    Args:
        tensors, arch: the network.
        block: its name and strides.
        x_offset: (C,), what its input misses: the stem's bias for the first block.
        room: memory for its kernels, (`block_size`,).
        machine: what its slices are cut for.
    """
    kernels, at = [], 0
    for *rows, k in _shapes(tensors, block, machine.unpacked):
        slices, size = machine.slices(k, room.size), k * prod(rows)
        kernels.append(room[at : at + size].reshape(slices, *rows, k // slices))
        at += size
    kernel_1, kernel_2, kernel_3 = kernels
    f = kernel_2.shape[0] * kernel_2.shape[-1]
    c = kernel_1.shape[1] if block.projects else 0

    def fold(part: int, out: Array) -> Array:
        conv, bn = f"{block.name}_{part}_conv", f"{block.name}_{part}_bn"
        return fold_batch_norm(tensors, conv, bn, arch, np.moveaxis(out, 0, -2)).bias

    def times(offset: Array, kernel: Array) -> Any:  # what a convolution makes of an offset
        return np.einsum("c,sabck->sk", offset, kernel).reshape(-1)

    one = (slice(None), None, None)  # a 1x1 as a convolution of one row and one column
    offset_1, bias_2 = fold(1, kernel_1[one]), fold(2, kernel_2)
    if x_offset is not None:
        offset_1 += times(x_offset, kernel_1[one])
    offset_2 = bias_2 + times(offset_1, kernel_2)
    last, shortcut = (part[one] for part in join_shortcut(kernel_3, f, c))
    offset_3 = fold(3, last) + times(offset_2, last)
    if block.projects:
        offset_3 += fold(0, shortcut)
        if x_offset is not None:
            offset_3 += times(x_offset, shortcut)
    kernel_3[:, f + c : -1] = 0
    kernel_3[:, -1] = offset_3.reshape(len(kernel_3), -1)
    floor_1, floor_2 = ((-offset).astype(room.dtype) for offset in (offset_1, offset_2))
    return BlockFilters(block, kernel_1, kernel_2, kernel_3, floor_1, floor_2, machine)


def join_shortcut(kernel_3: Array, f: int, c: int) -> tuple[Array, Array]:
    """Where in a block's last kernel, (S, F + C + 1, K), its last 1x1 and its shortcut's convolution lie.

    Both 1x1s and their bias are one matmul: [y, x, 1] @ [[W3], [W0], [b]] = y W3 + x W0 + b.

    Reason: the sum of the two, which is the largest activation of its stage, is never written and
    read again; x, smaller by half or more, is copied beside y instead. And a matmul with more
    terms runs closer to its peak: 92 % instead of 89.
    """
    return kernel_3[:, :f], kernel_3[:, f : f + c]

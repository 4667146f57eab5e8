"""A network's weights in the form in which the engine multiplies with them."""

import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate

import numpy as np

from npcam.engine.fold import Folded, fold_batch_norm
from npcam.engine.plan import BlockPlan, plan_blocks
from npcam.engine.team import Team
from npcam.engine.winograd import transform_filters
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array


@dataclass
class Block:
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
        plan: name and strides.
        kernel_1: (C, F) of the first 1x1.
        kernel_2: (3, 3, F, F2) of the 3x3.
        kernel_3: (F2 + 1, K) of the last 1x1 and its bias; with a projecting shortcut the
            shortcut's (C, K) stands between the two.
        floor_1, floor_2: minus the biases, a vector each.
    """

    plan: BlockPlan
    kernel_1: Array
    kernel_2: Array
    kernel_3: Array
    floor_1: Array
    floor_2: Array
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _transformed: Array | None = field(default=None, repr=False)

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
    """

    stem: Array
    stem_floor: Array
    blocks: list[Block]


def fold_network(tensors: Tensors, arch: Architecture, team: Team) -> Filters:
    """Fold every batch norm, and every offset into the bias behind it, the blocks shared by a team."""
    stem = fold_batch_norm(tensors, "conv1_conv", "conv1_bn", arch)
    plans = plan_blocks(arch)
    blocks: list[Block] = [None] * len(plans)  # type: ignore[list-item]
    edges = list(accumulate((block_size(tensors, plan) for plan in plans), initial=0))
    memory = np.empty(edges[-1], stem.kernel.dtype)  # in one piece, for it comes in huge pages

    def fold(member: int) -> None:
        for i in range(member, len(plans), team.size):
            room = memory[edges[i] : edges[i + 1]]
            blocks[i] = fold_block(tensors, arch, plans[i], None if i else stem.bias, room)

    team.run([[partial(fold, member) for member in range(team.size)]])
    kernel = stem.kernel.reshape(-1, stem.kernel.shape[3])
    return Filters(kernel, (-stem.bias).astype(kernel.dtype), blocks)


def block_size(tensors: Tensors, plan: BlockPlan) -> int:
    """How many numbers a block's folded kernels hold: as many as its kernels, and a bias."""
    parts = (0, 1, 2, 3) if plan.projects else (1, 2, 3)
    kernels = [tensors[f"{plan.name}_{part}_conv"]["kernel"] for part in parts]
    return int(sum(kernel.size for kernel in kernels) + kernels[-1].shape[3])


def fold_block(
    tensors: Tensors, arch: Architecture, plan: BlockPlan, x_offset: Array | None, room: Array
) -> Block:
    """The convolutions of one block. Biases are summed in float64.

    Args:
        tensors, arch: the network.
        plan: the block's.
        x_offset: (C,), what its input misses: the stem's bias for the first block.
        room: memory for its kernels, (`block_size`,).
    """
    kernels = [tensors[f"{plan.name}_{part}_conv"]["kernel"] for part in (1, 2, 3)]
    f, c = kernels[2].shape[2], kernels[0].shape[2] if plan.projects else 0
    edges = kernels[0].size, kernels[0].size + kernels[1].size
    kernel_1, kernel_2 = (
        room[: edges[0]].reshape(kernels[0].shape),
        room[slice(*edges)].reshape(kernels[1].shape),
    )
    kernel_3 = room[edges[1] :].reshape(f + c + 1, kernels[2].shape[3])

    def fold(part: int, out: Array) -> Array:
        conv, bn = f"{plan.name}_{part}_conv", f"{plan.name}_{part}_bn"
        return fold_batch_norm(tensors, conv, bn, arch, out).bias

    offset_1, bias_2 = fold(1, kernel_1), fold(2, kernel_2)
    if x_offset is not None:
        offset_1 += x_offset @ kernel_1[0, 0]
    offset_2 = bias_2 + np.einsum("c,abck->k", offset_1, kernel_2)
    offset_3 = fold(3, kernel_3[None, None, :f]) + np.einsum("c,ck->k", offset_2, kernel_3[:f])
    if plan.projects:
        shortcut = kernel_3[None, None, f:-1]
        offset_3 += join_shortcut(Folded(shortcut, fold(0, shortcut)), x_offset)
    kernel_3[-1] = offset_3
    floor_1, floor_2 = ((-offset).astype(room.dtype) for offset in (offset_1, offset_2))
    return Block(plan, kernel_1[0, 0], kernel_2, kernel_3, floor_1, floor_2)


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

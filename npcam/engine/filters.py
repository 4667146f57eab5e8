"""A network's weights in the form in which the engine multiplies with them."""

import threading
from dataclasses import dataclass, field

import numpy as np

from npcam.engine.fold import fold_batch_norm
from npcam.engine.plan import BlockPlan, plan_blocks
from npcam.engine.winograd import transform_filters
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array


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
        kernel_1: (C, F) of the first 1x1.
        kernel_2: (3, 3, F, F2) of the 3x3.
        kernel_3: (F2 + 1, K) of the last 1x1 and its bias; with a projecting shortcut the
            shortcut's (C, K) stands between the two.
        floor_1, floor_2: minus the biases, a vector each.
    """

    kernel_1: Array
    kernel_2: Array
    kernel_3: Array
    floor_1: Array
    floor_2: Array
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _transformed: Array | None = field(default=None, repr=False)

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
        blocks: (plan, filters) of each block in order.
    """

    stem: Array
    stem_floor: Array
    blocks: list[tuple[BlockPlan, BlockFilters]]


def fold_network(tensors: Tensors, arch: Architecture) -> Filters:
    """Fold every batch norm, and every offset into the bias behind it. Sums are in float64."""
    stem = fold_batch_norm(tensors, "conv1_conv", "conv1_bn", arch)
    dtype = stem.kernel.dtype
    x_offset = stem.bias.astype(np.float64)
    blocks = []
    for plan in plan_blocks(arch):
        conv = [
            fold_batch_norm(tensors, f"{plan.name}_{part}_conv", f"{plan.name}_{part}_bn", arch)
            if part or plan.projects
            else None
            for part in range(4)
        ]
        shortcut, one, two, three = conv
        assert one and two and three
        offset_1 = one.bias + x_offset @ one.kernel[0, 0]
        offset_2 = two.bias + np.einsum("c,abck->k", offset_1, two.kernel)
        offset_3 = three.bias + offset_2 @ three.kernel[0, 0]
        kernels = [three.kernel[0, 0]]
        if shortcut:
            kernels.append(shortcut.kernel[0, 0])
            offset_3 += shortcut.bias + x_offset @ shortcut.kernel[0, 0]
        kernel_3 = join_shortcut(*kernels, bias=offset_3.astype(dtype))
        floors = [(-offset).astype(dtype) for offset in (offset_1, offset_2)]
        blocks.append((plan, BlockFilters(one.kernel[0, 0], two.kernel, kernel_3, *floors)))
        x_offset = np.zeros(len(offset_3))
    kernel = stem.kernel.reshape(-1, stem.kernel.shape[3])
    return Filters(kernel, -stem.bias, blocks)


def join_shortcut(*kernels: Array, bias: Array) -> Array:
    """Both 1x1s of a projecting block and their bias as one: [y, x, 1] @ [[W3], [W0], [b]].

    (F, K), (C, K) and (K,) -> (F + C + 1, K).

    Reason: the sum of the two, which is the largest activation of its stage, is never written and
    read again; x, smaller by half or more, is copied beside y instead.
    """
    return np.concatenate([*kernels, bias[None]])

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

    The engine keeps an activation x as x - b, b being the bias of the convolution that made it:
    relu(conv + b) - b = max(conv, -b), so that bias and ReLU together are one pass against the
    vector -b, the `floor`. What the next convolution misses by it, W b, goes into its own bias.

    Reason: one pass over each activation instead of two, and a maximum of two arrays runs at
    three times the speed of one against the number 0 (8 against 2 billion numbers a second).

    Attributes:
        kernel_1: (C, F) of the first 1x1.
        kernel_2: (3, 3, F, F2) of the 3x3.
        kernel_3: (F2, K) of the last 1x1; with a projecting shortcut its (C, K) stands below.
        floor_1, floor_2, floor_3: minus the biases, a vector each.
    """

    kernel_1: Array
    kernel_2: Array
    kernel_3: Array
    floor_1: Array
    floor_2: Array
    floor_3: Array
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
        offset: what is to be added to the last activation, minus the last floor.
    """

    stem: Array
    stem_floor: Array
    blocks: list[tuple[BlockPlan, BlockFilters]]
    offset: Array


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
        kernel_3 = three.kernel[0, 0]
        if shortcut:
            kernel_3 = join_shortcut(kernel_3, shortcut.kernel[0, 0])
            x_offset = offset_3 + shortcut.bias + x_offset @ shortcut.kernel[0, 0]
        else:
            x_offset = offset_3 + x_offset
        floors = [(-offset).astype(dtype) for offset in (offset_1, offset_2, x_offset)]
        blocks.append((plan, BlockFilters(one.kernel[0, 0], two.kernel, kernel_3, *floors)))
    kernel = stem.kernel.reshape(-1, stem.kernel.shape[3])
    return Filters(kernel, -stem.bias, blocks, x_offset.astype(dtype))


def join_shortcut(kernel_3: Array, kernel_0: Array) -> Array:
    """Both 1x1s of a projecting block as one: [y, x] @ [[W3], [W0]] = y W3 + x W0.

    (F, K) and (C, K) -> (F + C, K).

    Reason: the sum of the two, which is the largest activation of its stage, is never written and
    read again; x, smaller by half or more, is copied beside y instead.
    """
    return np.concatenate([kernel_3, kernel_0])

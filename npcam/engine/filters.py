"""A network's weights in the form in which the engine multiplies with them."""

import threading
from dataclasses import dataclass, field

import numpy as np

from npcam.engine.fold import Folded, fold_batch_norm
from npcam.engine.plan import BlockPlan, plan_blocks
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


def fold_network(tensors: Tensors, arch: Architecture) -> Filters:
    """Fold every batch norm, and every offset into the bias behind it. Sums are in float64."""
    stem = fold_batch_norm(tensors, "conv1_conv", "conv1_bn", arch)
    dtype = stem.kernel.dtype
    x_offset = stem.bias
    blocks = []
    for plan in plan_blocks(arch):
        one, two, three = (_folded(tensors, arch, plan, part) for part in (1, 2, 3))
        offset_1 = one.bias + x_offset @ one.kernel[0, 0]
        offset_2 = two.bias + np.einsum("c,abck->k", offset_1, two.kernel)
        offset_3 = three.bias + offset_2 @ three.kernel[0, 0]
        kernels = [three.kernel[0, 0]]
        if plan.projects:
            shortcut = _folded(tensors, arch, plan, 0)
            kernels.append(shortcut.kernel[0, 0])
            offset_3 += shortcut.bias + x_offset @ shortcut.kernel[0, 0]
        kernel_3 = join_shortcut(*kernels, bias=offset_3.astype(dtype))
        floors = [(-offset).astype(dtype) for offset in (offset_1, offset_2)]
        blocks.append(Block(plan, one.kernel[0, 0], two.kernel, kernel_3, *floors))
        x_offset = np.zeros(len(offset_3))
    kernel = stem.kernel.reshape(-1, stem.kernel.shape[3])
    return Filters(kernel, (-stem.bias).astype(dtype), blocks)


def _folded(tensors: Tensors, arch: Architecture, plan: BlockPlan, part: int) -> Folded:
    """One convolution of a block: 0 is the shortcut's."""
    return fold_batch_norm(tensors, f"{plan.name}_{part}_conv", f"{plan.name}_{part}_bn", arch)


def join_shortcut(*kernels: Array, bias: Array) -> Array:
    """Both 1x1s of a projecting block and their bias as one: [y, x, 1] @ [[W3], [W0], [b]].

    (F, K), (C, K) and (K,) -> (F + C + 1, K).

    Reason: the sum of the two, which is the largest activation of its stage, is never written and
    read again; x, smaller by half or more, is copied beside y instead.
    """
    return np.concatenate([*kernels, bias[None]])

"""The sizes inside one residual block, for a given input."""

from typing import NamedTuple

import numpy as np

from npcam.engine.filters import BlockFilters
from npcam.engine.winograd import TILE
from npcam.shapes import same_padding

FEW_TILES = 16  # too few to pay for reading Winograd's filters


class Geometry(NamedTuple):
    """Sizes of a block's activations.

    Attributes:
        h1, w1: rows and columns that the first 1x1 makes.
        padded: rows and columns of what the 3x3 reads: those, the zeros around them, and more
            zeros up to whole tiles.
        inside: which of them the first 1x1 makes.
        h, w: rows and columns of the block's output.
        winograd: whether the 3x3 runs as F(4x4, 3x3).
    """

    h1: int
    w1: int
    padded: tuple[int, int]
    inside: tuple[slice, slice]
    h: int
    w: int
    winograd: bool


def pooled_size(height: int, width: int, pool_padding: int) -> tuple[int, int]:
    """Rows and columns of `pool1_pool` for photographs of `height` x `width`.

    >>> pooled_size(224, 225, pool_padding=1)
    (56, 57)
    """
    h, w = (((s - 1) // 2 + 1 + 2 * pool_padding - 3) // 2 + 1 for s in (height, width))
    return h, w


def geometry(block: BlockFilters, n: int, h: int, w: int) -> Geometry:
    """Sizes and method for `n` photographs at once, of `h` x `w` at the block's input."""
    strides = block.strides
    h1, w1 = -(-h // strides.stride_1), -(-w // strides.stride_1)
    same = strides.same_stride, strides.same_stride
    (top, bottom), (left, right) = same_padding((h1, w1), (3, 3), same)
    h2, w2 = -(-h1 // strides.stride_2), -(-w1 // strides.stride_2)  # as many as padding "same" makes
    rows, columns = -(-h2 // TILE), -(-w2 // TILE)
    winograd = strides.stride_2 == 1 and _pays(block, n * rows * columns, n * h2 * w2)
    padded = (TILE * rows + 2, TILE * columns + 2) if winograd else (top + h1 + bottom, left + w1 + right)
    inside = (slice(top, top + h1), slice(left, left + w1))
    return Geometry(h1, w1, padded, inside, h2, w2, winograd)


def _pays(block: BlockFilters, tiles: int, positions: int) -> bool:
    """Whether Winograd's convolution is the faster one.

    Its filters are 4 times as large as the kernel, so reading them must serve enough tiles. One
    photograph of 224x224 so needs those of conv2 and conv3 only, which are made in milliseconds;
    those of conv4 and conv5, 160 MB, are made for the first batch. And tiles that hang over the
    edge must not eat up what is saved. In float64 the direct sum is taken, for its precision.
    """
    return block.kernel_2.dtype == np.float32 and tiles > FEW_TILES and 36 * tiles <= 5 * positions

"""The sizes inside one residual block, for a given input."""

from typing import NamedTuple

import numpy as np

from npcam.engine.filters import BlockFilters
from npcam.engine.winograd import F2, F4, Form
from npcam.shapes import same_padding

MOST_PRODUCTS = 5  # per result and pair of channels, of the 9 that the direct sum takes
FEW_TILES = 16  # too few to pay for reading and packing Winograd's filters


class Geometry(NamedTuple):
    """Sizes of a block's activations.

    Attributes:
        h1, w1: rows and columns that the first 1x1 makes.
        padded: rows and columns of what the 3x3 reads: those, the zeros around them, and more
            zeros up to whole tiles.
        inside: which of them the first 1x1 makes.
        h, w: rows and columns of the block's output.
        form: the form of Winograd's in which the 3x3 runs; None where it is the direct sum.
    """

    h1: int
    w1: int
    padded: tuple[int, int]
    inside: tuple[slice, slice]
    h: int
    w: int
    form: Form | None

    @property
    def step(self) -> int:
        """The rows of results that must stay together: those of a tile."""
        return self.form.tile if self.form else 1


def pooled_size(height: int, width: int, pool_padding: int) -> tuple[int, int]:
    """Rows and columns of `pool1_pool` for photographs of `height` x `width`.

    >>> pooled_size(224, 225, pool_padding=1)
    (56, 57)
    """
    h, w = (((s - 1) // 2 + 1 + 2 * pool_padding - 3) // 2 + 1 for s in (height, width))
    return h, w


def rows_of(h: int, share: int, shares: int) -> tuple[int, int]:
    """The rows that a share makes. Its tiles begin with the first of them; the last may hang over its border.

    >>> [rows_of(28, share, 3) for share in range(3)]
    [(0, 10), (10, 19), (19, 28)]
    """
    return -(-h * share // shares), -(-h * (share + 1) // shares)


def geometry(block: BlockFilters, n: int, h: int, w: int) -> Geometry:
    """Sizes and method for `n` photographs at once, of `h` x `w` at the block's input."""
    strides = block.strides
    h1, w1 = -(-h // strides.stride_1), -(-w // strides.stride_1)
    same = strides.same_stride, strides.same_stride
    (top, bottom), (left, right) = same_padding((h1, w1), (3, 3), same)
    h2, w2 = -(-h1 // strides.stride_2), -(-w1 // strides.stride_2)  # as many as padding "same" makes
    form = _form(block, n, h2, w2) if strides.stride_2 == 1 else None
    padded = top + h1 + bottom, left + w1 + right
    if form:
        rows, columns = (-(-size // form.tile) * form.tile + 2 for size in (h2, w2))
        padded = rows, columns
    inside = (slice(top, top + h1), slice(left, left + w1))
    return Geometry(h1, w1, padded, inside, h2, w2, form)


def _form(block: BlockFilters, n: int, h: int, w: int) -> Form | None:
    """The fastest way to a 3x3's h x w results of `n` photographs.

    Winograd's filters are larger than the kernel, 4 times for F(4x4, 3x3) and 1.8 times for
    F(2x2, 3x3), so reading and packing them must serve enough tiles. One photograph of 224x224 has
    enough for F(4x4) in conv2 and conv3, and for F(2x2) in conv4, 21 MB made in milliseconds; the
    160 MB of F(4x4) in conv4 and conv5 are made for the first batch. And tiles that hang over the
    edge must not eat up what is saved. In float64 the direct sum is taken, for its precision.
    """
    if block.kernel_2.dtype != np.float32:
        return None
    for form in (F4, F2):
        tiles = n * form.tiles(h, w)
        if tiles > FEW_TILES and form.products * tiles <= MOST_PRODUCTS * n * h * w:
            return form
    return None

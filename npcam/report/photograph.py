"""The small photograph in a report: how it is made, and whether another one may be the same."""

import io
from typing import TYPE_CHECKING

import numpy as np

from npcam.pictures.draw import fitting, resized
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

MIME = "image/jpeg"
LONGEST = 1024  # pixels of its longer side, at most
QUALITY = 95
OTHER_DECODER = 3.0  # levels, of 255, by which decoders, resizing and rounding may move a pixel
_SIDE = 8  # of a JPEG's blocks


def small_photograph(photo: "Image", longest: int = LONGEST) -> tuple[bytes, tuple[int, int]]:
    """A photograph as the JPEG that a report shows, without whatever else its file holds; (width, height).

    All three channels have all pixels (4:4:4), so that each block of 8x8 is quantised by itself.
    """
    small = shrunk(photo, longest)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue(), small.size


def shrunk(photo: "Image", longest: int = LONGEST) -> "Image":
    """The photograph at a size in a report, RGB, without what else its file holds."""
    from PIL import Image

    small = resized(photo, fitting(photo.size, longest))
    return Image.fromarray(np.asarray(small.convert("RGB")))  # its `info` is left behind


def bounds(tables: "dict[int, list[int]]") -> Array:
    """How far a block of 8x8 pixels of a JPEG may be off, (3,): red, green, blue; levels, root mean square.

    Quantising moves each coefficient of a block's cosine transform by half a step at most, and the
    transform keeps the sum of squares (Parseval): so a block of Y, Cb or Cr is off by no more than the root
    of the sum of the squares of the half steps. The conversion to RGB (JFIF 1.02) is a matrix: the bounds
    add up by the sizes of its entries. Cutting off what lies outside 0 to 255 brings a pixel nearer to the
    photograph's, which lies within. What differs between decoders is added.

    Args:
        tables: the quantisation tables, as Pillow has them: 0 for Y, 1 for Cb and Cr.

    >>> bounds({0: [2] * 64, 1: [2] * 64}).round(2).tolist()
    [5.4, 5.06, 5.77]
    """
    y, c = (
        float(np.sqrt(np.sum((np.array(tables[i], float) / 2) ** 2) / _SIDE**2)) for i in (0, max(tables))
    )
    return np.array([y + 1.402 * c, y + (0.344136 + 0.714136) * c, y + 1.772 * c]) + OTHER_DECODER


def farthest(one: Array, other: Array) -> Array:
    """By how much two pictures differ in the block where they differ most, (3,), root mean square, levels.

    Args:
        one, other: (H, W, 3) of one shape; the blocks at the right and lower edges may be smaller.

    >>> painted = np.zeros((9, 16, 3)); painted[:8, 8:, 0] = 10
    >>> farthest(painted, np.zeros((9, 16, 3))).tolist()
    [10.0, 0.0, 0.0]
    """
    squares = (one.astype(np.float64) - other) ** 2
    rows, columns = (np.arange(0, side, _SIDE) for side in one.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(squares, rows, axis=0), columns, axis=1)
    # A block that the edge cuts counts as a whole one: what it is filled up with may be anything, but its
    # error is one of the block's, too.
    return np.asarray(np.sqrt(sums.max(axis=(0, 1)) / _SIDE**2))

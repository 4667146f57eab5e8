"""In which order pixels are taken: the map's own, a random one, and one from the middle outwards."""

import zlib

import numpy as np

from npcam.cam import upsample_map
from npcam.shapes import Array

SEED = 20_180_619
ORDERINGS = ("map", "random", "centred")


def by_score(scores: Array) -> Array:
    """The pixels in the order of their scores, the largest first; of equal ones the first in reading order.

    Args:
        scores: (H, W).

    Returns:
        (H * W,) int, places in the flattened picture.

    >>> by_score(np.array([[1.0, 3.0], [3.0, 2.0]])).tolist()
    [1, 2, 3, 0]
    """
    return np.argsort(-scores.astype(np.float64).ravel(), kind="stable")


def random_scores(grid: tuple[int, int], size: tuple[int, int], align: str, x: Array) -> Array:
    """A map that knows nothing: the ranks of its cells drawn at random, upsampled as the map itself is.

    It is as coarse and as smooth as the map. Single pixels drawn at random would be something else: their
    removal leaves noise of a kind that no photograph has. Turned round (its negative) it is as random.

    Args:
        grid: (rows, columns) of the map before it was upsampled.
        size: (height, width) of the input.
        align: as for `upsample_map`.
        x: the network's input, whose bytes and a fixed number are the seed.

    Returns:
        (height, width) float64.
    """
    generator = np.random.default_rng([SEED, zlib.crc32(np.ascontiguousarray(x).tobytes())])
    ranks = generator.permutation(grid[0] * grid[1]).reshape(grid)
    return upsample_map(ranks.astype(np.float64), size, align)


def centred_scores(size: tuple[int, int]) -> Array:
    """Scores (height, width) that are larger the nearer a pixel's centre is to the middle of the picture.

    Distances are in half heights and half widths, so that places of one score lie on an ellipse.

    >>> by_score(centred_scores((3, 3))).tolist()
    [4, 1, 3, 5, 7, 0, 2, 6, 8]
    """
    down, across = ((2 * np.arange(n) + 1 - n) / n for n in size)
    scores: Array = -(down[:, None] ** 2 + across**2)
    return scores

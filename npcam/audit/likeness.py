"""How alike two maps are: as numbers, as ranks, and as pictures."""

import numpy as np

from npcam.localise.contours import unit_map
from npcam.shapes import Array

WINDOW = 7  # pixels a side: Wang et al. 2004 as scikit-image has it, uniform


def pearson(one: Array, other: Array) -> float:
    """The correlation of two maps of one shape; 1 for equal maps, else 0 where one of them is constant.

    >>> pearson(np.array([[1.0, 2.0, 3.0]]), np.array([[3.0, 2.0, 1.0]]))
    -1.0
    """
    if np.array_equal(one, other):
        return 1.0
    a, b = (np.asarray(m, np.float64).ravel() - np.mean(m, dtype=np.float64) for m in (one, other))
    both = np.sqrt((a**2).sum() * (b**2).sum())
    return float(np.clip((a * b).sum() / both, -1, 1)) if both > 0 else 0.0


def spearman(one: Array, other: Array) -> float:
    """The correlation of two maps' ranks, equal values sharing the mean of theirs; see `pearson`.

    >>> spearman(np.array([[1.0, 20.0, 3.0]]), np.array([[1.0, 9.0, 8.0]]))
    1.0
    """
    from scipy.stats import rankdata

    if np.array_equal(one, other):
        return 1.0
    return pearson(rankdata(one), rankdata(other))


def ssim(one: Array, other: Array) -> float:
    """Structural similarity of two maps, each brought to 0..1 by its own range.

    Wang et al. 2004, equation 13, with windows of 7 x 7 pixels that lie within the map, sample covariances,
    K1 = 0.01 and K2 = 0.03.

    Args:
        one, other: (H, W), at least 7 x 7.
    """
    a, b = (unit_map(m).astype(np.float64) for m in (one, other))
    mean_a, mean_b = _means(a), _means(b)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    var_a, var_b, both = (
        sample * (_means(product) - means)
        for product, means in ((a * a, mean_a**2), (b * b, mean_b**2), (a * b, mean_a * mean_b))
    )
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((above / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _means(values: Array) -> Array:
    """The mean of every whole window."""
    from scipy.ndimage import uniform_filter

    edge = WINDOW // 2
    means: Array = uniform_filter(values, WINDOW)[edge:-edge, edge:-edge]
    return means

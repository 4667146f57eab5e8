"""The shape of a map: on how few cells it stands, and how much of it lies in the true boxes."""

from typing import Any

import numpy as np

from npcam.shapes import Array

POINTS = 21  # of the Lorenz curve, from 0 to all cells


def gini(values: Array) -> float:
    """The Gini index of absolute values: 0 where all are equal, near 1 where one cell has all.

    Hurley & Rickard 2009 (arXiv:0811.4706), which Chalasani et al. 2020, "Concise Explanations of Neural
    Networks using Adversarial Training" (arXiv:1810.06583), measure the sparseness of a map with.

    >>> gini(np.array([1.0, -1.0, 1.0])), gini(np.array([0.0, 0.0, 0.0, 8.0]))
    (0.0, 0.75)
    """
    a = np.sort(np.abs(np.asarray(values, np.float64)).ravel())
    if not a.any():
        return 0.0
    places = np.arange(1, len(a) + 1)
    return max(0.0, float(1 - 2 * (a / a.sum() * (len(a) - places + 0.5) / len(a)).sum()))


def complexity(values: Array) -> float:
    """The entropy of shares of absolute values, as a share of the largest that it can be: 0 to 1.

    Bhatt, Weller & Moura 2020, "Evaluating and Aggregating Feature-based Model Explanations"
    (arXiv:2005.00631), section 4.3; divided by the logarithm of the number of cells.

    >>> complexity(np.array([1.0, -1.0])), complexity(np.array([0.0, 3.0]))
    (1.0, 0.0)
    """
    a = np.abs(np.asarray(values, np.float64)).ravel()
    if not a.any() or len(a) < 2:
        return 0.0
    shares = a[a > 0] / a.sum()
    return max(0.0, float(-(shares * np.log(shares)).sum() / np.log(len(a))))


def lorenz(values: Array) -> list[float]:
    """Which share of the absolute values the smallest cells have, at `POINTS` shares of the cells.

    >>> lorenz(np.ones((4, 5)))[10]
    0.5
    """
    a = np.sort(np.abs(np.asarray(values, np.float64)).ravel())
    whole = a.sum()
    sums = np.concatenate([[0.0], np.cumsum(a)]) / (whole if whole > 0 else 1.0)
    at: list[float] = np.interp(np.linspace(0, len(a), POINTS), np.arange(len(a) + 1), sums).tolist()
    return at


def inside(boxes: Array, size: tuple[int, int], new_size: tuple[int, int]) -> Array:
    """The pixels whose centres lie in a box.

    Args:
        boxes: (n, 4), (x0, y0, x1, y1) by their edges, in pixels of a photograph of `size`.
        size: (height, width) of the photograph.
        new_size: (height, width) of the network's input.

    Returns:
        (height, width) bool, of `new_size`.

    >>> inside(np.array([[0.0, 0.0, 50.0, 20.0]]), (20, 100), (1, 4)).tolist()
    [[True, True, False, False]]
    """
    found = np.zeros(new_size, bool)
    y, x = ((np.arange(new) + 0.5) * old / new for new, old in zip(new_size, size, strict=True))
    for x0, y0, x1, y1 in boxes:
        found |= ((y0 <= y) & (y < y1))[:, None] & (x0 <= x) & (x < x1)
    return found


def in_boxes(heatmap: Array, truth: Array) -> dict[str, float]:
    """How much of the evidence lies in the true boxes.

    Arras, Osman & Samek 2022, "CLEVR-XAI" (arXiv:2003.07258), section 3.3: relevance mass accuracy, the share
    of what is positive that lies inside; and relevance rank accuracy, the share of the K largest pixels
    that lie inside, K being the number of pixels inside.

    Args:
        heatmap: (H, W), signed; what is negative counts as nothing for the mass.
        truth: (H, W) bool, see `inside`.

    Returns:
        `inside.mass`, `inside.rank`, and `inside.area`, the share of the pixels that lie inside, which is
        what a map without any knowledge reaches.

    >>> in_boxes(np.array([[3.0, 1.0, -2.0, 0.0]]), np.array([[True, False, True, False]]))
    {'inside.mass': 0.75, 'inside.rank': 0.5, 'inside.area': 0.5}
    """
    positive = np.maximum(np.asarray(heatmap, np.float64), 0)
    whole, count = positive.sum(), int(truth.sum())
    first = np.argsort(-np.asarray(heatmap, np.float64).ravel(), kind="stable")[:count]
    return {
        "inside.mass": float(positive[truth].sum() / whole) if whole > 0 else 0.0,
        "inside.rank": float(truth.ravel()[first].mean()) if count else 0.0,
        "inside.area": count / truth.size,
    }


def numbers(cam: Array) -> dict[str, Any]:
    """Sparseness and complexity of a map's cells."""
    return {"gini": gini(cam), "complexity": complexity(cam)}

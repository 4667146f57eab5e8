"""Deletion and insertion: what becomes of the probability as pixels go, or come.

Petsiuk, Das & Saenko 2018, "RISE" (arXiv:1806.07421), section 4.3: pixels are replaced in the map's order,
most of it first, and the area under the curve of the class's probability is the score. What a removed pixel
becomes is a choice on which the score depends, so there are two: 0 in the preprocessed input, and the
photograph blurred. Beside the map's own order stand a random one and one from the middle outwards.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from npcam.audit.orderings import by_score, centred_scores, random_scores
from npcam.audit.subject import Subject
from npcam.shapes import Array

STEPS = 28  # of a curve; the literature's 224 pixels a step are 224 steps of a 224 x 224 input
BLUR = 10 / 224  # standard deviation of the blur, as a share of each side: Fong & Vedaldi 2017's 10 pixels
BASELINES = ("zero", "blur")


def area(curve: Array) -> float:
    """The area under a curve whose points stand at equal distances from 0 to 1, by the trapezoidal rule.

    >>> area(np.array([1.0, 0.5, 0.0]))
    0.5
    """
    wide = np.asarray(curve, np.float64)
    return float((wide.sum() - (wide[0] + wide[-1]) / 2) / (len(wide) - 1))


def stages(start: Array, end: Array, order: Array, steps: int = STEPS) -> Iterator[Array]:
    """Inputs on the way from one to another, both ends left out.

    Args:
        start, end: (H, W, 3).
        order: (H * W,), the places in the order in which they are taken from `end`.
        steps: into how many the way is cut; the k-th input has taken round(k H W / steps) places.

    >>> start, end = np.zeros((1, 4, 3)), np.ones((1, 4, 3))
    >>> [one[0, :, 0].tolist() for one in stages(start, end, np.array([2, 0, 1, 3]), steps=2)]
    [[1.0, 0.0, 1.0, 0.0]]
    """
    flat, new = start.reshape(-1, start.shape[-1]).copy(), end.reshape(-1, end.shape[-1])
    ends = [round(k * len(order) / steps) for k in range(steps + 1)]
    for low, high in pairwise(ends[:-1]):
        flat[order[low:high]] = new[order[low:high]]
        yield flat.reshape(start.shape).copy()


def baselines(x: Array) -> dict[str, Array]:
    """What removed pixels become: {"zero": 0 in the preprocessed input, "blur": the input blurred}.

    Args:
        x: (H, W, 3), preprocessed.
    """
    from scipy.ndimage import gaussian_filter

    sigma = (BLUR * x.shape[0], BLUR * x.shape[1], 0)
    return {"zero": np.zeros_like(x), "blur": gaussian_filter(x, sigma, mode="nearest")}


def measure_deletion(subject: Subject) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Every curve of one photograph.

    Deleting in an order is inserting in the reverse order, read backwards; the reverse of a random order is
    a random order. So one random curve serves for both, and their areas are equal.

    Returns:
        {"deletion" or "insertion": {baseline: {ordering: `STEPS` + 1 probabilities}}}.
    """
    e, x = subject.e, subject.x
    by_map = by_score(e.heatmap)
    scores = random_scores(e.cam.shape, e.heatmap.shape, subject.seen.align, x)
    orders = {"map": by_map, "random": by_score(scores), "centred": by_score(centred_scores(x.shape[:2]))}
    found: dict[str, dict[str, dict[str, list[float]]]] = {"deletion": {}, "insertion": {}}
    for name, blank in baselines(x).items():
        whole, empty = subject.probabilities([x, blank]).tolist()
        removed = {
            key: [whole, *subject.probabilities(stages(x, blank, order)).tolist(), empty]
            for key, order in orders.items()
        }
        added = {
            key: [empty, *subject.probabilities(stages(blank, x, orders[key])).tolist(), whole]
            for key in ("map", "centred")
        }
        found["deletion"][name] = removed
        found["insertion"][name] = {**added, "random": removed["random"][::-1]}
    return found


def numbers(curves: dict[str, dict[str, dict[str, Any]]]) -> dict[str, float]:
    """The areas under the curves, and by how much the map is better than the other orders.

    Better is less for deletion and more for insertion; `deletion` and `insertion` alone are the means
    over both baselines.
    """
    found: dict[str, float] = {}
    for test, sign in (("deletion", -1), ("insertion", 1)):
        for baseline in BASELINES:
            areas = {order: area(np.array(c)) for order, c in curves[test][baseline].items()}
            found |= {f"{test}.{baseline}.{order}": areas[order] for order in ("map", "random", "centred")}
            for order in ("random", "centred"):
                found[f"{test}.{baseline}.gain_over_{order}"] = sign * (areas["map"] - areas[order])
        found[test] = sum(found[f"{test}.{baseline}.map"] for baseline in BASELINES) / len(BASELINES)
    return found

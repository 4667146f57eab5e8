"""One photograph's part of a report: what is worked out from the maps that the report holds.

The maps are kept as float32. All else is worked out from these very numbers, in float64: whoever has the
report can do the same, and finds the same digits but for the last few.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from npcam.explain import Explanation, Pass
from npcam.labels import Target, decode_predictions
from npcam.report.canonical import encode
from npcam.shapes import Array

LARGEST = 12  # maps that are named
SHARES = (50, 90, 99)  # percent of the logit, without its bias, that so many maps account for


@dataclass(frozen=True)
class Options:
    """How photographs are read and explained: what a report's numbers depend on.

    Attributes:
        interpolation, exif_transpose, align, threshold: as for `npcam.explain`.
        targets: the classes asked for, by index, name or as "top3"; None for the most probable one.
        top: how many of the most probable classes there are besides.
        digits: whether it says what rounding may do.
        audit: whether it says what an audit found.
    """

    interpolation: str = "nearest"
    exif_transpose: bool = False
    align: str = "corners"
    threshold: float = 0.2
    targets: tuple[Target, ...] | None = None
    top: int = 5
    digits: bool = False
    audit: bool = False


def held(seen: Pass) -> Pass:
    """The same pass with the maps that a report holds: rounded to float32, to be computed with in float64."""
    return replace(seen, features=seen.features.astype(np.float32).astype(np.float64))


def shown_classes(seen: Pass, options: Options) -> tuple[int, list[int]]:
    """The class that is explained first, and all that are: the most probable ones, then those asked for."""
    best = [one.index for one in decode_predictions(seen.probabilities[None], top=options.top)[0]]
    asked = (
        [int(np.argmax(seen.logits))]
        if options.targets is None
        else seen.model.class_indices(options.targets, seen.logits)
    )
    return asked[0], list(dict.fromkeys([*best, *asked]))


def explained(seen: Pass, classes: Sequence[int]) -> list[dict[str, Any]]:
    """What a report says of each class.

    Args:
        seen: as `held` gives it.
        classes: their indices.
    """
    return [_one_class(e, seen) for e in seen.explain_all(classes)]


def _one_class(e: Explanation, seen: Pass) -> dict[str, Any]:
    """A class: its numbers, its boxes, its weights, and what its logit is made of."""
    weights, bias = seen.model.class_weights(e.target)
    return {
        "index": e.target,
        "name": e.label,
        "probability": e.probability,
        "logit": e.logit,
        "bias": bias,
        "weights": encode(weights),
        "completeness": e.completeness,
        "box": None if e.box is None else list(e.box),
        "everywhere": e.everywhere,
        "evidence_in_box": e.evidence_in_box,
        "boxes": [{"box": list(part.box), "evidence": part.evidence} for part in e.boxes],
        "scale": e.scale,
        "maps": made_of(seen.features, weights, e.logit - bias),
    }


def made_of(features: Array, weights: Array, total: float) -> dict[str, Any]:
    """What the sum is made of: the maps that add most to a logit, and how many account for most of it.

    Args:
        features: the maps f_k, (h, w, K) float64.
        weights: w_k, (K,).
        total: the logit without its bias.

    Returns:
        "largest": up to twelve maps in the order of |mean(w_k f_k)|, each with its number `k`, its `weight`,
        what it `adds`, and which `share` of the total that is (None where the total is 0); "needed": for 50,
        90 and 99 percent how many maps, taken in that order, it takes until their sum stays within 50, 10
        and 1 percent of the total for good; None where it never does.

    >>> made_of(np.array([[[1.0, 4.0, 0.5]]]), np.array([2.0, 2.0, -2.0]), 9.0)["needed"]
    {'50': 1, '90': 3, '99': 3}
    """
    adds = features.mean(axis=(0, 1)) * weights.astype(np.float64)  # (K,)
    order = np.argsort(-np.abs(adds), kind="stable")
    return {
        "largest": [
            {
                "k": int(k),
                "weight": float(weights[k]),
                "adds": float(adds[k]),
                "share": float(adds[k] / total) if total else None,
            }
            for k in order[:LARGEST]
        ],
        "needed": {str(percent): needed(adds[order], total, percent) for percent in SHARES},
    }


def needed(adds: Array, total: float, percent: int, slack: float = 0.0) -> int | None:
    """How many terms, in their order, it takes until their sum stays within 100 - `percent` of a total.

    Args:
        adds: the terms, (K,).
        total: what they sum up to, nearly.
        percent: of the total.
        slack: what the sums may be off by: a positive one is in the terms' favour, a negative one against.

    >>> needed(np.array([6.0, 6.0, -2.0]), 10.0, 90)
    3
    """
    outside = np.abs(np.cumsum(adds) - total) > (100 - percent) / 100 * abs(total) + slack
    if outside[-1]:
        return None
    return int(np.flatnonzero(outside)[-1]) + 2 if outside.any() else 1

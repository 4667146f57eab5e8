"""What a photograph's part of a report should say, worked out anew, and how far rounding may be off.

Two kinds of numbers stand in a report. What the network put out in float32 (maps, logits, probabilities) may
be off by rounding: the network is run in float64, with the variance that rounding adds at each layer
(`npcam.verify.rounding`), and 32 standard deviations are allowed, as in the flow of `npcam verify`. All else
is worked out in float64 from the maps and logits that the report states: there the usual bound for sums is
allowed, n u / (1 - n u) times the sum of the terms' sizes (Higham 2002, equation 3.5), for each of the two
who compute it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from npcam.cam import upsample_map
from npcam.explain import Pass
from npcam.model import Model
from npcam.report.canonical import decode
from npcam.report.explained import Options, explained, needed, shown_classes
from npcam.shapes import Array
from npcam.verify.alone import FLOW
from npcam.verify.rounding import estimates, logits, roundoff_variance
from npcam.weights import cast

if TYPE_CHECKING:
    from PIL.Image import Image

HALF = 2.0**-53  # half the distance from 1 to the next number in float64
GUARD = 16  # roundings besides those of the sums: products, quotients, differences


@dataclass(frozen=True)
class Exact:
    """What a network puts out for one photograph, in float64, and what float32 may be off by.

    Attributes:
        features, logits, probabilities: (h, w, K), (classes,) and (classes,).
        of_features, of_logits, of_probabilities: 32 standard deviations of each.
    """

    features: Array
    logits: Array
    probabilities: Array
    of_features: Array
    of_logits: Array
    of_probabilities: Array


def exact(model: Model, pixels: Array) -> Exact:
    """Run a network in float64, layer by layer, with the errors that rounding to float32 makes.

    Args:
        model: the network, with a top.
        pixels: the photograph as it is given to the network, (H, W, channels) uint8.
    """
    unit = roundoff_variance(np.float32)
    w = cast(model.weights.tensors, np.float64)
    found = {}
    for layer, estimate in estimates(model.preprocess(pixels[None]), w, model.weights.architecture, unit):
        if layer.name in (model.last_activation, "avg_pool", "predictions"):
            assert estimate is not None
            found[layer.name] = estimate
    z = logits(found["avg_pool"], w["predictions"], unit)
    maps, p = found[model.last_activation], found["predictions"]
    values = (maps.value[0], z.value[0], p.value[0])
    deviations = (np.sqrt(one.variance[0]) for one in (maps, z, p))
    return Exact(*values, *(FLOW * one for one in deviations))


def expected_classes(
    model: Model, photo: "Image", true: Exact, stated: dict[str, Any], options: Options
) -> tuple[int, list[int]]:
    """The class that is explained first, and all that are; the stated ones where rounding leaves it open."""
    seen = Pass(model, photo, true.features, true.logits, true.probabilities)
    target, classes = shown_classes(seen, options)
    named = [one["index"] for one in stated["classes"]]
    if max([*named, stated["target"]]) >= model.classes:
        return target, classes
    if len(named) == len(set(named)) == len(classes) and all(map(_as_likely(true), named, classes)):
        classes = named
    if _as_likely(true)(stated["target"], target):
        target = stated["target"]
    return target, classes


def _as_likely(true: Exact) -> Any:
    """Whether rounding may put one class in the other one's place."""

    def may_change(one: int, other: int) -> bool:
        pairs = ((true.logits, true.of_logits), (true.probabilities, true.of_probabilities))
        return one == other or any(abs(v[one] - v[other]) <= t[one] + t[other] for v, t in pairs)

    return may_change


@dataclass(frozen=True)
class Derived:
    """What follows from the maps and logits that a report states, and what float64 may be off by.

    Attributes:
        classes: as in a report.
        bounds: for each class, by the names of its numbers.
        needed: for each class and share, the least and the largest number of maps.
        boxes_may_move: for each class, whether its box is drawn at a place where float64 leaves it open.
    """

    classes: list[dict[str, Any]]
    bounds: list[dict[str, float]]
    needed: list[dict[str, tuple[int | None, int | None]]]
    boxes_may_move: list[bool]


def derived(
    model: Model, photo: "Image", true: Exact, stated: dict[str, Any], classes: list[int], options: Options
) -> Derived:
    """Work out what follows from the stated maps, logits and probabilities."""
    features = decode(stated["features"]["float32"], true.features.shape).astype(np.float64)
    z, p = true.logits.copy(), true.probabilities.copy()
    for one in stated["classes"]:
        if one["index"] in classes:
            z[one["index"]], p[one["index"]] = one["logit"], one["probability"]
    seen = Pass(model, photo, features, z, p, options.align, options.threshold)
    found = explained(seen, classes)
    parts = [_bounds(seen, one, max(one["scale"], 0.0)) for one in found]
    return Derived(
        found, [part[0] for part in parts], [part[1] for part in parts], [part[2] for part in parts]
    )


def _bounds(
    seen: Pass, one: dict[str, Any], scale: float
) -> tuple[dict[str, float], dict[str, tuple[int | None, int | None]], bool]:
    """What float64 may be off by in the numbers of one class; see `Derived`."""
    height, width, channels = seen.features.shape
    weights, bias = seen.model.class_weights(one["index"])
    w, cells = np.abs(weights.astype(np.float64)), height * width
    f = np.abs(seen.features)
    size = f @ w  # (h, w): the sizes of the terms of each cell
    of_cell = _twice(channels, float(size.max(initial=0)))
    of_sum = _twice(channels + cells, float(size.mean()) + abs(bias) + abs(one["logit"]))
    terms = f.mean(axis=(0, 1)) * w  # (K,)
    of_term = _twice(cells, float(terms.max(initial=0)))
    total = abs(one["logit"] - bias)
    cam = np.asarray(seen.features @ weights)
    heat = upsample_map(cam, seen.model.input_size, seen.align)
    positive = float(np.maximum(heat, 0).sum())
    of_heat = of_cell + _twice(0, float(np.abs(cam).max(initial=0)))
    of_share = (2 * heat.size * of_heat / positive if positive else 0.0) + _twice(heat.size, 1.0)
    line = seen.threshold * max(float(heat.max(initial=0)), 0.0)
    near = bool((np.abs(heat - line) <= 2 * of_heat)[heat != 0].any()) and positive > 0
    adds = seen.features.mean(axis=(0, 1)) * weights.astype(np.float64)
    adds = adds[np.argsort(-np.abs(adds), kind="stable")]
    slack = _twice(channels + cells, float(terms.sum()))
    range_of = {
        share: (
            needed(adds, one["logit"] - bias, int(share), slack),
            needed(adds, one["logit"] - bias, int(share), -slack),
        )
        for share in one["maps"]["needed"]
    }
    bounds = {
        "completeness": of_sum,
        "scale": of_cell + _twice(0, scale),
        "evidence": of_share,
        "adds": of_term,
        "share": of_term / total + _twice(0, float(terms.max(initial=0)) / total) if total else 0.0,
    }
    return bounds, range_of, near


def _twice(terms: int, size: float) -> float:
    """What two sums of so many terms may differ by: twice gamma_n times the sum of the terms' sizes."""
    n = (terms + GUARD) * HALF
    return 2 * n / (1 - n) * size

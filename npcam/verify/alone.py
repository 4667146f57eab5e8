"""Each layer of a run by itself: what is it off by, given what the run itself had as its inputs?"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from npcam.resnet import Tensors
from npcam.shapes import Array
from npcam.verify.difference import Difference, difference
from npcam.verify.epsilon import EpsilonFit, fit_epsilon, wrong_epsilons
from npcam.verify.pixels import prepared
from npcam.verify.place import Place, find_place
from npcam.verify.precision import FLOAT32, Precision
from npcam.verify.record import BY_ITSELF, Record
from npcam.verify.rounding import Estimate, estimates, exact, logits, roundoff_variance, stored
from npcam.weights import Weights

# A tolerance is so many standard deviations of rounding (docs/verification.md has what was measured).
# A layer alone came to 8.4 at most, on three backends. Over several layers, 7 was seen for Keras and
# 15 for npcam's fast engine, whose Winograd convolutions round more than sums do; and errors that
# depend on each other, which the variance leaves out, need room.
ALONE = 16.0
FLOW = 32.0
# In a lower precision nearly all of a layer's own rounding is that of factors and of what is stored,
# which does not depend on the order of sums: 5.0 at most was seen of a layer, and 19 in the flow.
ALONE_LOWER = 8.0


def arithmetic(trial: Mapping[str, Array], precision: Precision) -> tuple[float, float, float]:
    """How the run on trial rounds: the variance of one rounding, and tolerances, of a layer and from afar.

    Args:
        trial: its activations.
        precision: the one that it was said to compute in; float32 for that of its arrays.
    """
    if precision is FLOAT32:
        return _unit(trial), ALONE, FLOW
    return roundoff_variance(np.float32), ALONE_LOWER, FLOW


def given_input(
    weights: Weights, npcam: Record, reference: Record, precision: Precision = FLOAT32
) -> Array | Estimate:
    """npcam's input, with what the other run's may be off by where another program prepared it.

    Args:
        weights: the network.
        npcam: npcam's run.
        reference: the other one.
        precision: what that may have prepared the photograph in, where it is below float32.
    """
    a, b = npcam.activations, reference.activations
    x = a["input_layer"]
    by_itself = reference.provenance.get("preprocessing") == BY_ITSELF and x.ndim == 4
    if not reference.fused and not by_itself:
        return x
    return prepared(
        x, weights.preprocessing, max(unit_of_both(a, b, precision), precision.variance_of_stored)
    )


def each_alone(
    weights: Weights,
    w: Tensors,
    start: Array | Estimate,
    trial: Mapping[str, Array],
    precision: Precision,
    *,
    fused: bool,
) -> tuple[dict[str, Difference | None], dict[str, Place | None], dict[str, float]]:
    """Put each layer of a run to the test by itself, from what the run had as its inputs.

    Args:
        weights: the network as it is meant to be.
        w: its weights in float64.
        start: the input, from `given_input`.
        trial: the run's activations.
        precision: what the run multiplies and stores in.
        fused: whether it is a port, whose layers may stand for others.

    Returns:
        By layer name, and for the logits by "logits": the difference, None where shapes do not fit;
        where those lie that are off; and the epsilons of batch norms that have another one (NaN where
        their scales are off in some other way).
    """
    alone: dict[str, Difference | None] = {}
    places: dict[str, Place | None] = {}
    fits: dict[str, EpsilonFit] = {}

    def judge(name: str, estimate: Estimate | None, sigmas: float) -> None:
        alone[name] = off = _difference(estimate, trial[name], sigmas)
        if estimate is not None and off and not off.ok:
            places[name] = find_place(trial[name], estimate.value, sigmas * np.sqrt(estimate.variance))

    (unit, near, far), epsilon = arithmetic(trial, precision), weights.architecture.epsilon
    for layer, estimate in estimates(start, w, weights.architecture, unit, trial, precision):
        if layer.name == "avg_pool" and "logits" in trial:
            own = _logits(trial, estimate, w["predictions"], unit, precision)
            judge("logits", own, near if "avg_pool" in trial else far)
        if layer.name in trial:
            recorded = all(name in trial for name in layer.inputs)
            judge(layer.name, estimate, near if recorded else far)
            # Short or folded weights, rounded by themselves, look like a scale.
            told = recorded or (precision is FLOAT32 and not fused)
            if layer.kind == "BatchNormalization" and told and estimate is not None and alone[layer.name]:
                coarse = max(unit, precision.variance_of_stored)
                fit = fit_epsilon(trial[layer.name], estimate, w[layer.name], epsilon, coarse)
                if fit is not None:
                    fits[layer.name] = fit
    wrong = wrong_epsilons(fits).items()
    return alone, places, {name: epsilon + fit.shift if fit.fits else math.nan for name, fit in wrong}


def _logits(
    run: Mapping[str, Array],
    pooled: Estimate | None,
    dense: Mapping[str, Array],
    unit: float,
    precision: Precision,
) -> Estimate | None:
    """What a run has before the activation of its top, in float64 from the average that it had."""
    estimate = exact(run["avg_pool"]) if "avg_pool" in run else pooled
    if estimate is None or estimate.value.shape[1:] != dense["kernel"].shape[:1]:
        return None
    return stored(logits(estimate, dense, unit, precision), precision)


def _difference(estimate: Estimate | None, value: Array, sigmas: float) -> Difference | None:
    """Compare a layer computed in float64 with what a program made of the same input."""
    if estimate is None or estimate.value.shape != value.shape:
        return None
    return difference(estimate.value, value, sigmas * np.sqrt(estimate.variance))


def unit_of_both(a: Mapping[str, Array], b: Mapping[str, Array], precision: Precision) -> float:
    """The variance of one rounding in each of two runs, together."""
    return _unit(a, b) if precision is FLOAT32 else 2 * roundoff_variance(np.float32)


def _unit(*runs: Mapping[str, Array]) -> float:
    """The variance of one rounding in each run, in its coarsest float type, all together."""
    coarsest: list[Any] = [
        max((a.dtype for a in run.values()), key=lambda d: np.finfo(d).eps) for run in runs
    ]
    return roundoff_variance(*coarsest)

"""Two runs of one network, layer by layer: where do they part, by how much, and who is off?

Each layer is put to two tests. *Alone*: it is computed in float64 from what the program on trial
itself had as that layer's input, so that only this layer's own rounding, and its own mistakes, are
left. *In the flow*: the two programs' activations are compared as they are, errors of all layers
before included. `rounding` says what either difference may come to; what is beyond that is no
rounding.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.layers import Layer
from npcam.shapes import Array
from npcam.verify.difference import Difference, difference
from npcam.verify.epsilon import EpsilonFit, fit_epsilon, wrong_epsilons
from npcam.verify.record import Record
from npcam.verify.rounding import Estimate, estimates, roundoff_variance
from npcam.weights import Weights, cast

# A tolerance is so many standard deviations of rounding (docs/verification.md has what was measured).
# A layer alone came to 8.4 at most, on three backends. Over several layers, 7 was seen for Keras and
# 15 for npcam's fast engine, whose Winograd convolutions round more than sums do; and errors that
# depend on each other, which the variance leaves out, need room.
ALONE = 16.0
FLOW = 32.0


@dataclass(frozen=True)
class Row:
    """One layer of a comparison.

    Attributes:
        name: Keras's name of the layer.
        kind: its Keras class.
        shape: the shape of npcam's activation; the reference's where npcam's run lacks the layer.
        reference_shape: that of the reference's.
        found: the difference that was asked for, alone or in the flow; None where shapes differ.
        alone: the difference of the layer alone; None where its inputs on trial do not fit it, or
            are not known.
        npcam_error: the largest distance of npcam's activation from npcam in float64; None where
            the shapes differ, or npcam's run lacks the layer.
        reference_error: that of the reference's.
        ok: whether rounding explains all of it, and weights and epsilon are the same, as far as known.
        other_weights: names of the layer's weights that are not the same in both, bit for bit, as
            far as their hashes are known: rounding may hide what they do.
        epsilon: the one that a batch norm used, if its channels tell that it is not npcam's (see
            `epsilon`); NaN where their scales are off in some other way; else None.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    reference_shape: tuple[int, ...]
    found: Difference | None
    alone: Difference | None
    npcam_error: float | None
    reference_error: float | None
    ok: bool
    other_weights: tuple[str, ...] = ()
    epsilon: float | None = None


@dataclass(frozen=True)
class Report:
    """What a comparison found.

    Attributes:
        rows: a row for each layer that both runs have, in the network's order; where the rows show
            the layers alone, for each that the reference has.
        isolated: whether the rows show the layers alone, not in the flow.
        on_trial: "reference" or "npcam": whose layers were computed alone.
    """

    rows: tuple[Row, ...]
    isolated: bool
    on_trial: str

    @property
    def first_bad(self) -> Row | None:
        """The first layer whose difference is no rounding."""
        return next((row for row in self.rows if not row.ok), None)

    @property
    def ok(self) -> bool:
        """Whether rounding explains every layer."""
        return self.first_bad is None


def verify(
    weights: Weights, npcam: Record, reference: Record, *, isolated: bool = False, on_trial: str = "reference"
) -> Report:
    """Compare two runs of a network.

    Args:
        weights: the network as it is meant to be.
        npcam: npcam's own run, with "input_layer" in it.
        reference: the run that it is compared with; layers that it lacks are left out.
        isolated: show each layer alone, and put it to that test only; else it has to pass both, and
            the rows show it in the flow.
        on_trial: whose layers to compute alone, "reference" or "npcam": the latter where the
            reference is npcam in float64, which has no rounding to speak of.

    Raises:
        InputError: the runs have no layer in common, or npcam's lacks its input.
    """
    a, b = npcam.activations, reference.activations
    if "input_layer" not in a:
        raise InputError(
            "verify: npcam's run has no input_layer; record it with all layers, or with that one"
        )
    trial = b if on_trial == "reference" else a
    w, x = cast(weights.tensors, np.float64), a["input_layer"]
    alone: dict[str, Difference | None] = {}
    fits: dict[str, EpsilonFit] = {}
    unit, epsilon = _unit(trial), weights.architecture.epsilon
    for layer, estimate in estimates(x, w, weights.architecture, unit, trial):
        if layer.name in trial:
            value = trial[layer.name]
            recorded = all(name in trial for name in layer.inputs)
            alone[layer.name] = _difference(estimate, value, ALONE if recorded else FLOW)
            if layer.kind == "BatchNormalization" and estimate is not None and alone[layer.name]:
                fit = fit_epsilon(value, estimate, w[layer.name], epsilon, unit)
                if fit is not None:
                    fits[layer.name] = fit
    wrong = wrong_epsilons(fits).items()
    epsilons = {name: epsilon + fit.shift if fit.fits else math.nan for name, fit in wrong}
    others = _other_weights(npcam.tensors, reference.tensors)
    rows = []
    for layer, estimate in estimates(x, w, weights.architecture, _unit(a, b)):
        if layer.name in b and (layer.name in a or isolated):
            row = _row(layer, estimate, (a.get(layer.name), b[layer.name]), alone, isolated)
            other, found = others.get(layer.name, ()), epsilons.get(layer.name)
            rows.append(
                replace(row, other_weights=other, epsilon=found, ok=row.ok and not other and found is None)
            )
    if not rows:
        names = ", ".join(list(b)[:4])
        raise InputError(f"verify: no layer in common; the reference has {names}; layers go by Keras's names")
    return Report(tuple(rows), isolated, on_trial)


def _row(
    layer: Layer,
    estimate: Estimate | None,
    pair: tuple[Array | None, Array],
    alone: Mapping[str, Difference | None],
    isolated: bool,
) -> Row:
    """Put a layer to its two tests."""
    a, b = pair
    by_itself = alone.get(layer.name)
    flow = None
    if estimate is not None and a is not None and a.shape == b.shape == estimate.value.shape:
        flow = difference(a, b, FLOW * np.sqrt(estimate.variance))
    fits = layer.name not in alone or by_itself is not None
    in_flow = isolated or (flow is not None and flow.ok)
    return Row(
        name=layer.name,
        kind=layer.kind,
        shape=b.shape if a is None else a.shape,
        reference_shape=b.shape,
        found=by_itself if isolated else flow,
        alone=by_itself,
        npcam_error=_distance(a, estimate),
        reference_error=_distance(b, estimate),
        ok=fits and in_flow and (by_itself is None or by_itself.ok),
    )


def _other_weights(npcam: Mapping[str, str], reference: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """{layer: its weights whose hashes differ}, where both runs know them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, digest in npcam.items():
        if reference.get(name, digest) != digest:
            layer, weight = name.split("/")
            found[layer] = (*found.get(layer, ()), weight)
    return found


def _difference(estimate: Estimate | None, value: Array, sigmas: float) -> Difference | None:
    """Compare a layer computed in float64 with what a program made of the same input."""
    if estimate is None or estimate.value.shape != value.shape:
        return None
    return difference(estimate.value, value, sigmas * np.sqrt(estimate.variance))


def _distance(value: Array | None, estimate: Estimate | None) -> float | None:
    """How far an activation is at most from npcam in float64."""
    if value is None or estimate is None or estimate.value.shape != value.shape:
        return None
    return float(np.max(np.abs(value - estimate.value), initial=0))


def _unit(*runs: Mapping[str, Array]) -> float:
    """The variance of one rounding in each run, in its coarsest float type, all together."""
    coarsest: list[Any] = [
        max((a.dtype for a in run.values()), key=lambda d: np.finfo(d).eps) for run in runs
    ]
    return roundoff_variance(*coarsest)

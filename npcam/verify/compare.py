"""Two runs of one network, layer by layer: where do they part, by how much, and who is off?

Each layer is put to two tests. *Alone*: it is computed in float64 from what the program on trial
itself had as that layer's input, so that only this layer's own rounding, and its own mistakes, are
left. *In the flow*: the two programs' activations are compared as they are, errors of all layers
before included. `rounding` says what either difference may come to; what is beyond that is no
rounding. A layer that could be put to neither test is missing, and a comparison that misses a layer
says nothing of the whole network.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from npcam.common.errors import InputError
from npcam.layers import Layer, layers, likely_names
from npcam.shapes import Array
from npcam.verify.alone import FLOW, each_alone, given_input, unit_of_both
from npcam.verify.cause import Cause
from npcam.verify.coverage import judged_with
from npcam.verify.difference import Difference, difference
from npcam.verify.place import Place, find_place
from npcam.verify.precision import FLOAT32, Precision
from npcam.verify.record import Record
from npcam.verify.rounding import Estimate, estimates, logits, stored
from npcam.weights import Weights, cast


@dataclass(frozen=True)
class Row:
    """One layer of a comparison.

    Attributes:
        name: Keras's name of the layer.
        kind: its Keras class.
        shape: the shape of npcam's activation; the reference's where npcam's run lacks the layer.
        reference_shape: that of the reference's.
        found: the difference that was asked for, alone or in the flow; alone where npcam's run lacks
            the layer; None where shapes differ.
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
        logits: of `predictions`, the difference alone of what comes before its activation; None where
            the run on trial has none, or none of that shape.
        not_a_number: which of "npcam" and "reference" hold a NaN here; NaN is not equal to NaN.
        covers: the layers before that a port does not give, and that are judged with this one.
        their_name: what a port calls it; None where it goes by Keras's name.
        before_activation: whether it was compared before its activation, for a port gives no more.
        photo: the photograph that it is of; "" where there is one only.
        ignored: whether it was asked for to be shown only, and not judged: then `ok` is True.
        place: where in the tensor it is off: alone, or in the flow where it is not off alone.
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
    logits: Difference | None = None
    not_a_number: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    their_name: str | None = None
    before_activation: bool = False
    photo: str = ""
    ignored: bool = False
    place: Place | None = None


@dataclass(frozen=True)
class Report:
    """What a comparison found.

    Attributes:
        rows: a row for each layer that was compared, in the network's order: those that both runs
            have, and those that the reference alone has where its layers are computed alone.
        isolated: whether the rows show the layers alone, not in the flow.
        on_trial: "reference" or "npcam": whose layers were computed alone.
        missing: the network's layers that could not be compared, for a run lacks them.
        extra: the layers that only the reference has.
        partial: whether missing layers are allowed.
        not_kept: those of the missing layers that npcam's fast engine lacks by design: it was asked
            for, and it keeps the stages only.
        other_weights: those of the missing layers whose weights are not the same in both runs, bit
            for bit.
        not_given: the layers that a port does not give, but that are judged with the next that it does.
        other: what people call the side that npcam is compared with.
        ignored: the layers that were not to be judged. Those after them are judged alone.
        precision: the name of the precision that the reference was said to compute in.
        cause: why the first bad layer is off, as far as it was looked for (`blame`).
    """

    rows: tuple[Row, ...]
    isolated: bool
    on_trial: str
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    partial: bool = False
    not_kept: tuple[str, ...] = ()
    other_weights: tuple[str, ...] = ()
    not_given: tuple[str, ...] = ()
    other: str = "yours"
    ignored: tuple[str, ...] = ()
    precision: str = "float32"
    cause: Cause | None = None

    @property
    def first_bad(self) -> Row | None:
        """The first layer whose difference is no rounding."""
        return next((row for row in self.rows if not row.ok), None)

    @property
    def ok(self) -> bool:
        """Whether rounding explains every layer, and all were compared that had to be."""
        complete = self.partial or len(self.missing) == len(self.not_kept)
        alike = self.first_bad is None and not self.extra and not self.other_weights
        return bool(self.rows) and alike and complete


def verify(
    weights: Weights,
    npcam: Record,
    reference: Record,
    *,
    isolated: bool = False,
    on_trial: str = "reference",
    partial: bool = False,
    precision: Precision = FLOAT32,
    ignore: Collection[str] = (),
) -> Report:
    """Compare two runs of a network.

    Args:
        weights: the network as it is meant to be.
        npcam: npcam's own run, with "input_layer" in it.
        reference: the run that it is compared with.
        isolated: show each layer alone, and put it to that test only; else it has to pass both, and
            the rows show it in the flow.
        on_trial: whose layers to compute alone, "reference" or "npcam": the latter where the
            reference is npcam in float64, which has no rounding to speak of.
        partial: allow layers that the reference lacks; layers that only it has are never allowed.
        precision: what the run on trial multiplies and stores in, where that is below float32; the
            other run counts as float32.
        ignore: layers that are shown and not judged, nor missed; what comes after them is judged alone.

    Raises:
        InputError: the runs have no layer in common but their input, npcam's lacks its input, or there
            is no layer of a name that is to be ignored.
    """
    a, b = npcam.activations, reference.activations
    if "input_layer" not in a:
        raise InputError(
            "verify: npcam's run has no input_layer; record it with all layers, or with that one"
        )
    table = layers(weights.architecture)
    names = [layer.name for layer in table]
    there = {*b, *(["predictions"] if "logits" in b and reference.fused else [])}
    led = judged_with(weights.architecture, b) if reference.fused else {}
    _require_ignorable(ignore, names, led)
    compared = [name for name in names if name in there and (name in a or on_trial == "reference")]
    if not set(compared) - {"input_layer"} or not a["input_layer"].size:
        some = ", ".join(list(b)[:4])
        raise InputError(f"verify: no layer in common; the reference has {some}; layers go by Keras's names")
    with np.errstate(all="ignore"):  # infinities and NaN may be in either run
        in_flow = set() if isolated else {*names} - _after(table, ignore)
        rows = list(_rows(weights, npcam, reference, isolated, on_trial, precision, in_flow, led))
    rows = [replace(row, ok=True, ignored=True) if row.name in ignore else row for row in rows]
    missing = tuple(n for n in names if n not in compared and n not in led and n not in ignore)
    return Report(
        tuple(row for row in rows if row.name in compared),
        isolated,
        on_trial,
        missing,
        extra=tuple(name for name in b if name not in {*names, "logits"}),
        partial=partial,
        not_kept=tuple(
            name
            for name in missing
            if all(run.stages_only or name in run.activations for run in (npcam, reference))
        ),
        other_weights=tuple(n for n in _other_weights(npcam.tensors, reference.tensors) if n in missing),
        not_given=tuple(led),
        ignored=tuple(name for name in names if name in ignore),
        precision=precision.name,
    )


def _require_ignorable(ignore: Collection[str], names: Sequence[str], led: Mapping[str, str]) -> None:
    """Raise InputError for a layer that is to be ignored and that is none, or is judged with another."""
    for name in ignore:
        if name not in names:
            hint = likely_names(name, names)
            raise InputError(f"no layer is called {name!r}, so it cannot be ignored; {hint}")
        if name in led:
            what = f"{name} is not given, and is judged with {led[name]}"
            raise InputError(f"--ignore {name}: {what}; ignore that, or give an array of {name}")


def _after(table: Sequence[Layer], names: Collection[str]) -> set[str]:
    """Some layers, and all that come after them."""
    found = set(names)
    for layer in table:
        if found.intersection(layer.inputs):
            found.add(layer.name)
    return found


def _rows(
    weights: Weights,
    npcam: Record,
    reference: Record,
    isolated: bool,
    on_trial: str,
    precision: Precision,
    in_flow: Collection[str],
    led: Mapping[str, str],
) -> Iterator[Row]:
    """A row for each layer that the reference has; those of `in_flow` are judged in the flow, too."""
    a, b = npcam.activations, reference.activations
    w = cast(weights.tensors, np.float64)
    start = given_input(weights, npcam, reference, precision)
    trial = b if on_trial == "reference" else a
    alone, places, epsilons = each_alone(weights, w, start, trial, precision, fused=reference.fused)
    others = _other_weights(npcam.tensors, reference.tensors)
    both, pooled = unit_of_both(a, b, precision), None
    for layer, estimate in estimates(start, w, weights.architecture, both, precision=precision):
        pooled = estimate if layer.name == "avg_pool" else pooled
        logits_only = (
            reference.fused and layer.name == "predictions" and "logits" in b and layer.name not in b
        )
        if layer.name in b or logits_only:
            if logits_only:
                before = logits(pooled, w["predictions"], both, precision) if pooled else None
                before = stored(before, precision) if before else None
                of_both = {"predictions": alone.get("logits")}
                row = _row(layer, before, (a.get("logits"), b["logits"]), of_both, isolated, in_flow)
            else:
                row = _row(layer, estimate, (a.get(layer.name), b[layer.name]), alone, isolated, in_flow)
            row = replace(row, place=places.get("logits" if logits_only else layer.name) or row.place)
            if layer.name == "predictions" and "logits" in alone:
                off = alone["logits"]
                row = replace(row, logits=off, ok=row.ok and off is not None and off.ok)
            other, found = others.get(layer.name, ()), epsilons.get(layer.name)
            ok = row.ok and not other and found is None
            covers = tuple(name for name, by in led.items() if by == layer.name)
            called = reference.names.get("logits" if logits_only else layer.name)
            row = replace(row, covers=covers, their_name=called, before_activation=logits_only)
            yield replace(row, other_weights=other, epsilon=found, ok=ok)


def _row(
    layer: Layer,
    estimate: Estimate | None,
    pair: tuple[Array | None, Array],
    alone: Mapping[str, Difference | None],
    isolated: bool,
    in_flow: Collection[str],
) -> Row:
    """Put a layer to its two tests."""
    a, b = pair
    by_itself = alone.get(layer.name)
    flow = None
    if estimate is not None and a is not None and a.shape == b.shape == estimate.value.shape:
        flow = difference(a, b, FLOW * np.sqrt(estimate.variance))
    fits = layer.name not in alone or by_itself is not None
    flows = layer.name not in in_flow or a is None or (flow is not None and flow.ok)
    sides = {"npcam": a, "reference": b}
    no_number = tuple(side for side, array in sides.items() if array is not None and np.isnan(array).any())
    place = None
    if flow and not flow.ok and not flows and estimate is not None and a is not None:
        place = find_place(b, a, FLOW * np.sqrt(estimate.variance))
    return Row(
        name=layer.name,
        kind=layer.kind,
        shape=b.shape if a is None else a.shape,
        reference_shape=b.shape,
        found=by_itself if isolated or a is None else flow,
        alone=by_itself,
        npcam_error=_distance(a, estimate),
        reference_error=_distance(b, estimate),
        ok=fits and flows and (by_itself is None or by_itself.ok) and not no_number,
        not_a_number=no_number,
        place=place,
    )


def _other_weights(npcam: Mapping[str, str], reference: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """{layer: its weights whose hashes differ}, where both runs know them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, digest in npcam.items():
        if reference.get(name, digest) != digest:
            layer, weight = name.split("/")
            found[layer] = (*found.get(layer, ()), weight)
    return found


def _distance(value: Array | None, estimate: Estimate | None) -> float | None:
    """How far an activation is at most from npcam in float64."""
    if value is None or estimate is None or estimate.value.shape != value.shape:
        return None
    return float(np.max(np.abs(value - estimate.value), initial=0))

"""Why the first bad layer of a comparison is off: the cause, looked for in the run on trial."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from npcam.shapes import Array
from npcam.verify.alone import arithmetic, given_input
from npcam.verify.cause import NONE, Cause, Tolerance, find_cause
from npcam.verify.compare import Report, Row
from npcam.verify.part import Arithmetic
from npcam.verify.precision import FLOAT32, Precision
from npcam.verify.record import Record
from npcam.verify.steps import Network
from npcam.weights import Weights, cast

ALIKE = 0.2  # epsilons that are no further apart than this share of one of them may be the same


def with_cause(
    report: Report, weights: Weights, npcam: Record, reference: Record, precision: Precision = FLOAT32
) -> Report:
    """A report that says why its first bad layer is off; one without such a layer stays as it is.

    Args:
        report: what `compare.verify` made of the two runs.
        weights: the network as it is meant to be.
        npcam: npcam's run, with "input_layer" in it.
        reference: the other.
        precision: the one that was stated to `compare.verify`.
    """
    row = report.first_bad
    if row is None:
        return report
    run = reference if report.on_trial == "reference" else npcam
    seen, trial = with_logits(row, weights, run.activations)
    epsilon, own = row.epsilon, weights.architecture.epsilon
    fitted = epsilon is not None and math.isfinite(epsilon)
    off_alone = row.alone is None or not row.alone.ok or (row.logits is not None and not row.logits.ok)
    cause = Cause(NONE)
    if row.name in trial and (off_alone or row.not_a_number):
        unit, near, far = arithmetic(trial, precision)
        network = Network(cast(weights.tensors, np.float64), seen.architecture)
        x = given_input(weights, npcam, reference, precision)
        how, limits = Arithmetic(unit, precision), Tolerance(near, far)
        cause = find_cause(network, weights.preprocessing, x, trial, row.name, how, limits)
    if cause.layer is None and fitted:
        cause = Cause(f"another epsilon, {_epsilon(report, row):.3g}, not {own:g}", row.name)
    elif cause.layer is None and row.other_weights:
        words = "its weights are not npcam's, by their hashes; what they do is no usual mistake"
        cause = Cause(words if off_alone else "its weights are not npcam's, by their hashes", row.name)
    elif cause.layer is None and not off_alone and not row.not_a_number:
        cause = Cause(f"{NONE}: alone it is within rounding, so the difference came from before")
    return replace(report, cause=cause)


def _epsilon(report: Report, first: Row) -> float:
    """The epsilon of the first batch norm that is off: the median of those that are like it."""
    assert first.epsilon is not None
    found = [row.epsilon for row in report.rows if row.epsilon is not None and math.isfinite(row.epsilon)]
    return float(np.median([e for e in found if abs(e - first.epsilon) <= ALIKE * abs(first.epsilon)]))


def with_logits(
    row: Row, weights: Weights, trial: Mapping[str, Array]
) -> tuple[Weights, Mapping[str, Array]]:
    """The network and the run on trial, both without the activation of the top where the logits tell more.

    That is where the predictions are off and are not given, or hide what is off.
    """
    hidden = row.alone is not None and row.alone.ok and row.logits is not None and not row.logits.ok
    if row.name == "predictions" and "logits" in trial and (hidden or row.name not in trial):
        linear = replace(weights, architecture=replace(weights.architecture, activation="linear"))
        return linear, {**trial, row.name: trial["logits"]}
    return weights, trial

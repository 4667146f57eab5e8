"""A comparison in words, as JSON, as CSV, and as the lines of a plot."""

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from npcam.common.tables import align
from npcam.common.text import printable
from npcam.verify import place
from npcam.verify.compare import Report, Row
from npcam.verify.difference import Difference

HEADINGS = ("layer", "shape", "max abs", "max rel", "ulp", "cosine", "expected", "times", "alone")


def as_json(report: Report) -> dict[str, Any]:
    """What `npcam verify --json` prints: plain numbers and strings, and None for what is no number.

    `max_abs`, `expected`, `npcam_error` and `reference_error` are absolute; `max_rel` is a share of
    the layer's largest value; `times` counts in tolerances, and rounding explains up to 1.
    """
    return {
        "layers": [_row(row) for row in report.rows],
        "first_bad": report.first_bad.name if report.first_bad else None,
        "cause": str(report.cause) if report.cause else None,
        "cause_in": report.cause.layer if report.cause else None,
        "compared": len(report.rows),
        "missing": list(report.missing),
        "extra": list(report.extra),
        "other_weights": list(report.other_weights),
        "partial": report.partial,
        "stages_only": bool(report.not_kept),
        "ok": report.ok,
        "isolated": report.isolated,
        "on_trial": report.on_trial,
        "precision": report.precision,
        "ignored": list(report.ignored),
    }


def as_csv(report: Report) -> str:
    """A line of headings and a line for each layer; shapes are written as 1x56x56x64."""
    rows = [_flat(_row(row)) for row in report.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_text(report: Report) -> str:
    """A table with a line for each layer, and the finding below it."""
    rows = [(*HEADINGS, ""), *((*_cells(row), _remark(row)) for row in report.rows)]
    return "\n".join([align(rows, right=range(2, len(HEADINGS))), "", *map(printable, finding(report))])


def finding(report: Report) -> list[str]:
    """What came of the comparison, in a few lines."""
    row = report.first_bad
    if row is None:
        how = "alone" if report.isolated else "alone and in the flow"
        judged = len(report.rows) - sum(row.ignored for row in report.rows)
        verdict = f"{judged} layers compared, each within rounding"
        return ["; ".join([verdict, *_gaps(report)]), f"  compared {how}", *_reasons(report)]
    bad = sum(not r.ok for r in report.rows)
    first = f"{bad} of {len(report.rows)} layers are beyond rounding; the first is {row.name} ({row.kind})"
    cause = [f"  cause: {report.cause}"] if report.cause else []
    return [first, *cause, *_fault(report, row), *(f"  {gap}" for gap in _gaps(report)), *_reasons(report)]


def _remark(row: Row) -> str:
    """What stands behind a row."""
    if row.ignored:
        return "ignored"
    return "" if row.ok else "<- beyond rounding"


def _gaps(report: Report) -> list[str]:
    """What was not compared, by name."""
    kinds = {"missing": report.missing, "extra": report.extra}
    return [f"{len(names)} {what}: {_some(names)}" for what, names in kinds.items() if names]


def _reasons(report: Report) -> list[str]:
    """What the gaps mean for the verdict."""
    lines = []
    if report.precision != "float32":
        lines.append(f"  --precision {report.precision}: what is rounded to it is allowed for")
    if report.ignored:
        names = _some(report.ignored)
        lines.append(f"  --ignore: not judged: {names}; what comes after is judged alone, not in the flow")
    if report.other_weights:
        names = _some(report.other_weights)
        lines.append(f"  missing layers whose weights are not the same, bit for bit: {names}")
    if report.not_kept:
        lines.append("  stages only: npcam's fast engine keeps no other layers; only these were compared")
    if report.partial and report.missing:
        lines.append("  --partial: only what was compared is judged")
    elif len(report.missing) > len(report.not_kept):
        lines.append("  status 1: what is missing was not compared; --partial allows that")
    if report.extra:
        lines.append("  status 1: nothing of npcam's can be compared with what is extra")
    return lines


def _some(names: Sequence[str], most: int = 8) -> str:
    """The first few names, and how many more there are; one line, whatever the names are."""
    shown = ", ".join(json.dumps(name[:80])[1:-1] for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _fault(report: Report, row: Row) -> list[str]:
    """What is known of a layer that is beyond rounding."""
    lines = []
    if row.shape != row.reference_shape:
        shapes = f"{list(row.shape)} in npcam, {list(row.reference_shape)} in the reference"
        return [f"  its shape is {shapes}"]
    if row.not_a_number:
        lines.append(f"  not a number (NaN) in {' and '.join(row.not_a_number)}")
    if row.other_weights:
        lines.append(f"  these of its weights are not the same, bit for bit: {', '.join(row.other_weights)}")
    if row.epsilon is not None and math.isfinite(row.epsilon):
        lines.append(f"  it computes as if its epsilon were {row.epsilon:.3g}")
    elif row.epsilon is not None:
        lines.append("  its channels' scales are off, in a way that no epsilon explains")
    if row.alone and not row.alone.ok:
        limit = f"{row.alone.times:.3g} times what rounding explains"
        lines.append(f"  alone, it is off by {row.alone.max_abs:.3g}, {limit}")
        lines.append(_place(row.alone, ("float64", report.on_trial)))
    elif row.found and not row.found.ok:
        limit = f"{row.found.times:.3g} times what rounding explains"
        lines.append(f"  in the flow, it is off by {row.found.max_abs:.3g}, {limit}")
        lines.append(_place(row.found, ("npcam", "reference")))
    elif row.alone is None:
        lines.append(f"  alone, it cannot be computed: the {report.on_trial} run has other shapes here")
    if row.place:
        lines.append(f"  where: {place.in_words(row.place)}")
    if row.logits and not row.logits.ok:
        limit = f"{row.logits.times:.3g} times what rounding explains"
        lines.append(f"  its logits, alone, are off by {row.logits.max_abs:.3g}, {limit}")
    elif not lines:
        lines.append("  its logits do not have the shape of the network's")
    if row.npcam_error is not None and row.reference_error is not None and not report.isolated:
        errors = f"npcam is off by {row.npcam_error:.3g}, the reference by {row.reference_error:.3g}"
        lines.append(f"  in the flow, from npcam in float64, {errors}")
    return lines


def error_lines(report: Report) -> dict[str, list[float | None]]:
    """The lines of a plot: each layer's errors as shares of its largest value.

    In the flow these are both programs' distances from npcam in float64, and the tolerance of their
    difference; alone, the layer's own error and its tolerance.
    """
    rows = report.rows
    expected = {"expected": [_share(r, r.found.expected if r.found else None) for r in rows]}
    if report.isolated:
        return {"alone": [_share(r, r.found.max_abs if r.found else None) for r in rows], **expected}
    return {
        "npcam": [_share(r, r.npcam_error) for r in rows],
        "reference": [_share(r, r.reference_error) for r in rows],
        **expected,
    }


def _share(row: Row, error: float | None) -> float | None:
    """An absolute error as a share of the layer's largest value."""
    return None if error is None or row.found is None else error / max(row.found.largest, 1e-300)


def _place(found: Difference, names: tuple[str, str]) -> str:
    """Where the element is that is furthest off, and what it is."""
    values = f"{names[0]} {found.value:.9g}, {names[1]} {found.reference:.9g}"
    return f"  worst at {list(found.worst)}: {values}"


def _row(row: Row) -> dict[str, Any]:
    """One layer as plain values."""
    found = row.found
    return {
        "name": row.name,
        "kind": row.kind,
        "shape": list(row.shape),
        "reference_shape": list(row.reference_shape),
        **_difference(found),
        "ok": row.ok,
        "alone": _difference(row.alone) if row.alone else None,
        "npcam_error": _number(row.npcam_error),
        "reference_error": _number(row.reference_error),
        "other_weights": list(row.other_weights),
        "epsilon": _number(row.epsilon),
        "logits": _difference(row.logits) if row.logits else None,
        "not_a_number": list(row.not_a_number),
        "ignored": row.ignored,
        "place": place.as_json(row.place) if row.place else None,
    }


def _difference(found: Difference | None) -> dict[str, Any]:
    """A difference as plain values, all None where there is none."""
    names = ("max_abs", "max_rel", "expected", "times", "ulp", "cosine", "value", "reference")
    plain: dict[str, Any] = {name: _number(getattr(found, name, None)) for name in names}
    return plain | {"worst": list(found.worst) if found else None}


def _number(value: float | None) -> float | None:
    """A number that JSON has: no infinity, no NaN."""
    return value if value is not None and math.isfinite(value) else None


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `_row` without lists or objects in it."""
    alone = row.pop("alone") or {}
    worst, weights, no_number = (row.pop(n) for n in ("worst", "other_weights", "not_a_number"))
    del row["logits"], row["place"]
    row["shape"], row["reference_shape"] = ("x".join(map(str, row[n])) for n in ("shape", "reference_shape"))
    extra = {f"alone_{name}": alone.get(name) for name in ("max_abs", "expected", "times")}
    texts = {"worst": "x".join(map(str, worst or [])), "other_weights": " ".join(weights)}
    texts["not_a_number"] = " ".join(no_number)
    return row | texts | extra


def _cells(row: Row) -> tuple[str, ...]:
    """One layer as text."""
    shape = "x".join(map(str, row.shape))
    alone = f"{row.alone.times:.2g}" if row.alone else "-"
    if row.found is None:
        return row.name, shape, *["-"] * 6, alone
    f = row.found
    numbers = (f"{f.max_abs:.2e}", f"{f.max_rel:.1e}", f"{f.ulp:.3g}", f"{f.cosine:.10f}")
    return row.name, shape, *numbers, f"{f.expected:.2e}", f"{f.times:.2g}", alone

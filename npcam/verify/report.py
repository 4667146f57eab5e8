"""A comparison in words, as JSON, as CSV, and as the lines of a plot."""

import csv
import io
import math
from typing import Any

from npcam.common.tables import align
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
        "ok": report.ok,
        "isolated": report.isolated,
        "on_trial": report.on_trial,
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
    rows = [(*HEADINGS, ""), *((*_cells(row), "" if row.ok else "<- beyond rounding") for row in report.rows)]
    return "\n".join([align(rows, right=range(2, len(HEADINGS))), "", *finding(report)])


def finding(report: Report) -> list[str]:
    """What came of the comparison, in a few lines."""
    row = report.first_bad
    if row is None:
        what = "alone" if report.isolated else "alone and in the flow"
        return [f"{len(report.rows)} layers, each within rounding, {what}"]
    bad = sum(not r.ok for r in report.rows)
    lines = [f"{bad} of {len(report.rows)} layers are beyond rounding; the first is {row.name} ({row.kind})"]
    if row.shape != row.reference_shape:
        return [
            *lines,
            f"  its shape is {list(row.shape)} in npcam, {list(row.reference_shape)} in the reference",
        ]
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
    elif row.alone is None and row.found is None:
        lines.append(f"  alone, it cannot be computed: the {report.on_trial} run has other shapes here")
    elif row.found and not row.found.ok:
        limit = f"{row.found.times:.3g} times what rounding explains"
        lines.append(f"  in the flow, it is off by {row.found.max_abs:.3g}, {limit}")
        lines.append(_place(row.found, ("npcam", "reference")))
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
    worst, weights = row.pop("worst"), row.pop("other_weights")
    row["shape"], row["reference_shape"] = ("x".join(map(str, row[n])) for n in ("shape", "reference_shape"))
    extra = {f"alone_{name}": alone.get(name) for name in ("max_abs", "expected", "times")}
    texts = {"worst": "x".join(map(str, worst or [])), "other_weights": " ".join(weights)}
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

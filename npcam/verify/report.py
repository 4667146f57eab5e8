"""A comparison in words, as JSON, as CSV, and as the lines of a plot."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from npcam.common.tables import align
from npcam.common.text import printable
from npcam.common.text import some_names as _some
from npcam.verify import place
from npcam.verify.compare import Report, Row
from npcam.verify.difference import Difference

HEADINGS = ("layer", "shape", "max_abs", "max_rel", "ulp", "cosine", "expected", "times", "alone")
SIDES = {"npcam": "npcam", "reference": "yours"}  # what the sides are called for machines
MOST_BAD = 8  # rows beyond rounding that are shown, unless all are asked for


def as_json(report: Report) -> dict[str, Any]:
    """What `npcam verify --json` prints: plain numbers and strings, and None for what is no number.

    `max_abs`, `expected`, `npcam_error` and `yours_error` are absolute; `max_rel` is a share of the
    layer's largest value; `times` counts in tolerances, and rounding explains up to 1. Of the worst
    element `value` is npcam's and `other` that of the run it is compared with; for a layer alone,
    float64's and that of the run on trial.
    """
    return {
        "layers": [_row(row) for row in report.rows],
        "first_bad": report.first_bad.name if report.first_bad else None,
        "cause": str(report.cause) if report.cause else None,
        "cause_in": report.cause.layer if report.cause else None,
        "compared": len(report.rows),
        "missing": list(report.missing),
        "not_given": list(report.not_given),
        "extra": list(report.extra),
        "other_weights": list(report.other_weights),
        "partial": report.partial,
        "stages_only": bool(report.not_kept),
        "ok": report.ok,
        "isolated": report.isolated,
        "on_trial": SIDES[report.on_trial],
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


def as_text(report: Report, origins: Sequence[str] = (), every: bool = True) -> str:
    """The finding, where the two runs are from, and a table with a line for each layer.

    Args:
        report: a comparison.
        origins: lines about the two runs.
        every: a row for each layer; False for the rows that matter.
    """
    shown = report.rows if every else rows_that_matter(report)
    rows = [(*HEADINGS, ""), *((*_cells(row), _remark(row)) for row in shown)]
    lines = [*map(printable, finding(report)), ""]
    lines += [*map(printable, origins), ""] if origins else []
    lines.append(align(rows, right=range(2, len(HEADINGS))))
    if len(shown) < len(report.rows):
        lines.append(f"{len(report.rows) - len(shown)} more layers; --all shows them")
    return "\n".join(lines)


def rows_that_matter(report: Report) -> tuple[Row, ...]:
    """The first rows beyond rounding with the one before them, or else the last row of each stage.

    Where all is within rounding, the row nearest to its tolerance is among them. Ignored rows always are.
    """
    rows = report.rows
    bad = [i for i, row in enumerate(rows) if not row.ok]
    if bad:
        wanted = {max(bad[0] - 1, 0), *bad[:MOST_BAD]}
    else:
        ends = zip(rows, [*rows[1:], None], strict=True)
        wanted = {i for i, (row, after) in enumerate(ends) if after is None or _stage(row) != _stage(after)}
        wanted.add(max(range(len(rows)), key=lambda i: (not rows[i].ignored, closeness(rows[i])), default=0))
    wanted.update(i for i, row in enumerate(rows) if row.ignored)
    return tuple(row for i, row in enumerate(rows) if i in wanted)


def closeness(row: Row) -> float:
    """How near a layer is to what rounding explains, in multiples of it: the worse of its two tests."""
    return max((d.times for d in (row.found, row.alone) if d is not None), default=math.inf)


def _stage(row: Row) -> str:
    """What the names of a stage's layers begin with."""
    return row.name.split("_")[0]


def finding(report: Report) -> list[str]:
    """What came of the comparison, in a few lines."""
    row = report.first_bad
    if row is None:
        how = "alone" if report.isolated else "alone and in the flow"
        judged = len(report.rows) - sum(row.ignored for row in report.rows)
        verdict = f"{_count(judged, 'layer')} compared, each within rounding"
        return ["; ".join([verdict, *_gaps(report)]), f"  compared {how}", *_reasons(report)]
    bad = sum(not r.ok for r in report.rows)
    what = f"{bad} of {_count(len(report.rows), 'layer')} {'is' if bad == 1 else 'are'} beyond rounding"
    first = f"{what}; the first is {_called(report, row)}"
    return [first, *explain_row(report, row), *(f"  {gap}" for gap in _gaps(report)), *_reasons(report)]


def verdict(report: Report) -> str:
    """The finding in one line, with the cause."""
    first = finding(report)[0]
    return f"{first}; cause: {report.cause}" if report.cause else first


def _called(report: Report, row: Row) -> str:
    """A layer with its class, and what the other side calls it; the photograph, of several."""
    theirs = (
        f", {_some([row.their_name])} in {report.other}" if row.their_name not in (None, row.name) else ""
    )
    photo = f", on {_some([row.photo])}" if row.photo else ""
    return f"{row.name} ({row.kind}){theirs}{photo}"


def _count(n: int, what: str) -> str:
    """So many of something."""
    return f"{n} {what}{'' if n == 1 else 's'}"


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
    if report.not_given:
        names = f"{_count(len(report.not_given), 'layer')} not given by {report.other}"
        lines.append(f"  {names}, each judged with the next that is: {_some(report.not_given, 4)}")
    if any(row.before_activation for row in report.rows):
        lines.append(f"  predictions were compared before their activation: {report.other} gives logits only")
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


def explain_row(report: Report, row: Row) -> list[str]:
    """What is known of a layer that is beyond rounding; of the first of them, its cause."""
    first = report.first_bad
    cause = [f"  cause: {report.cause}"] if report.cause and first and row.name == first.name else []
    return [*cause, *_fault(report, row)]


def _fault(report: Report, row: Row) -> list[str]:
    """What is off in a layer that is beyond rounding, and where."""
    lines = []
    if row.covers:
        lines.append(f"  judged from what {report.other} gave before: {_some([*row.covers, row.name])}")
    if row.shape != row.reference_shape:
        shapes = f"{list(row.shape)} in npcam, {list(row.reference_shape)} in {report.other}"
        return [*lines, f"  its shape is {shapes}"]
    if row.not_a_number:
        sides = " and ".join(_side(report, side) for side in row.not_a_number)
        lines.append(f"  not a number (NaN) in {sides}")
    if row.other_weights:
        lines.append(f"  these of its weights are not the same, bit for bit: {', '.join(row.other_weights)}")
    if row.epsilon is not None:
        lines.append(_epsilon(row.epsilon))
    if row.alone and not row.alone.ok:
        limit = f"{row.alone.times:.3g} times what rounding explains"
        lines.append(f"  alone, it is off by {row.alone.max_abs:.3g}, {limit}")
        lines.append(_place(row.alone, ("float64", _side(report, report.on_trial))))
    elif row.found and not row.found.ok:
        limit = f"{row.found.times:.3g} times what rounding explains"
        lines.append(f"  in the flow, it is off by {row.found.max_abs:.3g}, {limit}")
        lines.append(_place(row.found, ("npcam", report.other)))
    elif row.alone is None:
        lines.append(
            f"  alone, it cannot be computed: {_side(report, report.on_trial)} has other shapes here"
        )
    if row.place:
        lines.append(f"  where: {place.in_words(row.place)}")
    if row.logits and not row.logits.ok:
        limit = f"{row.logits.times:.3g} times what rounding explains"
        lines.append(f"  its logits, alone, are off by {row.logits.max_abs:.3g}, {limit}")
    elif not lines[bool(row.covers) :]:
        lines.append("  its logits do not have the shape of the network's")
    if row.npcam_error is not None and row.reference_error is not None and not report.isolated:
        errors = f"npcam is off by {row.npcam_error:.3g}, {report.other} by {row.reference_error:.3g}"
        lines.append(f"  in the flow, from npcam in float64, {errors}")
    return lines


def _epsilon(epsilon: float) -> str:
    """What a batch norm's channels tell of its epsilon."""
    if math.isfinite(epsilon):
        return f"  it computes as if its epsilon were {epsilon:.3g}"
    return "  its channels' scales are off, in a way that no epsilon explains"


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
        report.other: [_share(r, r.reference_error) for r in rows],
        **expected,
    }


def _share(row: Row, error: float | None) -> float | None:
    """An absolute error as a share of the layer's largest value."""
    return None if error is None or row.found is None else error / max(row.found.largest, 1e-300)


def _side(report: Report, side: str) -> str:
    """What people call a side of the comparison."""
    return report.other if side == "reference" else side


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
        "yours_shape": list(row.reference_shape),
        **_difference(found),
        "ok": row.ok,
        "alone": _difference(row.alone) if row.alone else None,
        "npcam_error": _number(row.npcam_error),
        "yours_error": _number(row.reference_error),
        "other_weights": list(row.other_weights),
        "epsilon": _number(row.epsilon),
        "logits": _difference(row.logits) if row.logits else None,
        "not_a_number": [SIDES[side] for side in row.not_a_number],
        "covers": list(row.covers),
        "yours_name": row.their_name,
        "before_activation": row.before_activation,
        "photo": row.photo,
        "ignored": row.ignored,
        "place": place.as_json(row.place) if row.place else None,
    }


def _difference(found: Difference | None) -> dict[str, Any]:
    """A difference as plain values, all None where there is none."""
    names = ("max_abs", "max_rel", "expected", "times", "ulp", "cosine", "value")
    plain: dict[str, Any] = {name: _number(getattr(found, name, None)) for name in names}
    other = _number(found.reference) if found else None
    return plain | {"other": other, "worst": list(found.worst) if found else None}


def _number(value: float | None) -> float | None:
    """A number that JSON has: no infinity, no NaN."""
    return value if value is not None and math.isfinite(value) else None


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `_row` without lists or objects in it."""
    alone = row.pop("alone") or {}
    worst, weights, no_number = (row.pop(n) for n in ("worst", "other_weights", "not_a_number"))
    covers = row.pop("covers")
    del row["logits"], row["place"]
    row["shape"], row["yours_shape"] = ("x".join(map(str, row[n])) for n in ("shape", "yours_shape"))
    extra = {f"alone_{name}": alone.get(name) for name in ("max_abs", "expected", "times")}
    texts = {"worst": "x".join(map(str, worst or [])), "other_weights": " ".join(weights)}
    texts["not_a_number"], texts["covers"] = " ".join(no_number), " ".join(covers)
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

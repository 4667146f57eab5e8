"""The figures of an evaluation as Markdown: legible in a terminal, and ready for a model's card."""

from collections.abc import Mapping, Sequence
from typing import Any

from npcam.common.tables import align
from npcam.common.text import printable
from npcam.localise.shown import Shown, lead, measures, share

OF_CLASSES = (
    *(("top1", "top-1"), ("max_box_acc.v1", "V1"), ("max_box_acc.v2", "V2"), ("gt_known_20", "box at 20%")),
    *(("centred_box", "centred box"), ("grid_best", "best of grid"), ("pointing", "pointing")),
)


def in_markdown(found: Mapping[str, Any]) -> str:
    """All figures with their intervals, those of each class, and how far probabilities can be believed.

    Args:
        found: what is in metrics.json.
    """
    parts = [lead(found), _overall(found), _classes(found), _calibration(found)]
    return "\n\n".join(part for part in parts if part)


def _overall(found: Mapping[str, Any]) -> str:
    """Every figure, with the two other boxes beside those that they can be held against."""
    rows = [("figure", "value", "95% interval", "centred box", "best of grid")]
    for group in measures(found):
        rows.append((f"**{group.name}**", "", "", "", ""))
        for line in group.lines:
            name = f"{line.name}: {line.remark}" if line.remark else line.name
            others = (_value(line.centred), _value(line.grid))
            rows.append((name, line.share.value, line.share.interval, *others))
    above = share(found, "gt_known_20_above_centred_box")
    if above is not None:
        name = "**The box at 20% above the centred box, photograph by photograph**"
        rows.append((name, above.value, above.interval, "", ""))
    return _table(rows)


def _classes(found: Mapping[str, Any]) -> str:
    """The figures of each class, with intervals."""
    of_each = found["per_class"]
    columns = [(key, name) for key, name in OF_CLASSES if share(found, key) is not None]
    rows = [("class", "photographs", "with boxes", *(name for _, name in columns))]
    for name, figures in (("**all**", found), *((_escaped(name), of_each[name]) for name in of_each)):
        cells = [_with_interval(share(figures, key)) for key, _ in columns]
        rows.append((name, str(figures["photographs"]), str(figures["with_boxes"]), *cells))
    return _table(rows)


def _calibration(found: Mapping[str, Any]) -> str:
    """How often predictions of each probability are right."""
    if not found["calibration"]:
        return ""
    rows = [("top probability", "photographs", "mean probability", "right")]
    for one in found["calibration"]:
        shown = _with_interval(share(one, "right"))
        rows.append(
            (
                f"{one['low']:.1f}-{one['high']:.1f}",
                str(one["photographs"]),
                f"{one['confidence']:.3f}",
                shown,
            )
        )
    error = found["expected_calibration_error"]
    return f"{_table(rows)}\n\nexpected calibration error: {error:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table of Markdown whose columns line up."""
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return align([["|", *_separated(row), "|"] for row in ruled])


def _value(shown: Shown | None) -> str:
    return "" if shown is None else shown.value


def _with_interval(shown: Shown | None) -> str:
    if shown is None:
        return ""
    return f"{shown.value} ({shown.interval})" if shown.has_interval else shown.value


def _separated(row: Sequence[str]) -> list[str]:
    """The cells, with bars between them."""
    return [part for cell in row for part in (cell, "|")][:-1]


def _escaped(name: str) -> str:
    """A name as Markdown takes it: a bar would end its cell, and what looks like HTML would be HTML."""
    return printable(name).replace("|", "\\|").replace("<", "\\<")

"""Results as a table: CSV, a row for each photograph and class that is shown of it."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from npcam.common.files import replacing, require_file

COLUMNS = (
    *("photo", "photo_sha256", "width", "height", "exif_orientation"),
    *("target", "label", "probability", "value", "logit"),
    *("x0", "y0", "x1", "y1", "everywhere", "evidence_in_box", "completeness"),
    *("versus", "logit_difference", "overlay", "notes", "error"),
)
SORTS = {"probability": True, "logit": True, "evidence_in_box": True, "photo": False, "label": False}
"""What results may be sorted by, and whether the largest comes first."""


class Table:
    """Rows, in the order in which they came or sorted, and written as a whole."""

    def __init__(self, path: Path, sort: str | None) -> None:
        """Begin a table for a path.

        Raises:
            InputError: something is there that is no file, which would else be found after all the work.
        """
        if path.exists():
            require_file(path, "choose another --csv")
        self._path, self._sort = path, sort
        self._rows: list[tuple[Any, tuple[str, ...]]] = []

    def add(self, result: Mapping[str, Any]) -> None:
        """A row for each class of a photograph, or one that says why there is none."""
        for one in result.get("targets", [result]):
            row = as_row(result | one)
            self._rows.append((_key(row, self._sort), tuple(_text(row.get(name)) for name in COLUMNS)))

    def write(self) -> None:
        """Write the table, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        rows = sorted(self._rows, key=lambda row: row[0]) if self._sort else self._rows
        with replacing(self._path) as unfinished, _open(unfinished) as file:
            file.write(_line(COLUMNS))
            file.writelines(_line(row) for _, row in rows)


def as_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the table says of a photograph and a class: numbers of their own instead of lists."""
    shown = found.get("versus", found)
    width, height = found.get("size", (None, None))
    row = {**found, "width": width, "height": height, "notes": "; ".join(found.get("notes", ()))}
    row |= dict(zip(("x0", "y0", "x1", "y1"), shown.get("box") or (None,) * 4, strict=True))
    if "versus" in found:
        row |= {name: shown[name] for name in ("everywhere", "evidence_in_box", "completeness")}
        row |= {"versus": shown["label"], "logit_difference": shown["logit_difference"]}
    return row


def in_order_of(results: Sequence[dict[str, Any]], sort: str | None) -> list[dict[str, Any]]:
    """Results sorted by one of `SORTS`; equal ones as they came, those without a value last."""
    return sorted(results, key=lambda result: _key(as_row(result), sort)) if sort else list(results)


def _key(result: Mapping[str, Any], sort: str | None) -> Any:
    """What a result is sorted by."""
    if sort is None:
        return None
    value = result.get("value", result.get(sort)) if sort == "probability" else result.get(sort)
    if value is None or (isinstance(value, float) and math.isnan(value)):  # NaN is in no order
        return (1, 0)
    return (0, -value if SORTS[sort] else value)


def _open(path: Path) -> TextIO:
    """A file for text; what UTF-8 cannot hold, as bytes of a name that are no text, becomes an escape."""
    return path.open("w", newline="", encoding="utf-8", errors="backslashreplace")


def _line(cells: Sequence[str]) -> str:
    r"""A row that ends as all lines do. A cell with any end of line is in quotes.

    >>> _line(["a", "b,c", "d\re"])
    'a,"b,c","d\re"\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # so that a lone \r is in quotes, too
    return text.getvalue().removesuffix("\r\n") + "\n"


def _text(value: Any) -> str:
    """A value as the table has it: all digits of a number, nothing for none."""
    return "" if value is None else repr(float(value)) if isinstance(value, float) else str(value)

"""A line for each photograph, as CSV."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from npcam.common.files import replacing

HIT = 0.5  # IoU of a box that counts as found
COLUMNS = (
    *("photo", "photo_sha256", "class", "predicted_class", "probability", "probability_of_class", "right"),
    *("x0", "y0", "x1", "y1", "iou", "hit", "peak_x", "peak_y", "peak_hit", "drop", "increase", "error"),
)


def is_right(row: Mapping[str, Any]) -> bool | None:
    """Whether the most probable class is the photograph's; None where it could not be read."""
    return None if row.get("predicted") is None else row["predicted"] == row["label"]


def is_hit(row: Mapping[str, Any]) -> bool | None:
    """Whether the box meets a true one with an IoU of 0.5 or more; None where there is no true box.

    >>> is_hit({"iou": 0.5}), is_hit({"iou": 0.49}), is_hit({})
    (True, False, None)
    """
    return None if row.get("iou") is None else row["iou"] >= HIT


def write_per_photo(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a line for each photograph, sorted by name, in UTF-8.

    Numbers are those that `float` reads back to the last bit, `true` and `false` are words, and what
    there is none of is empty. `x0` to `y1` are the box around the evidence, in pixels of the photograph,
    `iou` is that of it with the nearest true box, and `hit` says whether that is 0.5 or more.

    Args:
        path: the file; the old one is replaced as a whole.
        rows: of `npcam evaluate`, in any order.

    Raises:
        InputError: it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_per_photo(Path(folder, "a.csv"), [{"photo": "cat/x.jpg", "error": "is empty"}])
    ...     Path(folder, "a.csv").read_text().splitlines()[1]
    'cat/x.jpg,,,,,,,,,,,,,,,,,,is empty'
    """
    lines = sorted((_line(row) for row in rows), key=lambda line: line[0])
    with (
        replacing(path) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines)


def _line(row: Mapping[str, Any]) -> list[str]:
    """A row's cells, in the order of the columns."""
    given = {
        **row,
        **dict(zip(("x0", "y0", "x1", "y1"), row.get("box") or (), strict=False)),
        **dict(zip(("peak_x", "peak_y"), row.get("peak") or (), strict=False)),
        "right": is_right(row),
        "hit": is_hit(row),
    }
    return [_cell(given.get(column)) for column in COLUMNS]


def _cell(value: object) -> str:
    """A value as text that reads back to the same."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)

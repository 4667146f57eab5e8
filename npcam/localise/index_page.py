"""A page that opens from disk: the figures, charts and contact sheets, and all photographs as a table."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from npcam.common.web import address, in_script, write_page
from npcam.localise.frames import CHECKOUT
from npcam.localise.matrix import Matrix, confusion_matrix
from npcam.localise.per_photo import HIT
from npcam.localise.shown import cards, classes_table, lead, measures

MOST_CLASSES = (
    40  # up to which the confusion matrix is a table; beyond, the most frequent mistakes are listed
)
MOST_PAIRS = 60
STRONG = 0.45  # of a row: cells whose colour is so full that white letters stand out
OTHER = "other"  # the filter's value for classes of which there are no photographs


class Picture(NamedTuple):
    """A picture of the page.

    Attributes:
        file: where it is, relative to the page.
        title: a line beside it.
        words: what it shows, for those who do not see it.
    """

    file: str
    title: str
    words: str


def write_index(
    path: str | Path,
    metrics: Mapping[str, Any],
    rows: Iterable[Mapping[str, Any]],
    classes: Mapping[int, str],
    *,
    title: str = "npcam evaluate",
    charts: Sequence[Picture] = (),
    sheets: Sequence[Picture] = (),
    thumbnails: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write the page, one file in which style and script lie; it asks for nothing but the pictures beside it.

    Args:
        path: the file; the old one is replaced as a whole.
        metrics: what is in `metrics.json`.
        rows: one for each photograph, in any order; the table has them sorted by name.
        classes: a name for each class that occurs, by its index, as `metrics` calls them.
        title: what was evaluated on what.
        charts, sheets: pictures that lie beside the page.
        thumbnails: {photograph: a small picture of it, relative to the page}.
        notes: what was assumed or left out, a line each.

    Raises:
        InputError: there is no Jinja2, or the page cannot be written.
    """
    labels = {name: label for label, name in classes.items()}
    matrix = confusion_matrix(metrics.get("confusion") or {})
    small = 0 < len(matrix.names) <= MOST_CLASSES
    write_page(
        path,
        "npcam.localise",
        "index",
        CHECKOUT,
        scripts=("make.js", "table.js"),
        title=title,
        lead=lead(metrics),
        cards=cards(metrics),
        groups=measures(metrics),
        charts=[_at(picture) for picture in charts],
        sheets=[_at(picture) for picture in sheets],
        class_count=f"{len(matrix.names):,}",
        matrix=_matrix(matrix, labels) if small else None,
        pairs=[] if small else _pairs(metrics.get("confusion") or {}, labels),
        classes_table=classes_table(metrics, labels),
        provenance=list(_flat(metrics.get("provenance") or {})),
        notes=notes,
        csv="per_photo.csv",
        data=_data(rows, classes, thumbnails or {}),
    )


def _data(
    rows: Iterable[Mapping[str, Any]], classes: Mapping[int, str], thumbnails: Mapping[str, str]
) -> str:
    """The table's rows as JSON in ASCII that may stand in a script element, one row a line."""
    lines = sorted((_row(row, thumbnails) for row in rows), key=lambda line: str(line[0]))
    parts = [
        f'"hit":{HIT}',
        f'"classes":{in_script([[label, name] for label, name in sorted(classes.items())])}',
        f'"rows":[\n{",".join(f"{in_script(line)}{chr(10)}" for line in lines)}]',
    ]
    return "{" + ",\n".join(parts) + "}"


def _row(row: Mapping[str, Any], thumbnails: Mapping[str, str]) -> list[Any]:
    """What the table shows of a photograph, in the order that the script reads it in."""
    picture = thumbnails.get(row["photo"])
    numbers = ("probability", "probability_of_class", "iou")
    return [
        row["photo"],
        row.get("label"),
        row.get("predicted"),
        *(_rounded(row.get(name)) for name in numbers),
        row.get("peak_hit"),
        _rounded(row.get("drop")),
        row.get("increase"),
        None if picture is None else address(picture),
        row.get("error"),
    ]


def _rounded(number: float | None) -> float | None:
    """As many digits as the page needs; all are in per_photo.csv. Never across 0.5, which is a hit."""
    if number is None:
        return None
    near = round(number, 5)
    return number if (near >= HIT) != (number >= HIT) else near


def _at(picture: Picture) -> Picture:
    return picture._replace(file=address(picture.file))


def _matrix(matrix: Matrix, labels: Mapping[str, int]) -> dict[str, Any]:
    """The confusion matrix as the template reads it."""
    rows = []
    for i, name in enumerate(matrix.names):
        cells = [
            {
                "count": int(matrix.counts[i, j]),
                "name": column,
                "label": labels[column] if j < len(matrix.names) else OTHER,
                "share": f"{matrix.shares[i, j]:.3f}",
                "right": i == j,
                "strong": matrix.shares[i, j] > STRONG,
            }
            for j, column in enumerate(matrix.columns)
        ]
        rows.append({"name": name, "label": labels[name], "cells": cells})
    return {"columns": matrix.columns, "rows": rows}


def _pairs(counts: Mapping[str, Mapping[str, int]], labels: Mapping[str, int]) -> list[dict[str, Any]]:
    """The most frequent mistakes, for data sets of very many classes."""
    mistakes = [
        (count, name, predicted)
        for name, row in counts.items()
        for predicted, count in row.items()
        if name != predicted
    ]
    mistakes.sort(key=lambda mistake: (-mistake[0], labels[mistake[1]], labels[mistake[2]]))
    keys = ("count", "name", "predicted_name", "label", "predicted")
    return [
        dict(zip(keys, (count, name, other, labels[name], labels[other]), strict=True))
        for count, name, other in mistakes[:MOST_PAIRS]
    ]


def _flat(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    """Nested names and values as lines: ("weights sha256", "...")."""
    for key, value in values.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} ")
        elif isinstance(value, (list, tuple)):
            yield name, "; ".join(map(str, value)) or "none"
        else:
            yield name, "not given" if value is None else str(value)

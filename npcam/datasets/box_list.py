"""Boxes in one file that a person writes: CSV with a row for each box, or JSON."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.text import some_names
from npcam.datasets.photographs import Listed, Size, TrueBox, checked_box, require_few, stated_size
from npcam.datasets.places import Places, counted

COLUMNS = ("photo", "class", "x0", "y0", "x1", "y1")
HEADER = ",".join(COLUMNS)
EXAMPLE = '{"cat/1.jpg": {"class": "cat", "boxes": [{"class": "cat", "xyxy": [10, 20, 90, 80]}]}}'

Entry = tuple[str, Listed]


def read_csv(text: str, path: str | Path, places: Places) -> tuple[dict[str, Listed], list[str]]:
    """What CSV says of the photographs of a folder: a row for each box.

    The header names the columns, in any order: photo, class, x0, y0, x1, y1 and, where the boxes were
    drawn on a picture of another size than the file's, width and height. A row without the four
    numbers says the class of a photograph that has no box. Other columns are not looked at.

    Args:
        text: the file's text.
        path: the file, for messages; a photograph's path is relative to its folder or to the photographs'.
        places: the photographs.

    Returns:
        By name, what is listed; notes of what is left out.

    Raises:
        InputError: a column is missing, a row has too few fields, a number is none, a box is empty or
            lies outside of its picture, or rows of one photograph state two sizes.
    """
    rows: dict[str, list[tuple[str, Size | None, TrueBox | None, str]]] = {}
    for photo, row in _rows(text, path):
        rows.setdefault(photo, []).append(row)
    return _placed(_from_rows(rows), path, places)


def read_json(found: Any, path: str | Path, places: Places) -> tuple[dict[str, Listed], list[str]]:
    """What JSON says of the photographs of a folder: an object whose keys are their paths.

    Each entry has "class" (of the photograph) and "boxes", a list of {"class", "xyxy": [x0, y0, x1,
    y1]}; and "width" and "height" where the boxes were drawn on a picture of another size than the
    file's. A box without "class" is of the photograph's class.

    Args:
        found: the parsed JSON.
        path: the file, for messages; keys are relative to its folder or to the photographs'.
        places: the photographs.

    Returns:
        By name, what is listed; notes of what is left out.

    Raises:
        InputError: an entry has another form, a number is none, a box is empty or lies outside of its
            picture, or two keys mean one photograph.
    """
    if isinstance(found, list) and found and isinstance(found[0], dict) and "image_id" in found[0]:
        raise InputError(
            f"{path}: is a list of COCO results, which were found; give the instances, the truth"
        )
    if not isinstance(found, dict):
        raise InputError(f"{path}: is no JSON of boxes; expected {EXAMPLE}, or COCO's instances")
    return _placed(((key, _entry(key, value, path)) for key, value in found.items()), path, places)


def _rows(text: str, path: str | Path) -> Iterator[tuple[str, tuple[str, Size | None, TrueBox | None, str]]]:
    """The photograph of each row, and what the row says."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = [field.strip().lower() for field in next(reader, [])]
        missing = [column for column in COLUMNS if column not in header]
        if missing or len(set(header)) != len(header):
            problem = f"lacks {', '.join(missing)}" if missing else "names a column twice"
            found = some_names(header) or "nothing"
            raise InputError(f"{path}: its header {problem}; expected {HEADER}, found {found}")
        for row in reader:
            if not row:
                continue
            where = f"{path}, line {reader.line_num}"
            if len(row) != len(header):
                raise InputError(f"{where}: {len(row)} fields under a header of {len(header)}")
            yield _row(dict(zip(header, (field.strip() for field in row), strict=True)), where)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is not valid CSV ({error})") from error


def _row(row: dict[str, str], where: str) -> tuple[str, tuple[str, Size | None, TrueBox | None, str]]:
    label, size = row["class"], stated_size(row.get("width"), row.get("height"), where)
    if not row["photo"] or not label:
        raise InputError(f"{where}: names no {'class' if row['photo'] else 'photo'}")
    edges = [row[edge] for edge in COLUMNS[2:]]
    box = TrueBox(label, checked_box(edges, size, where)) if any(edges) else None
    return row["photo"], (label, size, box, where)


def _from_rows(rows: dict[str, list[tuple[str, Size | None, TrueBox | None, str]]]) -> Iterator[Entry]:
    """All rows of one photograph together; its class where all name the same."""
    for photo, said in rows.items():
        where = said[0][3]
        sizes = {size for _, size, _, _ in said}
        if len(sizes) > 1:
            raise InputError(f"{where}: other rows of {photo} state another size, or none; state one")
        labels = {label for label, _, _, _ in said}
        boxes = tuple(box for _, _, box, _ in said if box is not None)
        without = {label for label, _, box, _ in said if box is None}
        if without and len(labels) > 1:
            raise InputError(
                f"{where}: {photo} has a row of a class without a box, and rows of another class"
            )
        require_few(boxes, where)
        yield photo, Listed(labels.pop() if without else None, sizes.pop(), boxes, where)


def _entry(key: str, value: Any, path: str | Path) -> Listed:
    """One entry of the JSON."""
    where = f"{path}, {some_names([key])}"
    if not isinstance(value, dict) or not isinstance(value.get("boxes", []), list):
        raise InputError(f"{where}: is no entry of boxes; expected as in {EXAMPLE}")
    size = stated_size(value.get("width"), value.get("height"), where)
    boxes = value.get("boxes", [])
    require_few(boxes, where)
    found = tuple(_box(box, size, f"{where}, box {k}") for k, box in enumerate(boxes))
    return Listed(_label(value, where), size, found, where)


def _box(found: Any, size: Size | None, where: str) -> TrueBox:
    """One box of the JSON."""
    edges = found.get("xyxy") if isinstance(found, dict) else None
    if not isinstance(edges, list):
        raise InputError(f'{where}: has no "xyxy"; expected as in {EXAMPLE}')
    return TrueBox(_label(found, where), checked_box(edges, size, where))


def _label(found: dict[str, Any], where: str) -> str | None:
    """The class of an entry or a box, or None where it names none."""
    label = found.get("class")
    if label is not None and not isinstance(label, str):
        raise InputError(
            f"{where}: its class is no text; expected a name, a WordNet id or an index in quotes"
        )
    return label


def _placed(
    entries: Iterable[Entry], path: str | Path, places: Places
) -> tuple[dict[str, Listed], list[str]]:
    """The entries by the names of their photographs; those of none are counted."""
    listed: dict[str, Listed] = {}
    absent: list[str] = []
    for key, entry in entries:
        name = places.find(key, path)
        if name is None:
            absent.append(key)
        elif name in listed:
            raise InputError(f"{entry.where}: {name} is there twice; list each photograph under one path")
        else:
            listed[name] = entry
    if not listed:
        found = f"none of its {counted(len(absent), 'path')} is" if absent else "it names no photograph"
        first = f" (first: {some_names(absent, 1)})" if absent else ""
        msg = (
            f"{path}: {found} in {places.folder}{first}; write them relative to that folder, or to the list's"
        )
        raise InputError(msg)
    total = len(listed) + len(absent)
    first = some_names(absent, 3)
    note = f"{len(absent)} of {total} photographs of {path} are not in the folder (first: {first})"
    return listed, [note] if absent else []

"""The results of an audit, written where people and programs look for them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npcam.audit.charts import pictures
from npcam.audit.figures import CAVEAT, WORST, entries, worst
from npcam.audit.numbers import Numbers, counted, of_many, of_one
from npcam.audit.saliency_card import saliency_card
from npcam.audit.words import in_markdown
from npcam.common.errors import InputError
from npcam.common.files import replacing
from npcam.common.text import to_json
from npcam.datasets.photographs import Photograph
from npcam.explain import look
from npcam.images.photos import open_photo
from npcam.localise.sheets import thumbnail
from npcam.model import Model
from npcam.pictures.saved import Origin, save_picture
from npcam.pictures.sheet import Sheet
from npcam.stream.batches import Reading

Row = Mapping[str, Any]
COLUMNS = 4  # of the contact sheet: as many as there are worst photographs of each number
CELL = 240  # pixels of the longer side of a photograph there


def summarise(
    rows: Sequence[Row], provenance: Mapping[str, Any]
) -> tuple[dict[str, Any], Numbers, list[Row]]:
    """All figures of an audit, without pictures.

    Args:
        rows: of all photographs.
        provenance: what they were made with and from.

    Returns:
        What is in audit.json; every number; and the rows of the photographs that could be read.

    Raises:
        InputError: none could be read.
    """
    read = [row for row in rows if "error" not in row]
    if not read:
        raise InputError(f"no photograph could be audited; the first: {rows[0]['error']}")
    numbers = of_many(read) if len(read) > 1 else of_one(read[0]["numbers"])
    found = {
        "format": "npcam-audit",
        "version": 1,
        "caveat": CAVEAT,
        "photographs": len(read),
        "unreadable": len(rows) - len(read),
        "with_boxes": counted(read, "inside.mass"),
        "figures": [{**entry, "picture": None} for entry in entries(numbers, {})],
        "numbers": {
            name: {**share._asdict(), "photographs": counted(read, name)} for name, share in numbers.items()
        },
        "worst": worst(read) if len(read) > 1 else {},
        "card": saliency_card(numbers, tuple(read[0]["map"][:2]), read[0]["map"][2], len(read)),
        "provenance": dict(provenance),
    }
    return found, numbers, read


def write_results(
    folder: Path,
    found: dict[str, Any],
    numbers: Numbers,
    read: Sequence[Row],
    title: str,
) -> list[str]:
    """Write `audit.json`, `per_photo.csv`, a picture for each figure and `audit.md`.

    Args:
        folder: where to; `worst.png` is shown where it lies there.
        found, numbers, read: of `summarise`; `found` is told the pictures' names.
        title: what was audited.

    Returns:
        What could not be written and why: pictures need Matplotlib.

    Raises:
        InputError: something cannot be written.
    """
    left_out, names = [], {}
    try:
        for key, data in pictures(read, numbers).items():
            names[key] = f"{key}.png"
            with replacing(folder / names[key]) as unfinished:
                unfinished.write_bytes(data)
    except InputError as error:
        left_out.append(str(error))
    for entry in found["figures"]:
        entry["picture"] = names.get(entry["key"])
    with replacing(folder / "audit.json") as unfinished:
        unfinished.write_text(f"{to_json(found)}\n", encoding="utf-8")
    write_per_photo(folder / "per_photo.csv", read)
    if found["worst"] and (folder / "worst.png").is_file():
        names["worst"] = "worst.png"
    with replacing(folder / "audit.md") as unfinished:
        unfinished.write_text(in_markdown(found, title, names), encoding="utf-8", errors="backslashreplace")
    return left_out


def write_per_photo(path: Path, rows: Sequence[Row]) -> None:
    """Write a line for each photograph, in the rows' order: its class and its numbers, by their names.

    Numbers are those that `float` reads back to the last bit; what a photograph has none of is empty.

    >>> import tempfile
    >>> row = {"photo": "a.jpg", "photo_sha256": "00", "class": "cat", "numbers": {"gini": 0.5}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_per_photo(Path(folder, "t.csv"), [row])
    ...     Path(folder, "t.csv").read_text().splitlines()
    ['photo,photo_sha256,class,gini', 'a.jpg,00,cat,0.5']
    """
    names = list(dict.fromkeys(name for row in rows for name in row["numbers"]))
    with (
        replacing(path) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["photo", "photo_sha256", "class", *names])
        for row in rows:
            of = row["numbers"]
            cells = ["" if name not in of else repr(float(of[name])) for name in names]
            writer.writerow([row["photo"], row["photo_sha256"], row["class"], *cells])


def write_worst(
    folder: Path,
    found: Mapping[str, Any],
    model: Model,
    photographs: Sequence[Photograph],
    reading: Reading,
) -> None:
    """Draw the worst photographs with their maps, a row for each number: `worst.png`.

    Raises:
        InputError: it cannot be written, or a photograph has gone meanwhile.
    """
    paths = {photograph.name: photograph.path for photograph in photographs}
    rows = [(name, one) for name in WORST for one in found["worst"].get(name, ())]
    if not rows:
        return
    sheet = Sheet(COLUMNS * len(found["worst"]), CELL, COLUMNS)
    drawn: dict[str, Any] = {}
    for i, (name, one) in enumerate(_places(rows)):
        if name is None:
            continue
        photo = one["photo"]
        if photo not in drawn:
            picture = open_photo(paths[photo], reading.exif_transpose)
            (seen,) = look(model, [picture], reading.interpolation, reading.align, reading.threshold)
            e = seen.explain()
            drawn[photo] = thumbnail(e, (), CELL), e.title
        small, caption = drawn[photo]
        sheet.add(i, small, f"{name} {one['value']:.2f}: {caption}", photo)
    save_picture(sheet.image, folder / "worst.png", Origin())


def _places(rows: Sequence[tuple[str, Any]]) -> list[tuple[str | None, Any]]:
    """The sheet's cells in reading order: a row for each number, filled up with empty cells."""
    cells: list[tuple[str | None, Any]] = []
    for name in dict.fromkeys(name for name, _ in rows):
        own = [row for row in rows if row[0] == name]
        cells += [*own, *[(None, None)] * (COLUMNS - len(own))]
    return cells

"""The index of many photographs: a page with a row for each, to be sorted and filtered."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npcam.common.web import in_script, write_page
from npcam.labels import as_written
from npcam.report.canonical import canonical
from npcam.report.page import CHECKOUT, PROBABILITIES, card

KEYS = ("index", "probability", "margin", "evidence_in_box", "everywhere", "findings", "page", "command")


def write_index(path: str | Path, bundle: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the index as one HTML file, in which the small pictures, the style and the script lie.

    Args:
        path: the file; the old one is replaced as a whole.
        bundle: what a report says of the network and the options.
        rows: one for each photograph, see `npcam.report.row`, with `page` (the address of its report,
            relative to the index, or None) and `command` (which makes it); or `photo` and `error`.

    Raises:
        InputError: there is no Jinja2, or the page cannot be written.
    """
    read = sum("error" not in row for row in rows)
    write_page(
        path,
        "npcam.report",
        "index",
        CHECKOUT,
        scripts=("make.js", "table.js"),
        title=f"{read:,} photographs",
        npcam=bundle["npcam"],
        failed=len(rows) - read,
        pages=any(row.get("page") for row in rows),
        card=card(bundle),
        data=_data(rows, bundle["model"]["activation"]),
        bundle=canonical({**bundle, "photos": []}),
    )


def _data(rows: Sequence[Mapping[str, Any]], activation: str) -> str:
    """The rows as JSON that may stand in a script element, a row a line."""
    classes = {row["index"]: as_written(row["name"]) for row in rows if "error" not in row}
    parts = [
        f'"probabilities":{in_script(activation in PROBABILITIES)}',
        f'"classes":{in_script(sorted(classes.items()))}',
        f'"rows":[\n{",".join(f"{in_script(_row(row))}{chr(10)}" for row in rows)}]',
    ]
    return "{" + ",\n".join(parts) + "}"


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the table has of a photograph."""
    if "error" in row:
        return {
            "photo": row["photo"],
            "error": row["error"],
            **dict.fromkeys(KEYS),
            "findings": [],
            "picture": None,
        }
    picture = f"data:image/jpeg;base64,{base64.b64encode(row['thumbnail']).decode('ascii')}"
    return {"photo": row["photo"], "error": None, **{key: row[key] for key in KEYS}, "picture": picture}

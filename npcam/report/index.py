"""The index of many photographs: a page with a row for each."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npcam.common.files import replacing
from npcam.report.canonical import canonical


def write_index(path: str | Path, bundle: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the index as one HTML file.

    Args:
        path: the file; the old one is replaced as a whole.
        bundle: what a report says of the network and the options.
        rows: one for each photograph, see `npcam.report.row`, with `page` (the address of its report,
            relative to the index, or None) and `command` (which makes it); or `photo` and `error`.

    Raises:
        InputError: the page cannot be written.
    """
    shown = []
    for row in rows:
        name = html.escape(row["photo"])
        if "error" in row:
            shown.append(f"<tr><td>{name}<td colspan=5>{html.escape(row['error'])}")
            continue
        picture = base64.b64encode(row["thumbnail"]).decode("ascii")
        link = (
            f"<code>{html.escape(row['command'])}</code>"
            if row["page"] is None
            else f'<a href="{html.escape(row["page"])}">report</a>'
        )
        margin = "" if row["margin"] is None else f"{row['margin']:.3f}"
        shown.append(
            f'<tr><td><img alt="" src="data:image/jpeg;base64,{picture}">{name}<td>{html.escape(row["name"])}'
            f"<td>{row['probability']:.3f}<td>{margin}<td>{row['evidence_in_box']:.3f}"
            f"<td>{html.escape('; '.join(row['findings']))}<td>{link}"
        )
    lines = "\n".join(shown)
    data = canonical({**bundle, "photos": []})
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>npcam report</title>\n'
        f"<table>\n{lines}\n</table>\n"
        f'<script type="application/json" id="npcam-report-index">\n{data}\n</script>\n</html>\n'
    )
    with replacing(path) as unfinished:
        unfinished.write_bytes(text.encode("utf-8", "backslashreplace"))

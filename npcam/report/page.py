"""The page of a report: its pictures and its data in one file."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npcam.common.files import replacing
from npcam.report.canonical import canonical


def write_page(path: str | Path, bundle: Mapping[str, Any], pictures: Sequence[bytes]) -> None:
    """Write a report as one HTML file.

    Args:
        path: the file; the old one is replaced as a whole.
        bundle: the data.
        pictures: for each photograph the bytes of a JPEG.

    Raises:
        InputError: the page cannot be written.
    """
    images = "\n".join(
        f'<h2>{html.escape(photo["photo"])}</h2>\n<img data-photo="{number}" alt="" '
        f'src="data:image/jpeg;base64,{base64.b64encode(picture).decode("ascii")}">'
        for number, (photo, picture) in enumerate(zip(bundle["photos"], pictures, strict=True))
    )
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>npcam report</title>\n{images}\n'
        f'<script type="application/json" id="npcam-report">\n{canonical(bundle)}\n</script>\n</html>\n'
    )
    with replacing(path) as unfinished:
        unfinished.write_bytes(text.encode("utf-8", "backslashreplace"))

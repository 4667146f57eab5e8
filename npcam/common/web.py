"""Pages that open from disk: template, style and script put into one file, and data that may stand in it."""

import json
import os
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from npcam.common.errors import InputError
from npcam.common.files import replacing


def write_page(
    path: str | Path, room: str, name: str, advice: str, scripts: Sequence[str] = (), **values: Any
) -> None:
    """Render a page and write it, one file in which style and script lie.

    Args:
        path: the file; the old one is replaced as a whole.
        room: the package in whose folder `page` the page's own files are: `NAME.html.j2`, `NAME.css`,
            `NAME.js`.
        name: theirs, without what follows the point.
        advice: how Jinja2 is had, as the end of the message where it is missing.
        scripts: what the page's own script uses, out of the same folder or of `common/page`.
        values: what the template shows; each is escaped there.

    Raises:
        InputError: there is no Jinja2, or the page cannot be written.
    """
    try:
        import jinja2
    except ImportError as error:
        msg = f"{Path(path).name} needs {error.name}; `pip install jinja2` brings it, {advice}"
        raise InputError(msg) from error
    folders = [resources.files(package) / "page" for package in (room, "npcam.common")]
    options = {
        "autoescape": True,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": jinja2.StrictUndefined,
        "loader": jinja2.FunctionLoader(lambda file: _text(folders, file)),
    }
    template = jinja2.Environment(**options).get_template(f"{name}.html.j2")  # type: ignore[arg-type]
    text = template.render(
        style=_joined(folders, ["base.css", f"{name}.css"]),
        script=_joined(folders, [*scripts, f"{name}.js"]),
        **values,
    )
    with (
        replacing(path) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        file.write(f"{text}\n")


def in_script(value: Any, sort_keys: bool = False) -> str:
    r"""A value as JSON in ASCII, on one line; nothing in it begins a tag, or ends the script it stands in.

    Raises:
        ValueError: NaN or infinity, which JSON does not have.

    >>> print(in_script({"a": "</script>"}))
    {"a":"\u003c/script>"}
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, sort_keys=sort_keys)
    return text.replace("<", "\\u003c")


def address(file: str) -> str:
    """The address of a file beside the page, whatever is in its name.

    >>> address("a b#1.jpg")
    'a%20b%231.jpg'
    """
    return quote(os.fsencode(file.replace(os.sep, "/")))


def _text(folders: Sequence[Traversable], name: str) -> str:
    """A file out of the first folder that has it."""
    return next(folder / name for folder in folders if (folder / name).is_file()).read_text(encoding="utf-8")


def _joined(folders: Sequence[Traversable], names: Sequence[str]) -> str:
    return "\n".join(_text(folders, name).strip() for name in names)

"""The photographs and the weights that a report is of, found by what is in them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.hashes import sha256_file, sha256_of_file
from npcam.common.published import NAMES
from npcam.common.where import weights_path
from npcam.report.read import Report
from npcam.stream.listing import ENDINGS, list_photographs


def find_weights(report: Report, given: str | Path | None = None) -> Path:
    """The weights file that a report is of: the one given, the bundled one, or a fetched one.

    Args:
        report: what it says of the file's hash; its name is not looked for.
        given: a file, or the name of fetched weights.

    Raises:
        InputError: none of them is that file.
    """
    wanted = report.data["model"]["weights_sha256"]
    if given is not None:
        path = weights_path(given)
        found = sha256_file(path)
        if found == wanted:
            return path
        raise InputError(
            f"{report.path}: cannot be checked with {path}: it has the SHA-256 {found}, and the report is of "
            f"weights that have {wanted}"
        )
    for name in (None, *NAMES):
        with suppress(InputError, OSError):  # not fetched
            path = weights_path(name)
            if sha256_file(path) == wanted:
                return path
    called = report.data["model"]["weights"]
    msg = f"its weights ({called}, SHA-256 {wanted}) are not the bundled ones or fetched"
    raise InputError(f"{report.path}: cannot be checked: {msg}; give them with --weights")


def find_photographs(report: Report, folder: str | Path | None = None) -> list[Path]:
    """The photographs that a report is of: those of the name that it says, then any that have the hash.

    They are looked for beside the report, and in a folder and all below it. What the report calls them is
    used as a name alone, never as a path.

    Args:
        report: what it says of their names and hashes.
        folder: where else to look first.

    Raises:
        InputError: one of them is nowhere.
    """
    beside = Path(report.path).parent
    photos = report.data["photos"]
    wanted = {photo["photo_sha256"] for photo in photos}
    names = {photo["photo"] for photo in photos}
    found: dict[str, Path] = {}
    seen: dict[str, str] = {}  # the hash of the first file of a name
    for path in _candidates(beside, None if folder is None else Path(folder), names):
        if found.keys() >= wanted:
            break
        sha256 = _sha256(path)
        if sha256 is not None:
            seen.setdefault(path.name, sha256)
            found.setdefault(sha256, path)
    for number, photo in enumerate(photos, start=1):
        if photo["photo_sha256"] not in found:
            raise InputError(_not_found(report.path, number, photo, seen.get(photo["photo"])))
    return [found[photo["photo_sha256"]] for photo in photos]


def _not_found(path: str, number: int, photo: dict[str, Any], other: str | None) -> str:
    """Why a photograph is missing."""
    called = f"{path}: cannot be checked: photo {number}, {photo['photo']}"
    wanted = f"SHA-256 {photo['photo_sha256']}"
    if other is None:
        return f"{called} ({wanted}), is not beside it; give its folder with --photos"
    return f"{called}: the file of that name has the SHA-256 {other}, and the report is of one with {wanted}"


def _candidates(beside: Path, folder: Path | None, names: Iterable[str]) -> Iterator[Path]:
    """Files that may be the photographs: those of the right names first."""
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --photos takes the folder of the photographs")
    for place in (folder, beside):
        if place is not None:
            yield from (place / name for name in sorted(names))
    if folder is not None:
        yield from map(Path, list_photographs([str(folder)]).photos)
    with suppress(OSError), os.scandir(beside) as entries:
        yield from sorted(Path(one.path) for one in entries if Path(one.name).suffix.lower() in ENDINGS)


def _sha256(path: Path) -> str | None:
    """The hash of a file; None where none is there that can be read."""
    with suppress(InputError, OSError, ValueError), open_file(path, "") as file:
        return sha256_of_file(file)
    return None

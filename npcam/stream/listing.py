"""What people name, as a list of photographs: files, folders, patterns, or a list on standard input."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_LIST_BYTES
from npcam.pictures.saved import is_own

# Endings of pictures' names. A HEIC picture is no photograph that npcam reads: it is listed to be named.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".mpo"}
    | {".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".webp", ".avif", ".pcx", ".tga", ".heic", ".heif"}
)


class Listing(NamedTuple):
    """What was found.

    Attributes:
        photos: paths, in the order named; those of a folder or a pattern in that of their names.
        errors: (what was named, why there is nothing).
        notes: what was left out.
    """

    photos: tuple[str, ...]
    errors: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def list_photographs(named: Sequence[str], stdin: BinaryIO | None = None) -> Listing:
    """Find the photographs that people name.

    A folder stands for the pictures in it and below, by the endings of their names; hidden files and
    folders, links to folders, and pictures that npcam drew are left out. A pattern (`*.jpg`, `**/*.png`)
    is for shells that do not resolve it themselves. What is found twice in this way is taken once.

    Args:
        named: paths of files and folders, patterns, or `-` for a list on standard input.
        stdin: where that list is: one path a line, or with a NUL after each, as `find -print0` writes.

    Raises:
        InputError: the list is too long, or asked for twice.

    >>> list_photographs(["examples"]).photos
    ('examples/chelsea.png', 'examples/coffee.png', 'examples/rocket.jpg')
    """
    paths: list[str] = []
    for name in named:
        paths += _listed(stdin) if name == "-" else [name]
    if list(named).count("-") > 1:
        raise InputError("-: the list on standard input is there once; name it once")
    photos: list[str] = []
    errors: list[tuple[str, str]] = []
    seen: set[str] = set()
    drawn = 0
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  # where Path raises for a NUL
            found, nothing = sorted(_pictures(path)), "holds no pictures; name a folder that does"
        elif not os.path.lexists(path) and glob.has_magic(path):
            found, nothing = _matching(path), "no file is called like this; give the path of a photograph"
        else:
            photos.append(path)
            seen.add(os.path.abspath(path))  # noqa: PTH100
            continue
        own = {one for one in found if ("_cam" in one or one.endswith(".png")) and is_own(one)}
        drawn += len(own)
        new = [one for one in found if one not in own and os.path.abspath(one) not in seen]  # noqa: PTH100
        seen.update(map(os.path.abspath, new))
        photos += new
        if not found or len(own) == len(found):
            errors.append((path, f"{path}: {nothing}"))
    notes = (f"{drawn:,} of the pictures found were drawn by npcam, and are left out",) if drawn else ()
    return Listing(tuple(photos), tuple(errors), notes)


def _pictures(folder: str) -> Iterator[str]:
    """The pictures in a folder and below, by their names."""
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if os.path.splitext(name)[1].lower() in ENDINGS and not name.startswith("."):  # noqa: PTH122
                yield os.path.join(where, name)  # noqa: PTH118  # a path as it was given, `./` and all


def _matching(pattern: str) -> list[str]:
    """The files that a pattern means, and the pictures of folders that it means."""
    found: list[str] = []
    for path in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207  # Path.glob wants a folder
        found += sorted(_pictures(path)) if Path(path).is_dir() and "**" not in pattern else [path]
    return [path for path in found if not Path(path).is_dir()]


def _listed(stdin: BinaryIO | None) -> list[str]:
    """The paths of a list on standard input."""
    data = b"" if stdin is None else stdin.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise InputError(f"-: the list has more than {MAX_LIST_BYTES:,} bytes; give it in parts")
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    found = [os.fsdecode(name) for name in names if name.strip()]
    if not found:
        raise InputError("-: standard input has no list; one path a line, as `find` prints them")
    return found

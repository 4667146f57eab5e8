"""What people name, as a list of photographs: files, folders, patterns, or a list on standard input."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_LIST_BYTES
from npcam.common.text import some_names
from npcam.pictures.saved import is_own, is_picture_name

# Endings of pictures' names. A HEIC picture is no photograph that npcam reads: it is listed to be named.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".mpo"}
    | {".tif", ".tiff", ".jp2", ".j2k", ".jpx", ".webp", ".avif", ".pcx", ".tga", ".heic", ".heif"}
)
_RECURSIVE = re.compile(r"(?:(.*?)/)?\*\*(?:/(.*))?", re.DOTALL)  # a pattern with a part that is `**`


class Listing(NamedTuple):
    """What was found.

    Attributes:
        photos: paths, in the order named; those of a folder or a pattern in that of their names.
        errors: (what was named, or a folder below it; why there is nothing).
        notes: what was left out.
    """

    photos: tuple[str, ...]
    errors: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def list_photographs(named: Sequence[str], stdin: BinaryIO | None = None) -> Listing:
    """Find the photographs that people name.

    A folder stands for the pictures in it and below, by the endings of their names; hidden files and
    folders, links to folders, and pictures that npcam drew are left out. A pattern (`*.jpg`, `**/*.png`)
    is for shells that do not resolve it themselves. What a folder or a pattern holds is taken once, even
    if it is named besides.

    Args:
        named: paths of files and folders, patterns, or `-` for a list on standard input.
        stdin: where that list is: one path a line, or with a NUL after each, as `find -print0` writes.

    Raises:
        InputError: the list is too long, or asked for twice.

    >>> list_photographs(["examples"]).photos
    ('examples/chelsea.png', 'examples/coffee.png', 'examples/rocket.jpg')
    """
    if list(named).count("-") > 1:
        raise InputError("-: the list on standard input is there once; name it once")
    paths: list[str] = []
    for name in named:
        paths += _listed(stdin) if name == "-" else [name]
    search = _Search()
    photos: list[str] = []
    errors: list[tuple[str, str]] = []
    seen: set[str] = set()
    of_folders: set[str] = set()
    drawn = 0
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  # where Path raises for a NUL
            found, nothing = sorted(search.pictures(path)), "holds no pictures; name a folder that does"
        elif not os.path.lexists(path) and glob.has_magic(path):
            found, nothing = search.matching(path), "no file is called like this; give a photograph's path"
        else:
            place = os.path.abspath(path)  # noqa: PTH100
            if place not in of_folders:
                photos.append(path)
                seen.add(place)
            continue
        own = {one for one in found if is_picture_name(one) and is_own(one)}
        drawn += len(own)
        new = {os.path.abspath(one): one for one in found if one not in own}  # noqa: PTH100
        photos += [one for place, one in new.items() if place not in seen]
        of_folders |= new.keys() - seen
        seen |= new.keys()
        if len(own) == len(found) and not search.errors:
            errors.append((path, f"{path}: {nothing}"))
        errors += search.errors
        search.errors.clear()
    notes = [f"{drawn:,} of the pictures found were drawn by npcam, and are left out"] if drawn else []
    if search.links:
        notes.append(
            f"links to folders are not followed: {some_names(search.links)}; name those that are meant"
        )
    return Listing(tuple(photos), tuple(errors), tuple(notes))


class _Search:
    """Looks through folders.

    Attributes:
        errors: folders that could not be looked into, and why; as in a listing.
        links: links to folders, which were not followed: they may lead in a circle.
    """

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.links: list[str] = []

    def pictures(self, folder: str) -> Iterator[str]:
        """The pictures in a folder and below, by their names."""
        for where, files in self._walk(folder):
            for name in files:
                if os.path.splitext(name)[1].lower() in ENDINGS and not name.startswith("."):  # noqa: PTH122
                    yield os.path.join(where, name)  # noqa: PTH118  # a path as it was given, `./` and all

    def matching(self, pattern: str) -> list[str]:
        """The files that a pattern means, and the pictures of folders that it means; sorted."""
        cut = _RECURSIVE.fullmatch(pattern)
        if cut is not None:
            return sorted(set(self._below(cut[1], cut[2] or "*")))
        found: set[str] = set()
        for path in glob.glob(pattern):  # noqa: PTH207  # Path.glob wants a folder
            found.update(self.pictures(path) if Path(path).is_dir() else [path])
        return sorted(found)

    def _below(self, base: str | None, rest: str) -> Iterator[str]:
        """What a pattern means in folders and all below them; `glob` would follow links in circles."""
        bases = [os.curdir] if base is None else glob.glob(base or os.sep)  # noqa: PTH207
        for top in bases:
            for where, _ in self._walk(top) if Path(top).is_dir() else ():
                inside = where if base is not None else where[len(os.curdir) + 1 :]
                one = os.path.join(glob.escape(inside), rest)  # noqa: PTH118
                cut = _RECURSIVE.fullmatch(one)
                found = glob.glob(one) if cut is None else self._below(cut[1], cut[2] or "*")  # noqa: PTH207
                yield from (path for path in found if not Path(path).is_dir())

    def _walk(self, folder: str) -> Iterator[tuple[str, list[str]]]:
        """A folder and all below it that are not hidden, each with its files."""
        for where, folders, files in os.walk(folder, onerror=self._refused):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = (os.path.join(where, name) for name in folders)  # noqa: PTH118
            self.links += [path for path in below if os.path.islink(path) and path not in self.links]  # noqa: PTH114
            yield where, files

    def _refused(self, error: OSError) -> None:
        """Remember a folder that cannot be looked into."""
        path = str(error.filename)
        reason = f"{path}: cannot be looked into ({error.strerror or error}); check its permissions"
        if (path, reason) not in self.errors:
            self.errors.append((path, reason))


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

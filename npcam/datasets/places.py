"""The photographs of a folder, and which of them a list means by a path."""

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

from npcam.common.errors import InputError


class Places:
    r"""The photographs of a folder, by their paths relative to it, with "/".

    A list's paths are compared with what the folder holds, so that none leads anywhere else, whatever
    `..`, `/` or `\` stands in it.

    Attributes:
        folder: where they are.
        pictures: name -> path of each.
    """

    def __init__(self, folder: str | Path, pictures: Mapping[str, str]) -> None:
        self.folder = Path(folder)
        self.pictures = pictures
        self._roots = _spellings(folder)
        self._starts: dict[str, tuple[str, ...]] = {}  # of each list: where its paths may begin

    def find(self, key: str, beside: str | Path) -> str | None:
        """The name of the photograph that a path in a list means, or None where the folder has none.

        Args:
            key: a path relative to the list's folder or, where no photograph is there, to the
                photographs' folder or to the one that this lies in.
            beside: the list.
        """
        if "\0" in key:
            return None
        lists = os.fspath(beside)
        if lists not in self._starts:
            above = [os.path.dirname(root) for root in self._roots]  # noqa: PTH120  # letters alone
            self._starts[lists] = (*_spellings(Path(lists).parent), *self._roots, *above)
        for written in (key, key.replace("\\", "/")):
            for start in self._starts[lists]:
                path = os.path.normpath(os.path.join(start, written))  # noqa: PTH118  # letters alone
                for root in self._roots:
                    if not path.startswith(root + os.sep):
                        continue
                    name = path[len(root) + 1 :].replace(os.sep, "/")
                    if name in self.pictures:
                        return name
        return None


def _spellings(folder: str | Path) -> tuple[str, ...]:
    """The absolute paths of a folder: as it is written, and with all links followed."""
    return tuple(dict.fromkeys((os.path.abspath(folder), os.path.realpath(folder))))  # noqa: PTH100


def class_folder(name: str) -> str:
    """The first folder of a photograph's name; "" for one that lies in none.

    >>> class_folder("cat/small/1.jpg"), class_folder("1.jpg")
    ('cat', '')
    """
    return name.partition("/")[0] if "/" in name else ""


def stem(name: str) -> str:
    """The name of a file without its folders and its suffix.

    >>> stem("val/ILSVRC2012_val_00000001.JPEG")
    'ILSVRC2012_val_00000001'
    """
    return posixpath.splitext(posixpath.basename(name))[0]


def files_below(folder: str | Path, suffixes: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """The files of some kinds in a folder and in its folders.

    What is hidden (its name begins with a dot) is left out, and folders that are links are not entered.

    Args:
        folder: where to look.
        suffixes: of the files, in small letters, with the dot.

    Returns:
        Name relative to the folder, with "/", -> path, sorted; and the names of folders that are links.

    Raises:
        InputError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(
            f"{error.filename}: cannot be read ({error.strerror}); check its permissions"
        ) from error

    found: dict[str, str] = {}
    links: list[str] = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        below = os.path.relpath(place, folder).replace(os.sep, "/")
        start = "" if below == "." else f"{below}/"
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links += [f"{start}{name}" for name in folders if Path(place, name).is_symlink()]
        for name in files:
            if name.lower().endswith(suffixes) and not name.startswith("."):
                found[f"{start}{name}"] = os.path.join(place, name)  # noqa: PTH118  # thousands
    return dict(sorted(found.items())), sorted(links)


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "folder"), counted(2, "folder")
    ('1 folder', '2 folders')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

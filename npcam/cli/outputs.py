"""What `npcam explain` writes: pictures and maps beside each other, over nothing but its own of before.

An overlay says in the PNG that npcam made it (`Software`). A map has the header of an `.npy` file
with more spaces at its end than NumPy leaves, which every reader skips.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import open_file, replacing, shorten
from npcam.common.version import __version__
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

PNG = b"\x89PNG\r\n\x1a\n"
NPY = b"\x93NUMPY\x01\x00"
MAP_HEADER = 448  # bytes in front of a map's numbers; NumPy's own header of it has 128
HEAD = 4096  # bytes of a file that tell whose it is
LONGEST_END = len("_cam-99999.png")
LONGEST_CLASS = 100  # bytes of what a name says of its classes


def make_folder(folder: Path, option: str) -> None:
    """Have the folder that an option names, and those that it lies in.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{folder}: cannot make this folder ({reason}); choose another {option}") from error


def output_names(photos: Sequence[str], folder: Path) -> list[Path]:
    """A path without suffix for each photograph's files; none hides another, or is a photograph.

    Where the photograph's name is as long as a name can be, the overlay's begins as it does.

    >>> [path.name for path in output_names(["a/cat.jpg", "b/cat.png", "dog.jpg"], Path("maps"))]
    ['cat_cam', 'cat_cam-2', 'dog_cam']
    """
    read = {identity for photo in photos for identity in _identities(Path(photo))}
    longest = _longest(folder)
    seen: dict[str, int] = {}
    taken: dict[Path, None] = {}
    for photo in photos:
        stem = f"{shorten(Path(photo).stem, longest - LONGEST_END)}_cam"
        while True:
            seen[stem] = seen.get(stem, 0) + 1
            path = folder / (stem if seen[stem] == 1 else f"{stem}-{seen[stem]}")
            files = (overlay_path(path), map_path(path))
            if path not in taken and not any(read & _identities(file) for file in files):
                break
        taken[path] = None
    return list(taken)


class ClassNames:
    """Paths with a class in the name: `chelsea_dog_cam` beside `chelsea_cam`.

    None is given twice, and none is a photograph that is read.
    """

    def __init__(self, photos: Sequence[str]) -> None:
        self._read = {identity for photo in photos for identity in _identities(Path(photo))}
        self._taken: set[Path] = set()

    def path(self, name: Path, words: str) -> Path:
        """A path without suffix, for what is shown of the photograph with that name.

        >>> ClassNames(["chelsea.png"]).path(Path("maps/chelsea_cam-2"), "garbage truck").name
        'chelsea_garbage_truck_cam-2'
        """
        stem, number = re.fullmatch(r"(.*)_cam(-\d+)?", name.name, re.DOTALL).groups()  # type: ignore[union-attr]
        shown = shorten(re.sub(r"[^\w.-]+", "_", words), LONGEST_CLASS)
        stem = shorten(stem, _longest(name.parent) - len(f"_{shown}".encode()) - LONGEST_END - len("-999"))
        tries = 1
        while True:
            end = number or "" if tries == 1 else f"{number or ''}-{tries}"
            path = name.with_name(f"{stem}_{shown}_cam{end}")
            files = (overlay_path(path), map_path(path))
            if path not in self._taken and not any(self._read & _identities(file) for file in files):
                self._taken.add(path)
                return path
            tries += 1


def overlay_path(name: Path) -> Path:
    """Where the overlay of that name goes."""
    return name.with_name(f"{name.name}.png")


def map_path(name: Path) -> Path:
    """Where the map of that name goes."""
    return name.with_name(f"{name.name}.npy")


def require_own(path: Path) -> None:
    """See to it that nothing but an overlay or a map of npcam's is written over.

    Raises:
        InputError: another program's file is there, or nobody can tell whose it is.
    """
    if not path.exists():
        return
    with open_file(path, "choose another -o") as file:
        head = file.read(HEAD)
    if not (_is_overlay(head) or _is_map(head)):
        raise InputError(f"{path}: is there, and npcam did not make it; move it or choose another -o")


def save_overlay(image: "Image", path: Path) -> None:
    """Write a PNG that is whole or not there, and says that npcam made it."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", f"npcam {__version__}")
    with replacing(path) as unfinished:
        image.save(unfinished, format="PNG", compress_level=4, pnginfo=info)


def save_map(array: Array, path: Path) -> None:
    """Write a map (h, w) as an .npy file that is whole or not there; `numpy.load` reads it."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    text = f"{{'descr': '{plain.dtype.str}', 'fortran_order': False, 'shape': {plain.shape}, }}"
    size = MAP_HEADER - len(NPY) - 2
    header = NPY + size.to_bytes(2, "little") + text.encode().ljust(size - 1) + b"\n"
    with replacing(path) as unfinished:
        unfinished.write_bytes(header + plain.tobytes())


def _longest(folder: Path) -> int:
    """How many bytes a file's name may have in a folder."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # AttributeError: a system that has no such call
        return 255


def _is_overlay(head: bytes) -> bool:
    """Whether a file's first bytes are those of an overlay: a PNG whose `Software` is npcam."""
    at = len(PNG)
    while head.startswith(PNG) and at + 8 <= len(head):
        size, kind = int.from_bytes(head[at : at + 4]), head[at + 4 : at + 8]
        if kind == b"tEXt" and head[at + 8 : at + 8 + size].startswith(b"Software\0npcam "):
            return True
        at += 12 + size
    return False


def _is_map(head: bytes) -> bool:
    """Whether a file's first bytes are those of a map: the header that `save_map` writes."""
    size = MAP_HEADER - len(NPY) - 2
    text = rb"\{'descr': '<f[48]', 'fortran_order': False, 'shape': \(\d+, \d+\), \} +\n"
    begins = head.startswith(NPY + size.to_bytes(2, "little"))
    return begins and re.fullmatch(text, head[len(NPY) + 2 : MAP_HEADER]) is not None


def _identities(path: Path) -> set[object]:
    """What two paths share if they lead to one file: where its links end, and the file's own number."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return {os.path.realpath(path)} if "\0" not in str(path) else set()
    return {os.path.realpath(path), (found.st_dev, found.st_ino)}

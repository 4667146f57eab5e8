"""Zips from strangers: what is looked at before Python's zipfile reads one, and what it may raise then."""

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from npcam.common.errors import InputError
from npcam.common.limits import MAX_ZIP_DIRECTORY

# What Python's zipfile raises on the way through a damaged file, not all of it its own.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    ArithmeticError,
    RuntimeError,
)


def is_zip(path: str | Path) -> bool:
    """Whether a file starts as a zip does."""
    with Path(path).open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def check_directory(path: str | Path, most: int, kind: str, usual: str) -> None:
    """Look at the size of a zip's table of contents before it is read.

    Args:
        path: the file.
        most: members that it may have.
        kind: what it should be, "a .keras file", for messages.
        usual: how many members that has, in words.

    Raises:
        InputError: the zip ends too early, or has more members than such a file.
    """
    with Path(path).open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 22 - 65_535))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise InputError(f"{path}: a zip that ends too early; get it again")
    members = int.from_bytes(tail[at + 10 : at + 12], "little")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if size == 0xFFFFFFFF or members == 0xFFFF:
        raise InputError(f"{path}: a zip of more members than {kind} has; refused")
    if members > most or size > MAX_ZIP_DIRECTORY:
        raise InputError(f"{path}: a zip of {members} members; {kind} has {usual}; refused")


def check_names(names: Sequence[str], where: str) -> None:
    """Raise InputError where a zip has a member twice: which of the two is meant, nobody can say."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{where}: {twice[0]} is in the zip twice; refused, save the model again")


def check_packing(info: zipfile.ZipInfo, where: str, writer: str, advice: str) -> None:
    """Raise InputError for a member that is encrypted, or compressed in a way that its writer never uses."""
    if info.flag_bits & 1:
        raise InputError(f"{where} is encrypted; {advice} without")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{where} is compressed in a way that {writer} never does; {advice} again")

"""NumPy's `.npy` from strangers: the header is searched, not evaluated; numbers are counted, then read."""

import math
import re
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_NPY_HEADER
from npcam.shapes import Array

MAGIC = b"\x93NUMPY"
_PIECE = 2**22  # numbers that are read at a time
# A header is a dict in Python's notation. It is searched, not evaluated: what a stranger may nest
# there makes Python's parser raise nearly anything.
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([<>=|]?[a-zA-Z]\w*)['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)\b""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d,\sL]*)\)""")
_SIDE = re.compile(r"\s*[0-9]{1,18}L?\s*")  # L: Python 2 wrote long integers so


class Header(NamedTuple):
    """What an .npy file says of its array.

    Attributes:
        dtype: the type of its numbers.
        shape: how many there are.
        fortran: whether the first axis runs fastest.
        length: bytes of the file before its numbers.
    """

    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    fortran: bool
    length: int


def read_header(file: IO[bytes], path: str | Path) -> Header:
    """The header of an .npy file, of any version, up to the first of its numbers.

    After NEP 1 and `numpy.lib.format`: the length of the text has two bytes, from version 2 on four.

    Args:
        file: the open file, at its beginning.
        path: its path, for messages.

    Raises:
        InputError: it is no .npy file, is damaged, or holds Python objects.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise InputError(f"{path}: not a NumPy array file; save one with numpy.save")
    version = file.read(2)
    size = 2 if version[:1] == b"\1" else 4
    length = int.from_bytes(file.read(size), "little")
    if length > MAX_NPY_HEADER:
        raise unreadable(path, f"its header has {length:,} bytes, {MAX_NPY_HEADER:,} at most")
    text = file.read(length).decode("latin-1")
    descr, order, shape = _DESCR.search(text), _ORDER.search(text), _SHAPE.search(text)
    if len(text) < length or descr is None or order is None or shape is None:
        raise unreadable(path, f"its header is no plain array's: {text[:60]!r}")
    sides = shape[1].split(",")
    sides = sides if sides[-1].strip() else sides[:-1]
    if not all(map(_SIDE.fullmatch, sides)):
        raise unreadable(path, f"its header has a damaged shape: ({shape[1][:60]})")
    try:
        dtype = np.dtype(descr[1])
    except (TypeError, ValueError) as error:
        raise unreadable(path, f"its header has the unknown type {descr[1][:60]!r}") from error
    if dtype.hasobject:
        raise unreadable(path, "it holds Python objects")
    length += len(MAGIC) + len(version) + size
    return Header(dtype, tuple(int(side.strip().rstrip("L")) for side in sides), order[1] == "True", length)


def check_size(header: Header, left: int, path: str | Path) -> int:
    """How many numbers the array has; InputError where the `left` bytes after its header are too few."""
    count = math.prod(header.shape)
    if count * header.dtype.itemsize > left:
        reason = f"its {count:,} numbers take {count * header.dtype.itemsize:,} bytes, {left:,} are there"
        raise unreadable(path, reason)
    return count


def read_numbers(file: IO[bytes], header: Header, path: str | Path, dtype: Any) -> Array:
    """The numbers after the header, a piece at a time, as a new C-ordered array.

    Args:
        file: the open file, behind its header.
        header: what `read_header` gave, and `check_size` has seen.
        path: its path, for messages.
        dtype: float type of the result.

    Raises:
        InputError: the file is shorter than it was.
    """
    count, size = math.prod(header.shape), header.dtype.itemsize
    x = np.empty(count, dtype)
    with np.errstate(over="ignore"):
        for at in range(0, count, _PIECE):
            piece = np.frombuffer(file.read(min(_PIECE, count - at) * size), np.uint8)
            if len(piece) < min(_PIECE, count - at) * size:
                raise unreadable(path, "it has been cut short meanwhile")
            x[at : at + _PIECE] = piece.view(header.dtype)
    x = np.ascontiguousarray(x.reshape(header.shape, order="F" if header.fortran else "C"))
    return x.reshape(header.shape)  # which was made (1,) where it is ()


def unreadable(path: str | Path, reason: str) -> InputError:
    """The error for a damaged file."""
    return InputError(f"{path}: not a readable .npy file ({reason}); save it again")

"""A network's input from a file: a photograph, or a preprocessed batch that somebody saved."""

import math
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.limits import MAX_BATCH_BYTES, MAX_INPUT_PIXELS, MAX_NPY_HEADER
from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input
from npcam.preprocessing import MODES, Preprocessing, preprocess
from npcam.shapes import Array

_MAGIC = b"\x93NUMPY"
_PIECE = 2**22  # numbers that are read at a time
# A header is a dict in Python's notation. It is searched, not evaluated: what a stranger may nest
# there makes Python's parser raise nearly anything.
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([<>=|]?[a-zA-Z]\w*)['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)\b""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d,\sL]*)\)""")
_SIDE = re.compile(r"\s*[0-9]{1,18}L?\s*")  # L: Python 2 wrote long integers so


def is_batch(path: str | Path) -> bool:
    """Whether a file is a NumPy array, by its name or its first bytes."""
    try:
        with open_file(path, "give a photograph or an .npy file") as file:
            return Path(path).suffix == ".npy" or file.read(len(_MAGIC)) == _MAGIC
    except (OSError, InputError):
        return False


def read_input(
    path: str | Path, size: tuple[int, int], preprocessing: Preprocessing = MODES["caffe"]
) -> Array:
    """A preprocessed batch (N, H, W, 3) float32, from a photograph or an `.npy` file.

    Args:
        path: the file.
        size: (height, width) to which a photograph is resized; a saved batch keeps its own.
        preprocessing: what is done to a photograph; a saved batch is preprocessed already.

    Raises:
        InputError: the file is neither a photograph nor a saved batch, or it is damaged.
    """
    if is_batch(path):
        return read_batch(path)
    return preprocess(to_input(open_photo(path), size, grey=preprocessing.grey)[None], preprocessing)


def read_batch(path: str | Path) -> Array:
    """Read a preprocessed batch from an `.npy` file; nothing in it is run.

    Returns:
        (N, H, W, 3) float32.

    Raises:
        InputError: not an `.npy` file, damaged, too large, or not a batch of finite floats.
    """
    try:
        with open_file(path, "give an .npy file of a preprocessed batch") as file:
            header = _read_header(file, path)
            x = _read_values(file, header, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not np.isfinite(x).all():
        raise InputError(f"{path}: holds NaN, or numbers too large for float32; a batch must be finite")
    return x


class _Header(NamedTuple):
    """What an .npy file says of its array."""

    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    fortran: bool


def _read_header(file: BinaryIO, path: str | Path) -> _Header:
    """The header of an .npy file, of any version, up to the first of its numbers.

    After NEP 1 and `numpy.lib.format`: the length of the text has two bytes, from version 2 on four.
    """
    if file.read(len(_MAGIC)) != _MAGIC:
        raise InputError(f"{path}: not a NumPy array file; save one with numpy.save")
    version = file.read(2)
    length = int.from_bytes(file.read(2 if version[:1] == b"\1" else 4), "little")
    if length > MAX_NPY_HEADER:
        raise _unreadable(path, f"its header has {length:,} bytes, {MAX_NPY_HEADER:,} at most")
    text = file.read(length).decode("latin-1")
    descr, order, shape = _DESCR.search(text), _ORDER.search(text), _SHAPE.search(text)
    if len(text) < length or descr is None or order is None or shape is None:
        raise _unreadable(path, f"its header is no plain array's: {text[:60]!r}")
    sides = shape[1].split(",")
    sides = sides if sides[-1].strip() else sides[:-1]
    if not all(map(_SIDE.fullmatch, sides)):
        raise _unreadable(path, f"its header has a damaged shape: ({shape[1][:60]})")
    try:
        dtype = np.dtype(descr[1])
    except (TypeError, ValueError) as error:
        raise _unreadable(path, f"its header has the unknown type {descr[1][:60]!r}") from error
    if dtype.hasobject:
        raise _unreadable(path, "it holds Python objects")
    return _Header(dtype, tuple(int(side.strip().rstrip("L")) for side in sides), order[1] == "True")


def _read_values(file: BinaryIO, header: _Header, path: str | Path) -> Array:
    """The numbers after the header, as a C-ordered batch in float32, a piece at a time."""
    dtype, shape, fortran = header
    if len(shape) != 4 or shape[3] != 3 or dtype.kind != "f" or 0 in shape:
        msg = f"{path}: expected a preprocessed batch (N, H, W, 3) of floats, got {shape} of {dtype}"
        raise InputError(msg)
    count, pixels = math.prod(shape), shape[1] * shape[2]
    left = os.fstat(file.fileno()).st_size - file.tell()
    if count * dtype.itemsize > left:
        reason = f"its {count:,} numbers take {count * dtype.itemsize:,} bytes, {left:,} are there"
        raise _unreadable(path, reason)
    if 4 * count > MAX_BATCH_BYTES:
        msg = f"{path}: {shape} takes {4 * count:,} bytes, {MAX_BATCH_BYTES:,} at most; save fewer pictures"
        raise InputError(msg)
    if pixels > MAX_INPUT_PIXELS:
        msg = f"{path}: its pictures have {pixels:,} pixels, {MAX_INPUT_PIXELS:,} at most; save smaller ones"
        raise InputError(msg)
    x = np.empty(count, np.float32)
    with np.errstate(over="ignore"):
        for at in range(0, count, _PIECE):
            size = min(_PIECE, count - at)
            piece = np.frombuffer(file.read(size * dtype.itemsize), np.uint8)
            if len(piece) < size * dtype.itemsize:
                raise _unreadable(path, "it has been cut short meanwhile")
            x[at : at + size] = piece.view(dtype)
    return np.ascontiguousarray(x.reshape(shape, order="F" if fortran else "C"))


def _unreadable(path: str | Path, reason: str) -> InputError:
    """The error for a damaged file."""
    return InputError(f"{path}: not a readable .npy file ({reason}); save it again")

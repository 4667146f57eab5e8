"""A network's input from a file: a photograph, or a preprocessed batch that somebody saved."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.limits import MAX_BATCH_BYTES, MAX_INPUT_PIXELS
from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input
from npcam.preprocessing import MODES, Preprocessing, preprocess
from npcam.shapes import Array
from npcam.verify.npy import MAGIC, Header, check_size, read_header, read_numbers


def is_batch(path: str | Path) -> bool:
    """Whether a file is a NumPy array, by its name or its first bytes."""
    try:
        with open_file(path, "give a photograph or an .npy file") as file:
            return Path(path).suffix == ".npy" or file.read(len(MAGIC)) == MAGIC
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
            header = read_header(file, path)
            x = _read_values(file, header, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not np.isfinite(x).all():
        raise InputError(f"{path}: holds NaN, or numbers too large for float32; a batch must be finite")
    return x


def _read_values(file: BinaryIO, header: Header, path: str | Path) -> Array:
    """The numbers after the header, as a C-ordered batch in float32."""
    dtype, shape, *_ = header
    if len(shape) != 4 or shape[3] != 3 or dtype.kind != "f" or 0 in shape:
        msg = f"{path}: expected a preprocessed batch (N, H, W, 3) of floats, got {shape} of {dtype}"
        raise InputError(msg)
    pixels = shape[1] * shape[2]
    count = check_size(header, os.fstat(file.fileno()).st_size - file.tell(), path)
    if 4 * count > MAX_BATCH_BYTES:
        msg = f"{path}: {shape} takes {4 * count:,} bytes, {MAX_BATCH_BYTES:,} at most; save fewer pictures"
        raise InputError(msg)
    if pixels > MAX_INPUT_PIXELS:
        msg = f"{path}: its pictures have {pixels:,} pixels, {MAX_INPUT_PIXELS:,} at most; save smaller ones"
        raise InputError(msg)
    return read_numbers(file, header, path, np.float32)

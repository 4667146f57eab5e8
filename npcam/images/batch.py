"""A network's input from a file: a photograph, or a preprocessed batch that somebody saved."""

from pathlib import Path

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_BATCH_BYTES
from npcam.images.preprocess import load_image, preprocess_input
from npcam.shapes import Array

_MAGIC = b"\x93NUMPY"


def is_batch(path: str | Path) -> bool:
    """Whether a file is a NumPy array, by its name or its first bytes."""
    try:
        with Path(path).open("rb") as file:
            return Path(path).suffix == ".npy" or file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_input(path: str | Path, size: tuple[int, int]) -> Array:
    """A preprocessed batch (N, H, W, 3) float32, from a photograph or an `.npy` file.

    Args:
        path: the file.
        size: (height, width) to which a photograph is resized; a saved batch keeps its own.

    Raises:
        InputError: the file is neither a photograph nor a saved batch, or it is damaged.
    """
    return read_batch(path) if is_batch(path) else preprocess_input(load_image(path, size))[None]


def read_batch(path: str | Path) -> Array:
    """Read a preprocessed batch from an `.npy` file; nothing in it is run.

    Returns:
        (N, H, W, 3) float32.

    Raises:
        InputError: not an `.npy` file, damaged, too large, or not a batch of finite floats.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise InputError(f"{path}: not a NumPy array file; save one with numpy.save")
        stored = np.load(path, mmap_mode="r", allow_pickle=False)  # a header that lies allocates nothing
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a readable .npy file ({reason}); save it again") from error
    found = f"got {stored.shape} of {stored.dtype}"
    if stored.ndim != 4 or stored.shape[3] != 3 or stored.dtype.kind != "f" or 0 in stored.shape:
        raise InputError(f"{path}: expected a preprocessed batch (N, H, W, 3) of floats, {found}")
    if stored.nbytes > MAX_BATCH_BYTES:
        found = f"holds {stored.nbytes:,} bytes, more than the {MAX_BATCH_BYTES:,} that npcam reads"
        raise InputError(f"{path}: {found}; save fewer photographs")
    with np.errstate(over="ignore"):  # said below
        x = np.array(stored, dtype=np.float32, order="C")
    if not np.isfinite(x).all():
        raise InputError(f"{path}: holds NaN, or numbers too large for float32; a batch must be finite")
    return x

"""Hashes of files, read in pieces."""

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.limits import MAX_WEIGHTS_FILE

PIECE = 2**20  # bytes that are hashed at a time


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a weights file's bytes, in hex.

    Raises:
        InputError: it cannot be read, or is larger than any weights file.
    """
    return _digest(path, hashlib.sha256())


def sha256_of_file(file: BinaryIO) -> str:
    """The SHA-256 of an open file from where it is read, in hex.

    >>> import io
    >>> sha256_of_file(io.BytesIO())[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def md5_file(path: str | Path) -> str:
    """The MD5 of a weights file's bytes, in hex: what Keras publishes with its weights.

    Raises:
        InputError: it cannot be read, or is larger than any weights file.
    """
    return _digest(path, hashlib.md5(usedforsecurity=False))


def require_size(path: str | Path, size: int) -> None:
    """Raise InputError for a file of more bytes than any weights file has."""
    if size > MAX_WEIGHTS_FILE:
        msg = f"{path}: has {size:,} bytes, {MAX_WEIGHTS_FILE:,} at most; no ResNet's weights take as many"
        raise InputError(msg)


def _digest(path: str | Path, digest: Any) -> str:
    """A hash of a file that has an end within the bound, whatever its size is said to be."""
    try:
        with open_file(path, "give the path of a weights file") as file:
            require_size(path, os.fstat(file.fileno()).st_size)
            size = 0
            memory = memoryview(bytearray(4 * PIECE))  # a thread waits for the interpreter's lock after each
            while piece := file.readinto(memory):  # type: ignore[attr-defined]
                size += piece
                require_size(path, size)
                digest.update(memory[:piece])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    return str(digest.hexdigest())

"""Files that are there, and files that are whole or not there at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from npcam.common.errors import InputError


def require_file(path: str | Path, advice: str) -> Path:
    """The path, if a regular file is there.

    Args:
        path: where it should be.
        advice: what to do where there is none, as the end of the message.

    Raises:
        InputError: nothing, a directory, or a device is there, or it cannot be looked at.

    >>> require_file("nowhere.h5", "give the path of a weights file")
    Traceback (most recent call last):
    npcam.common.errors.InputError: nowhere.h5: no such file; give the path of a weights file
    """
    path = Path(path)
    try:
        if path.is_file():
            return path
        found = (
            "is a directory" if path.is_dir() else "not a regular file" if path.exists() else "no such file"
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        found = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    raise InputError(f"{path}: {found}; {advice}")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name beside `path`, and move it there once it is complete.

    Whatever interrupts the writing, `path` holds the old file or the whole new one. The temporary
    file is removed unless the process is killed outright.

    Raises:
        InputError: the folder is missing or cannot be written to, or the disk is full.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as unfinished:
    ...         _ = unfinished.write_text("done")
    ...     Path(folder, "a.txt").read_text()
    'done'
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory")
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as error:
        msg = f"{path}: cannot write here ({error.strerror or error}); choose another place"
        raise InputError(msg) from error
    unfinished = Path(name)
    try:
        yield unfinished
        _flush(unfinished)
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(path)
    except OSError as error:
        reason = error.strerror or str(error).split("\n")[0]
        raise InputError(f"{path}: writing failed ({reason}); nothing was changed") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hex, read a piece at a time."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5_file(path: str | Path) -> str:
    """The MD5 of a file's bytes, in hex: what Keras publishes with its weights."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _flush(path: Path) -> None:
    """Have the bytes on the disk before the name points to them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Files that are there, and files that are whole or not there at all."""

import hashlib
import os
import platform
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from npcam.common.errors import InputError
from npcam.common.interrupts import unfinished
from npcam.common.kinds import kind_of_folder

NAME_KEPT = 60  # bytes of a file's name in that of its unfinished file; a name may have 255, or fewer
ABANDONED = 24 * 3600  # seconds after which an unfinished file is nobody's, wherever it was begun


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
        kind = kind_of_folder(path)
        found = (
            "is a directory" if path.is_dir() else "not a regular file" if path.exists() else "no such file"
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        kind, found = None, f"cannot be read ({getattr(error, 'strerror', None) or error})"
    raise InputError(f"{path}: is {kind}" if kind else f"{path}: {found}; {advice}")


def open_file(path: str | Path, advice: str) -> BinaryIO:
    """Open a regular file for reading; nothing that is none is waited for, whenever it comes there.

    Raises:
        InputError: as `require_file`, or there is no permission to read it.
    """
    path = require_file(path, advice)
    try:
        # Without O_NONBLOCK a pipe is waited for: where one has taken the file's place, and in /proc.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        file = os.fdopen(handle, "rb")
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); check its permissions"
        raise InputError(msg) from error
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return file
    file.close()
    raise InputError(f"{path}: not a regular file; {advice}")


def require_apart(output: str | Path, inputs: Iterable[str | Path | None], advice: str) -> None:
    """See to it that a file to write is none of those that are read, by whatever path.

    Args:
        output: where something will be written.
        inputs: the files that are read; None, and what is no file, is passed over.
        advice: what to do instead, as the end of the message.

    Raises:
        InputError: it is one of them: by the same path, a link, or a second name of the file.

    >>> require_apart("README.md", ["docs/../README.md"], "choose another place")
    Traceback (most recent call last):
    npcam.common.errors.InputError: README.md: is the input docs/../README.md itself; choose another place
    """
    for path in inputs:
        if path is not None and is_same_file(output, path):
            raise InputError(f"{output}: is the input {path} itself; {advice}")


def same_place(one: str | Path, other: str | Path) -> bool:
    """Whether two paths lead to one place, whether a file is there or not."""
    return os.path.realpath(one) == os.path.realpath(other) or is_same_file(one, other)


def is_same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths lead to one file: by the same path, a link, or a second name of the file."""
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):  # there is none, or a NUL in the path
        return False


@contextmanager
def replacing(path: str | Path, durable: bool = True) -> Iterator[Path]:
    """Write a file under a temporary name beside `path`, and move it there once it is complete.

    Whatever interrupts the writing, `path` holds the old file or the whole new one. The temporary
    file is removed; where the process is killed outright, by the next one that writes there. A
    link is followed: the file that it points to is replaced. The new file has the old one's
    permissions; where there was none, those that the umask leaves.

    Args:
        path: the file.
        durable: whether it has to survive the loss of power, too. Of thousands of pictures that can be drawn
            again, waiting for the disk each time takes longer than drawing.

    Raises:
        InputError: the folder is missing or cannot be written to, something else than a file is
            there, or the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as unfinished:
    ...         _ = unfinished.write_text("done")
    ...     Path(folder, "a.txt").read_text()
    'done'
    """
    place = _place(path)
    temporary = place.with_name(f".{shorten(place.name, NAME_KEPT)}.{_mark()}-{os.urandom(4).hex()}.part")
    # Twice `finally`, because an interrupt may come in the midst of the first.
    try:
        try:
            unfinished.add(os.fspath(temporary))
            _create(temporary, path)
            yield temporary
            _complete(temporary, place, durable)
        except OSError as error:
            reason = error.strerror or str(error).split("\n")[0]
            raise InputError(f"{path}: writing failed ({reason}); nothing was changed") from error
        finally:
            _discard(temporary)
    finally:
        _discard(temporary)


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


def require_outside(output: str | Path, folder: str | Path, option: str) -> None:
    """See to it that no result becomes a photograph of the next run.

    Args:
        output: the folder of the results.
        folder: what is searched for photographs.
        option: that names the output.

    Raises:
        InputError: the output is that folder, or lies in it.

    >>> require_outside("a/r", "a", "-o")
    Traceback (most recent call last):
    npcam.common.errors.InputError: a/r: lies in a, which is searched for photographs; choose another -o
    """
    if Path(os.path.realpath(output)).is_relative_to(os.path.realpath(folder)):
        raise InputError(
            f"{output}: lies in {folder}, which is searched for photographs; choose another {option}"
        )


@contextmanager
def witness(folder: str | Path | None) -> Iterator[Path | None]:
    """A file in a folder for as long as a block lasts: whoever sees it sees that very folder.

    At its end, what killed processes left unfinished in the folder is removed, too.

    Args:
        folder: where; None for no folder and no file.

    Raises:
        InputError: it cannot be made.
    """
    if folder is None:
        yield None
        return
    file = Path(folder, f".witness.{_mark()}-{os.urandom(4).hex()}.part")
    try:
        unfinished.add(os.fspath(file))
        _create(file, folder)
        yield file
    finally:
        _discard(file)
        with suppress(OSError):
            _sweep.__wrapped__(os.fspath(folder), os.getpid())


def shorten(name: str, most: int) -> str:
    """The beginning of a name that takes no more bytes than `most`, in whole characters.

    >>> shorten("grüße", 4)
    'grü'
    """
    while len(name.encode("utf-8", "surrogatepass")) > most:
        name = name[:-1]
    return name


def runs(process: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's, or a system that has no such call
        return True
    return True


def _place(path: str | Path) -> Path:
    """Where a file is to be written: a link followed to its end.

    Raises:
        InputError: the links go in a circle, or what is there is no file.
    """
    place = Path(path)
    try:
        if place.is_symlink():
            place = Path(os.path.realpath(place))  # where the links go in a circle, one of them
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return place
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot write here ({reason}); choose another place") from error
    if stat.S_ISREG(mode) and os.access(place, os.W_OK):
        return place
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a link to itself", stat.S_IFREG: "a read-only file"}
    found = kinds.get(stat.S_IFMT(mode), "not a file")
    raise InputError(f"{path}: cannot write here ({found}); choose another place")


def _create(temporary: Path, path: str | Path) -> None:
    """Make the unfinished file, as the umask has it, once what others left in the folder is gone."""
    with suppress(OSError):
        _sweep(os.fspath(temporary.parent), os.getpid())
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot write here ({reason}); choose another place") from error


def _complete(temporary: Path, place: Path, durable: bool) -> None:
    """Have the bytes on the disk, give the file its owner and permissions, and then its name."""
    if durable:
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        old = place.stat()
        if hasattr(os, "chown"):
            with suppress(OSError):  # only root gives files away
                os.chown(temporary, old.st_uid, old.st_gid)
        temporary.chmod(stat.S_IMODE(old.st_mode))
    temporary.replace(place)


def _discard(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink()
    unfinished.discard(os.fspath(temporary))


@cache
def _sweep(folder: str, _process: int) -> None:
    """Remove the unfinished files of processes that are no more; once a folder and process is enough."""
    with os.scandir(folder) as entries:
        for entry in entries:
            found = re.fullmatch(r"\..*\.npcam-(\w+)-(\d+)-\w+\.part", entry.name, re.DOTALL)
            if found is None:
                continue
            with suppress(OSError):
                old = time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED
                if old or (found[1] == _machine() and not runs(int(found[2]))):
                    Path(entry.path).unlink()


def _mark() -> str:
    """What tells whose an unfinished file is."""
    return f"npcam-{_machine()}-{os.getpid()}"


@cache
def _machine() -> str:
    """Where process numbers mean the same: this machine, and this container of it."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115  # no path, but `pid:[4026531836]`
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]

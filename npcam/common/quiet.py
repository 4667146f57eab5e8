"""Libraries that print where npcam's user reads: kept silent while a stranger's picture is decoded."""

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any


@contextmanager
def quiet(tiff: bool) -> Iterator[None]:
    """Keep Pillow's remarks on odd but readable files from the user; and libtiff's, where `tiff`."""
    with _pillow, _libtiff if tiff else nullcontext():
        yield


def aloud(write: Callable[[], Any]) -> None:
    """Write to standard error, so that it arrives even while libtiff is kept silent in another thread."""
    _libtiff.lift(write)


class _Shared:
    """A context of several threads: what the first who comes changes is undone by the last who leaves."""

    def __init__(self, change: Callable[[], None], undo: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._change, self._undo = change, undo

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._change()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo()

    def lift(self, work: Callable[[], Any]) -> None:
        """Do something as if nobody were inside."""
        with self._lock:
            if self._inside:
                self._undo()
            try:
                work()
            finally:
                if self._inside:
                    self._change()


class _Pillow:
    """Pillow's logger, and Python's warnings."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("PIL")
        self._level = logging.NOTSET
        self._warnings = warnings.catch_warnings()

    def silence(self) -> None:
        """Let nothing of theirs through."""
        self._level = self._logger.level
        self._logger.setLevel(logging.CRITICAL)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def restore(self) -> None:
        """Let them speak as before."""
        self._warnings.__exit__(None, None, None)
        self._logger.setLevel(self._level)


class _Descriptor:
    """File descriptor 2, to which libtiff writes by itself."""

    def __init__(self) -> None:
        self._kept: int | None = None

    def silence(self) -> None:
        """Let it lead nowhere."""
        with suppress(OSError):  # closed: then nothing can be written there
            self._kept = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)

    def restore(self) -> None:
        """Let it lead where it did."""
        if self._kept is not None:
            os.dup2(self._kept, 2)
            os.close(self._kept)
            self._kept = None


_pillow = _Shared((_remarks := _Pillow()).silence, _remarks.restore)
_libtiff = _Shared((_descriptor := _Descriptor()).silence, _descriptor.restore)

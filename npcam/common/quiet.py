"""Libraries that print where npcam's user reads: kept silent while a stranger's picture is decoded."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress


@contextmanager
def quiet(tiff: bool) -> Iterator[None]:
    """Keep Pillow's remarks on odd but readable files from the user; and libtiff's, where `tiff`."""
    logger = logging.getLogger("PIL")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), _libtiff_silenced if tiff else nullcontext():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class _Silence:
    """A context in which nothing is written to file descriptor 2, as libtiff does by itself.

    It lasts until the last of all threads that are in it leaves. What other threads write to
    standard error meanwhile is lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                with suppress(OSError):  # closed: then nothing can be written there
                    self._kept = os.dup(2)
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(nowhere, 2)
                    os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._kept is not None:
                os.dup2(self._kept, 2)
                os.close(self._kept)
                self._kept = None


_libtiff_silenced = _Silence()

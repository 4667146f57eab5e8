"""Ctrl-C and SIGTERM end the program `npcam` at any moment: status 130, no traceback, nothing half-written.

The package imports this module before all others, and it imports next to nothing: while the rest
is imported there is nothing to clean up, and a signal ends the program at once. As long as a
command runs, a signal is a KeyboardInterrupt. That is not enough by itself: raised inside a
callback (of a weak reference, of the HDF5 library), it is printed and forgotten. So a second
signal, an interrupt that Python reports as ignored, or one second without an end ends the program
from within the handler.

Whoever only imports npcam keeps the handlers that were there.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # not that of `typing`, which takes as long to import as all else here
if TYPE_CHECKING:
    from typing import Any, NoReturn

INTERRUPTED = 130  # the exit status that shells give for SIGINT
PATIENCE = 1.0  # seconds in which an interrupted command may end by itself
NUMBERS = (signal.SIGINT, signal.SIGTERM)

unfinished: set[str] = set()  # temporary files of `files.replacing`, named here before they are made


def remove_unfinished() -> None:
    """Remove what was being written."""
    for name in list(unfinished):
        try:  # noqa: SIM105  # contextlib and pathlib would be imported for it
            os.unlink(name)  # noqa: PTH108
        except OSError:
            pass


def end_at_once(*_: object) -> NoReturn:
    """Leave without unwinding: a handler for signals, and for time that is up."""
    remove_unfinished()
    os._exit(INTERRUPTED)


class Signals:
    """What signals do while a command runs.

    Attributes:
        arrived: whether one came, even if it was swallowed.
    """

    def __init__(self, program: bool) -> None:
        """Say whether the process is the program `npcam`, and not one that calls `main`."""
        self.arrived = False
        self._program = program
        self._former: dict[int, Any] = {}

    def watch(self) -> None:
        """From here on a signal is a KeyboardInterrupt; an ignored one, as in background jobs, stays so."""
        for number in NUMBERS:
            former = signal.getsignal(number)
            if former not in (signal.SIG_IGN, None):
                self._former.setdefault(number, former)
                _handle(number, self._interrupt)
        if self._program:
            sys.unraisablehook = self._unraisable

    def stop(self) -> None:
        """The command has ended. The program only has to leave now, and does it undisturbed."""
        for number, former in self._former.items():
            _handle(number, signal.SIG_IGN if self._program else former)
        if self._program and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def leave(self) -> int:
        """The exit status of a command that was interrupted; the program ends here.

        Python itself would end by SIGINT instead of with a status, where the interrupt went through
        the `exec` of a text, which dataclasses are made with.
        """
        self.stop()
        if self._program:
            end_at_once()
        return INTERRUPTED

    def _interrupt(self, *_: object) -> NoReturn:
        self.arrived = True
        if self._program:
            for number in self._former:
                _handle(number, end_at_once)
            if hasattr(signal, "setitimer"):
                _handle(signal.SIGALRM, end_at_once)
                signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        raise KeyboardInterrupt

    def _unraisable(self, problem: sys.UnraisableHookArgs) -> None:
        if self.arrived and isinstance(problem.exc_value, KeyboardInterrupt):
            end_at_once()
        sys.__unraisablehook__(problem)


def _handle(number: int, handler: Any) -> None:
    """Set a signal's handler, where that can be done: Python knows signals in its main thread only."""
    try:  # noqa: SIM105
        signal.signal(number, handler)
    except ValueError:
        pass


def _is_program() -> bool:
    """Whether this process is `npcam`, or `python -m npcam`, which is called `-m` until it has been found."""
    called = sys.argv[0] if getattr(sys, "argv", None) else ""
    if called == "-m":
        return "npcam" in sys.orig_argv or "-mnpcam" in sys.orig_argv
    return os.path.splitext(os.path.basename(called))[0] == "npcam"  # noqa: PTH119, PTH122


PROGRAM = _is_program()
if PROGRAM:
    for _number in NUMBERS:
        if signal.getsignal(_number) is not signal.SIG_IGN:
            _handle(_number, end_at_once)

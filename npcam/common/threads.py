"""Threads that the system refuses: where it may, BLAS keeps to one of its own.

OpenBLAS starts its threads while NumPy is imported, and again while SciPy is. Refused one, it
prints four lines and interrupts the process. So the program `npcam` tries before it imports them.

They also spin for some 30 ms before they go to sleep. A command that multiplies in npcam's engine alone,
which has threads of its own and BLAS at one, takes a sixth less of the cores if they are never there.

Whoever only imports npcam keeps what the environment says.
"""

import _thread  # `threading` would be imported for next to nothing
import os
import sys

from npcam.common.interrupts import PROGRAM

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
BY_ENGINE = ("explain", "evaluate")  # commands whose passes are the engine's, but for `explain --digits`
MOST = 64  # threads of OpenBLAS in NumPy's and SciPy's wheels, however many cores there are


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def can_start(count: int) -> bool:
    """Whether the system allows so many threads at the same time; they are gone at once.

    >>> can_start(2)
    True
    """
    gate = _thread.allocate_lock()
    gate.acquire()
    try:
        for _ in range(count):
            _thread.start_new_thread(_pass_through, (gate,))
    except (RuntimeError, MemoryError):
        return False
    finally:
        gate.release()
    return True


def _pass_through(gate: _thread.LockType) -> None:
    with gate:
        pass


def keep_blas_to_one() -> None:
    """Have BLAS start no threads, unless there is room for NumPy's, SciPy's and those of npcam's team."""
    if not can_start(3 * min(cores(), MOST)):
        os.environ.update(dict.fromkeys(VARIABLES, "1"))


def spare_blas(arguments: list[str]) -> None:
    """Have BLAS start no threads for a command that has no use for them, unless somebody says how many."""
    unused = arguments[:1] and arguments[0] in BY_ENGINE and "--digits" not in arguments
    if unused and not any(name in os.environ for name in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES, "1"))


if PROGRAM:
    spare_blas(sys.argv[1:])
    keep_blas_to_one()

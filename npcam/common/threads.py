"""Threads that the system refuses: where it may, BLAS keeps to one of its own.

OpenBLAS starts its threads while NumPy is imported, and again while SciPy is. Refused one, it
prints four lines and interrupts the process. So the program `npcam` tries before it imports them.

Whoever only imports npcam keeps what the environment says.
"""

import _thread  # `threading` would be imported for next to nothing
import os

from npcam.common.interrupts import PROGRAM

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
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


if PROGRAM:
    keep_blas_to_one()

"""Processes that keep cores busy, as another program on the same machine does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Pure Python arithmetic without a pause. It says when it has begun, and ends where its starter has, so that
# nothing goes on computing after a starter that was killed and could not end it.
BUSY = """
import os, sys
starter, x = int(sys.argv[1]), 1
print("busy", flush=True)
while os.getppid() == starter:
    for _ in range(100_000):
        x = (1664525 * x + 1013904223) % 4294967296
"""


@contextmanager
def busy_processes(count: int) -> Iterator[list[int]]:
    """So many processes at the caller's priority, computing for as long as the context lasts.

    Each is an endless loop of integer arithmetic in plain Python: it wants one core and hardly any
    memory. All have begun when the context is entered; none is left when it is left, in whichever way.

    Yields:
        Their process ids.

    Raises:
        RuntimeError: one of them did not start.
    """
    processes: list[subprocess.Popen[str]] = []
    try:
        for _ in range(count):
            processes.append(_start())
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != "busy\n":
                raise RuntimeError(f"a busy process stopped with exit status {process.wait()}")
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            with process:  # closes its pipe and waits for it
                pass


def _start() -> subprocess.Popen[str]:
    """One such process, which this one is the parent of."""
    command = [sys.executable, "-c", BUSY, str(os.getpid())]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

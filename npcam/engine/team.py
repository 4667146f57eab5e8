"""Python threads that work in step, while BLAS keeps to one thread each.

NumPy lets go of the interpreter's lock inside matmul and on large arrays, so Python threads run at
the same time. Reason: the threads of BLAS only speed up matmul, a quarter of the time is spent
elsewhere; and they spin while they wait, so on a machine with anything else to do they slow it down.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import threadpoolctl

Work = Callable[[], None]


class _OneBlasThread:
    """BLAS at one thread while anybody is in here; the old number again when the last one leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None
        self._controller: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._controller = self._controller or threadpoolctl.ThreadpoolController()
                self._limit = self._controller.limit(limits=1, user_api="blas")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


one_blas_thread = _OneBlasThread()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Team:
    """Some threads, the caller's among them, that run work in phases."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._busy = threading.Lock()
        self._inboxes: list[queue.SimpleQueue[Work]] = []

    def run(self, phases: Sequence[Sequence[Work]]) -> None:
        """Run every phase's works, one per member, at the same time; the next phase after the last.

        A team that is busy for another caller is not waited for: this caller then does all the
        works itself. They are the same works, so the result has the same bits.
        """
        if self.size == 1 or not self._busy.acquire(blocking=False):
            for phase in phases:
                for work in phase:
                    work()
            return
        try:
            self._run_together(phases)
        finally:
            self._busy.release()

    def _run_together(self, phases: Sequence[Sequence[Work]]) -> None:
        """Every member goes through its column of works."""
        self._hire()
        barrier = threading.Barrier(self.size)
        failures: list[BaseException] = []

        def member(index: int) -> None:
            try:
                for phase in phases:
                    phase[index]()
                    barrier.wait()
            except threading.BrokenBarrierError:
                pass
            except BaseException as failure:
                failures.append(failure)
                barrier.abort()

        done = threading.Barrier(self.size)
        for index, inbox in enumerate(self._inboxes, start=1):
            inbox.put(lambda index=index: (member(index), done.wait()))  # type: ignore[misc]
        member(0)
        done.wait()
        if failures:
            raise failures[0]

    def _hire(self) -> None:
        """Start the threads, once."""
        while len(self._inboxes) < self.size - 1:
            inbox: queue.SimpleQueue[Work] = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(inbox,), daemon=True, name="npcam").start()
            self._inboxes.append(inbox)


def _serve(inbox: "queue.SimpleQueue[Work]") -> None:
    """A member's life."""
    while True:
        inbox.get()()

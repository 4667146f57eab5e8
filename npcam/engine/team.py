"""Python threads that work in step, while BLAS keeps to one thread each.

NumPy lets go of the interpreter's lock inside matmul and on all but the smallest arrays, so Python
threads run at the same time. Reason: the threads of BLAS speed up nothing but matmul; and where
another program wants a core too, they wait for each other at every single one: a 3136x64x64 matmul
took 9 ms instead of 0.3 on a busy machine.
"""

import ctypes
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import accumulate

import numpy as np

Task = Callable[[], object]
NUMBERS = np.ones(16384)  # square roots to draw per look around while waiting: some 20 microseconds
LOOKS = 5  # before a thread that waits begins to take naps
NAP = 2e-5  # seconds
_SCHED_GETCPU = getattr(ctypes.pythonapi, "sched_getcpu", None)  # of Linux's C library


@cache
def team_of(size: int) -> "Team":
    """The process's team of that size."""
    return Team(size)


class Team:
    """Some threads, the caller's among them, that go through tasks in phases."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._gather()

    def run(self, phases: Sequence[Sequence[Task]]) -> None:
        """Run every phase's tasks, one per thread, at the same time; then the next phase.

        A team that is busy for another caller is not waited for, and one whose threads the system
        refuses is none: this caller then does all the tasks itself. They are the same tasks, so the
        result has the same bits.

        Raises:
            Exception: whatever a task raised.
        """
        if self._process != os.getpid():
            self._gather()  # a fork takes no threads along
        if self.size == 1 or not self._busy.acquire(blocking=False):
            _do_alone(phases)
            return
        try:
            if self._is_whole():
                self._run_together(phases)
            else:
                _do_alone(phases)
        finally:
            self._busy.release()

    def _is_whole(self) -> bool:
        """Start the threads that are missing; False where the system allows no more."""
        while len(self._inboxes) < self.size - 1:
            inbox: queue.SimpleQueue[Task] = queue.SimpleQueue()
            try:
                threading.Thread(target=_serve, args=(inbox,), daemon=True, name="npcam").start()
            except RuntimeError:
                return False
            self._inboxes.append(inbox)
        return True

    def _run_together(self, phases: Sequence[Sequence[Task]]) -> None:
        """Every thread takes tasks, phase after phase."""
        together = Together(phases, self.size)
        here = _processor()
        parts = [partial(together.take_part, index, here) for index in range(self.size)]
        try:
            for inbox, part in zip(self._inboxes, parts[1:], strict=True):
                inbox.put(part)
            parts[0]()
        except BaseException as raised:  # an interrupt between these lines
            together.leave(0, raised)
            for inbox, part in zip(self._inboxes, parts[1:], strict=True):
                inbox.put(part)  # who has not been asked yet leaves at once, as the others do
        together.close()

    def _gather(self) -> None:
        """Be a team without threads yet; they start with the first run."""
        self._process = os.getpid()
        self._busy = threading.Lock()
        self._inboxes: list[queue.SimpleQueue[Task]] = []


class Together:
    """One run of phases, through which the threads of a team go: whoever is free takes the next task."""

    def __init__(self, phases: Sequence[Sequence[Task]], size: int) -> None:
        self._waiting = [list(tasks) for tasks in phases]
        self._ends = list(accumulate(map(len, phases)))  # how many tasks are done when a phase is over
        self._done: list[Task] = []
        self._left = [False] * size
        self._empty = threading.Event()
        self._failures: list[BaseException] = []

    def take_part(self, index: int, callers_core: int | None) -> None:
        """What one thread does of a run; the caller is thread 0."""
        failure = None
        try:
            with _apart(index, callers_core):
                for waiting, end in zip(self._waiting, self._ends, strict=True):
                    while not self._failures and (task := _take(waiting, index)):
                        task()
                        self._done.append(task)
                    self._wait(end)
        except BaseException as raised:
            failure = raised
        self.leave(index, failure)

    def _wait(self, end: int) -> None:
        """Wait until so many tasks are done, or one of the threads failed."""
        looks = 0
        while not (len(self._done) >= end or self._failures):
            np.sqrt(NUMBERS) if looks < LOOKS else time.sleep(NAP)
            looks += 1

    def leave(self, index: int, failure: BaseException | None) -> None:
        """Go for good; with a failure, so will the others."""
        if failure:
            self._failures.append(failure)
        self._left[index] = True
        if all(self._left):
            self._empty.set()

    def close(self) -> None:
        """Wait, after a failure, until all have gone, so that their arrays are free; raise the first one."""
        while self._failures and not self._empty.is_set():
            try:
                self._empty.wait()
            except BaseException as raised:  # an interrupt does not make their arrays free
                self._failures.append(raised)
        if self._failures:
            raise self._failures[0]


def _take(waiting: list[Task], index: int) -> Task | None:
    """A task of a phase for a thread; None where all are taken.

    From both ends. Reason: what a thread takes then lies beside what it had in the phase before, and
    is in its cache.
    """
    try:
        return waiting.pop() if index % 2 else waiting.pop(0)
    except IndexError:
        return None


def _do_alone(phases: Sequence[Sequence[Task]]) -> None:
    """Every thread's tasks, in the caller's thread."""
    for phase in phases:
        for task in phase:
            task()


@contextmanager
def _apart(index: int, callers_core: int | None) -> Iterator[None]:
    """Keep the caller on its core, and the other threads off it, while they work together.

    Reason: Linux wakes a thread on the core of whoever woke it. Two threads that hardly ever sleep may
    then share one for as long as a whole pass.
    """
    if callers_core is None:
        yield
        return
    allowed = os.sched_getaffinity(0)  # of this thread
    with suppress(OSError):
        os.sched_setaffinity(0, allowed - {callers_core} if index else {callers_core})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed)


def _processor() -> int | None:
    """The number of the core that this thread runs on, where the system tells it."""
    return None if _SCHED_GETCPU is None else int(_SCHED_GETCPU())


def _serve(inbox: "queue.SimpleQueue[Task]") -> None:
    """A thread's life: wait for something to do, and do it."""
    while True:
        inbox.get()()

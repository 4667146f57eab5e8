"""The engine's passes as phases of tasks, recorded but not run, and how threads would share them."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple
from unittest import mock

import numpy as np

from npcam.engine import passes
from npcam.engine.blas import unpacked_products
from npcam.engine.filters import Filters, fold_network
from npcam.engine.program import Op
from npcam.engine.schedule import make_schedule, next_group
from npcam.engine.team import Task, Team
from npcam.shapes import Array
from npcam.weights import Weights

COPY = np.copyto  # itself, also while it is replaced


class Balance(NamedTuple):
    """How some threads would share phases of tasks.

    Attributes:
        threads: how many.
        tasks: how many tasks.
        meetings: how often all threads wait for each other.
        work: seconds of all tasks together.
        total: seconds from start to end.
        critical: seconds that no number of threads goes below: the longest task of every phase.
    """

    threads: int
    tasks: int
    meetings: int
    work: float
    total: float
    critical: float

    @property
    def waited(self) -> float:
        """The share of the threads' time that they wait."""
        return 1 - self.work / (self.threads * self.total)


def folded(weights: Weights, threads: int) -> Filters:
    """The filters of a network, cut for so many threads, none of which is started."""
    return fold_network(weights.tensors, weights.architecture, _Alone(threads), unpacked_products())


def recorded_phases(
    filters: Filters, threads: int, photographs: int, size: tuple[int, int]
) -> list[list[list[Op]]]:
    """What a team of so many threads does for a batch of photographs, by phase and task.

    Nothing is computed and no thread is started. Softmax, which follows the passes, is not in it.
    """
    found: list[list[list[Op]]] = []
    while photographs:
        group = next_group(photographs, *size, threads)
        team = _Listener(threads)
        with mock.patch.object(passes, "run_ops", team.take_down):  # which tasks may hold as it is now
            recorded = passes.record_pass(make_schedule(filters, group, size, threads), team)
            team.phases.clear()  # filters, made once
            with mock.patch.object(np, "copyto", team.take_down_copy):
                recorded.run(np.zeros((group, *size, 3), filters.stem.dtype))
        found += team.phases
        photographs -= group
    return found


def balance(costs: Sequence[Sequence[float]], threads: int) -> Balance:
    """How so many threads would share phases of tasks that take so many seconds each.

    Whoever is free takes the next task; all meet after each phase, for which nothing is charged.

    >>> balance([[3, 1, 1, 1], [2]], 2)
    Balance(threads=2, tasks=5, meetings=2, work=8, total=5, critical=5)
    """
    return Balance(
        threads,
        sum(map(len, costs)),
        len(costs) if threads > 1 else 0,
        sum(map(sum, costs)),
        sum(makespan(phase, threads) for phase in costs),
        sum(max(phase, default=0) for phase in costs),
    )


def makespan(costs: Sequence[float], threads: int) -> float:
    """When the last of some tasks ends that threads take in order, each as soon as it is free.

    >>> makespan([1, 1, 4], 2), makespan([4, 1, 1], 2)
    (5, 4)
    """
    free: list[float] = [0] * threads  # when each thread is; a heap
    for cost in costs:
        heapq.heapreplace(free, free[0] + cost)
    return max(free)


class _Alone(Team):
    """A team of one who does it all."""

    def run(self, phases: Sequence[Sequence[Task]]) -> None:
        """Every task, in order."""
        for phase in phases:
            for task in phase:
                task()


class _Listener(Team):
    """A team that takes down what it is to do, and does none of it.

    Attributes:
        phases: what it was to do.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.phases: list[list[list[Op]]] = []
        self._ops: list[Op] = []

    def run(self, phases: Sequence[Sequence[Task]]) -> None:
        """Take down the operations of every task."""
        for phase in phases:
            self.phases.append([self._listen(task) for task in phase])

    def take_down(self, ops: Sequence[Op]) -> None:
        """Instead of `run_ops`."""
        self._ops.extend(ops)

    def take_down_copy(self, y: Array, x: Array) -> None:
        """Instead of `np.copyto`, where a pass copies by itself."""
        self._ops.append(Op(COPY, y, x))

    def _listen(self, task: Task) -> list[Op]:
        """A task's operations."""
        task()
        return self._cut()

    def _cut(self) -> list[Op]:
        """What was taken down since the last cut."""
        ops, self._ops = self._ops, []
        return ops

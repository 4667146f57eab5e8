"""A schedule recorded as a pass: one photograph that all threads share, or some for each thread."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from npcam.engine import by_channels, by_rows
from npcam.engine.filters import transform_blocks
from npcam.engine.program import Op, Program, Recorder, run_ops
from npcam.engine.schedule import Schedule
from npcam.engine.team import Task, Team
from npcam.shapes import Array


class Found(NamedTuple):
    """What a pass comes to: scratch memory, valid until the next run.

    Attributes:
        features: (n, h, w, C), the last activation.
        averages: (n, C), its average over all positions; None in a network without a top.
        parts: some (n, K), which sum to the logits but for the bias; none in a network without a top.
    """

    features: Array
    averages: Array | None = None
    parts: Sequence[Array] = ()


class Pass(Protocol):
    """A pass recorded for so many photographs of one size.

    Attributes:
        photographs: how many.
        nbytes: its scratch memory.
    """

    photographs: int
    nbytes: int

    def run(self, x: Array) -> Found:
        """What preprocessed photographs (photographs, H, W, 3) come to."""


def record_pass(schedule: Schedule, team: Team) -> Pass:
    """Record what a schedule says, for a team of as many threads as it says.

    The filters in Winograd's forms that it needs are made by all of them before.
    """
    stretches = (schedule.one_by_one, schedule.gathered, schedule.together)
    forms = [(block, g.form) for stretch in stretches for block, g in stretch.blocks if g.form]
    transform_blocks(forms, team)
    return ManyPhotographs(schedule, team) if schedule.photographs > 1 else OnePhotograph(schedule, team)


class OnePhotograph:
    """One photograph, its rows shared by the threads; then the channels."""

    photographs = 1

    def __init__(self, schedule: Schedule, team: Team) -> None:
        dtype = schedule.filters.stem.dtype
        self._team = team
        self._padded = _padded(schedule)
        program = Program(_recorders(schedule, schedule.together.shares), dtype)
        x = by_rows.record_stem(program, schedule, self._padded)
        x = by_rows.record_stretch(program, schedule.gathered, x)
        self._found = _record_end(program, schedule, x)
        self._first, *self._tasks = [[partial(run_ops, ops) for ops in phase] for phase in program.phases]
        self._rows = by_rows.photo_rows(schedule)
        scratch = [program.shared, *(record.scratch for record in program.shares)]
        self.nbytes = self._padded.nbytes + sum(space.nbytes for space in scratch)

    def run(self, x: Array) -> Found:
        """See `Pass`."""
        first = [
            partial(self._begin, x[:, rows], rows, task)
            for rows, task in zip(self._rows, self._first, strict=True)
        ]
        self._team.run([first, *self._tasks])
        return self._found

    def _begin(self, x: Array, rows: slice, task: Task) -> None:
        """Take rows of the photograph, and do with them what a task does. Some rows, two tasks take both."""
        np.copyto(self._padded[:, 3:-3, 3:-3][:, rows], x)
        task()


class ManyPhotographs:
    """So many photographs for each thread: one by one, then gathered; then those of all by channels."""

    def __init__(self, schedule: Schedule, team: Team) -> None:
        dtype = schedule.filters.stem.dtype
        self.photographs, self._each = schedule.photographs, schedule.each
        self._team = team
        threads = _recorders(schedule, schedule.threads)
        self._own = [_OwnPhotographs(schedule, record) for record in threads]
        program = Program(_recorders(schedule, schedule.together.shares), dtype)
        shape = (schedule.photographs, *self._own[0].y.shape[1:])
        self._together = program.shared.take("features of all threads", shape)
        self._found = _record_end(program, schedule, self._together)
        self._tasks = [[partial(run_ops, ops) for ops in phase] for phase in program.phases]
        scratch = [program.shared, *(record.scratch for record in (*threads, *program.shares))]
        self.nbytes = sum(space.nbytes for space in scratch) + sum(own.nbytes for own in self._own)

    def run(self, x: Array) -> Found:
        """See `Pass`."""
        own = [slice(i * self._each, (i + 1) * self._each) for i in range(len(self._own))]
        first = [
            partial(thread.run, x[some], self._together[some])
            for thread, some in zip(self._own, own, strict=True)
        ]
        self._team.run([first, *self._tasks])
        return self._found


class _OwnPhotographs:
    """One thread's own photographs: one by one where each fills the cache, then gathered.

    Attributes:
        y: what they come to, (n, h, w, C).
        nbytes: scratch memory, without the recorder's.
    """

    def __init__(self, schedule: Schedule, record: Recorder) -> None:
        dtype = schedule.filters.stem.dtype
        self._padded = _padded(schedule)
        one_by_one, gathered = Program([record], dtype), Program([record], dtype)
        self._one = by_rows.record_stem(one_by_one, schedule, self._padded)
        self._gathered = gathered.shared.take("photographs gathered", (schedule.each, *self._one.shape[1:]))
        self.y = by_rows.record_stretch(gathered, schedule.gathered, self._gathered)
        self._each, self._all = _only_thread(one_by_one), _only_thread(gathered)
        self.nbytes = self._padded.nbytes + one_by_one.shared.nbytes + gathered.shared.nbytes

    def run(self, x: Array, y: Array) -> None:
        """Photographs (n, H, W, 3) -> y (n, h, w, C)."""
        for i in range(len(x)):
            np.copyto(self._padded[:, 3:-3, 3:-3], x[i])
            run_ops(self._each)
            np.copyto(self._gathered[i], self._one[0])
        run_ops(self._all)
        np.copyto(y, self.y)


def _record_end(program: Program, schedule: Schedule, x: Array) -> Found:
    """Record what all threads do together: the last stretch, and the network's end."""
    stretch, dense = schedule.together, schedule.filters.dense
    if dense is None:
        return Found(by_channels.record_stretch(program, stretch, x))
    y, end = by_channels.record_end(program, stretch, x, dense)
    return Found(y, end.averages, end.parts)


def _recorders(schedule: Schedule, count: int) -> list[Recorder]:
    """A recorder for each of so many shares."""
    filters = schedule.filters
    return [Recorder(filters.stem.dtype, filters.machine.unpacked) for _ in range(count)]


def _padded(schedule: Schedule) -> Array:
    """Room for a photograph with the zeros of `conv1_pad` around it: (1, H+6, W+6, 3)."""
    height, width = schedule.size
    return np.zeros((1, height + 6, width + 6, 3), schedule.filters.stem.dtype)


def _only_thread(program: Program) -> list[Op]:
    """All operations of a program of one thread."""
    return [op for (ops,) in program.phases for op in ops]

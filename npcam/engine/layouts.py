"""How photographs are shared out to a team: one among all members, or many, each some of them."""

from functools import partial
from typing import Protocol

import numpy as np

from npcam.engine.filters import Block, Filters
from npcam.engine.geometry import geometry, pooled_size
from npcam.engine.program import Op, Recorder, Workspace, run_ops
from npcam.engine.shares import Shares
from npcam.engine.slices import Slices
from npcam.engine.team import Team
from npcam.shapes import Array

SLICE_FROM = 1 << 21  # blocks with more numbers in their filters are shared out by channels
GATHER_BELOW = 512  # blocks with fewer positions per photograph take several photographs at once


class Layout(Protocol):
    """A pass recorded for so many photographs of one size."""

    size: int  # how many photographs
    nbytes: int  # scratch memory

    def run(self, x: Array) -> Array:
        """Preprocessed photographs (size, H, W, 3) -> features (size, h, w, C), scratch memory."""


def split_large(blocks: list[Block]) -> tuple[list[Block], list[Block]]:
    """The blocks to share out by positions, and those by channels: from the first large one on."""
    large = [block.size > SLICE_FROM for block in blocks]
    first = large.index(True) if True in large else len(blocks)
    return blocks[:first], blocks[first:]


def split_small(blocks: list[Block], h: int, w: int) -> tuple[list[Block], list[Block]]:
    """The blocks with many positions per photograph, and those from the first with few of them on."""
    for i, block in enumerate(blocks):
        if h * w < GATHER_BELOW:
            return blocks[:i], blocks[i:]
        g = geometry(block, 1, h, w)
        h, w = g.h, g.w
    return blocks, []


class OnePhotograph:
    """One photograph, its rows shared out; then the channels."""

    size = 1

    def __init__(self, filters: Filters, pool_padding: int, height: int, width: int, team: Team) -> None:
        dtype = filters.stem.dtype
        shared = Workspace(dtype)
        recorders = [Recorder(dtype) for _ in range(team.size)]
        self._team = team
        self._padded = np.zeros((1, height + 6, width + 6, 3), dtype)
        by_rows, by_channels = split_large(filters.blocks)
        shares = Shares(recorders, shared, 1)
        shares.stem(self._padded, filters, pool_padding, by_rows[0] if by_rows else None)
        for block, after in zip(by_rows, [*by_rows[1:], None], strict=False):
            shares.block(block, after)
        late = Workspace(dtype)
        slices = Slices(recorders, late, shares.x)
        for block in by_channels:
            slices.block(block)
        scratch = [shared, late, *(record.scratch for record in recorders)]
        self.nbytes = self._padded.nbytes + sum(space.nbytes for space in scratch)
        self._phases = [[partial(run_ops, ops) for ops in phase] for phase in shares.phases + slices.phases]
        self._y = slices.x

    def run(self, x: Array) -> Array:
        """See `Layout`."""
        np.copyto(self._padded[:, 3:-3, 3:-3], x)
        self._team.run(self._phases)
        return self._y


class ManyPhotographs:
    """So many photographs for each member: one by one, then its group at once, then all by channels."""

    def __init__(
        self, filters: Filters, pool_padding: int, height: int, width: int, team: Team, group: int
    ) -> None:
        dtype = filters.stem.dtype
        self.size = group * team.size
        self._team = team
        recorders = [Recorder(dtype) for _ in range(team.size)]
        by_rows, by_channels = split_large(filters.blocks)
        self._members = [
            _Member(record, filters, by_rows, pool_padding, (height, width), group) for record in recorders
        ]
        y = self._members[0].y
        together = np.empty((self.size, *y.shape[1:]), dtype)
        late = Workspace(dtype)
        slices = Slices(recorders, late, together)
        for block in by_channels:
            slices.block(block)
        self.nbytes = together.nbytes + late.nbytes + sum(member.nbytes for member in self._members)
        self._together, self._y = together, slices.x
        self._phases = [[partial(run_ops, ops) for ops in phase] for phase in slices.phases]

    def run(self, x: Array) -> Array:
        """See `Layout`."""
        g = self.size // self._team.size
        first = [
            partial(member.run, x[i * g : (i + 1) * g], self._together[i * g : (i + 1) * g])
            for i, member in enumerate(self._members)
        ]
        self._team.run([first, *self._phases])
        return self._y


class _Member:
    """One worker's photographs: those stages one by one that fill the cache alone, the others at once."""

    def __init__(
        self,
        record: Recorder,
        filters: Filters,
        blocks: list[Block],
        pool_padding: int,
        size: tuple[int, int],
        group: int,
    ) -> None:
        dtype = filters.stem.dtype
        self._padded = np.zeros((1, size[0] + 6, size[1] + 6, 3), dtype)
        h, w = pooled_size(*size, pool_padding)
        first, rest = split_small(blocks, h, w)
        spaces = [record.scratch, Workspace(dtype), Workspace(dtype)]
        alone = Shares([record], spaces[1], 1)
        alone.stem(self._padded, filters, pool_padding, first[0] if first else None)
        for block, after in zip(first, [*first[1:], None], strict=False):
            alone.block(block, after)
        self._alone = _flat(alone)
        self._one = alone.x
        self._many = np.empty((group, *alone.x.shape[1:]), dtype)
        at_once = Shares([record], spaces[2], group)
        at_once.x = self._many
        if rest:
            at_once.start(self._many, rest[0])
        for block, after in zip(rest, [*rest[1:], None], strict=False):
            at_once.block(block, after)
        self._at_once = _flat(at_once)
        self.y = at_once.x
        self.nbytes = self._padded.nbytes + self._many.nbytes + sum(space.nbytes for space in spaces)

    def run(self, x: Array, y: Array) -> None:
        """Photographs (group, H, W, 3) -> y (group, h, w, C)."""
        for i in range(len(x)):
            np.copyto(self._padded[:, 3:-3, 3:-3], x[i])
            run_ops(self._alone)
            np.copyto(self._many[i], self._one[0])
        run_ops(self._at_once)
        np.copyto(y, self.y)


def _flat(shares: Shares) -> list[Op]:
    """All operations of a single worker."""
    return [op for phase in shares.phases for ops in phase for op in ops]

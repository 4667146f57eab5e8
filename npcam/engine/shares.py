"""A run of residual blocks, shared out by images or by rows: what each worker is to do.

For the early stages, which have many positions and few filters. Workers meet once per block.
"""

from collections.abc import Callable

import numpy as np

from npcam.engine import kernels
from npcam.engine.filters import Block, Filters
from npcam.engine.geometry import Geometry, geometry, pooled_size
from npcam.engine.kernels import Span
from npcam.engine.program import Op, Recorder, Workspace
from npcam.engine.winograd import TILE
from npcam.shapes import Array

Phases = list[list[list[Op]]]  # what each worker does, between one meeting and the next
STEM_BUDGET = 1 << 19  # numbers in the stem's columns at a time
TILES_BUDGET = 5 << 18  # numbers in the transformed tiles, or the columns, of a 3x3 at a time
POINTS_BUDGET = 1 << 20  # numbers in the output of a 1x1 at a time, for each time its filters are packed anew


def rows_of(h: int, part: int, parts: int, step: int = 1) -> tuple[int, int]:
    """The rows that a worker makes, in whole steps: TILE rows where tiles are to stay whole.

    >>> [rows_of(14, part, 2, step=4) for part in range(2)]
    [(0, 8), (8, 14)]
    """
    steps = -(-h // step)
    first, last = -(-steps * part // parts), -(-steps * (part + 1) // parts)
    return min(first * step, h), min(last * step, h)


class Shares:
    """Records blocks for workers that share `n` images by rows.

    Attributes:
        phases: what was recorded.
        x: the activation that the last block recorded makes, (n, h, w, C).
    """

    def __init__(self, recorders: list[Recorder], shared: Workspace, n: int) -> None:
        self._recorders = recorders
        self._shared = shared
        self._n = n
        self._flip = 0
        self.phases: Phases = []

    def stem(
        self,
        padded: Array,
        filters: Filters,
        pool_padding: int,
        after: Block | None,
    ) -> None:
        """From padded photographs (n, H+6, W+6, 3) to the first block's input."""
        height, width = (s - 6 for s in padded.shape[1:3])
        h, w = pooled_size(height, width, pool_padding)
        k = filters.stem.shape[1]
        self.x = self._shared.take("x0", (self._n, h, w, k))
        enter = self._enter(after, h, w) if after else None
        for part, record in enumerate(self._recorders):
            top, bottom = rows_of(h, part, len(self._recorders))
            whole = Span(0, self._n, top, bottom)
            for span in kernels.spans(whole, width * len(filters.stem), STEM_BUDGET):
                for i in range(span.i, span.j):
                    rows = Span(i, i + 1, span.top, span.bottom)
                    record.layer = "conv1_conv"
                    kernels.stem(record, padded[i : i + 1], filters, pool_padding, rows, self.x)
            if enter:
                enter(record, Span(0, self._n, top, bottom))
        self._meet()

    def start(self, x: Array, first: Block) -> None:
        """From an activation that another run of blocks made."""
        self.x = x
        enter = self._enter(first, *x.shape[1:3])
        for part, record in enumerate(self._recorders):
            top, bottom = rows_of(x.shape[1], part, len(self._recorders))
            enter(record, Span(0, self._n, top, bottom))
        self._meet()

    def block(self, block: Block, after: Block | None) -> None:
        """One block but for its first 1x1, and the first 1x1 of the block after it.

        Between its 3x3 and the next, every position needs only itself. So a worker goes on with
        its rows, a piece at a time, and meets the others only where a 3x3 looks over the border.
        """
        g, padded, x, plan = self._geometry, self._padded, self.x, block.plan
        k = block.kernel_3.shape[1]
        in_place = not plan.projects and plan.stride_0 == 1
        y = x if in_place else self._shared.take(f"x{1 + self._flip % 2}", (self._n, g.h, g.w, k))
        self._flip += not in_place
        self.x = y
        enter = self._enter(after, g.h, g.w) if after else None
        step = TILE if g.winograd else 1
        for part, record in enumerate(self._recorders):
            share = Span(0, self._n, *rows_of(g.h, part, len(self._recorders), step))
            c = block.kernel_2.shape[2]
            for span in kernels.spans(share, g.w * c * 9 // (4 if g.winograd else 1), TILES_BUDGET, step):
                joined = _branch(record, block, g, padded, x, span)
                for points in kernels.spans(span, g.w * k, POINTS_BUDGET):
                    _join(record, block, joined, x, y, span, points)
                    if enter:
                        enter(record, points)
        self._meet()

    def _enter(self, block: Block, h: int, w: int) -> Callable[[Recorder, Span], None]:
        """Make room for what a block's 3x3 reads; returns the function that records its first 1x1."""
        g = geometry(block, self._n, h, w)
        f = block.kernel_1.shape[1]
        padded = self._shared.take(f"padded{len(self.phases) % 2}", (self._n, *g.padded, f))
        self._geometry, self._padded = g, padded
        x, s = self.x, block.plan.stride_1

        def enter(record: Recorder, span: Span) -> None:
            top, bottom = -(-span.top // s), -(-span.bottom // s)
            if top == bottom or span.i == span.j:
                return
            record.layer = f"{block.plan.name}_1_conv"
            down, across = g.inside
            rows = slice(down.start + top, down.start + bottom)
            images = padded[span.i : span.j]
            kernels.fill_border(record, images, g.inside, rows, block.floor_1)
            y = images[:, rows, across]
            source = x[span.i : span.j, s * top : span.bottom : s, ::s]
            kernels.conv1x1(record, source, block.kernel_1, block.floor_1, y)

        return enter

    def _meet(self) -> None:
        """Nobody goes on before all are here."""
        self.phases.append([record.cut() for record in self._recorders])


def _branch(record: Recorder, block: Block, g: Geometry, padded: Array, x: Array, span: Span) -> Array:
    """The 3x3 over a piece, and beside it what a projecting shortcut reads: (n, h, w, F [+ C] + 1)."""
    plan, k = block.plan, block.kernel_2.shape[3]
    shape = (span.j - span.i, span.bottom - span.top, g.w, len(block.kernel_3))
    joined = record.scratch.take("joined", shape)
    y = joined[..., :k]
    record.layer = f"{plan.name}_2_conv"
    if g.winograd:
        halo = padded[span.i : span.j, span.top : -(-span.bottom // TILE) * TILE + 2]
        kernels.winograd3x3(record, halo, block.transformed(), block.floor_2, y)
    else:
        s = plan.stride_2
        halo = padded[span.i : span.j, s * span.top : s * (span.bottom - 1) + 3]
        kernels.conv3x3(record, halo, block.kernel_2, block.floor_2, s, y)
    record.layer = f"{plan.name}_3_conv"
    if plan.projects:
        record(np.copyto, joined[..., k:-1], _sampled(x, span, plan.stride_0))
    record(np.copyto, joined[..., -1], 1)
    return joined


def _join(
    record: Recorder, block: Block, joined: Array, x: Array, y: Array, span: Span, points: Span
) -> None:
    """The last 1x1, the shortcut and the ReLU over part of a piece, into `y`."""
    record.layer = f"{block.plan.name}_3_conv"
    inside = Span(points.i - span.i, points.j - span.i, points.top - span.top, points.bottom - span.top)
    a, out = inside.of(joined), points.of(y)
    c, k = block.kernel_3.shape
    t = out if block.plan.projects else record.scratch.take("t", out.shape)
    record(np.matmul, a.reshape(-1, c), block.kernel_3, out=t.reshape(-1, k))
    if not block.plan.projects:
        record(np.add, t, _sampled(x, points, block.plan.stride_0), out=out)
    kernels.relu(record, out, out)


def _sampled(x: Array, span: Span, s: int) -> Array:
    """The positions of a block's input that its output positions stand on."""
    return x[span.i : span.j, s * span.top : s * (span.bottom - 1) + 1 : s, ::s]

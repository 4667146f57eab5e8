"""Blocks recorded for threads that share a photograph by rows, or for one thread with its own photographs.

For the early stages, which have many positions and few filters. Threads meet once per block.
"""

from typing import NamedTuple

import numpy as np

from npcam.engine import kernels
from npcam.engine.filters import BlockFilters
from npcam.engine.geometry import Geometry, pooled_size, rows_of
from npcam.engine.kernels import Span
from npcam.engine.program import Program, Recorder
from npcam.engine.schedule import Schedule, Stretch
from npcam.engine.winograd import winograd3x3
from npcam.shapes import Array

STEM_BUDGET = 1 << 19  # numbers in the stem's columns at a time
TILES_BUDGET = 5 << 18  # numbers in the transformed tiles, or the columns, of a 3x3 at a time
POINTS_BUDGET = 1 << 19  # numbers in the output of a 1x1 at a time, for each time its filters are packed anew


class Entered(NamedTuple):
    """A block whose first 1x1 is recorded along with the block before it.

    Attributes:
        block, sizes: the block.
        padded: what its 3x3 reads, (n, H+, W+, F), in the shared memory.
    """

    block: BlockFilters
    sizes: Geometry
    padded: Array


def record_stem(program: Program, schedule: Schedule, padded: Array) -> Array:
    """Record the stem and the first stretch of a schedule.

    Args:
        program: where to record it.
        schedule: the schedule.
        padded: the photograph, (1, H+6, W+6, 3), zeros around it.

    Returns:
        What the last block makes, (1, h, w, C), in the shared memory.
    """
    filters, stretch, padding = schedule.filters, schedule.one_by_one, schedule.filters.pool_padding
    height, width = schedule.size
    h, w = pooled_size(height, width, padding)
    x = program.shared.take("pool1_pool", (1, h, w, filters.stem.shape[1]))
    first = _enter(program, stretch, 0)
    for share, record in enumerate(program.shares[: stretch.shares]):
        whole = Span(0, 1, *rows_of(h, share, stretch.shares))
        record.layer = "conv1_conv"
        for rows in kernels.spans(whole, width * len(filters.stem), STEM_BUDGET):
            kernels.stem(record, padded, filters.stem, filters.stem_floor, padding, rows, x)
        if first:
            _first1x1(record, first, x, whole)
    program.meet()
    return _record_blocks(program, stretch, first, x)


def photo_rows(schedule: Schedule) -> list[slice]:
    """The rows of the photograph that each share of the first stretch reads, if it has any work."""
    filters, (height, width), shares = schedule.filters, schedule.size, schedule.one_by_one.shares
    h, _ = pooled_size(height, width, filters.pool_padding)
    found = []
    for top, bottom in (rows_of(h, share, shares) for share in range(shares)):
        first, last = kernels.stem_rows(top, bottom, filters.pool_padding, height + 6)
        if top < bottom:
            found.append(slice(max(2 * first - 3, 0), 2 * last + 2))
    return found


def record_stretch(program: Program, stretch: Stretch, x: Array) -> Array:
    """Record a stretch from x (n, h, w, C) in the shared memory on; returns what it makes, there too.

    Raises:
        ValueError: several photographs were to be shared by rows; those of one share would not lie
            side by side.
    """
    if stretch.shares > 1 and len(x) > 1:
        raise ValueError(f"the rows of one photograph can be shared, not of {len(x)} in {stretch.shares}")
    first = _enter(program, stretch, 0)
    if not first:
        return x
    for share, record in enumerate(program.shares[: stretch.shares]):
        _first1x1(record, first, x, Span(0, len(x), *rows_of(x.shape[1], share, stretch.shares)))
    program.meet()
    return _record_blocks(program, stretch, first, x)


def _enter(program: Program, stretch: Stretch, i: int) -> Entered | None:
    """Make room, with a border, for what the 3x3 of a stretch's block `i` reads; None after the last."""
    if i == len(stretch.blocks):
        return None
    block, g = stretch.blocks[i]
    rows, columns = g.padded
    over = g.step - 1 if stretch.shares > 1 else 0  # by which the last share's tiles may hang over the edge
    shape = (stretch.at_once, rows + over, columns, block.channels[0])
    padded = program.shared.take(f"{block.name}_1_relu", shape)
    record = program.shares[0]
    record.layer = f"{block.name}_1_conv"
    kernels.fill_border(record, padded, g.inside, block.floor_1)
    return Entered(block, g, padded)


def _record_blocks(program: Program, stretch: Stretch, first: Entered | None, x: Array) -> Array:
    """Record the blocks, the first one's first 1x1 being recorded; returns the last one's output."""
    entered, i = first, 0
    while entered:
        i += 1
        after = _enter(program, stretch, i)
        x = _record_block(program, stretch.shares, entered, after, x)
        entered = after
    return x


def _record_block(program: Program, shares: int, entered: Entered, after: Entered | None, x: Array) -> Array:
    """Record one block but for its first 1x1, and the first 1x1 of the block after it.

    Between its 3x3 and the next, every position needs only itself. So a task goes on with
    its rows, a piece at a time, and meets the others only where a 3x3 looks over the border.
    """
    block, g, padded = entered
    n, (c, _, k) = len(x), block.channels
    y = x if block.in_place else program.shared.take(f"{block.name}_out", (n, g.h, g.w, k))
    columns = g.form.products / g.form.tile**2 if g.form else 9  # numbers that are multiplied, per number
    for share, record in enumerate(program.shares[:shares]):
        own = Span(0, n, *rows_of(g.h, share, shares))
        for span in kernels.spans(own, int(g.w * c * columns), TILES_BUDGET, g.step):
            joined = _branch(record, entered, x, span)
            for points in kernels.spans(span, g.w * k, POINTS_BUDGET):
                _join(record, block, joined, x, y, span, points)
                if after:
                    _first1x1(record, after, y, points)
            record.scratch.free(joined)
    program.meet()
    program.shared.free(padded)
    if block.in_place:
        program.shared.rename(x, f"{block.name}_out")
    else:
        program.shared.free(x)
    return y


def _first1x1(record: Recorder, entered: Entered, x: Array, span: Span) -> None:
    """A block's first 1x1 on a span of its input: into the middle of what its 3x3 reads."""
    block, g, padded = entered
    s = block.strides.stride_1
    top, bottom = -(-span.top // s), -(-span.bottom // s)
    if top == bottom or span.i == span.j:
        return
    record.layer = f"{block.name}_1_conv"
    down, across = g.inside
    rows = slice(down.start + top, down.start + bottom)
    some = padded[span.i : span.j]
    source = x[span.i : span.j, s * top : span.bottom : s, ::s]
    kernels.conv1x1(record, source, block.kernel_1, block.floor_1, some[:, rows, across])


def _branch(record: Recorder, entered: Entered, x: Array, span: Span) -> Array:
    """The 3x3 over a span, beside it what a projecting shortcut reads, and ones: (n, h, w, F [+ C] + 1).

    It is the share's scratch memory; the caller frees it.
    """
    block, g, padded = entered
    k = block.channels[1]
    shape = (span.j - span.i, span.bottom - span.top, g.w, block.kernel_3.shape[1])
    joined = record.scratch.take(f"{block.name}_2_relu, shortcut, 1", shape)
    y = joined[..., :k]
    record.layer = f"{block.name}_2_conv"
    if g.form:
        bottom = span.top - (span.top - span.bottom) // g.step * g.step  # of whole tiles
        halo = padded[span.i : span.j, span.top : bottom + 2]
        winograd3x3(record, g.form, halo, block.transformed(g.form), block.floor_2, y)
    else:
        s = block.strides.stride_2
        halo = padded[span.i : span.j, s * span.top : s * (span.bottom - 1) + 3]
        kernels.conv3x3(record, halo, block.kernel_2, block.floor_2, s, y)
    record.layer = f"{block.name}_3_conv"
    c = x.shape[3] if block.projects else 0
    if block.projects:
        record(np.copyto, joined[..., k : k + c], _sampled(x, span, block.strides.stride_0))
    record(np.copyto, joined[..., k + c :], 1)
    return joined


def _join(
    record: Recorder, block: BlockFilters, joined: Array, x: Array, y: Array, span: Span, points: Span
) -> None:
    """The last 1x1, the shortcut and the ReLU over `points`, some of a span's rows, into `y`."""
    record.layer = f"{block.name}_3_conv"
    inside = Span(points.i - span.i, points.j - span.i, points.top - span.top, points.bottom - span.top)
    shortcut = None if block.projects else _sampled(x, points, block.strides.stride_0)
    floor = np.zeros(y.shape[3], y.dtype)
    kernels.conv1x1(record, inside.of(joined), block.kernel_3, floor, points.of(y), shortcut)


def _sampled(x: Array, span: Span, s: int) -> Array:
    """The positions of a block's input that its output positions stand on."""
    return x[span.i : span.j, s * span.top : s * (span.bottom - 1) + 1 : s, ::s]

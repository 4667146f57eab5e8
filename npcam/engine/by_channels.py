"""Blocks recorded for threads that share all photographs' channels.

For the late stages, which have few positions and large filters: each task reads only its part of
the filters, for all photographs at once. Threads meet three times per block.

Reason: the filters of conv5 are 60 MB; two threads that both read and pack all of them for half
of a photograph each take a fifth longer. And a matmul of few rows is slow: cut by channels, it
keeps them all.
"""

from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

import numpy as np

from npcam.engine import kernels
from npcam.engine.filters import BlockFilters
from npcam.engine.geometry import Geometry
from npcam.engine.program import Program, Recorder
from npcam.engine.schedule import Stretch
from npcam.engine.slices import pieces
from npcam.engine.winograd import multiply_tiles, tiles_in, tiles_out
from npcam.shapes import Array


class Part(NamedTuple):
    """What one task does of a convolution.

    Attributes:
        record: where it is recorded.
        kernel: some of its slices, (S, ..., K / S), or some channels of one.
        channels: the output channels that these make.
    """

    record: Recorder
    kernel: Array
    channels: slice


def record_stretch(program: Program, stretch: Stretch, x: Array) -> Array:
    """Record a stretch from x (n, h, w, C) in the shared memory on; returns what it makes, there too."""
    for block, g in stretch.blocks:
        x = _record_block(program, block, g, x)
    return x


class End:
    """What follows the last activation: averages, and the dense layer, some channels of its input per task.

    Reason: the dense layer's 8 MB are read by all threads, not by one while the others wait.

    Attributes:
        averages: (n, C), over all positions.
        parts: (n, K) of each task, which sum to the logits but for the bias.
    """

    def __init__(self, program: Program, n: int, dense: Array) -> None:
        """For n photographs and a dense layer's kernel (C, K)."""
        self._shared, self._dense = program.shared, dense
        self.averages = self._shared.take("avg_pool", (n, len(dense)))
        self.parts: list[Array] = []

    def record(self, record: Recorder, x: Array, k: slice) -> None:
        """Record it for some channels of the last activation x (n, h, w, C)."""
        name, shape = f"predictions, part {len(self.parts)}", (len(x), self._dense.shape[1])
        self.parts.append(self._shared.take(name, shape))
        record.layer = "avg_pool"
        record(np.mean, x[..., k], axis=(1, 2), out=self.averages[:, k])
        record.layer = "predictions"
        record(np.matmul, self.averages[:, k], self._dense[k], out=self.parts[-1])


def record_end(program: Program, stretch: Stretch, x: Array, dense: Array) -> tuple[Array, End]:
    """Record the last stretch of a network from x (n, h, w, C) on, and what follows it."""
    end, blocks = End(program, len(x), dense), stretch.blocks
    for i, (block, g) in enumerate(blocks, start=1):
        x = _record_block(program, block, g, x, end if i == len(blocks) else None)
    if not blocks:
        for record, _, k in _tasks(program, np.moveaxis(dense, 0, -1)[None], "avg_pool"):
            end.record(record, x, k)
        program.meet()
    return x, end


def _record_block(
    program: Program, block: BlockFilters, g: Geometry, x: Array, end: End | None = None
) -> Array:
    """Record one residual block: what the 3x3 multiplies; the 3x3; the last 1x1, and the network's end."""
    n, (f, f2, _) = len(x), block.channels
    taken = (g.form.products, n * g.form.tiles(g.h, g.w), f) if g.form else (n, g.h, g.w, 3, 3, f)
    factors = program.shared.take("tiles" if g.form else "columns", taken)
    shape = (n, g.h, g.w, block.kernel_3.shape[1])
    joined = program.shared.take(f"{block.name}_2_relu, shortcut, 1", shape)
    _prepare(program, block, g, x, factors)
    _beside(program, block, x, joined)
    program.meet()
    _multiply(program, block, g, factors, joined[..., :f2])
    program.meet()
    program.shared.free(factors)
    y = _last1x1(program, block, joined, x, end)
    program.shared.free(joined)
    return y


def _prepare(program: Program, block: BlockFilters, g: Geometry, x: Array, factors: Array) -> None:
    """The first 1x1, some of its output channels per task, and these channels' tiles or columns."""
    s1, s2 = block.strides.stride_1, block.strides.stride_2
    for record, kernel, k in _tasks(program, block.kernel_1, f"{block.name}_1_conv"):
        own, floor = factors[..., k], block.floor_1[k]
        padded = record.scratch.take("padded", (len(x), *g.padded, own.shape[-1]))
        record(np.copyto, padded, floor)
        y = padded[:, g.inside[0], g.inside[1]]
        kernels.conv1x1(record, x[:, ::s1, ::s1], kernel, floor, y)
        record.layer = f"{block.name}_2_conv"
        if g.form:
            tiles = tiles_in(record, g.form, padded, g.h, g.w)
            record(np.copyto, own, tiles)
            record.scratch.free(tiles)
        else:
            record(np.copyto, own, kernels.windows3x3(padded, s2, g.h, g.w).reshape(own.shape))
        record.scratch.free(padded)


def _beside(program: Program, block: BlockFilters, x: Array, joined: Array) -> None:
    """What stands beside the 3x3's output: what a projecting shortcut reads, and ones for the bias."""
    shares, layer = program.shares, f"{block.name}_3_conv"
    shares[0].layer = layer
    f, c = block.channels[1], x.shape[3] if block.projects else 0
    shares[0](np.copyto, joined[..., f + c :], 1)
    if block.projects:
        y = joined[..., f : f + c]
        for i, record in enumerate(shares):
            k = slice(c * i // len(shares), c * (i + 1) // len(shares))
            record.layer = layer
            record(np.copyto, y[..., k], _sampled(x, block)[..., k])


def _multiply(program: Program, block: BlockFilters, g: Geometry, factors: Array, y: Array) -> None:
    """The 3x3 from its tiles or columns, some of its output channels per task."""
    stack = np.moveaxis(block.transformed(g.form), 1, 0) if g.form else block.kernel_2
    for record, kernel, k in _tasks(program, stack, f"{block.name}_2_conv"):
        if g.form:
            products = multiply_tiles(record, factors, np.moveaxis(kernel, 0, 1))
            tiles_out(record, g.form, products, block.floor_2[k], y[..., k])
        else:
            kernels.multiply_columns(record, factors, kernel, block.floor_2[k], y[..., k])


def _last1x1(program: Program, block: BlockFilters, joined: Array, x: Array, end: End | None) -> Array:
    """The last 1x1, the shortcut and the ReLU, some output channels per task, and what comes of them."""
    n, h, w, _ = joined.shape
    y = x if block.in_place else program.shared.take(f"{block.name}_out", (n, h, w, block.channels[2]))
    for record, kernel, k in _tasks(program, block.kernel_3, f"{block.name}_3_conv"):
        shortcut = None if block.projects else _sampled(x, block)[..., k]
        kernels.conv1x1(record, joined, kernel, np.zeros(k.stop - k.start, y.dtype), y[..., k], shortcut)
        if end:
            end.record(record, y, k)
    program.meet()
    if block.in_place:
        program.shared.rename(x, f"{block.name}_out")
    else:
        program.shared.free(x)
    return y


def _sampled(x: Array, block: BlockFilters) -> Array:
    """The positions of a block's input that its output positions stand on."""
    return x[:, :: block.strides.stride_0, :: block.strides.stride_0]


def _tasks(program: Program, kernel: Array, layer: str) -> Iterator[Part]:
    """One of a kernel's pieces for each task, now and then two, to record for a layer."""
    shares = program.shares
    for record, (piece, channels) in zip(cycle(shares), pieces(kernel, len(shares)), strict=False):
        record.layer = layer
        yield Part(record, piece, channels)

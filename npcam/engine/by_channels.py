"""Blocks recorded for threads that share all photographs' channels.

For the late stages, which have few positions and large filters: each thread reads only its part of
the filters, for all photographs at once. Threads meet four times per block.

Reason: the filters of conv5 are 60 MB; two threads that both read and pack all of them for half
of a photograph each take a fifth longer.
"""

from collections.abc import Iterator

import numpy as np

from npcam.engine import kernels
from npcam.engine.filters import BlockFilters
from npcam.engine.geometry import Geometry
from npcam.engine.program import Program, Recorder
from npcam.engine.schedule import Stretch
from npcam.engine.winograd import multiply_tiles, tile_count, tiles_in, tiles_out
from npcam.shapes import Array


def record_stretch(program: Program, stretch: Stretch, x: Array) -> Array:
    """Record a stretch from x (n, h, w, C) in the shared memory on; returns what it makes, there too."""
    for block, g in stretch.blocks:
        x = _record_block(program, block, g, x)
    return x


def _record_block(program: Program, block: BlockFilters, g: Geometry, x: Array) -> Array:
    """Record one residual block."""
    n, (f, f2) = len(x), block.kernel_2.shape[2:]
    padded = program.shared.take(f"{block.name}_1_relu", (n, *g.padded, f))
    joined = program.shared.take(f"{block.name}_2_relu, shortcut, 1", (n, g.h, g.w, len(block.kernel_3)))
    _first1x1(program, block, g, x, padded)
    _beside(program, block, x, joined)
    three = _winograd3x3 if g.winograd else _direct3x3
    three(program, block, padded, joined[..., :f2])
    program.shared.free(padded)
    y = _last1x1(program, block, joined, x)
    program.shared.free(joined)
    return y


def _first1x1(program: Program, block: BlockFilters, g: Geometry, x: Array, padded: Array) -> None:
    """The first 1x1, some of its output channels per thread."""
    s = block.strides.stride_1
    for record, k in _cut(program, block.kernel_1.shape[1], f"{block.name}_1_conv"):
        kernels.fill_border(record, padded[..., k], g.inside, g.inside[0], block.floor_1[k])
        y = padded[:, g.inside[0], g.inside[1], k]
        kernels.conv1x1(record, x[:, ::s, ::s], block.kernel_1[:, k], block.floor_1[k], y)
    program.meet()


def _beside(program: Program, block: BlockFilters, x: Array, joined: Array) -> None:
    """What stands beside the 3x3's output: what a projecting shortcut reads, and ones for the bias."""
    for record, _ in _cut(program, 1, f"{block.name}_3_conv"):
        record(np.copyto, joined[..., -1], 1)
    if block.projects:
        y = joined[..., block.kernel_2.shape[3] : -1]
        for record, k in _cut(program, x.shape[3], f"{block.name}_3_conv"):
            record(np.copyto, y[..., k], _sampled(x, block)[..., k])


def _direct3x3(program: Program, block: BlockFilters, padded: Array, y: Array) -> None:
    """The 3x3 by im2col: first the columns of some rows each, then some output channels."""
    n, h, w, k2 = y.shape
    c, layer = padded.shape[3], f"{block.name}_2_conv"
    windows = kernels.windows3x3(padded, block.strides.stride_2, h, w)
    columns = program.shared.take("columns", windows.shape)
    for record, rows in _cut(program, h, layer):
        record(np.copyto, columns[:, rows], windows[:, rows])
    program.meet()
    kernel = block.kernel_2.reshape(9 * c, k2)
    for record, k in _cut(program, k2, layer):
        sums = record.scratch.take("sums", (n * h * w, k.stop - k.start))
        record(np.matmul, columns.reshape(-1, 9 * c), kernel[:, k], out=sums)
        record(np.maximum, sums.reshape(n, h, w, -1), block.floor_2[k], out=y[..., k])
        record.scratch.free(sums)
    program.meet()
    program.shared.free(columns)


def _winograd3x3(program: Program, block: BlockFilters, padded: Array, y: Array) -> None:
    """The 3x3 as F(4x4, 3x3): first the tiles of some input channels each, then some output channels."""
    h, w = y.shape[1:3]
    c, k2 = block.kernel_2.shape[2:]
    layer = f"{block.name}_2_conv"
    tiles = program.shared.take("tiles", (36, tile_count(y), c))
    for record, k in _cut(program, c, layer):
        own = tiles_in(record, padded[..., k], h, w)
        record(np.copyto, tiles[..., k], own)
        record.scratch.free(own)
    program.meet()
    for record, k in _cut(program, k2, layer):
        products = multiply_tiles(record, tiles, block.transformed()[..., k])
        tiles_out(record, products, block.floor_2[k], y[..., k])
    program.meet()
    program.shared.free(tiles)


def _last1x1(program: Program, block: BlockFilters, joined: Array, x: Array) -> Array:
    """The last 1x1, the shortcut and the ReLU, some output channels per thread."""
    n, h, w, c = joined.shape
    k3 = block.kernel_3.shape[1]
    y = x if block.in_place else program.shared.take(f"{block.name}_out", (n, h, w, k3))
    for record, k in _cut(program, k3, f"{block.name}_3_conv"):
        sums = record.scratch.take("sums", (n, h, w, k.stop - k.start))
        record(np.matmul, joined.reshape(-1, c), block.kernel_3[:, k], out=sums.reshape(-1, sums.shape[3]))
        if not block.projects:
            record(np.add, sums, _sampled(x, block)[..., k], out=sums)
        record(np.maximum, sums, np.zeros(sums.shape[3], sums.dtype), out=y[..., k])
        record.scratch.free(sums)
    program.meet()
    if block.in_place:
        program.shared.rename(x, f"{block.name}_out")
    else:
        program.shared.free(x)
    return y


def _sampled(x: Array, block: BlockFilters) -> Array:
    """The positions of a block's input that its output positions stand on."""
    return x[:, :: block.strides.stride_0, :: block.strides.stride_0]


def _cut(program: Program, size: int, layer: str) -> Iterator[tuple[Recorder, slice]]:
    """Each thread's slice of an axis, to record for a layer; threads that would have none are left out."""
    edges = [size * thread // len(program.threads) for thread in range(len(program.threads) + 1)]
    for record, a, b in zip(program.threads, edges, edges[1:], strict=False):
        if a < b:
            record.layer = layer
            yield record, slice(a, b)

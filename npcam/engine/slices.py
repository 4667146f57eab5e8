"""A run of residual blocks, shared out by channels: what each worker is to do.

For the late stages, which have few positions and large filters: each worker reads only its part of
the filters, for all images at once. Workers meet four times per block.

Reason: the filters of conv5 are 60 MB; two workers that both read and pack all of them for half
of a photograph each take a fifth longer.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from npcam.engine import kernels
from npcam.engine.filters import Block
from npcam.engine.geometry import Geometry, geometry
from npcam.engine.program import Recorder, Workspace
from npcam.engine.shares import Phases
from npcam.shapes import Array


class Slices:
    """Records blocks for workers that share the channels of `n` images.

    Attributes:
        phases: what was recorded.
        x: the activation that the last block recorded makes, (n, h, w, C).
    """

    def __init__(self, recorders: list[Recorder], shared: Workspace, x: Array) -> None:
        self._recorders = recorders
        self._shared = shared
        self._flip = 0
        self.x = x
        self.phases: Phases = []

    def block(self, block: Block) -> None:
        """One residual block."""
        n, h, w, _ = self.x.shape
        g = geometry(block, n, h, w)
        f, f2 = block.kernel_2.shape[2:]
        padded = self._shared.take("padded", (n, *g.padded, f))
        joined = self._shared.take("joined", (n, g.h, g.w, len(block.kernel_3)))
        self._label(f"{block.plan.name}_1_conv")
        self._first(block, g, padded)
        self._label(f"{block.plan.name}_2_conv")
        self._beside(block, joined)
        if g.winograd:
            self._winograd(block, padded, joined[..., :f2])
        else:
            self._direct(block, padded, joined[..., :f2])
        self._label(f"{block.plan.name}_3_conv")
        self._last(block, g, joined)

    def _first(self, block: Block, g: Geometry, padded: Array) -> None:
        """The first 1x1, each worker some of its outputs."""
        s = block.plan.stride_1
        for record, k in self._cut(block.kernel_1.shape[1]):
            kernels.fill_border(record, padded[..., k], g.inside, g.inside[0], block.floor_1[k])
            y = padded[:, g.inside[0], g.inside[1], k]
            kernels.conv1x1(record, self.x[:, ::s, ::s], block.kernel_1[:, k], block.floor_1[k], y)
        self._meet()

    def _direct(self, block: Block, padded: Array, y: Array) -> None:
        """The 3x3 by im2col: first the columns of some rows each, then some outputs each."""
        n, h, w, k2 = y.shape
        c, s = padded.shape[3], block.plan.stride_2
        columns = self._shared.take("columns", (n, h, w, 3, 3 * c))
        sn, sh, sw, sc = padded.strides
        windows = as_strided(padded, columns.shape, (sn, s * sh, s * sw, sh, sc), writeable=False)
        for record, rows in self._cut(h):
            record(np.copyto, columns[:, rows], windows[:, rows])
        self._meet()
        kernel = block.kernel_2.reshape(9 * c, k2)
        for record, k in self._cut(k2):
            t = record.scratch.take("t", (n * h * w, k.stop - k.start))
            record(np.matmul, columns.reshape(-1, 9 * c), kernel[:, k], out=t)
            record(np.maximum, t.reshape(n, h, w, -1), block.floor_2[k], out=y[..., k])
        self._meet()

    def _winograd(self, block: Block, padded: Array, y: Array) -> None:
        """The 3x3 as F(4x4, 3x3): first the tiles of some inputs each, then some outputs each."""
        h, w = y.shape[1:3]
        c, k2 = block.kernel_2.shape[2:]
        tiles = self._shared.take("tiles", (36, kernels.tile_count(y), c))
        for record, k in self._cut(c):
            d = kernels.tiles_in(record, padded[..., k], h, w)
            record(np.copyto, tiles[..., k], d)
        self._meet()
        for record, k in self._cut(k2):
            kernels.tiles_out(record, tiles, block.transformed()[..., k], block.floor_2[k], y[..., k])
        self._meet()

    def _beside(self, block: Block, joined: Array) -> None:
        """What stands beside the 3x3's output: what a projecting shortcut reads, and ones for the bias."""
        self._recorders[0](np.copyto, joined[..., -1], 1)
        if block.plan.projects:
            x = self.x[:, :: block.plan.stride_0, :: block.plan.stride_0]
            y = joined[..., block.kernel_2.shape[3] : -1]
            for record, k in self._cut(x.shape[3]):
                record(np.copyto, y[..., k], x[..., k])

    def _last(self, block: Block, g: Geometry, joined: Array) -> None:
        """The last 1x1, the shortcut and the ReLU, each worker some outputs."""
        n, s, x = len(joined), block.plan.stride_0, self.x[:, :: block.plan.stride_0, :: block.plan.stride_0]
        c, k3 = block.kernel_3.shape
        in_place = not block.plan.projects and s == 1
        y = self.x if in_place else self._shared.take(f"x{self._flip % 2}", (n, g.h, g.w, k3))
        self._flip += not in_place
        for record, k in self._cut(k3):
            t = record.scratch.take("t", (n, g.h, g.w, k.stop - k.start))
            record(np.matmul, joined.reshape(-1, c), block.kernel_3[:, k], out=t.reshape(-1, t.shape[3]))
            if not block.plan.projects:
                record(np.add, t, x[..., k], out=t)
            record(np.maximum, t, np.zeros(t.shape[3], t.dtype), out=y[..., k])
        self._meet()
        self.x = y

    def _cut(self, size: int) -> list[tuple[Recorder, slice]]:
        """Each worker's part of an axis; workers that would have none are left out."""
        edges = [size * part // len(self._recorders) for part in range(len(self._recorders) + 1)]
        parts = zip(self._recorders, edges, edges[1:], strict=False)
        return [(record, slice(a, b)) for record, a, b in parts if a < b]

    def _label(self, layer: str) -> None:
        """Name what is recorded from here on."""
        for record in self._recorders:
            record.layer = layer

    def _meet(self) -> None:
        """Nobody goes on before all are here."""
        self.phases.append([record.cut() for record in self._recorders])

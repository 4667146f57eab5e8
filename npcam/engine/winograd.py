"""Winograd's convolution F(4x4, 3x3): 16 results of a 3x3 kernel from 36 products instead of 144.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks" (arXiv:1509.09308): for every
6x6 tile d of the input and every 3x3 kernel g, Y = A^T [(G g G^T) * (B^T d B)] A. The product
summed over channels is 36 matmuls, one per position in the tile. F(2x2, 3x3), of 4x4 tiles, makes 4
results from 16 products instead of 36.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from npcam.engine.products import multiply
from npcam.engine.program import Recorder
from npcam.shapes import Array

AT_ONCE = 1 << 13  # pairs of channels whose filters are transformed at a time
POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)


class Form(NamedTuple):
    """One of Winograd's convolutions, F(m x m, 3x3).

    Attributes:
        tile: m, the rows and columns of results per tile.
        at, g, bt: A^T (m, m + 2), G (m + 2, 3) and B^T (m + 2, m + 2), float64.
    """

    tile: int
    at: Array
    g: Array
    bt: Array

    @property
    def window(self) -> int:
        """The rows and columns of input per tile."""
        return self.tile + 2

    @property
    def products(self) -> int:
        """The products per tile and pair of channels."""
        return self.window**2

    def tiles(self, h: int, w: int) -> int:
        """How many tiles cover h x w results."""
        return -(-h // self.tile) * -(-w // self.tile)


def winograd_matrices(points: tuple[float, ...] = POINTS, size: int = 3) -> tuple[Array, Array, Array]:
    """The matrices A^T, G and B^T of Cook and Toom, for any points (the last one is infinity).

    Both short convolution and its transpose are polynomials multiplied by evaluating them at
    points and interpolating; the points decide how much is rounded. At (0, 5/8, -5/8, 3/2, -3/2)
    the largest error of a layer is 4 times that of the direct sum (2e-6 of the maximum); at the
    usual (0, 1, -1, 2, -2), which spare multiplications that we do by matmul anyway, 16 times.

    Returns:
        A^T (4, 6), G (6, 3) and B^T (6, 6), float64; for other points as many rows as it has.

    >>> at, g, bt = winograd_matrices()
    >>> d, kernel = np.arange(6.0), np.array([1.0, 2.0, 4.0])
    >>> at @ ((g @ kernel) * (bt @ d))  # four results of the sliding window over d
    array([10., 17., 24., 31.])
    """
    n = len(points) + 1
    others = [[q for q in points if q != p] for p in points]
    at = np.zeros((n - size + 1, n))
    at[:, :-1] = np.vander(points, n - size + 1, increasing=True).T
    at[-1, -1] = 1
    g = np.zeros((n, size))
    g[:-1] = np.vander(points, size, increasing=True)
    g[:-1] /= [[np.prod([p - q for q in rest])] for p, rest in zip(points, others, strict=True)]
    g[-1, -1] = 1
    bt = np.zeros((n, n))
    for i, rest in enumerate(others):
        bt[i, :-1] = np.poly(rest)[::-1]
    bt[-1] = np.poly(points)[::-1]
    return at, g, bt


F4 = Form(4, *winograd_matrices())
F2 = Form(2, *winograd_matrices((0.0, 1.0, -1.0)))


def transform_filters(kernel: Array, form: Form = F4, each: int = 1, room: Array | None = None) -> Array:
    """G g G^T for every pair of channels: (S, 3, 3, C, K) -> (36, each S, C, K / each), found in float64.

    They lie in `room`, (36 S C K,), where that is given.

    Some channels at a time, in memory that is used again: fresh memory takes longer than the sums.
    """
    slices, _, _, c, k = kernel.shape
    gg = np.kron(form.g, form.g)  # (36, 9)
    if room is None:
        room = np.empty(len(gg) * slices * c * k, kernel.dtype)
    u = room.reshape(len(gg), slices, each, c, k // each)
    step = max(1, AT_ONCE // k)
    some, found = np.empty((9, step * k)), np.empty((len(gg), step * k))
    for s in range(slices):
        for i in range(0, c, step):
            n = min(step, c - i) * k
            some[:, :n] = kernel[s, :, :, i : i + step].reshape(9, n)
            np.matmul(gg, some[:, :n], out=found[:, :n])
            u[:, s, :, i : i + step] = found[:, :n].reshape(len(gg), -1, each, k // each).swapaxes(1, 2)
    return u.reshape(len(gg), slices * each, c, -1)


def winograd3x3(record: Recorder, form: Form, padded: Array, kernel: Array, floor: Array, y: Array) -> None:
    """3x3 convolution, F(4x4, 3x3), bias and ReLU: padded rows (n, H, W, C) -> y (n, h, w, K).

    `kernel` is (36, S, C, K / S), `floor` minus the bias (see the package's docstring).

    Reason: a quarter of the multiplications. With the transforms a 3x3 takes 1.0-1.4 ms of one
    core per photograph instead of 2.5-3.6 by im2col. As sums of slices, the transforms took
    most of what was gained; they are matmuls too, of 6x6 matrices with long rows.
    """
    tiles = tiles_in(record, form, padded, *y.shape[1:3])
    products = multiply_tiles(record, tiles, kernel)
    record.scratch.free(tiles)
    tiles_out(record, form, products, floor, y)


def tiles_in(record: Recorder, form: Form, padded: Array, h: int, w: int) -> Array:
    """B^T d B of every 6x6 tile d: padded rows (n, H, W, C) -> (36, tiles, C), for h x w results.

    What is returned is the thread's scratch memory; the caller frees it.
    """
    n, _, _, c = padded.shape
    tile, window = form.tile, form.window
    rows, columns = -(-h // tile), -(-w // tile)
    tiles = n * rows * columns
    d = record.scratch.take("tiles", (window**2, tiles, c))
    half = record.scratch.take("tiles, half transformed", (window, window, tiles * c))
    sn, sh, sw, sc = padded.strides
    strides = (sh, sw, sn, tile * sh, tile * sw, sc)
    windows = as_strided(padded, (window, window, n, rows, columns, c), strides, writeable=False)
    record(np.copyto, d.reshape(windows.shape), windows)
    bt, square = form.bt.astype(padded.dtype), d.reshape(half.shape)
    record(np.matmul, bt, square.transpose(1, 0, 2), out=half.transpose(1, 0, 2))  # B^T d
    record(np.matmul, bt, half, out=square)  # (B^T d) B
    record.scratch.free(half)
    return d


def multiply_tiles(record: Recorder, tiles: Array, kernel: Array) -> Array:
    """36 products: tiles (36, tiles, C) times kernel (36, S, C, K / S) -> (36, tiles, K), to be freed."""
    n, slices, _, k = kernel.shape
    products = record.scratch.take("products of tiles", (n, tiles.shape[1], slices * k))
    multiply(record, tiles, kernel, products)
    return products


def tiles_out(record: Recorder, form: Form, products: Array, floor: Array, y: Array) -> None:
    """A^T m A of every tile's products m, bias and ReLU: (36, tiles, K), freed -> y (n, h, w, K)."""
    n, h, w, k = y.shape
    tile = form.tile
    m = products.reshape(form.window, form.window, -1)
    half = record.scratch.take("results, half transformed", (tile, form.window, m.shape[2]))
    at = form.at.astype(y.dtype)
    record(np.matmul, at, m.transpose(1, 0, 2), out=half.transpose(1, 0, 2))  # A^T m
    record.scratch.free(products)
    results = record.scratch.take("results in tiles", (tile, tile, m.shape[2]))
    record(np.matmul, at, half, out=results)  # (A^T m) A
    record.scratch.free(half)
    untile(record, results.reshape(tile, tile, n, -(-h // tile), -(-w // tile), k), floor, y)
    record.scratch.free(results)


def untile(record: Recorder, t: Array, floor: Array, y: Array) -> None:
    """Tiles (m, m, n, rows, columns, K) back into y (n, h, w, K), cut at its edges, with the ReLU."""
    n, h, w, k = y.shape
    tile = len(t)
    sn, sh, sw, sc = y.strides
    for a, i, high in _edges(h, tile):
        for b, j, wide in _edges(w, tile):
            down, across = (h // tile if high == tile else 1), (w // tile if wide == tile else 1)
            shape = (high, wide, n, down, across, k)
            strides = (sh, sw, sn, tile * sh, tile * sw, sc)
            target = as_strided(y[:, a:, b:], shape, strides)
            source = t[:high, :wide, :, i : i + down, j : j + across]
            order = (2, 3, 0, 4, 1, 5)  # as they lie in y: photograph, row, column
            record(np.maximum, source.transpose(order), floor, out=target.transpose(order))


def _edges(size: int, tile: int) -> list[tuple[int, int, int]]:
    """Whole tiles and the rest: (first position, first tile, positions per tile)."""
    whole, rest = divmod(size, tile)
    return [(0, 0, tile)] * bool(whole) + [(whole * tile, whole, rest)] * bool(rest)

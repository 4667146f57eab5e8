"""Winograd's convolution F(4x4, 3x3): 16 results of a 3x3 kernel from 36 products instead of 144.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks" (arXiv:1509.09308): for every
6x6 tile d of the input and every 3x3 kernel g, Y = A^T [(G g G^T) * (B^T d B)] A. The product
summed over channels is 36 matmuls, one per position in the tile.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from npcam.engine.program import Recorder
from npcam.shapes import Array

TILE = 4  # rows and columns of results per tile
STEP = 16  # input channels whose filters are transformed at a time
POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)


def winograd_matrices(points: tuple[float, ...] = POINTS, size: int = 3) -> tuple[Array, Array, Array]:
    """The matrices A^T, G and B^T of Cook and Toom, for any points (the last one is infinity).

    Both short convolution and its transpose are polynomials multiplied by evaluating them at
    points and interpolating; the points decide how much is rounded. At (0, 5/8, -5/8, 3/2, -3/2)
    the largest error of a layer is 4 times that of the direct sum (2e-6 of the maximum); at the
    usual (0, 1, -1, 2, -2), which spare multiplications that we do by matmul anyway, 16 times.

    Returns:
        A^T (4, 6), G (6, 3) and B^T (6, 6), float64.

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


AT, G, BT = winograd_matrices()


def transform_filters(kernel: Array) -> Array:
    """G g G^T for every pair of channels: (3, 3, C, K) -> (36, C, K), found in float64.

    Some channels at a time, in memory that is used again: fresh memory takes longer than the sums.
    """
    c, k = kernel.shape[2:]
    gg = np.kron(G, G)  # (36, 9)
    u = np.empty((36, c, k), kernel.dtype)
    some, found = np.empty((9, STEP * k)), np.empty((36, STEP * k))
    for i in range(0, c, STEP):
        n = min(STEP, c - i) * k
        some[:, :n] = kernel[:, :, i : i + STEP].reshape(9, n)
        np.matmul(gg, some[:, :n], out=found[:, :n])
        u[:, i : i + STEP] = found[:, :n].reshape(36, -1, k)
    return u


def winograd3x3(record: Recorder, padded: Array, kernel: Array, floor: Array, y: Array) -> None:
    """3x3 convolution, F(4x4, 3x3), bias and ReLU: padded rows (n, H, W, C) -> y (n, h, w, K).

    `kernel` is (36, C, K), `floor` minus the bias (see the package's docstring).

    Reason: a quarter of the multiplications. With the transforms a 3x3 takes 1.0-1.4 ms of one
    core per photograph instead of 2.5-3.6 by im2col. As sums of slices, the transforms took
    most of what was gained; they are matmuls too, of 6x6 matrices with long rows.
    """
    tiles = tiles_in(record, padded, *y.shape[1:3])
    products = multiply_tiles(record, tiles, kernel)
    record.scratch.free(tiles)
    tiles_out(record, products, floor, y)


def tile_count(y: Array) -> int:
    """How many 4x4 tiles cover y (n, h, w, K)."""
    n, h, w, _ = y.shape
    return int(n * -(-h // TILE) * -(-w // TILE))


def tiles_in(record: Recorder, padded: Array, h: int, w: int) -> Array:
    """B^T d B of every 6x6 tile d: padded rows (n, H, W, C) -> (36, tiles, C), for h x w results.

    What is returned is the thread's scratch memory; the caller frees it.
    """
    n, _, _, c = padded.shape
    rows, columns = -(-h // TILE), -(-w // TILE)
    tiles = n * rows * columns
    d = record.scratch.take("tiles", (36, tiles, c))
    half = record.scratch.take("tiles, half transformed", (6, 6, tiles * c))
    sn, sh, sw, sc = padded.strides
    strides = (sh, sw, sn, TILE * sh, TILE * sw, sc)
    windows = as_strided(padded, (6, 6, n, rows, columns, c), strides, writeable=False)
    record(np.copyto, d.reshape(windows.shape), windows)
    bt, square = BT.astype(padded.dtype), d.reshape(half.shape)
    record(np.matmul, bt, square.transpose(1, 0, 2), out=half.transpose(1, 0, 2))  # B^T d
    record(np.matmul, bt, half, out=square)  # (B^T d) B
    record.scratch.free(half)
    return d


def multiply_tiles(record: Recorder, tiles: Array, kernel: Array) -> Array:
    """36 matmuls: tiles (36, tiles, C) times kernel (36, C, K) -> (36, tiles, K), for the caller to free."""
    products = record.scratch.take("products of tiles", (*tiles.shape[:2], kernel.shape[2]))
    record(np.matmul, tiles, kernel, out=products)
    return products


def tiles_out(record: Recorder, products: Array, floor: Array, y: Array) -> None:
    """A^T m A of every tile's products m, bias and ReLU: (36, tiles, K), which it frees -> y (n, h, w, K)."""
    n, h, w, k = y.shape
    m = products.reshape(6, 6, -1)
    half = record.scratch.take("results, half transformed", (TILE, 6, m.shape[2]))
    at = AT.astype(y.dtype)
    record(np.matmul, at, m.transpose(1, 0, 2), out=half.transpose(1, 0, 2))  # A^T m
    record.scratch.free(products)
    results = record.scratch.take("results in tiles", (TILE, TILE, m.shape[2]))
    record(np.matmul, at, half, out=results)  # (A^T m) A
    record.scratch.free(half)
    untile(record, results.reshape(TILE, TILE, n, -(-h // TILE), -(-w // TILE), k), floor, y)
    record.scratch.free(results)


def untile(record: Recorder, t: Array, floor: Array, y: Array) -> None:
    """Tiles (4, 4, n, rows, columns, K) back into y (n, h, w, K), cut at its edges, with the ReLU."""
    n, h, w, k = y.shape
    sn, sh, sw, sc = y.strides
    for a, i, high in _edges(h):
        for b, j, wide in _edges(w):
            down, across = (h // TILE if high == TILE else 1), (w // TILE if wide == TILE else 1)
            shape = (high, wide, n, down, across, k)
            target = as_strided(y[:, a:, b:], shape, (sh, sw, sn, TILE * sh, TILE * sw, sc))
            source = t[:high, :wide, :, i : i + down, j : j + across]
            order = (2, 3, 0, 4, 1, 5)
            record(np.maximum, source.transpose(order), floor, out=target.transpose(order))


def _edges(size: int) -> list[tuple[int, int, int]]:
    """Whole tiles and the rest: (first position, first tile, positions per tile)."""
    whole, rest = divmod(size, TILE)
    return [(0, 0, TILE)] * bool(whole) + [(whole * TILE, whole, rest)] * bool(rest)

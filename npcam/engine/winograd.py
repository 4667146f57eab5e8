"""Winograd's convolution F(4x4, 3x3): 16 results of a 3x3 kernel from 36 products instead of 144.

Lavin & Gray 2015, "Fast Algorithms for Convolutional Neural Networks" (arXiv:1509.09308): for every
6x6 tile d of the input and every 3x3 kernel g, Y = A^T [(G g G^T) * (B^T d B)] A. The product
summed over channels is 36 matmuls, one per position in the tile.
"""

import numpy as np

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

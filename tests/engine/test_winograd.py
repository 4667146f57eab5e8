"""Winograd's convolution against the sum that it is a short cut for."""

import numpy as np
import pytest
from helpers.rounding import assert_within_rounding

from npcam import naive, ops
from npcam.engine import winograd
from npcam.engine.program import Recorder, run_ops
from npcam.engine.winograd import (
    AT,
    BT,
    TILE,
    G,
    tile_count,
    transform_filters,
    winograd3x3,
    winograd_matrices,
)


@pytest.mark.parametrize(
    "points", [(0.0, 1.0, -1.0, 2.0, -2.0), (0.0, 0.625, -0.625, 1.5, -1.5), (0.0, 0.5, -1.0, 3.0, 7.0)]
)
def test_any_points_give_the_sliding_window(points):
    """Cook and Toom's identity holds exactly at every set of different points."""
    at, g, bt = winograd_matrices(points)
    rng = np.random.default_rng(0)
    d, kernel = rng.normal(size=6), rng.normal(size=3)
    expected = [d[i : i + 3] @ kernel for i in range(TILE)]
    assert np.allclose(at @ ((g @ kernel) * (bt @ d)), expected, rtol=0, atol=1e-12)


def test_other_sizes_of_tile():
    """F(2, 3) from three points, as in Lavin & Gray's first example."""
    at, g, bt = winograd_matrices((0.0, 1.0, -1.0))
    d, kernel = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 10.0, 100.0])
    assert np.allclose(at @ ((g @ kernel) * (bt @ d)), [321.0, 432.0])


def test_in_two_dimensions():
    """A^T [(G g G^T) * (B^T d B)] A is the 3x3 convolution of a 6x6 tile."""
    rng = np.random.default_rng(1)
    d, kernel = rng.normal(size=(6, 6)), rng.normal(size=(3, 3))
    y = AT @ ((G @ kernel @ G.T) * (BT @ d @ BT.T)) @ AT.T
    expected = naive.conv2d(d[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]
    assert np.allclose(y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("c", "k"), [(1, 1), (5, 3), (64, 2), (130, 7)])
def test_transformed_filters(c, k):
    """G g G^T of each pair of channels, also beyond the first block of channels."""
    kernel = np.random.default_rng(2).normal(size=(3, 3, c, k)).astype(np.float32)
    u = transform_filters(kernel)
    assert u.shape == (36, c, k)
    assert u.dtype == np.float32
    expected = np.einsum("ia,abck,jb->ijck", G, kernel.astype(float), G).reshape(36, c, k)
    assert np.abs(u - expected).max() <= np.finfo(np.float32).eps / 2 * np.abs(expected).max()


def draw(*shape, seed=0):
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("size", [(4, 4), (7, 7), (8, 5), (14, 14), (1, 9), (3, 2)])
@pytest.mark.parametrize("channels", [1, 3, 64])
def test_winograd3x3(size, channels):
    """Any number of rows and columns, tiles that hang over the edge cut off.

    A result passes through sums with coefficients up to 3.4 (A^T) and 4.5 (rows of B^T, summed) in
    both directions; so the bound is that of the direct sum, 60 times.
    """
    n, (h, w), k = 2, size, 5
    high, wide = -(-h // 4) * 4 + 2, -(-w // 4) * 4 + 2
    x, kernel, bias = draw(n, high, wide, channels), draw(3, 3, channels, k), draw(k)
    y = np.empty((n, h, w, k + 1), np.float32)
    record = Recorder(np.float32)
    winograd3x3(record, x, transform_filters(kernel), -bias, y[..., :k])
    run_ops(record.cut())
    wide_x = x.astype(float)[:, : h + 2, : w + 2]
    expected = ops.relu(ops.conv2d(wide_x, kernel, bias))
    most = 60 * ops.conv2d(abs(wide_x), abs(kernel), 3 * abs(bias)).max()
    assert_within_rounding(y[..., :k] + bias, expected, np.full(expected.shape, most), 9 * channels + 12)


def test_what_the_points_round():
    """In float32, a quarter of what the usual points round: half is the most that passes."""
    rng = np.random.default_rng(3)
    d, kernel = rng.normal(size=(2000, 6, 6)), rng.normal(size=(2000, 3, 3))
    exact = AT @ ((G @ kernel @ G.T) * (BT @ d @ BT.T)) @ AT.T
    errors = []
    for points in (winograd.POINTS, (0.0, 1.0, -1.0, 2.0, -2.0)):
        at, g, bt = winograd_matrices(points)
        u = (g @ kernel @ g.T).astype(np.float32)
        at, bt = at.astype(np.float32), bt.astype(np.float32)
        y = at @ (u * (bt @ d.astype(np.float32) @ bt.T)) @ at.T
        errors.append(np.sqrt(np.mean((y - exact) ** 2)))
    assert errors[0] < 0.5 * errors[1]


def test_tiles_are_counted_whole():
    """Those that hang over an edge, too."""
    assert tile_count(np.empty((3, 4, 8, 1))) == 3 * 1 * 2
    assert tile_count(np.empty((2, 5, 9, 1))) == 2 * 2 * 3


def test_scratch_memory_is_free_again():
    """After a convolution every name can be taken."""
    record, y = Recorder(np.float32), np.empty((1, 6, 6, 2), np.float32)
    kernel = transform_filters(draw(3, 3, 3, 2))
    for _ in range(2):
        winograd3x3(record, draw(1, 10, 10, 3), kernel, draw(2), y)
    tiles = 4
    largest = 36 * tiles * 3 + 36 * tiles * 3  # the tiles and their first transform
    assert record.scratch.nbytes == 4 * largest

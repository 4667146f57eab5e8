"""Winograd's convolution against the sum that it is a short cut for."""

import numpy as np
import pytest
from helpers.rounding import assert_within_rounding

from npcam import naive, ops
from npcam.engine import winograd
from npcam.engine.program import Recorder, run_ops
from npcam.engine.winograd import F2, F4, transform_filters, winograd3x3, winograd_matrices

FORMS = pytest.mark.parametrize("form", [F2, F4], ids=["F(2x2,3x3)", "F(4x4,3x3)"])


@pytest.mark.parametrize(
    "points", [(0.0, 1.0, -1.0, 2.0, -2.0), (0.0, 0.625, -0.625, 1.5, -1.5), (0.0, 0.5, -1.0, 3.0, 7.0)]
)
def test_any_points_give_the_sliding_window(points):
    """Cook and Toom's identity holds exactly at every set of different points."""
    at, g, bt = winograd_matrices(points)
    rng = np.random.default_rng(0)
    d, kernel = rng.normal(size=6), rng.normal(size=3)
    expected = [d[i : i + 3] @ kernel for i in range(4)]
    assert np.allclose(at @ ((g @ kernel) * (bt @ d)), expected, rtol=0, atol=1e-12)


def test_other_sizes_of_tile():
    """F(2, 3) from three points, as in Lavin & Gray's first example."""
    at, g, bt = winograd_matrices((0.0, 1.0, -1.0))
    d, kernel = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 10.0, 100.0])
    assert np.allclose(at @ ((g @ kernel) * (bt @ d)), [321.0, 432.0])


@FORMS
def test_in_two_dimensions(form):
    """A^T [(G g G^T) * (B^T d B)] A is the 3x3 convolution of a 6x6 or 4x4 tile."""
    rng = np.random.default_rng(1)
    d, kernel = rng.normal(size=(form.window, form.window)), rng.normal(size=(3, 3))
    y = form.at @ ((form.g @ kernel @ form.g.T) * (form.bt @ d @ form.bt.T)) @ form.at.T
    expected = naive.conv2d(d[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0]
    assert np.allclose(y, expected, rtol=0, atol=1e-12)


@FORMS
@pytest.mark.parametrize(("c", "k", "slices", "each"), [(1, 1, 1, 1), (5, 3, 2, 3), (130, 126, 1, 2)])
def test_transformed_filters(form, c, k, slices, each):
    """G g G^T of each pair of channels, also beyond the first ones at a time; each slice in some more."""
    kernel = np.random.default_rng(2).normal(size=(slices, 3, 3, c, k)).astype(np.float32)
    u = transform_filters(kernel, form, each)
    assert u.shape == (form.products, slices * each, c, k // each)
    assert u.dtype == np.float32
    g = form.g
    expected = np.einsum("ia,sabck,jb->ijsck", g, kernel.astype(float), g)
    expected = expected.reshape(form.products, slices, c, k)
    found = np.concatenate([u[:, i] for i in range(slices * each)], axis=-1)
    whole = np.concatenate([expected[:, i] for i in range(slices)], axis=-1)
    assert np.abs(found - whole).max() <= np.finfo(np.float32).eps / 2 * np.abs(expected).max()


def draw(*shape, seed=0):
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@FORMS
@pytest.mark.parametrize("size", [(4, 4), (7, 7), (8, 5), (14, 14), (1, 9), (3, 2)])
@pytest.mark.parametrize(("channels", "each"), [(1, 1), (3, 6), (64, 2)])
def test_winograd3x3(form, size, channels, each):
    """Any number of rows and columns, tiles that hang over the edge cut off; filters in any slices.

    A result passes through sums with coefficients up to 3.4 (A^T) and 4.5 (rows of B^T, summed) in
    both directions; so the bound is that of the direct sum, 60 times.
    """
    n, (h, w), k = 2, size, 6
    high, wide = (-(-s // form.tile) * form.tile + 2 for s in size)
    x, kernel, bias = draw(n, high, wide, channels), draw(3, 3, channels, k), draw(k)
    y = np.empty((n, h, w, k + 1), np.float32)
    record = Recorder(np.float32)
    winograd3x3(record, form, x, transform_filters(kernel[None], form, each), -bias, y[..., :k])
    run_ops(record.cut())
    wide_x = x.astype(float)[:, : h + 2, : w + 2]
    expected = ops.relu(ops.conv2d(wide_x, kernel, bias))
    most = 60 * ops.conv2d(abs(wide_x), abs(kernel), 3 * abs(bias)).max()
    assert_within_rounding(y[..., :k] + bias, expected, np.full(expected.shape, most), 9 * channels + 12)


def test_what_the_points_round():
    """In float32, a quarter of what the usual points round: half is the most that passes."""
    rng = np.random.default_rng(3)
    d, kernel = rng.normal(size=(2000, 6, 6)), rng.normal(size=(2000, 3, 3))
    exact = F4.at @ ((F4.g @ kernel @ F4.g.T) * (F4.bt @ d @ F4.bt.T)) @ F4.at.T
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
    assert (F4.tiles(4, 8), F4.tiles(5, 9), F2.tiles(5, 8)) == (1 * 2, 2 * 3, 3 * 4)
    assert (F4.products, F2.products) == (36, 16)


def test_scratch_memory_is_free_again():
    """After a convolution every name can be taken."""
    record, y = Recorder(np.float32), np.empty((1, 6, 6, 2), np.float32)
    kernel = transform_filters(draw(1, 3, 3, 3, 2))
    for _ in range(2):
        winograd3x3(record, F4, draw(1, 10, 10, 3), kernel, draw(2), y)
    tiles = 4
    largest = 36 * tiles * 3 + 36 * tiles * 3  # the tiles and their first transform
    assert record.scratch.nbytes == 4 * largest

"""Winograd's convolution against the sum that it is a short cut for."""

import numpy as np
import pytest

from npcam import naive
from npcam.engine.winograd import AT, BT, TILE, G, transform_filters, winograd_matrices


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

"""Sizes inside a block against Keras's shapes, rows shared, and where Winograd's convolution is taken."""

from itertools import pairwise

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.engine.filters import fold_network
from npcam.engine.geometry import geometry, pooled_size, rows_of
from npcam.engine.team import Team
from npcam.engine.winograd import F2, F4
from npcam.layers import output_shapes
from npcam.resnet import Architecture
from npcam.weights.random import filters as channels

PLAIN = Architecture(blocks=(1, 1), strides=(1, 1))
STRIDED = Architecture(blocks=(1, 1), strides=(1, 2), stride_in=2)


def fold(arch, dtype=np.float32):
    """The blocks of a small network."""
    return fold_network(random_tensors(arch, 2, dtype=dtype), arch, Team(1)).blocks


@pytest.mark.parametrize("padding", [0, 1])
def test_the_pools_size_is_kerass(padding):
    """For every size from 32 up to 70, in both directions."""
    arch = Architecture(pool_padding=padding)
    for s in range(32, 70):
        shapes = output_shapes(arch, {}, (s, s + 7))
        assert pooled_size(s, s + 7, padding) == shapes["pool1_pool"][1:3]


@pytest.mark.parametrize("strides", [(1, 2, 2), (2, 1, 3), (3, 2, 1)])
@pytest.mark.parametrize("stride_in", [1, 2])
@pytest.mark.parametrize("size", [(32, 75), (61, 96), (64, 64)])
def test_every_size_is_kerass_or_the_part_of_it_that_is_read(strides, stride_in, size):
    """What the engine leaves out are rows and columns between those that it keeps."""
    arch = Architecture(blocks=(2, 1, 2), strides=strides, stride_in=stride_in)
    shapes = output_shapes(arch, channels(arch, 2, 5), size)
    h, w = pooled_size(*size, arch.pool_padding)
    skipped = 1
    for block in fold(arch):
        g = geometry(block, 1, h, w)
        first = shapes[f"{block.name}_1_conv"][1:3]
        assert (g.h1, g.w1) == first
        skipped = block.strides.stride_2 // block.strides.same_stride
        assert (g.h, g.w) == tuple(-(-s // skipped) for s in shapes[f"{block.name}_out"][1:3])
        down, across = g.inside
        assert (down.stop - down.start, across.stop - across.start) == first
        h, w = g.h, g.w
    assert skipped == 1


@pytest.mark.parametrize("arch", [PLAIN, STRIDED])
def test_the_windows_fit_into_what_they_read(arch):
    """The 3x3's last window ends where the padding ends, Winograd's with its last tile."""
    block = fold(arch)[1]
    s = block.strides.stride_2
    for h in range(1, 20):
        for w in (h, 21 - h):
            for n in (1, 100):
                g = geometry(block, n, h, w)
                down, across = g.inside
                for size, out, inside, padded in zip(
                    (h, w), (g.h, g.w), (down, across), g.padded, strict=True
                ):
                    assert out == -(-size // s)
                    assert inside.start == (1 if s == 1 else max((out - 1) * s + 3 - size, 0) // 2)
                    reach = (out - 1) * s + 3
                    assert padded == (-(-out // g.step) * g.step + 2 if g.form else max(reach, inside.stop))


@pytest.mark.parametrize(
    ("n", "h", "w", "form"),
    [
        (16, 4, 4, F2),  # 16 tiles, too few to pay for F(4x4)
        (17, 4, 4, F4),
        (1, 16, 20, F4),  # 20 tiles of one photograph
        (1, 16, 16, F2),
        (1, 14, 14, F2),  # conv4 of one photograph
        (1, 7, 7, None),  # conv5: 16 tiles
        (2, 7, 7, None),  # 8 x 8 are computed, which takes more than 5 products for each of 7 x 7
        (5, 7, 7, F4),  # 20 tiles of F(4x4), of which as many products are left as hang over
        (4, 2, 18, F4),  # 36 products per tile, for 36 / 5 results and not fewer
        (4, 2, 17, F2),
        (100, 2, 7, F2),
        (100, 2, 4, F4),
        (100, 1, 7, None),
        (100, 5, 5, None),
        (100, 6, 6, F4),
    ],
)
def test_where_winograd_pays(n, h, w, form):
    """From 17 tiles on, and where five products or fewer come to a result; F(4x4) before F(2x2)."""
    block = fold(PLAIN)[1]
    assert geometry(block, n, h, w).form is form


def test_where_winograd_is_not_for():
    """Strides, and float64, take the sum."""
    assert not geometry(fold(STRIDED)[1], 100, 16, 16).form
    assert not geometry(fold(PLAIN, np.float64)[1], 100, 16, 16).form
    assert geometry(fold(PLAIN)[1], 100, 16, 16).form is F4


def test_every_row_is_one_threads():
    """In order, without a gap, as many for each, but for one."""
    for h in (1, 3, 4, 7, 14, 55, 56):
        for threads in (1, 2, 3, 8):
            parts = [rows_of(h, thread, threads) for thread in range(threads)]
            assert parts[0][0] == 0
            assert parts[-1][1] == h
            assert all(a[1] == b[0] for a, b in pairwise(parts))
            rows = [bottom - top for top, bottom in parts]
            assert max(rows) - min(rows) <= 1
    assert [rows_of(3, thread, 2) for thread in range(2)] == [(0, 2), (2, 3)]

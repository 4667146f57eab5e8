"""Kernels in slices, and slices in pieces."""

import numpy as np
import pytest

from npcam.engine.slices import Machine, pieces, slices_of


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 5, 6, 8, 12, 16, 64])
@pytest.mark.parametrize("channels", [1, 7, 64, 96, 256, 512, 2048])
def test_how_many_slices(channels, threads):
    """They divide the channels; where there is a way, every thread has work, and none has much more."""
    count = slices_of(channels, threads)
    assert channels % count == 0
    if channels % threads == 0:
        assert count % threads == 0 or -(-count // threads) * threads / count <= 1.2
        assert channels // count <= 128


def test_which_kernels_lie_in_slices():
    """Those of large blocks, one for every thread at least; all where BLAS packs nothing of small ones."""
    small, shared, large = 1 << 19, 3 << 19, 5 << 19
    assert [Machine(2).slices(512, size) for size in (small, shared, large)] == [1, 1, 4]
    assert [Machine(2, 10**6).slices(512, size) for size in (small, shared, large)] == [8, 8, 8]
    assert [Machine(16, 10**6).slices(512, size) for size in (small, shared, large)] == [8, 16, 16]
    assert [Machine(1, 10**6).slices(k, small) for k in (5, 64, 96)] == [1, 1, 1]


def test_winograds_slices():
    """64 channels wide, or as many as make 16,384 pairs; as many as the threads where these share them."""
    assert [Machine(2).winograd_slices(f, f, 0) for f in (64, 128, 256, 512)] == [1, 2, 4, 16]
    assert [Machine(16).winograd_slices(f, f, 3 << 19) for f in (64, 256, 512)] == [16, 16, 16]
    assert Machine(1).winograd_slices(1 << 15, 6, 0) == 6


@pytest.mark.parametrize("slices", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("width", [1, 7, 16, 100])
def test_pieces_are_views_that_make_the_whole(slices, count, width):
    """Each once, in order, with the channels that it says; as many as asked for, if there are so many."""
    kernel = np.arange(slices * 2 * 3 * width, dtype=np.float32).reshape(slices, 2, 3, width)
    whole, end = np.concatenate(list(kernel), axis=-1), 0
    found = pieces(kernel, count)
    for piece, channels in found:
        assert np.shares_memory(piece, kernel)
        assert channels.start == end < channels.stop
        end = channels.stop
        assert np.array_equal(np.concatenate(list(piece), axis=-1), whole[..., channels])
    assert end == slices * width
    assert min(count, slices * width) <= len(found) <= max(count, slices * -(-count // slices))


def test_pieces_of_a_slice_are_whole_grains():
    """Of 16 channels, where there are enough."""
    assert [channels.stop for _, channels in pieces(np.ones((1, 2, 256)), 6)] == [32, 80, 128, 160, 208, 256]

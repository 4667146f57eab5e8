"""The engine's layers against those of `ops`."""

import numpy as np
import pytest
from helpers.rounding import assert_within_rounding

from npcam import ops
from npcam.engine import kernels
from npcam.engine.kernels import Span
from npcam.engine.program import Recorder, run_ops


def recorded(function, *args, unpacked=0):
    """Record one layer, and run it."""
    record = Recorder(np.float32, unpacked)
    function(record, *args)
    run_ops(record.cut())


def draw(*shape, seed=0):
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def sliced(kernel, slices):
    """A kernel (..., K) in slices (S, ..., K / S), each in one piece."""
    return np.stack(np.split(kernel, slices, axis=-1))


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("unpacked", [0, 1000])
def test_conv1x1_into_a_view(slices, adds, unpacked):
    """A matmul per slice, a shortcut added, the ReLU on the way into the middle of a larger array."""
    x, kernel, bias, shortcut = draw(2, 5, 6, 7), draw(7, 6), draw(6), draw(2, 10, 12, 6)[:, ::2, ::2]
    y = np.full((2, 7, 8, 6), 9, np.float32)
    added = [shortcut] if adds else []
    recorded(kernels.conv1x1, x, sliced(kernel, slices), -bias, y[:, 1:-1, 1:-1], *added, unpacked=unpacked)
    wide = x.astype(float)
    expected = ops.relu(ops.conv2d(wide, kernel[None, None], bias) + sum(added))
    size = ops.conv2d(abs(wide), abs(kernel[None, None]), abs(bias)) + 2 * abs(bias) + sum(map(abs, added))
    assert_within_rounding(y[:, 1:-1, 1:-1] + bias, expected, size, 9)
    assert (y[:, 0] == 9).all()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("slices", [1, 2])
def test_conv3x3(stride, slices):
    """im2col by runs of three pixels; one matmul for each slice of the kernel."""
    x, kernel, bias = draw(2, 9, 10, 5), draw(3, 3, 5, 4), draw(4)
    expected = ops.relu(ops.conv2d(x.astype(float), kernel, bias, stride))
    size = ops.conv2d(abs(x).astype(float), abs(kernel), 3 * abs(bias), stride)
    y = np.empty(expected.shape, np.float32)
    recorded(kernels.conv3x3, x, sliced(kernel, slices), -bias, stride, y)
    assert_within_rounding(y + bias, expected, size, 47)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("size", [(32, 32), (33, 45), (50, 31)])
def test_the_stem_row_by_row(padding, size):
    """Convolution and pool of any rows are those rows of the whole."""
    x, kernel, bias = draw(1, *size, 3), draw(7, 7, 3, 6), draw(6)
    padded = ops.zero_pad2d(x, 3)
    conv = ops.relu(ops.conv2d(padded.astype(float), kernel, bias, 2))
    expected = ops.max_pool2d(ops.zero_pad2d(conv, padding), 3, 2)
    y = np.empty(expected.shape, np.float32)
    h = y.shape[1]
    for top, bottom in ((0, 1), (1, h - 1), (h - 1, h)):
        recorded(kernels.stem, padded, kernel.reshape(-1, 6), -bias, padding, Span(0, 1, top, bottom), y)
    most = ops.conv2d(abs(padded).astype(float), abs(kernel), 3 * abs(bias), 2).max()
    assert_within_rounding(y + bias, expected, np.full(expected.shape, most), 149)


def test_spans_cover_the_whole_once():
    """Whatever the budget, every row of every photograph is in exactly one piece."""
    for budget in (1, 30, 100, 1000, 10**6):
        for whole in (Span(0, 5, 0, 13), Span(2, 3, 4, 13), Span(0, 1, 5, 6)):
            seen = np.zeros((5, 13), int)
            for span in kernels.spans(whole, 10, budget, multiple=4):
                seen[span.i : span.j, span.top : span.bottom] += 1
            assert (seen[whole.i : whole.j, whole.top : whole.bottom] == 1).all()
            assert seen.sum() == (whole.j - whole.i) * (whole.bottom - whole.top)
    assert list(kernels.spans(Span(0, 0, 0, 8), 1, 1)) == []
    assert list(kernels.spans(Span(0, 1, 8, 8), 1, 1)) == []


def test_pieces_hold_as_much_as_the_budget_allows():
    """As few pieces as it takes, whole photographs where one fits, equal to a photograph or a step."""
    assert list(kernels.spans(Span(1, 8, 2, 4), 10, 60)) == [
        Span(1, 3, 2, 4),
        Span(3, 5, 2, 4),
        Span(5, 8, 2, 4),
    ]
    assert len(list(kernels.spans(Span(0, 4, 0, 2), 10, 20))) == 4  # exactly one photograph
    assert len(list(kernels.spans(Span(0, 4, 0, 2), 10, 80))) == 1  # exactly all
    assert list(kernels.spans(Span(0, 1, 0, 8), 10, 79)) == [Span(0, 1, 0, 4), Span(0, 1, 4, 8)]
    assert len(list(kernels.spans(Span(0, 1, 0, 8), 10, 40))) == 2  # exactly half
    assert len(list(kernels.spans(Span(0, 1, 0, 8), 10, 39))) == 3
    assert len(list(kernels.spans(Span(0, 1, 0, 8), 10, 1))) == 8
    assert list(kernels.spans(Span(0, 1, 4, 13), 10, 1, multiple=4)) == [
        Span(0, 1, 4, 8),
        Span(0, 1, 8, 12),
        Span(0, 1, 12, 13),
    ]
    assert list(kernels.spans(Span(0, 1, 0, 2), 0, 1)) == [Span(0, 1, 0, 2)]  # a row of no numbers


def test_a_span_of_an_activation():
    """Photographs first, then rows."""
    x = np.arange(5 * 7).reshape(5, 7, 1, 1)
    assert np.array_equal(Span(1, 3, 4, 6).of(x)[..., 0, 0], [[11, 12], [18, 19]])


@pytest.mark.parametrize("across", [slice(2, 5), slice(1, 5), slice(0, 5), slice(2, 4), slice(0, 6)])
@pytest.mark.parametrize("down", [slice(1, 6), slice(0, 9), slice(0, 5)])
def test_the_border(across, down):
    """On all four sides, as wide as it is on each of them, and nothing of the middle."""
    padded, floor = np.full((2, 9, 6, 2), 9, np.float32), np.array([-1, -2], np.float32)
    recorded(kernels.fill_border, padded, (down, across), floor)
    expected = np.broadcast_to(floor, padded.shape).copy()
    expected[:, down, across] = 9
    assert np.array_equal(padded, expected)


@pytest.mark.parametrize("packed", [False, True])
def test_conv1x1_of_any_view(packed):
    """What does not lie in one piece is packed first; scratch memory is free again afterwards."""
    x, kernel, bias = draw(2, 4, 6, 3), draw(3, 2), draw(2)
    source = x[:, ::2, ::3] if packed else x
    y = np.empty((*source.shape[:3], 2), np.float32)
    record = Recorder(np.float32)
    kernels.conv1x1(record, source, kernel[None], -bias, y)
    assert record.scratch.nbytes == 4 * (y.size + (source.size if packed else 0))
    for name in ("packed", "sums"):
        record.scratch.take(name, (1,))
    run_ops(record.cut())
    wide = source.astype(float)
    expected = ops.relu(ops.conv2d(wide, kernel[None, None], bias))
    size = ops.conv2d(abs(wide), abs(kernel[None, None]), 3 * abs(bias))
    assert_within_rounding(y + bias, expected, size, 5)


@pytest.mark.parametrize("view", ["whole", "middle", "channels"])
def test_bias_and_relu_into_any_view(view):
    """Exactly, whether the rows of what is written lie in one piece or not, and nothing beside it."""
    x, floor = draw(2, 3, 4, 5), draw(5)
    shape, at = {
        "whole": ((2, 3, 4, 5), np.s_[:]),
        "middle": ((2, 5, 6, 5), np.s_[:, 1:-1, 1:-1]),
        "channels": ((2, 3, 4, 7), np.s_[..., 2:]),
    }[view]
    memory = np.full(shape, 9, np.float32)
    recorded(kernels.add_floor, x, floor, memory[at])
    assert np.array_equal(memory[at], np.maximum(x, floor))
    memory[at] = 9
    assert (memory == 9).all()


@pytest.mark.parametrize("size", range(3, 12))
@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_pool(size, top, left):
    """Windows that hang over the top, the left and the other two edges, as in `ops` on zeros around."""
    x, floor = draw(1, size, 14 - size, 2), np.array([-0.5, 0.25], np.float32)
    h, w = (size + top + 1 - 3) // 2 + 1, (14 - size + left + 1 - 3) // 2 + 1
    y = np.empty((1, h, w, 2), np.float32)
    recorded(kernels.max_pool, x, top, left, floor, y)
    around = np.full((1, top + size + 1, left + 15 - size, 2), -np.inf, np.float32)
    around[:, top : top + size, left : left + 14 - size] = x
    assert np.array_equal(y, np.maximum(ops.max_pool2d(around, 3, 2), floor))

"""The engine's layers against those of `ops`."""

import numpy as np
import pytest
from helpers.rounding import assert_within_rounding

from npcam import ops
from npcam.engine import kernels
from npcam.engine.kernels import Span
from npcam.engine.program import Recorder, run_ops


def recorded(function, *args):
    """Record one layer, and run it."""
    record = Recorder(np.float32)
    function(record, *args)
    run_ops(record.cut())


def draw(*shape, seed=0):
    """Random float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_conv1x1_into_a_view():
    """One matmul, the ReLU on the way into the middle of a larger array."""
    x, kernel, bias = draw(2, 5, 6, 7), draw(7, 3), draw(3)
    y = np.full((2, 7, 8, 3), 9, np.float32)
    recorded(kernels.conv1x1, x, kernel, -bias, y[:, 1:-1, 1:-1])
    wide = x.astype(float)
    expected = ops.relu(ops.conv2d(wide, kernel[None, None], bias))
    size = ops.conv2d(abs(wide), abs(kernel[None, None]), abs(bias)) + 2 * abs(bias)
    assert_within_rounding(y[:, 1:-1, 1:-1] + bias, expected, size, 9)
    assert (y[:, 0] == 9).all()


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_conv3x3(stride):
    """im2col by runs of three pixels."""
    x, kernel, bias = draw(2, 9, 10, 5), draw(3, 3, 5, 4), draw(4)
    expected = ops.relu(ops.conv2d(x.astype(float), kernel, bias, stride))
    size = ops.conv2d(abs(x).astype(float), abs(kernel), 3 * abs(bias), stride)
    y = np.empty(expected.shape, np.float32)
    recorded(kernels.conv3x3, x, kernel, -bias, stride, y)
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

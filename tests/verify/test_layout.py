"""How axes lie, by the shapes: each array's own where it tells, the others' where it does not."""

import itertools

import numpy as np
import pytest

from npcam.verify.layout import NCHW, NHWC, in_words, possible, settle, to_nhwc, with_batch


@pytest.mark.parametrize(
    ("n", "h", "w", "c"), list(itertools.product((1, 2), (1, 5, 7), (1, 5, 6), (1, 5, 8)))
)
def test_a_shape_fits_what_it_came_from(n, h, w, c):
    """Whatever the sides: an array in either layout is told as that, or as either where both fit."""
    x = np.arange(n * h * w * c).reshape(n, h, w, c)
    for layout, array in ((NHWC, x), (NCHW, x.transpose(0, 3, 1, 2))):
        found = possible(array.shape, [x.shape])
        assert layout in found
        ambiguous = (h, w, c) == (c, h, w)
        assert (len(found) == 2) == (ambiguous or array.shape == (n, c, h, w) == x.shape)
        assert np.array_equal(to_nhwc(array, layout, x.shape), x)


def test_channels_decide_where_nothing_fits():
    """A map of another size, as a wrong stride makes it, still has its channels."""
    assert possible((1, 64, 55, 55), [(1, 56, 56, 64)]) == {NCHW}
    assert possible((1, 55, 55, 64), [(1, 56, 56, 64)]) == {NHWC}
    assert possible((1, 64, 55, 64), [(1, 56, 56, 64)]) == {NCHW, NHWC}
    assert possible((1, 9, 9, 9), [(1, 56, 56, 64)]) == set()
    assert possible((1, 64), [(1, 56, 56, 64)]) == set()


def test_the_others_settle_what_is_open():
    """The majority of those that tell; npcam's own layout where nobody does."""
    both = {NHWC, NCHW}
    assert settle([both, {NCHW}, {NCHW}, {NHWC}, set()]) == [NCHW, NCHW, NCHW, NHWC, NCHW]
    assert settle([both, {NHWC}]) == [NHWC, NHWC]
    assert settle([both, set()]) == [NHWC, NHWC]


def test_averages_lose_their_positions():
    """(N, C, 1, 1) and (N, 1, 1, C) are (N, C), whatever the layout is said to be."""
    x = np.arange(10).reshape(2, 5)
    for array, layout in itertools.product((x, x[:, :, None, None], x[:, None, None]), (NHWC, NCHW)):
        assert np.array_equal(to_nhwc(array, layout, (2, 5)), x)
    assert to_nhwc(np.zeros((1, 2, 3, 4)), NHWC, (1, 24)).shape == (1, 2, 3, 4)  # no average: left as it is


def test_an_array_of_one_photograph_may_lack_the_axis():
    """Where one is expected, and only there."""
    assert with_batch(np.zeros((5, 4, 3)), (1, 5, 4, 3)).shape == (1, 5, 4, 3)
    assert with_batch(np.zeros((5, 4, 3)), (2, 5, 4, 3)).shape == (5, 4, 3)
    assert with_batch(np.zeros((1, 4)), (1, 4)).shape == (1, 4)


def test_in_words():
    """What most have, and who has not."""
    assert in_words([NCHW] * 3, "abc") == "NCHW, told from the shapes"
    assert in_words([NCHW, NCHW, NHWC], "abc") == "NCHW, told from the shapes (NHWC: c)"
    many = in_words([NHWC] * 7 + [NCHW] * 6, "abcdefghijklm")
    assert many == "NHWC, told from the shapes (NCHW: h, i, j, k and 2 more)"
    assert in_words([], []) == "no maps, so no layout to tell"

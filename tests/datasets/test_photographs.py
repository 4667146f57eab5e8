"""Boxes checked, clipped and brought to the photograph's size."""

import numpy as np
import pytest

from npcam import InputError
from npcam.datasets.photographs import (
    NoAreaError,
    Photograph,
    boxes_on,
    checked_box,
    number,
    require_few,
    stated_size,
)


def photograph(box, size=None):
    return Photograph("a.jpg", "a.jpg", 0, (box,), size)


def test_boxes_of_the_photographs_own_size_stay_as_they_are():
    """Without a stated size, and with the same, the very numbers come back, whatever their last bits."""
    box = (1.1, 2.3, 30.7, 39.9)
    for size in (None, (50, 40)):
        found = boxes_on(photograph(box, size), 50, 40)
        assert found.dtype == np.float64
        assert found.tolist() == [list(box)]


def test_scaling_keeps_the_share_of_each_side():
    """On any other size, also one squashed, a box covers the same fractions of width and height."""
    stated, box = (640, 480), (64.0, 48.0, 320.0, 432.0)
    for width, height in ((320, 240), (224, 224), (1000, 300), (641, 480)):
        found = boxes_on(photograph(box, stated), width, height)[0] / [width, height, width, height]
        np.testing.assert_allclose(
            found, [0.1, 0.1, 0.5, 0.9], rtol=4 * 2**-53
        )  # a product and two quotients, each rounded once


def test_no_boxes():
    """A photograph without boxes gives an empty array, of whatever size it is."""
    assert boxes_on(Photograph("a", "a", 0, (), (480, 640)), 640, 480).shape == (0, 4)


@pytest.mark.parametrize("stored", [(640, 480), (320, 240), (1279, 960)])
def test_a_turned_photograph_is_refused(stored):
    """Boxes drawn on the upright picture are not put on the one that EXIF turns."""
    with pytest.raises(InputError, match=r"^a\.jpg: its boxes are on a picture of 480x640, but .*: turned;"):
        boxes_on(photograph((1, 1, 9, 9), (480, 640)), *stored)


@pytest.mark.parametrize("stored", [(480, 640), (500, 500), (640, 400)])
def test_what_is_only_squashed_is_scaled(stored):
    """A square, and a shape that is no turned one, are taken for a picture that was squashed."""
    found = boxes_on(photograph((0, 0, 240, 320), (480, 640)), *stored)
    assert found.tolist() == [[0, 0, stored[0] / 2, stored[1] / 2]]


def test_clipping_once_the_size_is_known():
    """What sticks out is cut off; what is outside altogether is an error that names the photograph."""
    assert boxes_on(photograph((40, 30, 70, 90)), 50, 40).tolist() == [[40, 30, 50, 40]]
    with pytest.raises(InputError, match=r"^a\.jpg: the box \[50, 30, 70, 90\] lies outside .* 50x40; state"):
        boxes_on(photograph((50, 30, 70, 90)), 50, 40)


@pytest.mark.parametrize(
    ("values", "size", "expected"),
    [
        ((1, 2, 3, 4), None, (1, 2, 3, 4)),
        (("1", " 2.5", "3e0", "4"), (10, 10), (1, 2.5, 3, 4)),
        ((-1, -2, 3, 4), None, (0, 0, 3, 4)),
        ((1, 2, 30, 40), (20, 35), (1, 2, 20, 35)),
        ((1, 2, 30, 40), None, (1, 2, 30, 40)),
    ],
)
def test_boxes_are_clipped_to_what_is_known_of_the_picture(values, size, expected):
    """At the left and the top always, at the right and the bottom where the size is stated."""
    assert checked_box(values, size, "x") == expected


@pytest.mark.parametrize(
    ("values", "size", "said"),
    [
        ((5, 2, 5, 4), None, "the box [5, 2, 5, 4] is empty"),
        ((5, 4, 6, 2), None, "the box [5, 4, 6, 2] is empty"),
        ((-5, 2, 0, 4), None, "the box [-5, 2, 0, 4] lies outside of the picture"),
        ((10, 2, 12, 4), (10, 10), "the box [10, 2, 12, 4] lies outside of the picture, 10x10"),
        ((1, 10, 2, 14), (10, 10), "the box [1, 10, 2, 14] lies outside of the picture, 10x10"),
        ((1, -3, 2, 0), (10, 10), "the box [1, -3, 2, 0] lies outside of the picture, 10x10"),
    ],
)
def test_boxes_without_an_area(values, size, said):
    """Empty ones and those outside have an error of their own, so that a reader may leave them out."""
    with pytest.raises(NoAreaError) as caught:
        checked_box(values, size, "list.csv, line 7")
    assert str(caught.value).startswith(f"list.csv, line 7: {said}")


@pytest.mark.parametrize(
    "value", ["nan", "inf", float("nan"), float("inf"), 10**400, "1_0", "", "ten", None, True, [1], {"a": 1}]
)
def test_what_is_no_number(value):
    """One line names the entry and shows what stands there."""
    with pytest.raises(InputError, match=r"^x: expected a number of pixels, got ") as caught:
        number(value, "x")
    assert not isinstance(caught.value, NoAreaError)


def test_a_box_of_three_numbers():
    """Their count is said."""
    with pytest.raises(InputError, match="x: a box of 3 numbers; expected x0, y0, x1, y1"):
        checked_box((1, 2, 3), None, "x")


@pytest.mark.parametrize("sides", [(None, None), ("", ""), ("", None)])
def test_no_size(sides):
    """Neither side is stated."""
    assert stated_size(*sides, "x") is None


@pytest.mark.parametrize("sides", [(640, 480), ("640", "480"), (640.0, "480.0")])
def test_a_size(sides):
    """Whole pixels, as numbers or as text."""
    assert stated_size(*sides, "x") == (640, 480)


@pytest.mark.parametrize("sides", [(640, None), ("", 480)])
def test_half_a_size(sides):
    """One side alone is a mistake."""
    with pytest.raises(InputError, match="states only one of width and height"):
        stated_size(*sides, "x")


@pytest.mark.parametrize("sides", [(0, 480), (640, -1), (640.5, 480), (65_536, 480)])
def test_sizes_that_no_picture_has(sides):
    """Nothing, less, a part of a pixel, or more than a JPEG may have."""
    with pytest.raises(InputError, match="expected whole pixels, 1 to 65535"):
        stated_size(*sides, "x")


def test_too_many_boxes():
    """A thousand boxes pass, one more does not."""
    require_few([0] * 1000, "x")
    with pytest.raises(InputError, match="x: 1001 boxes in one photograph, 1000 at most"):
        require_few([0] * 1001, "x")

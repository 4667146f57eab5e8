"""Where the error sits: planted in a border, a channel, an element, a photograph; and drawn."""

import json

import numpy as np
import pytest

from npcam.verify.heatmap import WITHIN, draw_place
from npcam.verify.place import as_json, find_place, in_words

SHAPE = (2, 14, 12, 16)


def place(*indices, by=1.0, shape=SHAPE):
    """The place of an error at these indices, where a thousandth is allowed."""
    value = np.zeros(shape)
    for index in indices:
        value[index] += by
    return find_place(value, np.zeros(shape), np.full(shape, 1e-3))


def test_nothing_is_off():
    """Within the tolerance, and equal infinities, are no place."""
    assert place() is None
    assert place(np.s_[:], by=0.0009) is None
    same = np.full(SHAPE, np.inf)
    assert find_place(same, same, np.full(SHAPE, np.nan)) is None


def test_one_element():
    """Its index, in four dimensions and in two; NaN counts."""
    found = place((1, 2, 3, 4))
    assert (found.off, found.first, found.photographs, found.channels) == (1, (1, 2, 3, 4), (1,), (4,))
    assert in_words(found) == "1 of 5,376 elements, at [1, 2, 3, 4]"
    assert in_words(place((0, 7), by=np.nan, shape=(2, 9))) == "1 of 18 elements, at [0, 7]"


@pytest.mark.parametrize(
    ("indices", "sides", "depth"),
    [
        ([np.s_[:, 0]], ("top",), 1),
        ([np.s_[:, 0, 1:-1]], ("top",), 1),
        ([np.s_[:, -2:, 3]], ("bottom",), 2),
        ([np.s_[:, 2:-2, :2]], ("left",), 2),
        ([np.s_[:, :, -1], np.s_[:, -1]], ("bottom", "right"), 1),
        ([np.s_[:, 0, 0], np.s_[:, -1, -1]], ("corners",), 1),
        ([np.s_[:, :3]], (), 0),  # three deep is no border in 14x12
        ([np.s_[:, 0], np.s_[:, 7, 7]], (), 0),
    ],
)
def test_a_border(indices, sides, depth):
    """Rows and columns along the sides; a side counts for what is not in a corner."""
    found = place(*indices)
    assert (found.sides, found.depth, found.mostly) == (sides, depth, False)


def test_a_border_that_stands_out():
    """A large error at the bottom and a small one inside: mostly there."""
    value = np.zeros(SHAPE)
    value[:, -1], value[:, 6, 6] = 10, 0.002
    found = find_place(value, 0 * value, np.full(SHAPE, 1e-3))
    assert (found.mostly, found.depth) == (True, 1)
    assert "mostly at the border (bottom" in in_words(found)


def test_channels_photographs_and_rows():
    """Few of them are named; many are not."""
    assert in_words(place(np.s_[..., [3, 5]])) == "672 of 5,376 elements: in channels 3, 5 of 16"
    assert place(np.s_[..., :5]).channels == ()
    assert in_words(place(np.s_[1])) == "2,688 of 5,376 elements: in photograph 1"
    assert in_words(place(np.s_[:])) == "5,376 of 5,376 elements: all over"
    part = place(np.s_[:, 4:7, 5:8])
    assert (part.rows, part.columns) == ((4, 7), (5, 8))
    assert in_words(part) == "288 of 5,376 elements: in rows 4 to 6 and columns 5 to 7"
    many = place(np.s_[..., :40], shape=(1, 4, 4, 400))
    assert in_words(many).endswith("in channels 0, 1, 2, 3, 4, 5, 6, 7 and 32 more of 400")
    classes = place(np.s_[:, 2], shape=(1, 9))
    assert (classes.rows, classes.channels) == (None, (2,))


def test_plain_values():
    """What goes into JSON, words among it."""
    found = as_json(place(np.s_[:, 0, 1:-1, 3]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["off"], found["sides"], found["channels"]) == (20, ["top"], [3])
    assert found["words"] == "20 of 5,376 elements: in channel 3 of 16; at the border (top), 1 deep"
    assert found["rows"] == [0, 1]
    assert found["mostly"] is False


def test_the_picture_shows_the_places():
    """Grey where rounding explains it, coloured where not, in the map and in the strip of channels."""
    value = np.zeros((1, 8, 8, 4))
    value[0, 2, 5, 1] = 1
    value[0, 6, 0, 3] = 0.01
    picture = np.asarray(
        draw_place("conv1", value.shape, find_place(value, 0 * value, np.full(value.shape, 1e-3)))
    )
    wide = 448 // 8
    # below two lines of text, with a margin; the map's cells are 56 pixels wide
    top = next(y for y in range(20, 200) if tuple(picture[y + 1, 16 + wide // 2]) == WITHIN)
    cells = picture[top + wide // 2 : top + 8 * wide : wide, 16 + wide // 2 : 16 + 8 * wide : wide]
    marked = np.argwhere((cells != WITHIN).any(axis=2))
    assert marked.tolist() == [[2, 5], [6, 0]]
    assert cells[2, 5].sum() > cells[6, 0].sum()  # the larger error is lighter
    strip = picture[top + 8 * wide + 40, 16 + 56 : 16 + 448 : 112]
    assert [tuple(c) != WITHIN for c in strip] == [False, True, False, True]


def test_pictures_of_any_layer():
    """Of classes alone, of one position, of an infinite error, of a wide map."""
    for shape in ((1, 5), (1, 1, 1, 8), (1, 3, 700, 2)):
        value = np.ones(shape)
        for by in (1.0, np.inf, 0.001 * (1 + 1e-9)):
            found = find_place(value + by, value, np.full(shape, 1e-3))
            picture = draw_place("layer", shape, found)
            assert picture.width >= 480
            assert picture.height < 900

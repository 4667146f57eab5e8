"""The picture of errors: where its points, lines and words lie, in which colours, and what it leaves out.

The frame goes from (90, 60) to (1170, 580): layers are spread over 1080 pixels, decades over 520.
"""

import math

import numpy as np
import pytest
from PIL import ImageDraw

from npcam.common.errors import InputError
from npcam.verify.plot import plot_errors

BLUE, GREY = (0, 114, 178), (221, 221, 221)
NAMES = ["input_layer", "conv1_conv", "conv1_bn", "pool1_pool", "conv2_block1_1_conv", "conv3_block1_1_conv"]


def drawn(*lines, names=NAMES, title=""):
    """The picture as an array (640, 1200, 3)."""
    picture = plot_errors({f"line {k}": line for k, line in enumerate(lines)}, names, title)
    assert (picture.mode, picture.size) == ("RGB", (1200, 640))
    return np.asarray(picture)


def inside(picture, colour):
    """(left, right, top, bottom) of what has a colour within the frame, or in a dot on its edge."""
    rows, columns = np.nonzero((picture[57:584] == colour).all(axis=-1))
    return columns.min(), columns.max(), rows.min() + 57, rows.max() + 57


def rows_of(picture, colour, column):
    """The rows in which a column has a colour."""
    return np.nonzero((picture[:, column] == colour).all(axis=-1))[0].tolist()


@pytest.fixture
def words(monkeypatch):
    """All that is written into a picture: {text: (place, anchor, colour)}."""
    written, text = {}, ImageDraw.ImageDraw.text

    def noted(self, place, string, **options):
        written[string] = place, options["anchor"], options["fill"]
        return text(self, place, string, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    return written


@pytest.mark.parametrize(
    ("line", "names", "centre"),
    [
        ([None, None, 1e-6, None, None, None], NAMES, (90 + 1080 * 2 // 5, 580)),  # on the decade below
        ([10**-6.5, None, None, None, None, None], NAMES, (90, 320)),  # halfway between two
        ([None, None, None, None, None, 10**-6.25], NAMES, (1170, 190)),
        ([1e-6], ["conv1_conv"], (90, 580)),
    ],
)
def test_an_error_is_a_dot_in_its_place(line, names, centre):
    """A dot of five pixels: from left to right by layer, from bottom to top by its logarithm."""
    x, y = centre
    assert inside(drawn(line, names=names), BLUE) == (x - 2, x + 2, y - 2, y + 2)


def test_two_dots_are_joined_past_what_has_no_logarithm():
    """A line of two pixels from 1e-7 to 1e-5, over errors of nothing, of no number and of none."""
    picture = drawn([1e-7, 0.0, None, math.inf, math.nan, 1e-5])
    assert inside(picture, BLUE) == (88, 1172, 231, 582)  # three decades, 1e-5 one below the top: 233 - 2
    assert abs(np.mean(rows_of(picture, BLUE, 630)) - (580 + 60 + 520 / 3) / 2) <= 1
    assert len(rows_of(drawn([1e-6] * 6), BLUE, 630)) == 2


def test_a_line_for_each_decade_and_each_stage(words):
    """Grey lines across at each power of ten, and down at the first layer of each stage, pools aside."""
    picture = drawn([1e-7, None, None, None, None, 1e-5])
    assert rows_of(picture, GREY, 1000) == pytest.approx([60, 233.3, 406.7, 580], abs=1)  # 1e-4 to 1e-7
    for decade, y in ((-4, 60), (-5, 60 + 520 / 3), (-6, 60 + 1040 / 3), (-7, 580)):
        assert words[f"1e{decade}"] == ((82, pytest.approx(y)), "rm", "#222222")
    down = np.nonzero((picture[100:105] == GREY).all(axis=(0, 2)))[0]
    assert down.tolist() == [90, 306, 954, 1170]  # input, conv1, conv2, conv3
    rows = rows_of(picture, GREY, 306)
    assert (min(rows), max(rows)) == (60, 580)
    across = np.nonzero((picture[60] == GREY).all(axis=-1))[0]
    assert (across.min(), across.max()) == (90, 1170)
    assert words["conv2"] == ((957, 588), "lt", "#222222")
    assert words["conv3"] == ((1173, 588), "lt", "#222222")
    assert not {"conv1", "input", "pool1", "1e-3", "1e-8"} & set(words)


def test_words_beside_the_lines(words):
    """Each line's label in its colour, what the axes mean, and a title."""
    drawn([1e-6] * 6, [1e-7] * 6)
    assert words["line 0"] == ((90, 42), "ls", "#0072B2")
    assert words["line 1"] == ((330, 42), "ls", "#D55E00")
    usual = "largest error of each layer, as a share of its largest value"
    assert words[usual] == ((90, 22), "ls", "#222222")
    assert words["layers, first to last"] == ((1170, 624), "rs", "#222222")
    drawn([1e-6] * 6, title="mine")
    assert words["mine"] == ((90, 22), "ls", "#222222")


def test_words_are_drawn():
    """In the picture they are ink, in letters about as high as 16 pixels."""
    ink = (drawn([1e-6] * 6)[:45, 90:] < 100).all(axis=-1)
    rows = np.nonzero(ink.any(axis=1))[0]
    assert 10 <= rows.max() - rows.min() <= 20


def test_each_line_has_a_colour_of_its_own():
    """Seven colours that anybody can tell apart; an eighth line begins again."""
    names = [f"conv1_{n}" for n in range(8)]
    lines = [[1e-6 if n == k else None for n in range(8)] for k in range(8)]
    picture = drawn(*lines, names=names)
    found = [tuple(map(int, picture[580, round(90 + 1080 * n / 7)])) for n in range(8)]
    okabe_ito = ["0072B2", "D55E00", "009E73", "CC79A7", "E69F00", "56B4E9", "000000", "0072B2"]
    assert found == [tuple(bytes.fromhex(colour)) for colour in okabe_ito]


@pytest.mark.parametrize("error", [0.0, None, math.inf, math.nan, -1.0])
def test_nothing_to_draw_is_said_so(error):
    """One line, in place of a picture without a line."""
    with pytest.raises(InputError, match=r"^plot: no layer differs at all, so there is nothing to draw$"):
        plot_errors({"none": [error, None]}, ["a", "b"])


@pytest.mark.parametrize(
    ("name", "at", "anchor"), [("conv1_bn", 522, "lt"), ("conv2_block1_1_conv", 954, "rt")]
)
def test_the_first_bad_layer_is_marked(words, name, at, anchor):
    """A red line from top to bottom where it is, and its name beside it, inside of the frame."""
    red = (176, 0, 32)
    picture = np.asarray(plot_errors({"line": [1e-6] * 6}, NAMES, marked=name))
    assert set(range(62, 570)) <= set(rows_of(picture, red, at))
    assert words[f"first: {name}"] == ((at + (6 if anchor == "lt" else -6), 66), anchor, "#B00020")
    assert not (drawn([1e-6] * 6) == red).all(axis=-1).any()
    elsewhere = np.asarray(plot_errors({"line": [1e-6] * 6}, NAMES, marked="no such layer"))
    assert not (elsewhere == red).all(axis=-1).any()

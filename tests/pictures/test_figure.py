"""Figures: where pictures, words and the bar stand, and what the bar says."""

import numpy as np
import pytest
from helpers.pictures import picture
from PIL import Image

from npcam import InputError
from npcam.pictures import figure as module
from npcam.pictures.colorbar import Legend, bar_size, draw_bar, signed
from npcam.pictures.figure import Tile, figure, png
from npcam.pictures.lettering import WHITE
from npcam.pictures.overlay import Scale, paint

LEGEND = Legend(Scale(2.0), 0.5, "adds to the logit, per cell")
WORDS = ("garbage truck 97.3%", "logit 13.19", "evidence everywhere")
SIZES = [(40, 27), (1, 1), (2, 300), (300, 2), (451, 300), (300, 451), (2400, 240), (160, 1600), (1600, 1200)]


def photo(size):
    """A photograph of noise."""
    return picture(size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_photograph_stands_in_the_upper_left_corner(size):
    """Its pixels are its own, each as often as it is enlarged; below stands white with words."""
    made = np.asarray(figure([Tile(photo(size), WORDS)], LEGEND))
    factor = max(1, -(-320 // max(size)))
    width, height = size[0] * factor, size[1] * factor
    enlarged = np.asarray(photo(size)).repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(made[:height, :width], enlarged)
    below = made[height:]
    assert (below[:3] == 255).all()  # a margin
    assert (below == 0).all(axis=2).any()  # black letters
    assert (made[:height, width:] == 255).all()


@pytest.mark.parametrize(("size", "shown"), [((6000, 40), (6000, 40)), ((9000, 60), (6000, 40))])
def test_a_picture_has_6000_pixels_at_most(size, shown):
    """A larger photograph is made smaller: its pixels and the sheet's would not fit into a gigabyte."""
    made = figure([Tile(photo(size))])
    assert made.size == shown


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut_off(size, monkeypatch):
    """Words and bar end within the figure: a larger sheet holds nothing more."""
    made = np.asarray(figure([Tile(photo(size), WORDS)], LEGEND))
    new = Image.new

    def larger(mode, size, colour):
        return new(mode, (size[0] + 100, size[1] + 100), colour)

    tile = Tile(photo(size), WORDS)
    monkeypatch.setattr(Image, "new", lambda *a: larger(*a) if a[2:] == (WHITE,) else new(*a))
    wide = np.asarray(figure([tile], LEGEND))
    height, width = made.shape[:2]
    assert (wide[height:] == 255).all()
    assert (wide[:height, width:] == 255).all()
    np.testing.assert_array_equal(wide[:height, :width], made)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("words", [WORDS, ("cat",), (), ("a very long name of a class " * 9, "logit 1.00")])
def test_words_and_bar_do_not_touch(size, words, monkeypatch):
    """Where the bar goes there is nothing but white before it is drawn: with one picture and with three."""
    places = []

    def noted(_, corner, width, letters, legend):
        height = bar_size(legend, letters)[1]
        places.append((*corner, corner[0] + width, corner[1] + height))

    monkeypatch.setattr(module, "draw_bar", noted)
    for count in (1, 3):
        made = figure([Tile(photo(size), words)] * count, LEGEND)
        place = places.pop()
        assert (np.asarray(made.crop(place)) == 255).all()
        assert place[0] >= 0
        assert place[2] <= made.width
        assert place[3] <= made.height


def test_tint_and_boxes_are_those_of_the_picture():
    """The tinted photograph in the figure is the photograph tinted; a box stands where it should."""
    heatmap = np.random.default_rng(0).random((7, 7)) * 2
    expected = photo((640, 400))
    paint(expected, heatmap, LEGEND.scale)
    made = figure([Tile(photo((640, 400)), WORDS, heatmap)], LEGEND)
    np.testing.assert_array_equal(np.asarray(made.crop((0, 0, 640, 400))), np.asarray(expected))
    boxed = figure([Tile(photo((640, 400)), WORDS, heatmap, ((100, 50, 301, 222),))], LEGEND)
    rows, columns = np.nonzero((np.asarray(boxed) != np.asarray(made)).any(axis=2))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (100, 50, 301, 222)


@pytest.mark.parametrize(
    ("count", "size", "columns"),
    [
        (3, (450, 300), 3),
        (4, (450, 300), 4),
        (5, (450, 300), 3),
        (3, (4000, 400), 1),
        (3, (900, 300), 1),
        (3, (100, 1000), 3),
        (5, (300, 450), 5),
        (9, (400, 400), 3),
    ],
)
def test_pictures_in_rows(count, size, columns):
    """In reading order, with as few places left free as a figure of a good shape allows."""
    colours = [(10 + 20 * i, 0, 0) for i in range(count)]
    made = np.asarray(figure([Tile(Image.new("RGB", size, c), ("a",)) for c in colours]))
    corners = []
    for colour in colours:
        rows, lines = np.nonzero((made == colour).all(axis=2))
        corners.append((int(rows.min()), int(lines.min())))
    assert corners == sorted(corners)
    assert len({x for _, x in corners}) == columns
    assert len({y for y, _ in corners}) == -(-count // columns)


def test_many_pictures_are_of_320_to_960_pixels():
    """Whatever the photograph's size, a figure of several stays small."""
    for size, shown in (((40, 30), 320), ((450, 300), 450), ((6000, 4000), 960)):
        made = np.asarray(figure([Tile(Image.new("RGB", size, (9, 9, 200)))] * 2))
        columns = np.nonzero((made == (9, 9, 200)).all(axis=2).any(axis=0))[0]
        gap = int(np.diff(columns).max()) - 1
        assert len(columns) == 2 * shown
        assert gap > 0


def test_longest():
    """A single large photograph is made smaller where that is asked for, and keeps its shape."""
    made = figure([Tile(photo((1000, 500)))], longest=400)
    assert made.size == (400, 200)


@pytest.mark.parametrize("options", [{"tiles": []}, {"tiles": [Tile(picture())], "columns": 0}])
def test_refuses(options):
    """Nothing to show, or no column to show it in."""
    with pytest.raises(InputError, match=r"^figure: expected pictures and columns, got \d and (None|0)$"):
        figure(**options)


@pytest.mark.parametrize("two_sided", [False, True])
def test_the_bar_shows_what_the_tint_is(two_sided):
    """Its rows are the tints of the values along it, on white, grey and black: what `paint` makes of them."""
    legend = Legend(Scale(2.0, two_sided), 0.5, "unit")
    sheet = Image.new("RGB", (600, 200), "white")
    draw_bar(sheet, (50, 20), 500, 20, legend)
    values = np.linspace(-2 if two_sided else 0, 2, 500)[None]
    bar = np.asarray(sheet)[20:38, 50:550].astype(int)
    for row, ground in ((3, 255), (9, 128), (15, 0)):
        strip = Image.new("RGB", (500, 1), (ground,) * 3)
        paint(strip, values, legend.scale)
        difference = np.abs(bar[row] - np.asarray(strip)[0].astype(int))[2:-2]  # within the frame
        assert difference.max() <= 1  # both round to a byte
    neutral = bar[:, 250] if two_sided else bar[:, 2]
    assert np.abs(neutral[[3, 9, 15]] - [[255], [128], [0]]).max() <= 3


@pytest.mark.parametrize("number", [0.133, 12.34, 1e-7, 123456.0])
@pytest.mark.parametrize("two_sided", [False, True])
def test_numbers_at_the_bar(number, two_sided):
    """The ends and the middle of the scale, each with its sign, to two digits."""
    ticks = [float(t) for t in Legend(Scale(1.0, two_sided), number, "").ticks()]
    expected = [-number, 0, number] if two_sided else [0, number / 2, number]
    assert ticks == pytest.approx(expected, rel=0.05)
    assert signed(number).startswith("+")
    assert signed(-number).startswith("-")


def test_the_bar_takes_the_room_it_says():
    """In the width that `bar_size` asks for, numbers do not run into each other or beyond it."""
    for number in (0.133, 1e-7, 123456.0):
        legend = Legend(Scale(1.0, True), number, "per cell: - french horn, + garbage truck")
        width, height = bar_size(legend, 20)
        sheet = Image.new("RGB", (width + 100, height + 100), "white")
        draw_bar(sheet, (50, 50), width, 20, legend)
        rows, columns = np.nonzero((np.asarray(sheet) < 255).any(axis=2))
        assert columns.min() >= 50
        assert columns.max() < 50 + width
        assert rows.min() >= 50
        assert rows.max() < 50 + height


def test_png():
    """The bytes of a file that holds the same pixels."""
    import io

    with Image.open(io.BytesIO(png(photo((30, 20))))) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), np.asarray(photo((30, 20))))

"""Things on a slide: the same places in pixels and in SVG."""

import base64
import io
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from npcam.pictures.slide import Picture, Shape, Words, arrow, as_image, as_svg, lines, rectangle

SVG = "{http://www.w3.org/2000/svg}"


def checks(size=4):
    """A picture in which every pixel is another colour."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8))


def test_pixels_are_where_they_were_put():
    """A map is enlarged cell by cell; a rectangle fills its half-open box and nothing besides."""
    picture = checks()
    sheet = np.asarray(
        as_image([Picture(picture, (10, 20, 50, 60)), rectangle((60, 20, 70, 25), (1, 2, 3))], (100, 80))
    )
    expected = np.full((80, 100, 3), 255, np.uint8)
    expected[20:60, 10:50] = np.asarray(picture).repeat(10, axis=0).repeat(10, axis=1)
    expected[20:25, 60:70] = (1, 2, 3)
    np.testing.assert_array_equal(sheet, expected)


def test_a_smooth_picture_has_colours_between_its_pixels():
    """A photograph is not enlarged cell by cell."""
    two = Image.fromarray(np.array([[[0, 0, 0], [200, 200, 200]]], np.uint8))
    found = {
        smooth: len(set(np.asarray(as_image([Picture(two, (0, 0, 40, 20), smooth)], (40, 20)))[10, :, 0]))
        for smooth in (False, True)
    }
    assert found[False] == 2
    assert found[True] > 5


def test_svg_holds_the_same_things():
    """Parsed by an XML reader: places, colours, words with every sign escaped, the picture's own pixels."""
    picture = checks()
    items = [
        Picture(picture, (10, 20, 50, 60)),
        Words('a < b & "c"', (200, 30), 20, 300, (255, 0, 0), centred=True),
        Shape([(0, 0), (5, 0), (0, 5)], (0, 16, 255)),
    ]
    text = as_svg(items, "npcam 1; -- made up", (400, 100))
    root = ET.fromstring(text)
    assert (root.get("width"), root.get("height")) == ("400", "100")
    image = root.find(f"{SVG}image")
    assert [image.get(k) for k in ("x", "y", "width", "height")] == ["10", "20", "40", "40"]
    kept = Image.open(io.BytesIO(base64.b64decode(image.get("href").split(",")[1])))
    np.testing.assert_array_equal(np.asarray(kept.convert("RGB")), np.asarray(picture))
    words = root.find(f"{SVG}text")
    assert (words.text, words.get("fill"), words.get("text-anchor")) == ('a < b & "c"', "#ff0000", "middle")
    assert root.find(f"{SVG}polygon").get("points") == "0,0 5,0 0,5"
    assert text.splitlines()[1] == "<!-- npcam 1; - - made up -->"


@pytest.mark.parametrize("width", [400, 120, 40])
def test_words_stay_in_their_width(width):
    """Longer lines get smaller letters, and then an end; what is drawn lies inside."""
    words = Words("the strongest sixteen maps", (10, 5), 30, width)
    sheet = np.asarray(as_image([words], (500, 60)))
    across = np.flatnonzero((sheet < 255).any(axis=(0, 2)))
    assert across.size
    assert across[0] >= 8
    assert across[-1] <= 10 + width


def test_centred_words_lie_around_their_place():
    """As much on its left as on its right, to a pixel of rounding and the letters' own edges."""
    sheet = np.asarray(as_image([Words("HOH", (100, 5), 30, 180, centred=True)], (200, 60)))
    across = np.flatnonzero((sheet < 255).any(axis=(0, 2)))
    assert abs((across[0] + across[-1]) / 2 - 100) <= 3


def test_lines_stand_under_each_other():
    """The first is larger and black; none begins before the one above it ends."""
    first, second, third = lines(["conv1", "112x112x64", "7x7"], (100, 10), 20, 150)
    assert first.size > second.size == third.size
    assert first.colour == (0, 0, 0)
    for above, below in ((first, second), (second, third)):
        assert below.place[1] >= above.place[1] + above.size


def test_an_arrow_points_right():
    """Its tip is its rightmost corner, in the middle of its back."""
    back, tip, foot = arrow((3, 10), 6, (0, 0, 0)).corners
    assert tip[0] > back[0] == foot[0]
    assert tip[1] * 2 == back[1] + foot[1]

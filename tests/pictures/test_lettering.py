"""Words in pictures: where they stand, and what they do not cross."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from npcam.pictures.draw import line_width, outline
from npcam.pictures.fonts import font_for
from npcam.pictures.lettering import (
    KEPT,
    SMALLEST_TEXT,
    fitted,
    mark,
    one_line,
    width_of,
    write,
    write_in_a_corner,
)

GROUND = (90, 90, 90)


def drawn(size, draw):
    """Where something is drawn on a grey picture, (H, W) bool."""
    picture = Image.new("RGB", size, GROUND)
    draw(picture)
    return (np.asarray(picture) != GROUND).any(axis=2)


@pytest.mark.parametrize("seed", range(12))
def test_captions_and_boxes_never_cross(seed):
    """Boxes anywhere: no pixel of the caption is one of an outline; and with one box there is a caption."""
    rng = np.random.default_rng(seed)
    width, height = (int(n) for n in rng.integers(150, 700, 2))
    boxes = []
    for _ in range(1 + seed % 3):
        (x0, x1), (y0, y1) = (np.sort(rng.choice(n, 2, replace=False)) for n in (width, height))
        boxes.append((int(x0), int(y0), int(x1) + 1, int(y1) + 1))
    if seed == 0:
        boxes = [(0, 0, width, height)]

    def lines(picture):
        for box in boxes:
            outline(picture, box)

    text = drawn((width, height), lambda p: write_in_a_corner(p, "cat 97.3%", boxes, 2 * line_width(p.size)))
    assert not (text & drawn((width, height), lines)).any()
    assert text.any() or len(boxes) > 1


def test_the_lower_left_corner_comes_first():
    """A box there moves the caption to another corner; one elsewhere does not."""
    free = drawn((400, 300), lambda p: write_in_a_corner(p, "cat"))
    elsewhere = drawn((400, 300), lambda p: write_in_a_corner(p, "cat", [(200, 10, 390, 200)], 2))
    np.testing.assert_array_equal(free, elsewhere)
    moved = drawn((400, 300), lambda p: write_in_a_corner(p, "cat", [(3, 150, 15, 295)], 2))
    rows, columns = np.nonzero(free)
    assert rows.min() > 200
    assert columns.max() < 200
    rows, columns = np.nonzero(moved)
    assert rows.min() > 200
    assert columns.min() > 200


def test_marks_stand_in_their_box():
    """Inside its outline, clear of every other; where there is no room, there is none."""
    boxes = [(50, 40, 200, 150), (45, 35, 110, 90), (300, 10, 310, 200)]
    for number in (0, 1):
        place = drawn((400, 300), lambda p, n=number: mark(p, "46%", boxes, n, 14, 2))
        rows, columns = np.nonzero(place)
        x0, y0, x1, y1 = boxes[number]
        assert x0 + 2 <= columns.min() <= columns.max() < x1 - 2
        assert y0 + 2 <= rows.min() <= rows.max() < y1 - 2
        for box in boxes:
            assert not (place & drawn((400, 300), lambda p, b=box: outline(p, b, 1))).any()
    assert not drawn((400, 300), lambda p: mark(p, "46%", boxes, 2, 14, 2)).any()


@pytest.mark.parametrize("width", [5, 30, 80, 200, 2000])
@pytest.mark.parametrize("text", ["cat", "garbage truck 97.3%", "x" * 300, "\u732b", ""])
def test_lines_fit(width, text):
    """No line is wider than its room; it is whole where letters of 8 pixels are narrow enough."""
    found, size = fitted(text, 40, width)
    assert SMALLEST_TEXT <= size <= 40
    assert not found or width_of(found, size) <= width
    text = one_line(text)
    if width_of(text, SMALLEST_TEXT) <= width:
        assert found == text
    else:
        assert found == "" or found == text[: len(found) - 3] + "..."


def test_one_line():
    """What does not print is a blank, and blanks are single."""
    assert one_line("\ttwo\n\x00 lines\x1bhere \udcff") == "two lines here"


@pytest.mark.parametrize("text", ["cat 97.3%", "jay", "\u732b", "x" * 60, ""])
@pytest.mark.parametrize("place", [(20, 30), (20.5, 30), (180.5, 3), (395, 90)])
@pytest.mark.parametrize("size", [9, KEPT, KEPT + 1])
def test_letters_are_those_of_pillow(text, place, size):
    """Pixel by pixel what `ImageDraw.text` draws there, the first time and when they are kept."""
    for colour in ((0, 0, 0), (80, 160, 240)):
        expected, found = (Image.new("RGB", (400, 100), GROUND) for _ in range(2))
        ImageDraw.Draw(expected).text(place, text, font=font_for(text, size), fill=colour)
        for _ in range(2):
            picture = found.copy()
            write(picture, place, text, size, colour)
            np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))

"""Contact sheets: where pictures and words stand, how cells shrink, and how pages follow."""

import numpy as np
import pytest
from helpers.pictures import picture
from PIL import Image, ImageDraw

from npcam.common.errors import InputError
from npcam.pictures.lettering import width_of
from npcam.pictures.sheet import LONGEST, MOST_PIXELS, SMALLEST_CELL, Sheet

GROUND, PAGE = (226, 226, 226), (250, 250, 250)


def filled(count, order=None, **options):
    """A sheet of flat pictures, the i-th of the grey level i % 200, in an order."""
    sheet = Sheet(count, **options)
    for i in order if order is not None else range(count):
        sheet.add(i, Image.new("RGB", (40, 30), (i % 200,) * 3), f"picture {i}", "below")
    return sheet


@pytest.mark.parametrize(
    ("count", "columns", "cell"),
    [
        *((1, 1, 320), (3, 3, 320), (4, 4, 320), (5, 3, 320), (16, 4, 320), (49, 7, 320), (64, 8, 280)),
        *((196, 14, 160), (1177, 35, 160), (2025, 45, 160)),
    ],
)
def test_one_page_of_a_square_grid(count, columns, cell):
    """As many columns as rows, few in one row; 320 pixels a cell, from 14 columns on 160; all on one page."""
    sheet = Sheet(count)
    assert (sheet.columns, sheet.cell, sheet.page_count) == (columns, cell, 1)
    rows = -(-count // columns)
    width, height = sheet.image.size
    assert width == columns * (cell + cell // 40) + cell // 40
    assert height > rows * cell
    assert sheet.place(count - 1)[1] + cell <= width
    assert sheet.place(count - 1)[2] + cell <= height


@pytest.mark.parametrize("count", [2_400, 5_000, 6_000, 50_000])
def test_cells_shrink_and_then_pages_follow(count):
    """Never under 96 pixels, never more pages than are needed, and no page beyond its limits."""
    sheet = Sheet(count)
    assert SMALLEST_CELL <= sheet.cell < 160
    assert sheet.page_count == -(-count // sheet.per_page)
    assert (sheet.page_count == 1) == (count <= 5_000)
    assert sheet.page_count == 1 or sheet.cell == SMALLEST_CELL
    # The sizes of pages, worked out from where the cells are, without making them.
    places = [sheet.place(i) for i in range(count)]
    assert len(set(places)) == count
    assert {page for page, _, _ in places} == set(range(sheet.page_count))
    pitch = places[sheet.columns][2] - places[0][2]
    width, height = max(x for _, x, _ in places) + sheet.cell, max(y for _, _, y in places) + pitch
    assert width * height <= MOST_PIXELS
    assert max(width, height) <= LONGEST


def test_the_order_does_not_matter():
    """Pictures that come in any order make the same page, pixel by pixel, and each is in its cell."""
    order = np.random.default_rng(0).permutation(23)
    straight, shuffled = filled(23, cell=40), filled(23, order.tolist(), cell=40)
    assert np.array_equal(straight.image, shuffled.image)
    for i in range(23):
        _, x, y = straight.place(i)
        cell = np.asarray(straight.image)[y : y + 40, x : x + 40]
        assert (cell[5:35] == i).all()  # 40 x 30 in the middle of 40 x 40
        assert (cell[:5] == GROUND).all()
        assert (cell[35:] == GROUND).all()


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (64, 64), (64, 1), (1, 64)])
def test_a_picture_of_a_cells_size_is_put_there_as_it_is(size):
    """Its pixels are its own; what is free of the cell is the ground's colour, as much on either side."""
    sheet, photo = Sheet(2, cell=64), picture(size=size)
    sheet.add(1, photo)
    _, x, y = sheet.place(1)
    cell = np.asarray(sheet.image)[y : y + 64, x : x + 64]
    left, top = (64 - size[0]) // 2, (64 - size[1]) // 2
    assert np.array_equal(cell[top : top + size[1], left : left + size[0]], photo)
    there = np.zeros((64, 64), bool)
    there[top : top + size[1], left : left + size[0]] = True
    assert (cell[~there] == GROUND).all()


@pytest.mark.parametrize("size", [(640, 480), (32, 24), (3000, 2), (7, 5)])
def test_other_pictures_are_fitted_in(size):
    """Larger or smaller ones get the cell's longer side, and keep their shape as far as pixels go."""
    sheet = Sheet(1, cell=64)
    sheet.add(0, Image.new("RGB", size, (0, 0, 0)))
    _, x, y = sheet.place(0)
    rows, columns = np.nonzero((np.asarray(sheet.image)[y : y + 64, x : x + 64] == 0).all(axis=2))
    found = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert found == tuple(max(1, round(n * 64 / max(size))) for n in size)


def test_nothing_to_show_is_a_crossed_cell():
    """Where there is no picture, two lines cross, and the words stand under them all the same."""
    sheet = Sheet(1, cell=64)
    sheet.add(0, None, "not a photograph")
    _, x, y = sheet.place(0)
    page = np.asarray(sheet.image)
    cell = page[y : y + 64, x : x + 64]
    lines = (cell != GROUND).any(axis=2)
    assert np.array_equal(lines, np.eye(64, dtype=bool) | np.eye(64, dtype=bool)[::-1])
    assert (page[y + 64 :] < 100).all(axis=2).any()


def test_words_stay_under_their_picture(monkeypatch):
    """A line that is too long ends in dots and in its cell's width; more lines than there is room for go."""
    written, text = [], ImageDraw.ImageDraw.text

    def noted(self, place, string, **options):
        written.append((place, string, options["font"].size))
        return text(self, place, string, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    sheet = Sheet(6, cell=100, columns=3)
    long = "cassette player/" + "x" * 10_000
    for i in range(6):
        sheet.add(i, Image.new("RGB", (100, 100), (0, 90, 0)), long if i == 4 else "cat", "a\nb", "left out")
    assert [string for _, string, _ in written if string not in ("cat", "a b")] == [written[8][1]]
    (x, y), cut, size = written[8]
    assert cut == long[: len(cut) - 3] + "..."
    assert width_of(cut, size) <= 100 < width_of(long[: len(cut) + 3], size)
    assert x == sheet.place(4)[1]
    assert y >= sheet.place(4)[2] + 100
    dark = (np.asarray(sheet.image) < 120).all(axis=2)  # letters
    columns = {c for i in range(3) for c in range(sheet.place(i)[1], sheet.place(i)[1] + 100)}
    assert set(np.nonzero(dark.any(axis=0))[0]) <= columns
    assert dark[-4:].sum() == 0  # the last line ends above the page's end


def test_no_lines_no_room_for_words():
    """Without lines, cells stand one gap apart, and words are not drawn."""
    sheet = Sheet(4, cell=64, columns=2, lines=0)
    sheet.add(0, None, "cat")
    assert sheet.image.size == (64 * 2 + 3 * 4, 64 * 2 + 3 * 4)
    page = np.asarray(sheet.image).copy()
    page[4:68, 4:68] = PAGE
    assert (page == PAGE).all()


def test_pages_are_handed_on_when_they_are_finished(monkeypatch):
    """In order, a page comes as soon as its last picture does, with its number, and is not kept."""
    monkeypatch.setattr("npcam.pictures.sheet.MOST_PIXELS", 100_000)
    made = []
    options = {"cell": 40, "columns": 5}
    sheet = Sheet(100, finished=lambda number, page: made.append((number, page)), **options)
    ends = []
    for i in range(100):
        sheet.add(i, Image.new("RGB", (40, 40), (i,) * 3))
        assert len(sheet._pages) <= 1
        if len(made) > len(ends):
            ends.append(i + 1)
    assert ends == [min(100, (k + 1) * sheet.per_page) for k in range(sheet.page_count)]
    assert [number for number, _ in made] == list(range(sheet.page_count))
    assert sheet.pages == ()
    assert sheet.page_count > 2
    kept = Sheet(100, **options)
    for i in reversed(range(100)):
        kept.add(i, Image.new("RGB", (40, 40), (i,) * 3))
    assert all(np.array_equal(a, b) for a, (_, b) in zip(kept.pages, made, strict=True))
    assert kept.pages[-1].height <= kept.pages[0].height  # as many rows as it needs


def test_what_is_missing_stays_empty():
    """A page with pictures that never came is there as far as it got."""
    sheet = Sheet(9, cell=40, finished=lambda *_: pytest.fail("not finished"))
    sheet.add(8, Image.new("RGB", (40, 40)))
    (page,) = sheet.pages
    _, x, y = sheet.place(0)
    assert (np.asarray(page)[y : y + 40, x : x + 40] == PAGE).all()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"count": 0}, "got 0 pictures"),
        ({"count": 3, "columns": 0}, "0 columns"),
        ({"count": 3, "cell": 15}, "cells of 15"),
        ({"count": 3, "lines": -1}, "-1 lines"),
    ],
)
def test_no_sheet(options, found):
    """No pictures, no columns, cells without room: one line says what was asked for."""
    with pytest.raises(InputError, match=found):
        Sheet(**options)


@pytest.mark.parametrize(
    ("index", "what"), [(-1, "is none of 3"), (3, "is none of 3"), (1, "has its picture")]
)
def test_no_cell(index, what):
    """A picture is for a cell that is there and free."""
    sheet = Sheet(3)
    sheet.add(1, None)
    with pytest.raises(InputError, match=f"^contact sheet: cell {index} {what}$"):
        sheet.add(index, None)


def test_a_long_page_is_bounded():
    """One column of very many pictures becomes pages that programs can show."""
    sheet = Sheet(1000, columns=1)
    assert sheet.columns == 1
    assert sheet.place(sheet.per_page - 1)[2] + sheet.cell < LONGEST
    assert sheet.page_count > 1
    assert Sheet(10_000, cell=96, columns=10_000).columns * 96 < LONGEST

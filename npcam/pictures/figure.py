"""A figure: pictures with words under them, and one bar of colours for all.

The words stand beside the photograph and not on it: nothing crosses them. What is small is
enlarged by a whole number, so that there is room for letters that can be read.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from npcam.cam import Box, scale_box
from npcam.common.errors import InputError
from npcam.pictures.colorbar import Legend, bar_size, draw_bar, small
from npcam.pictures.draw import fitting, line_width, outline, resized
from npcam.pictures.lettering import BLACK, EASY_TEXT, GREY, WHITE, fitted, mark, one_line, width_of, write
from npcam.pictures.overlay import paint
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST = 320  # pixels of the longer side of a picture; a smaller one is enlarged
LARGEST = 6000  # pixels of the longer side of a single picture: a hundred million pixels take 0.4 GB
LARGEST_OF_MANY = 960  # pixels of the longer side of each of several pictures; a larger one is made smaller
NARROWEST = 300  # pixels that the words under each of several pictures have, if they need them
WIDEST = 6.5  # times as wide as high: pictures that would be wider stand in several rows
SMALLEST_MARK = 12  # pixels: letters inside a box
HIGHEST = 0.7  # times as wide as high: pictures that would be higher stand in fewer rows


class Tile(NamedTuple):
    """One picture of a figure.

    Attributes:
        image: the photograph, RGB.
        lines: what is written under it; the first in larger letters.
        heatmap: (H, W), signed, laid over it; None for the photograph as it is.
        boxes: in pixels of `image`.
        marks: a word for each of the first boxes, written into it where there is room.
    """

    image: "Image"
    lines: tuple[str, ...] = ()
    heatmap: Array | None = None
    boxes: tuple[Box, ...] = ()
    marks: tuple[str, ...] = ()


def figure(
    tiles: Sequence[Tile],
    legend: Legend | None = None,
    *,
    columns: int | None = None,
    longest: int | None = None,
) -> "Image":
    """Pictures in rows, with words under each, and one bar under all.

    A single picture keeps its size, with its upper left corner in the figure's, unless its longer side
    has less than 320 pixels. Several are made equally large, of 320 to 960 pixels.

    Args:
        tiles: the pictures, of one shape; other shapes are fitted into the first one's.
        legend: the bar; it also says how heat maps are tinted. None: no bar, and no tint.
        columns: how many stand in a row; None for as many as make a figure that is not too wide.
        longest: pixels that the longer side of each picture has at most; None for 960 where there are
            several, else for the picture's own size up to 6,000.

    Returns:
        An RGB image on white.

    Raises:
        InputError: no pictures, no columns, less than a pixel, or a heat map that is none.

    >>> from PIL import Image
    >>> figure([Tile(Image.new("RGB", (640, 480)), ("a cat", "54 %"))]).size[0]
    640
    """
    from PIL import Image

    if not tiles or (columns is not None and columns < 1):
        raise InputError(f"figure: expected pictures and columns, got {len(tiles)} and {columns}")
    many = len(tiles) > 1
    most = (LARGEST_OF_MANY if many else LARGEST) if longest is None else longest
    width, height = _shown(tiles[0].image.size, most)
    columns = min(columns or _columns(len(tiles), width / height), len(tiles))
    lines = [line for tile in tiles for line in enumerate(tile.lines)]
    cell = max(width, min(NARROWEST, _widest(lines, EASY_TEXT))) if many else width
    size = _letters(columns * cell if many else width, height)
    while many and size > EASY_TEXT and _widest(lines, size) > cell:
        size -= 1 + size // 16
    gap = size if many else 0
    words = _words_height(max(len(tile.lines) for tile in tiles), size)
    rows = -(-len(tiles) // columns)
    across = columns * (cell + gap) - gap
    whole = max(across, 16 * size)
    bottom = gap + rows * (height + words + gap)
    bar = _bar_place(tiles, legend, (whole, bottom), size)
    sheet = Image.new("RGB", (whole + 2 * gap, bar[3] if bar else bottom), WHITE)
    for i, tile in enumerate(tiles):
        x, y = gap + i % columns * (cell + gap), gap + i // columns * (height + words + gap)
        _put(sheet, tile, (x, y, x + width, y + height), legend, size)
        left = x if many else size // 2
        end = bar[0] - size if bar and bar[1] < bottom else whole  # the bar is beside the words, or below
        room = cell if many else end - left
        _write(sheet, tile.lines, (left, y + height), room, size)
    if legend and bar:
        draw_bar(sheet, (bar[0], bar[1]), bar[2] - bar[0], size, legend)
    return sheet


def _columns(count: int, shape: float) -> int:
    """How many pictures stand in a row: as make a figure neither too wide nor too high, and fill it."""
    most = min(count, max(1, int(WIDEST / shape)))
    fitting = [n for n in range(1, most + 1) if n * shape >= HIGHEST * -(-count // n)] or [most]
    return min(fitting, key=lambda n: (-count % n, -n))


def _shown(size: tuple[int, int], most: int) -> tuple[int, int]:
    """How large a photograph of (width, height) is shown: enlarged by a whole number, or made smaller."""
    longer = max(size)
    if longer < SMALLEST:
        factor = -(-SMALLEST // longer)
        return size[0] * factor, size[1] * factor
    return fitting(size, most)


def _letters(width: int, height: int) -> int:
    """The size of letters: a 42nd of the longer side, less where a panorama leaves no room for it."""
    return max(EASY_TEXT, min(max(width, height) // 42, width // 16, height // 4))


def _widest(lines: Sequence[tuple[int, str]], size: int) -> int:
    """How many pixels wide the widest of some lines is, each with its number under its picture."""
    return max((width_of(one_line(line), size if i == 0 else small(size)) for i, line in lines), default=0)


def _words_height(lines: int, size: int) -> int:
    """How many pixels so many lines take under a picture."""
    return 0 if lines == 0 else size // 2 + size * 4 // 3 + (lines - 1) * small(size) * 4 // 3 + size // 2


def _bar_place(tiles: Sequence[Tile], legend: Legend | None, room: tuple[int, int], size: int) -> Box | None:
    """Where the bar goes: right of a single picture's words where both fit, else below."""
    if legend is None or legend.number <= 0:
        return None
    whole, bottom = room
    least, height = bar_size(legend, size)
    words = [
        width_of(line, size if i == 0 else small(size)) for tile in tiles for i, line in enumerate(tile.lines)
    ]
    free = whole - max(words, default=0) - 5 * size // 2
    if len(tiles) == 1 and free >= least:
        width = min(free, max(least, 18 * size))
        top = bottom - _words_height(len(tiles[0].lines), size) + size // 2
        return whole - size // 2 - width, top, whole - size // 2, max(bottom, top + height + size // 4)
    left = size if len(tiles) > 1 else size // 2
    width = min(whole - size, max(least, 24 * size))
    return left, bottom, left + width, bottom + height + size // 2


def _put(sheet: "Image", tile: Tile, place: Box, legend: Legend | None, size: int) -> None:
    """One picture with its tint and its boxes; of another shape than its place, it is fitted in."""
    x0, y0, x1, y1 = place
    image = tile.image
    factor = min((x1 - x0) / image.width, (y1 - y0) / image.height)
    width, height = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    sheet.paste(resized(image, (width, height)), (x0, y0))
    if tile.heatmap is not None and legend is not None:
        paint(sheet, tile.heatmap, legend.scale, (x0, y0, x0 + width, y0 + height))
    line = max(line_width((width, height)), size // 14)
    boxes = []
    for box in tile.boxes:
        bx0, by0, bx1, by1 = scale_box(box, tile.image.size[::-1], (height, width))
        boxes.append((x0 + bx0, y0 + by0, x0 + bx1, y0 + by1))
        outline(sheet, boxes[-1], line)
    for number, text in enumerate(tile.marks):
        mark(sheet, text, boxes, number, max(SMALLEST_MARK, size * 3 // 5), 2 * line)


def _write(sheet: "Image", lines: Sequence[str], corner: tuple[int, int], width: int, size: int) -> None:
    """Lines under a picture, the first in larger letters; each as large as fits."""
    x, y = corner[0], corner[1] + size // 2
    for i, line in enumerate(lines):
        text, letters = fitted(line, size if i == 0 else small(size), width)
        write(sheet, (x, y), text, letters, BLACK if i == 0 else GREY)
        y += size * 4 // 3 if i == 0 else small(size) * 4 // 3


def png(picture: "Image") -> bytes:
    """A picture as the bytes of a PNG file, for a notebook."""
    import io

    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()

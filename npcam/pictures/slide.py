"""A slide: pictures, words and shapes at places of a page, as pixels or as SVG.

Both are drawn from the same list of things. In SVG the words stay words, so that a slide program can change
them, and small maps stay as many cells as they have.
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from npcam.cam import Box
from npcam.pictures.lettering import BLACK, WHITE, cut, fitted, one_line, width_of, write

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = (1920, 1080)  # pixels, width and height: what projectors show
ROOM = 0.8  # of a line's width that its words may take: letters of SVG viewers may be wider than ours
BASELINE = 0.8  # of the letters' size from the top of a line to the line that the letters stand on


class Picture(NamedTuple):
    """A picture in a place, which it is stretched over: an RGB image, and (x0, y0, x1, y1) in pixels.

    `smooth` says how it is enlarged: a photograph between its pixels, a map cell by cell.
    """

    image: "Image"
    box: Box
    smooth: bool = False


class Words(NamedTuple):
    """One line of words, in a place.

    Attributes:
        text: the line.
        place: (x, y) of its left end, or of its middle, and of its upper edge, in pixels.
        size: of the letters, in pixels.
        width: that it has at most; longer lines get smaller letters, down to 8 pixels, and then an end.
        colour: (red, green, blue).
        centred: whether `place` is its middle.
    """

    text: str
    place: tuple[int, int]
    size: int
    width: int
    colour: tuple[int, int, int] = BLACK
    centred: bool = False

    def fitted(self) -> tuple[str, int]:
        """The line as it is drawn, and its letters' size."""
        return fitted(self.text, self.size, int(self.width * ROOM))


class Shape(NamedTuple):
    """A polygon: its corners (x, y) in pixels, and its colour."""

    corners: Sequence[tuple[int, int]]
    colour: tuple[int, int, int]


Item = Picture | Words | Shape


def arrow(place: tuple[int, int], length: int, colour: tuple[int, int, int]) -> Shape:
    """An arrowhead to the right, its tip so long behind the middle of its back.

    >>> arrow((0, 10), 8, (0, 0, 0)).corners
    [(0, 2), (8, 10), (0, 18)]
    """
    x, y = place
    return Shape([(x, y - length), (x + length, y), (x, y + length)], colour)


def rectangle(box: Box, colour: tuple[int, int, int]) -> Shape:
    """A filled rectangle, (x0, y0, x1, y1), x1 and y1 exclusive."""
    x0, y0, x1, y1 = box
    return Shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)


def as_image(items: Sequence[Item], size: tuple[int, int] = SIZE) -> "Image":
    """A slide as pixels, RGB on white; later things lie over earlier ones.

    >>> as_image([rectangle((0, 0, 960, 540), (255, 0, 0))]).getpixel((959, 539))
    (255, 0, 0)
    """
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(sheet)
    for item in items:
        match item:
            case Picture(image, (x0, y0, x1, y1), smooth):
                how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
                sheet.paste(image.resize((x1 - x0, y1 - y0), how), (x0, y0))
            case Words():
                text, letters = item.fitted()
                x = item.place[0] - (width_of(text, letters) // 2 if item.centred else 0)
                write(sheet, (x, item.place[1]), text, letters, item.colour)
            case Shape(corners, colour):
                right, bottom = (max(corner[axis] for corner in corners) for axis in (0, 1))
                # Pillow draws the last column and row, too, which are not in the shape
                inner = [(min(x, right - 1), min(y, bottom - 1)) for x, y in corners]
                draw.polygon(inner, fill=colour)
    return sheet


def as_svg(items: Sequence[Item], mark: str, size: tuple[int, int] = SIZE) -> str:
    """The same as an SVG of that many pixels, which every browser and slide program reads.

    Args:
        items: what is on the slide.
        mark: what the file says of its maker, in a comment.
        size: (width, height).
    """
    width, height = size
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<!-- {mark.replace('--', '- -')} -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for item in items:
        match item:
            case Picture(image, (x0, y0, x1, y1), smooth):
                how = "" if smooth else ' style="image-rendering: pixelated"'
                parts.append(
                    f'<image x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}" '
                    f'preserveAspectRatio="none"{how} href="data:image/png;base64,{_png(image)}"/>'
                )
            case Words(_, (x, y), _, _, colour, centred):
                text, letters = item.fitted()
                anchor = "middle" if centred else "start"
                parts.append(
                    f'<text x="{x}" y="{y + round(BASELINE * letters)}" font-size="{letters}" '
                    f'text-anchor="{anchor}" fill="{_colour(colour)}">{escape(text)}</text>'
                )
            case Shape(corners, colour):
                points = " ".join(f"{x},{y}" for x, y in corners)
                parts.append(f'<polygon points="{points}" fill="{_colour(colour)}"/>')
    return "\n".join([*parts, "</svg>", ""])


def lines(words: Sequence[str], place: tuple[int, int], size: int, width: int) -> list[Words]:
    """Lines one under the other, around a middle; the first in larger letters, the others grey."""
    x, y = place
    found = []
    for i, text in enumerate(words):
        letters = size if i == 0 else size * 4 // 5
        short = cut(one_line(text), letters * 3 // 5, width)
        found.append(Words(short, (x, y), letters, width, BLACK if i == 0 else (80, 80, 80), centred=True))
        y += letters * 4 // 3
    return found


def _png(image: "Image") -> str:
    """A picture as a PNG in base64."""
    file = io.BytesIO()
    image.save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def _colour(colour: tuple[int, int, int]) -> str:
    """#rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)

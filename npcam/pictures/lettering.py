"""Words in pictures: one line, as large as fits, where it crosses nothing."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from npcam.cam import Box
from npcam.pictures.fonts import drawable, font_for

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (80, 80, 80)
EASY_TEXT = 14  # pixels; on small photographs, if it fits
SMALLEST_TEXT = 8  # pixels; smaller letters cannot be read
LARGEST_TEXT = 400  # pixels
LONGEST_LINE = 2000  # characters; what follows them is not even measured


def one_line(text: str) -> str:
    r"""What of a text can be drawn, as one line; letters that no font here has are written as escapes.

    >>> one_line("two\nlines\x00here ")
    'two lines here'
    """
    return drawable(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


@lru_cache(maxsize=4096)  # a figure asks for the same words several times
def width_of(text: str, size: int) -> int:
    """How many pixels wide a line of that size is."""
    text = one_line(text)
    left, _, right, _ = font_for(text, size).getbbox(text)
    return int(right - left) + 1


KEPT = 48  # pixels; larger letters are drawn anew each time, and take no memory meanwhile


def write(
    picture: "Image", place: tuple[float, int], text: str, size: int, colour: tuple[int, int, int]
) -> None:
    """Letters of that size and colour, right of and below a place."""
    x, y = int(place[0]), place[1]
    letters, left, top = (_letters if size <= KEPT else _letters.__wrapped__)(text, size, place[0] - x)
    picture.paste(colour, (x + left, y + top), letters)


@lru_cache(maxsize=128)  # most words of a figure are those of the one before; all that are kept take 15 MB
def _letters(text: str, size: int, shift: float) -> tuple["Image", int, int]:
    """Letters as a grey picture, white on black, and where it goes; `shift` is less than a pixel."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = (int(n) for n in font_for(text, size).getbbox(text))
    picture = Image.new("L", (right - left + 2, bottom - top + 2))  # a pixel on each side to spare
    ImageDraw.Draw(picture).text((1 - left + shift, 1 - top), text, font=font_for(text, size), fill=255)
    return picture, left - 1, top - 1


def fitted(text: str, size: int, width: int) -> tuple[str, int]:
    """A line and the largest size up to `size` in which it fits a width; where none does, the line cut short.

    >>> fitted("garbage truck", 20, 1000)
    ('garbage truck', 20)
    """
    text = one_line(text)
    while width_of(text, size) > width and size > SMALLEST_TEXT:
        size = max(SMALLEST_TEXT, size * 7 // 8)
    return cut(text, size, width), size


def cut(text: str, size: int, width: int) -> str:
    """A line, cut short and ended with dots where it is wider than its room; empty where dots are too wide.

    >>> cut("parachute", 20, 1000), cut("parachute", 20, 2)
    ('parachute', '')
    """
    text = one_line(text)[:LONGEST_LINE]
    if width_of(text, size) <= width:
        return text
    fits = bisect_right(range(len(text)), width, key=lambda n: width_of(text[:n] + "...", size))
    return text[: fits - 1] + "..." if fits else ""


def write_in_a_corner(picture: "Image", text: str, boxes: Sequence[Box] = (), line: int = 0) -> None:
    """White letters with a black rim, as large as fits, in a corner; left out where there is no room.

    Args:
        picture: is drawn on.
        text: the caption.
        boxes: whose outlines are not crossed: the lower left corner is the first choice, then the
            other corners, then the corners inside the boxes.
        line: how wide the outlines are, in pixels.
    """
    from PIL import ImageDraw

    width, height = picture.size
    text = one_line(text)
    draw = ImageDraw.Draw(picture)
    size = max(EASY_TEXT, min(max(height // 14, width // 42), LARGEST_TEXT))
    while True:
        letters, rim = font_for(text, size), max(1, size // 12)
        left, top, right, bottom = draw.textbbox((0, 0), text, font=letters, stroke_width=rim)
        across, down = right - left, bottom - top
        if across <= width * 0.94 and down <= height / 3:
            margin = size // 2 if across + size <= width else 0
            for x, y in _corners((across, down), margin, (0, 0, width, height), boxes):
                if not any(_crosses((x, y, x + across, y + down), box, line) for box in boxes):
                    place = (x - left, y - top)
                    draw.text(place, text, font=letters, fill=WHITE, stroke_width=rim, stroke_fill=BLACK)
                    return
        if size == SMALLEST_TEXT:
            return
        size = max(SMALLEST_TEXT, size * 7 // 8)


def mark(picture: "Image", text: str, boxes: Sequence[Box], number: int, size: int, line: int) -> None:
    """White letters on black inside a box, in a corner where they cross no outline; else none.

    Args:
        picture: is drawn on.
        text: what belongs to the box.
        boxes: all boxes whose outlines are there, in pixels of the picture.
        number: which of them it belongs to.
        size: of the letters, in pixels.
        line: how wide the outlines are, in pixels.
    """
    from PIL import ImageDraw

    draw, letters, rim = ImageDraw.Draw(picture), font_for(text, size), size // 4
    left, top, right, bottom = draw.textbbox((0, 0), text, font=letters)
    across, down = right - left + 2 * rim, bottom - top + 2 * rim
    x0, y0, x1, y1 = boxes[number]
    if across > x1 - x0 - 2 * line or down > y1 - y0 - 2 * line:
        return
    for y in (y0 + line, y1 - line - down):
        for x in (x0 + line, x1 - line - across):
            if not any(_crosses((x, y, x + across, y + down), box, line) for box in boxes):
                draw.rectangle((x, y, x + across - 1, y + down - 1), fill=BLACK)
                draw.text((x + rim - left, y + rim - top), text, font=letters, fill=WHITE)
                return


def _corners(
    size: tuple[float, float], margin: int, picture: Box, boxes: Sequence[Box]
) -> Iterator[tuple[float, float]]:
    """Places for a text of that size: the picture's corners and the boxes', the lower left ones first."""
    across, down = size
    for x0, y0, x1, y1 in (picture, *boxes):
        for y in (y1 - margin - down, y0 + margin):
            for x in (x0 + margin, x1 - margin - across):
                if x >= picture[0] and y >= picture[1]:
                    yield x, y


def _crosses(text: tuple[float, float, float, float], box: Box, line: int) -> bool:
    """Whether a text touches a box's outline, of which `line` pixels lie inside."""
    x0, y0, x1, y1 = box
    apart = text[2] <= x0 or text[0] >= x1 or text[3] <= y0 or text[1] >= y1
    within = text[0] >= x0 + line and text[2] <= x1 - line and text[1] >= y0 + line and text[3] <= y1 - line
    return not apart and not within

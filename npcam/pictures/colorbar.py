"""The bar that says which colour is which number."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from npcam.pictures.lettering import BLACK, GREY, fitted, width_of, write
from npcam.pictures.overlay import Scale

if TYPE_CHECKING:
    from PIL.Image import Image

GROUNDS = (255, 128, 0)  # white, grey and black: what a tint may lie on


class Legend(NamedTuple):
    """What stands at a bar.

    Attributes:
        scale: its colours.
        number: what the fullest tint stands for, in the unit.
        unit: what the numbers are.
        least: what the other end stands for, where the scale is not signed.
        grounds: the greys that the tint is shown on, from 0 to 255.
    """

    scale: Scale
    number: float
    unit: str
    least: float = 0.0
    grounds: tuple[int, ...] = GROUNDS

    def ticks(self) -> tuple[str, ...]:
        """The numbers from left to right, in equal steps.

        >>> Legend(Scale(1.0, signed=True), 0.25, "").ticks()
        ('-0.25', '0', '+0.25')
        >>> Legend(Scale(1.0), 0.25, "").ticks()
        ('0', '+0.12', '+0.25')
        """
        low = -self.number if self.scale.signed else self.least
        return tuple(signed(n) for n in (low, (low + self.number) / 2, self.number))


def signed(number: float) -> str:
    """A number in two digits with its sign.

    >>> signed(0.1334), signed(-12.34), signed(0.0)
    ('+0.13', '-12', '0')
    """
    return f"{number:+.2g}" if number else "0"


def bar_size(legend: Legend, size: int) -> tuple[int, int]:
    """How many pixels (width, height) a bar with letters of `size` takes."""
    numbers = sum(width_of(tick, small(size)) for tick in legend.ticks()) + 2 * size
    letters = small(size)
    return max(numbers, width_of(legend.unit, letters)), _thick(size) + size // 8 + letters * 5 // 2


def small(size: int) -> int:
    """The size of the letters that stand beside larger ones."""
    return max(EASIEST, size * 4 // 5)


EASIEST = 12  # pixels: the smallest letters of a figure


def draw_bar(picture: "Image", corner: tuple[int, int], width: int, size: int, legend: Legend) -> None:
    """Draw a bar with its numbers and its unit; `bar_size` says what room it takes.

    The tints lie on white, grey and black, one above the other, as they lie on photographs.
    """
    from PIL import Image, ImageDraw

    (x, y), scale = corner, legend.scale
    low, high = (-1, 1) if scale.signed else (0, 1)
    index = scale.indices(np.linspace(low, high, width) * scale.largest)  # (width,)
    opacity = scale.opacities()[index][:, None] / 255  # (width, 1)
    rows = [ground * (1 - opacity) + scale.colours()[index] * opacity for ground in legend.grounds]
    strip = np.rint(np.stack(rows)).astype(np.uint8)  # (grounds, width, 3)
    bar = Image.fromarray(strip).resize((width, _thick(size)), Image.Resampling.NEAREST)
    picture.paste(bar, (x, y))
    bottom = y + bar.height
    frame = (x, y, x + width - 1, bottom - 1)
    ImageDraw.Draw(picture).rectangle(frame, outline=GREY, width=max(1, size // 20))
    ticks = legend.ticks()
    for i, tick in enumerate(ticks):
        share = i / (len(ticks) - 1)
        at = x + share * width - share * width_of(tick, small(size))
        write(picture, (at, bottom + size // 8), tick, small(size), BLACK)
    unit, unit_size = fitted(legend.unit, small(size), width)
    write(picture, (x, bottom + size // 8 + small(size) * 5 // 4), unit, unit_size, GREY)


def _thick(size: int) -> int:
    """How many pixels high the colours are beside letters of `size`."""
    return len(GROUNDS) * max(6, round(0.3 * size))

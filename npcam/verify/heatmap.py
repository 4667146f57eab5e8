"""The error of one layer as a picture: where in the map, and in which channels."""

import math
from typing import TYPE_CHECKING

import numpy as np

from npcam.pictures.colormaps import colormap
from npcam.shapes import Array
from npcam.verify.place import Place, in_words

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 448  # pixels of the map's longer side, about
MARGIN, LINE, STRIP = 16, 22, 40  # pixels: around everything, of a line of text, of the strip of channels
INK, WITHIN = "#222222", (225, 225, 225)


def draw_place(name: str, shape: tuple[int, ...], place: Place) -> "Image":
    """Draw where a layer is off, in multiples of what rounding explains.

    Grey is within rounding; from dark to light the error grows, on a logarithmic scale. The map shows
    the worst channel of each position, the strip below it the worst position of each channel.

    Args:
        name: the layer's name.
        shape: of its activation.
        place: from `place.find_place`.

    Returns:
        An RGB image.

    >>> from npcam.verify.place import find_place
    >>> value = np.eye(8)[None, :, :, None]
    >>> place = find_place(value, 0 * value, np.full(value.shape, 0.1))
    >>> draw_place("conv1_conv", value.shape, place).size
    (480, 666)
    """
    from PIL import Image, ImageDraw, ImageFont

    worst = float(np.max(place.by_channel))
    h, w = place.heat.shape
    scale = max(1, SIDE // max(h, w)) if h * w > 1 else 0
    width, height = max(SIDE, scale * w), scale * h
    font = ImageFont.load_default(14)
    text = f"{name}  {'x'.join(map(str, shape))}", *_wrapped(in_words(place), 60)
    top = MARGIN + LINE * len(text) + 6
    strip = top + height + (LINE + 8 if height else LINE)
    picture = Image.new("RGB", (width + 2 * MARGIN, strip + STRIP + 3 * LINE + MARGIN), "white")
    draw = ImageDraw.Draw(picture)

    def write(x: int, y: int, line: str) -> None:
        draw.text((x, y), line, font=font, fill=INK, anchor="lt")

    for i, line in enumerate(text):
        write(MARGIN, MARGIN + LINE * i, line)
    if height:
        colours = Image.fromarray(_colours(place.heat, worst))
        picture.paste(colours.resize((scale * w, height), Image.Resampling.NEAREST), (MARGIN, top))
        draw.rectangle((MARGIN - 1, top - 1, MARGIN + scale * w, top + height), outline=INK)
    write(MARGIN, strip - LINE + 2, f"channels 0 to {len(place.by_channel) - 1}")
    channels = Image.fromarray(_colours(place.by_channel[None], worst))
    picture.paste(channels.resize((width, STRIP), Image.Resampling.NEAREST), (MARGIN, strip))
    draw.rectangle((MARGIN - 1, strip - 1, MARGIN + width, strip + STRIP), outline=INK)
    bar = strip + STRIP + 12
    ramp = np.concatenate([np.zeros(width // 8), np.geomspace(1.001, _limit(worst), width - width // 8)])
    picture.paste(Image.fromarray(_colours(ramp[None], worst)).resize((width, 14)), (MARGIN, bar))
    write(MARGIN, bar + 18, "rounding")
    largest = "infinitely" if math.isinf(worst) else f"{worst:.3g} times"
    draw.text((MARGIN + width, bar + 18), f"{largest} as much", font=font, fill=INK, anchor="rt")
    return picture


def _limit(worst: float) -> float:
    """Where the scale ends: what is infinitely far off has the colour of a millionfold."""
    return max(worst if math.isfinite(worst) else 1e6, 1.01)


def _colours(times: Array, worst: float) -> Array:
    """(H, W) multiples of the tolerance -> (H, W, 3) bytes."""
    limit = _limit(worst)
    share = np.log(np.clip(times, 1, limit)) / math.log(limit)
    index = np.rint(25 + 230 * share).astype(int)
    colours = colormap("magma")[index]
    return np.where((times > 1)[..., None], colours, np.array(WITHIN, np.uint8)).astype(np.uint8)


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most so many letters."""
    import textwrap

    return textwrap.wrap(text, width)

"""Error against depth as a picture: a line for each program, on a logarithmic axis."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

from npcam.common.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT = 1200, 640
LEFT, RIGHT, TOP, BOTTOM = 90, 30, 60, 60  # margins in pixels
# Okabe & Ito's colours, which people with any colour vision can tell apart (jfly.uni-koeln.de/color).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, GRID, MARK = "#222222", "#DDDDDD", "#B00020"


def plot_errors(
    lines: Mapping[str, Sequence[float | None]],
    names: Sequence[str],
    title: str = "",
    marked: str | None = None,
) -> "Image":
    """Draw error against depth.

    Args:
        lines: {label: the error at each layer}; an error that is 0, None or not finite is left out.
        names: the layers' names, as many as errors; the first layer of each stage is marked.
        title: a line above the picture, in place of the usual one.
        marked: the layer to mark, the first that is beyond rounding.

    Returns:
        An RGB image of 1200 x 640 pixels.

    Raises:
        InputError: there is nothing to draw.

    >>> plot_errors({"npcam": [1e-7, None, 3e-7]}, ["conv1_conv", "conv1_bn", "conv2_block1_1_conv"]).size
    (1200, 640)
    """
    from PIL import Image, ImageDraw

    values = [math.log10(v) for line in lines.values() for v in line if _drawable(v)]
    if not values:
        raise InputError("plot: no layer differs at all, so there is nothing to draw")
    low, high = math.floor(min(values)), math.ceil(max(values) + 1e-9)
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)

    def x(i: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * i / max(len(names) - 1, 1)

    def y(log: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - log) / max(high - low, 1)

    for decade in range(low, high + 1):
        draw.line((LEFT, y(decade), WIDTH - RIGHT, y(decade)), fill=GRID)
        _text(draw, (LEFT - 8, y(decade)), f"1e{decade}", "rm")
    stage = ""
    for i, name in enumerate(names):
        if name.split("_")[0] != stage and not name.startswith("pool"):
            stage = name.split("_")[0]
            draw.line((x(i), TOP, x(i), HEIGHT - BOTTOM), fill=GRID)
            if stage.startswith("conv") and stage != "conv1":  # conv2 follows too closely
                _text(draw, (x(i) + 3, HEIGHT - BOTTOM + 8), stage, "lt")
    if marked is not None and marked in names:
        at = x(names.index(marked))
        draw.line((at, TOP, at, HEIGHT - BOTTOM), fill=MARK, width=2)
        anchor = "lt" if at < WIDTH / 2 else "rt"
        _text(draw, (at + (6 if anchor == "lt" else -6), TOP + 6), f"first: {marked}", anchor, MARK)
    for k, (label, line) in enumerate(lines.items()):
        colour = COLOURS[k % len(COLOURS)]
        points = [(x(i), y(math.log10(v))) for i, v in enumerate(line) if _drawable(v)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2, joint="curve")
        for px, py in points:
            draw.ellipse((px - 2, py - 2, px + 2, py + 2), fill=colour)
        _text(draw, (LEFT + 240 * k, TOP - 18), label, "ls", colour)
    _text(draw, (LEFT, 22), title or "largest error of each layer, as a share of its largest value", "ls")
    _text(draw, (WIDTH - RIGHT, HEIGHT - 16), "layers, first to last", "rs")
    return picture


def _drawable(value: float | None) -> TypeGuard[float]:
    """Whether a value has a place on a logarithmic axis."""
    return value is not None and 0 < value < math.inf


def _text(draw: "ImageDraw", place: tuple[float, float], text: str, anchor: str, colour: str = INK) -> None:
    """Write text in letters of one size."""
    from PIL import ImageFont

    draw.text(place, text, font=ImageFont.load_default(16), fill=colour, anchor=anchor)

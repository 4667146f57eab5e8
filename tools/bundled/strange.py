"""Pictures that no photograph is: noise, colours, patterns, drawings and screenshots, made by a seed."""

from __future__ import annotations

import colorsys
import itertools
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 224  # pixels of each side
EACH = 200  # pictures of a kind that is drawn by chance
WORDS = ("File", "Edit", "View", "Search", "Open", "Save", "Report", "Total", "Name", "Date", "Size", "Ready")


def noise(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Each pixel of each channel by chance, from 0 to 255."""
    for _ in range(EACH):
        yield Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def blurred_noise(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Noise through a Gaussian of 2 to 32 pixels, stretched to the full range."""
    for _ in range(EACH):
        image = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
        pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(float(rng.uniform(2, 32))))).astype(float)
        low, high = pixels.min(), pixels.max()
        yield Image.fromarray(np.rint((pixels - low) / max(1.0, high - low) * 255).astype(np.uint8))


def plain_colours(rng: np.random.Generator) -> Iterator[Image.Image]:  # noqa: ARG001
    """Every mixture of six levels of red, green and blue, 216 in all."""
    for colour in itertools.product(range(0, 256, 51), repeat=3):
        yield Image.new("RGB", (SIDE, SIDE), colour)


def gradients(rng: np.random.Generator) -> Iterator[Image.Image]:
    """From one colour to another, in any direction."""
    ramp = (np.arange(SIDE) - SIDE / 2) / SIDE
    for _ in range(EACH):
        one, other = (np.array(_colour(rng), float) for _ in range(2))
        turn = rng.uniform(0, 2 * np.pi)
        share = np.clip(0.5 + np.cos(turn) * ramp[None] + np.sin(turn) * ramp[:, None], 0, 1)[..., None]
        yield Image.fromarray(np.rint(one + (other - one) * share).astype(np.uint8))


def stripes(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Two colours in stripes of 2 to 40 pixels, lying or standing."""
    for _ in range(EACH):
        width = int(rng.integers(2, 41))
        line = (np.arange(SIDE) // width % 2).astype(bool)
        mask = np.broadcast_to(line[:, None] if rng.random() < 0.5 else line[None], (SIDE, SIDE))
        pixels = np.where(mask[..., None], _colour(rng), _colour(rng)).astype(np.uint8)
        yield Image.fromarray(pixels)


def drawings(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Three to twelve discs, boxes, triangles and lines in plain colours on white or on a pale ground."""
    for _ in range(EACH):
        ground = (255, 255, 255) if rng.random() < 0.5 else _colour(rng, saturation=0.15)
        image = Image.new("RGB", (SIDE, SIDE), ground)
        draw = ImageDraw.Draw(image)
        for _ in range(int(rng.integers(3, 13))):
            colour, kind = _colour(rng), rng.integers(4)
            x, y, w, h = (int(n) for n in (*rng.integers(0, SIDE - 20, 2), *rng.integers(15, 120, 2)))
            if kind == 0:
                draw.ellipse((x, y, x + w, y + h), fill=colour, outline=(0, 0, 0))
            elif kind == 1:
                draw.rectangle((x, y, x + w, y + h), fill=colour, outline=(0, 0, 0))
            elif kind == 2:
                draw.polygon((x, y + h, x + w // 2, y, x + w, y + h), fill=colour, outline=(0, 0, 0))
            else:
                draw.line((x, y, x + w, y + h), fill=(0, 0, 0), width=int(rng.integers(1, 6)))
        yield image


def screenshots(rng: np.random.Generator) -> Iterator[Image.Image]:
    """One or two windows with a title bar, a menu, lines of text and buttons, light or dark."""
    font = ImageFont.load_default(10)
    for _ in range(EACH):
        dark = rng.random() < 0.5
        paper, ink = ((30, 32, 36), (220, 220, 220)) if dark else ((250, 250, 250), (20, 20, 20))
        image = Image.new("RGB", (SIDE, SIDE), _colour(rng, saturation=0.4))
        draw = ImageDraw.Draw(image)
        for _ in range(int(rng.integers(1, 3))):
            x, y = (int(n) for n in rng.integers(0, 60, 2))
            right, bottom = (int(n) for n in rng.integers(150, SIDE, 2))
            draw.rectangle((x, y, right, bottom), fill=paper, outline=ink)
            draw.rectangle((x, y, right, y + 14), fill=_colour(rng, saturation=0.5))
            for line in range(y + 18, bottom - 24, 12):
                words = " ".join(rng.choice(WORDS, int(rng.integers(2, 8))))
                while words and x + 5 + draw.textlength(words, font=font) > right - 4:
                    words = words[:-1]
                draw.text((x + 5, line), words, font=font, fill=ink)
            draw.rectangle(
                (right - 50, bottom - 20, right - 6, bottom - 5), fill=_colour(rng, saturation=0.6)
            )
        yield image


KINDS: dict[str, Callable[[np.random.Generator], Iterator[Image.Image]]] = {
    "noise": noise,
    "blurred noise": blurred_noise,
    "plain colours": plain_colours,
    "gradients": gradients,
    "stripes": stripes,
    "drawings": drawings,
    "screenshots": screenshots,
}


def _colour(rng: np.random.Generator, saturation: float | None = None) -> tuple[int, int, int]:
    """A colour by chance: any, or one of that saturation and light."""
    if saturation is None:
        red, green, blue = (int(n) for n in rng.integers(0, 256, 3))
        return red, green, blue
    mixed = colorsys.hsv_to_rgb(float(rng.random()), saturation, float(rng.uniform(0.6, 1)))
    red, green, blue = (round(255 * n) for n in mixed)
    return red, green, blue

"""Slides for a lecture: the maps of a layer, and the way from a photograph to its class, 1920x1080 each."""

import math
from typing import TYPE_CHECKING

import numpy as np

from npcam.images.photos import Photo
from npcam.inside import as_seen, drawn_maps
from npcam.labels import as_written, decode_predictions
from npcam.model import Model
from npcam.shapes import Array
from npcam.stages import Stage, stages

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.pictures.colorbar import Legend
    from npcam.pictures.slide import Item

MARGIN, TITLE, LETTERS = 60, 44, 26  # pixels: around all, and the letters' sizes
TOP = 150  # pixels: where what is under the title begins
GREY, FRAME, BLUE = (80, 80, 80), (200, 200, 200), (0, 114, 178)
STRIP = 5  # stages in a row
TOP_CLASSES = 5


def layer_slide(
    model: Model,
    image: Photo,
    layer: str,
    top: int = 16,
    *,
    interpolation: str = "nearest",
    exif_transpose: bool = False,
) -> "list[Item]":
    """The strongest maps of one layer on a slide.

    Args:
        model, image, layer, top, interpolation, exif_transpose: as for `npcam.feature_maps`.

    Returns:
        What is on the slide; `npcam.pictures.slide.as_image` and `as_svg` draw it.

    Raises:
        InputError: the photograph cannot be read, no layer has that name, or it has no maps.

    >>> from npcam.model import load_model
    >>> from npcam.pictures.slide import as_image
    >>> as_image(layer_slide(load_model(), np.zeros((40, 60, 3), np.uint8), "conv1_relu", 6)).size
    (1920, 1080)
    """
    from npcam.pictures.slide import SIZE, Picture, Words, lines, rectangle

    _, pixels = as_seen(model, image, interpolation, exif_transpose)
    maps = model.activations(model.preprocess(pixels[None]), layer)[layer][0]  # (h, w, K)
    tiles, legend = drawn_maps(maps, layer, top)
    count = len(tiles)
    which = f"all {count}" if count == maps.shape[2] else f"the {count} strongest of {maps.shape[2]}"
    items: list[Item] = [
        Words(f"{layer}: {which} maps", (MARGIN, 40), TITLE, SIZE[0] - 640),
        Words(f"{maps.shape[0]}x{maps.shape[1]} places", (MARGIN, 96), LETTERS, 700, GREY),
        _bar(legend),
    ]
    height, width = maps.shape[:2]
    columns, side = _grid(count, (SIZE[0] - 2 * MARGIN, SIZE[1] - TOP - MARGIN), width / height)
    across, down = side, max(1, round(side * height / width))
    step = (SIZE[0] - 2 * MARGIN) // columns
    labels = [", ".join(tile.lines) for tile in tiles]
    letters = min(
        Words(label, (0, 0), min(LETTERS, max(12, across // 8)), step).fitted()[1] for label in labels
    )
    for n, tile in enumerate(tiles):
        x = MARGIN + n % columns * step + (step - across) // 2
        y = TOP + n // columns * (down + _words(across))
        items.append(rectangle((x - 2, y - 2, x + across + 2, y + down + 2), FRAME))
        items.append(Picture(tile.image, (x, y, x + across, y + down)))
        items += lines([labels[n]], (x + across // 2, y + down + 4), letters, step)
    return items


def strip_slide(
    model: Model,
    image: Photo,
    name: str = "",
    *,
    interpolation: str = "nearest",
    exif_transpose: bool = False,
) -> "list[Item]":
    """The way from a photograph to its class: each stage's shape, picture, time and multiplications.

    Args:
        model, image, interpolation, exif_transpose: as for `npcam.explain`.
        name: what the photograph is called.

    Returns:
        What is on the slide; `npcam.pictures.slide.as_image` and `as_svg` draw it.

    Raises:
        InputError: the photograph cannot be read.
    """
    from PIL import Image

    from npcam.pictures.slide import SIZE, Picture, Words, arrow, lines

    photo, pixels = as_seen(model, image, interpolation, exif_transpose)
    found = stages(model, model.preprocess(pixels[None]))
    end = "a class" if model.has_top else "maps"
    count, seconds = sum(s.multiplications for s in found), sum(s.seconds for s in found)
    items: list[Item] = [
        Words(f"{name or 'a photograph'}, from pixels to {end}", (MARGIN, 36), TITLE, SIZE[0] - 2 * MARGIN),
        Words(
            f"{count:,} multiplications in convolutions and dense layer; {_time(seconds)} on this machine, "
            "layer by layer",
            *((MARGIN, 92), LETTERS, SIZE[0] - 2 * MARGIN, GREY),
        ),
    ]
    rows = -(-(len(found) + 2) // STRIP)
    step, down = (SIZE[0] - 2 * MARGIN) // STRIP, (SIZE[1] - TOP) // rows
    side = min(step - 90, down - 185)
    cells = [
        (_boxed(photo, side), ["photograph", f"{photo.height}x{photo.width}"], True),
        (
            Image.fromarray(pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)),
            ["input", _shape(pixels), "resized, then preprocessed"],
            False,
        ),
        *((_picture(stage), _about(stage), False) for stage in found),
    ]
    for n, (picture, words, smooth) in enumerate(cells):
        x, y = MARGIN + n % STRIP * step + (step - side) // 2, TOP + n // STRIP * down
        if n:
            items.append(arrow((MARGIN + n % STRIP * step - 8, y + side // 2), 14, GREY))
        if picture is None:
            items += _classes(model, found[-1].value, (x, y, x + side, y + side))
        else:
            items.append(Picture(picture, (x, y, x + side, y + side), smooth))
        items += lines(words, (x + side // 2, y + side + 8), LETTERS, step)
    return items


def _boxed(photo: "Image", side: int) -> "Image":
    """A photograph in the middle of a white square of so many pixels."""
    from PIL import Image

    from npcam.pictures.draw import fitting, resized

    small = resized(photo, fitting(photo.size, side))
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def _picture(stage: Stage) -> "Image | None":
    """The strongest map of a stage; averages in rows; none for the classes, which are bars."""
    from PIL import Image

    from npcam.pictures.overlay import Scale, paint

    value = stage.value
    if stage.name == "predictions":
        return None
    if value.ndim == 3:
        return drawn_maps(value, stage.layer, 1)[0][0].image
    columns = math.ceil(math.sqrt(value.size))
    table = np.zeros(columns * -(-value.size // columns), value.dtype)
    table[: value.size] = value
    picture = Image.new("RGB", (columns, table.size // columns), (255, 255, 255))
    paint(picture, table.reshape(-1, columns), Scale(float(value.max()), False, "viridis", 1.0, solid=True))
    return picture


def _about(stage: Stage) -> list[str]:
    """What stands under a stage's picture."""
    value = stage.value
    said = [stage.name, _shape(value)]
    if value.ndim == 3:
        strongest = int(np.abs(value).mean(axis=(0, 1), dtype=np.float64).argmax())
        said[1] += f", shown: channel {strongest}"
    return [*said, stage.about, _time(stage.seconds), f"{_count(stage.multiplications)} multiplications"]


def _classes(model: Model, values: Array, place: tuple[int, int, int, int]) -> "list[Item]":
    """The most probable classes, with a bar for each."""
    from npcam.pictures.slide import Words, rectangle

    x0, y0, x1, y1 = place
    top = decode_predictions(values[None], top=TOP_CLASSES, class_names=model.class_names)[0]
    step = (y1 - y0) // TOP_CLASSES
    items: list[Item] = []
    for n, (_, name, value) in enumerate(top):
        y = y0 + n * step
        said = f"{value:.1%}" if model.gives_probabilities else f"{value:.4g}"
        items.append(Words(f"{as_written(name)} {said}", (x0, y), min(LETTERS, step // 2), x1 - x0))
        if model.gives_probabilities:
            bar = y + step * 5 // 8
            items.append(rectangle((x0, bar, x1, bar + step // 5), (225, 225, 225)))
            items.append(rectangle((x0, bar, x0 + max(1, round((x1 - x0) * value)), bar + step // 5), BLUE))
    return items


def _bar(legend: "Legend") -> "Item":
    """The bar of values, in the upper right corner."""
    from PIL import Image

    from npcam.pictures.colorbar import bar_size, draw_bar
    from npcam.pictures.slide import SIZE, Picture

    size = LETTERS
    width, height = max(420, bar_size(legend, size)[0]), bar_size(legend, size)[1] + size // 2
    picture = Image.new("RGB", (width, height), (255, 255, 255))
    draw_bar(picture, (0, 0), width, size, legend)
    return Picture(picture, (SIZE[0] - MARGIN - width, 40, SIZE[0] - MARGIN, 40 + height))


def _grid(count: int, room: tuple[int, int], shape: float) -> tuple[int, int]:
    """How many pictures stand in a row, and how wide each is, so that they are as large as fits.

    >>> _grid(16, (1800, 870), 1.0)
    (6, 247)
    """
    best = (1, 1)
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        across = min(room[0] // columns - 12, int((room[1] // rows) * shape))
        while across > 1 and across / shape + _words(across) > room[1] // rows:
            across -= 1
        if across > best[1]:
            best = (columns, across)
    return best


def _words(across: int) -> int:
    """How many pixels the words under a picture take that is so wide."""
    return min(LETTERS, max(12, across // 8)) * 3 // 2 + 4


def _shape(value: Array) -> str:
    """A shape as people write it: 56x56x64."""
    return "x".join(map(str, value.shape)) + (" numbers" if value.ndim == 1 else "")


def _time(seconds: float) -> str:
    """A time in three digits: 12.3 ms.

    >>> _time(0.0123), _time(2.5), _time(0.0000123)
    ('12.3 ms', '2.5 s', '0.0123 ms')
    """
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _count(number: int) -> str:
    """A number as people say it.

    >>> _count(29_503_488), _count(7168), _count(0)
    ('29.5 million', '7,168', 'no')
    """
    return f"{number / 1e6:.3g} million" if number >= 1e6 else f"{number:,}" if number else "no"

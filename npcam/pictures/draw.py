"""Arrays in, pictures out: overlays and montages, as Pillow images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from npcam.cam import Box
from npcam.common.errors import InputError
from npcam.pictures.colormaps import colormap as colour_table
from npcam.pictures.lettering import BLACK, WHITE, write_in_a_corner
from npcam.pictures.overlay import checked, make_scale
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

BAND = 2**22  # pixels that are coloured at a time


def normalize(heatmap: Array) -> Array:
    """Bring a signed map to values from 0 to 1 for display.

    What speaks against the class is dropped, and the rest is divided by the maximum, so that 0 is the
    absence of evidence. A map from 0 to 1 stays as it is, so normalizing twice does no harm.

    Args:
        heatmap: (H, W), signed.

    Returns:
        (H, W) float, from 0 to 1; all zeros where nothing is positive, and for a constant map, in
        which no place stands out.

    Raises:
        InputError: not a map (H, W), or one with NaN or infinity.

    >>> normalize(np.array([[-1.0, 0.5, 2.0]]))
    array([[0.  , 0.25, 1.  ]])
    """
    heatmap = checked(heatmap)
    heatmap = heatmap.astype(np.promote_types(heatmap.dtype, np.float32))
    # Interpolating a constant map leaves differences of a few roundings: stretched, they would be
    # shown as if they were evidence.
    if np.ptp(heatmap) <= 4 * np.finfo(heatmap.dtype).eps * np.abs(heatmap).max():
        return np.zeros_like(heatmap)
    values = np.maximum(heatmap, 0)  # (H, W)
    largest = values.max()
    return values / largest if largest > 0 else np.zeros_like(values)


def overlay(
    photo: "Image",
    heatmap: Array,
    *,
    colormap: str = "viridis",
    alpha: float = 0.5,
    box: Box | None = None,
    caption: str | None = None,
    in_place: bool = False,
) -> "Image":
    """Lay a heat map over its photograph.

    The heat map's pixels are those of the network's input, which is the whole photograph squashed:
    the map is stretched back over all of it, each pixel covering its share of the area (half-pixel
    centres), however the map itself was upsampled from the network's last layer.

    Args:
        photo: an RGB image of any size.
        heatmap: (H, W), signed. It is stretched over the whole photograph; negative is shown as 0.
        colormap: "viridis", "jet", "turbo", "magma" or "grey".
        alpha: opacity of the heat map, from 0 to 1.
        box: (x0, y0, x1, y1) in pixels of the photograph, x1 and y1 exclusive; its outline is drawn.
        caption: one line for the lower left corner; left out where the photograph is too small.
        in_place: whether to draw on `photo` itself instead of on a copy.

    Returns:
        An RGB image of the photograph's size.

    Raises:
        InputError: an unknown colormap, `alpha` outside 0 to 1, or a heat map that is none.

    >>> from PIL import Image
    >>> overlay(Image.new("RGB", (60, 40)), np.eye(7)).size
    (60, 40)
    """
    from PIL import Image

    check_style(colormap, alpha)
    # A photograph may have a hundred million pixels. Enlarging the 8-bit colour indices takes a
    # twelfth of the memory that a float in each channel would, and colouring them a band of rows at a
    # time leaves the photograph and the picture as all that is large.
    indices = _indices(heatmap).resize(photo.size, Image.Resampling.BILINEAR)
    picture = photo if in_place else photo.convert("RGB")  # a copy
    width, height = photo.size
    for top in range(0, height, rows := max(1, BAND // width)):
        band = (0, top, width, min(top + rows, height))
        coloured = _coloured(indices.crop(band), colormap)
        picture.paste(Image.blend(picture.crop(band), coloured, alpha), band)
    if box is not None:
        outline(picture, box)
    if caption:
        write_in_a_corner(picture, caption)
    return picture


def montage(images: Sequence["Image"], captions: Sequence[str] = (), columns: int = 4) -> "Image":
    """Pictures of one size side by side, in rows.

    Args:
        images: at least one; all are brought to the first one's size.
        captions: a line for each of the first pictures; the others have none.
        columns: how many pictures stand in a row.

    Returns:
        An RGB image; what the last row leaves free is black.

    Raises:
        InputError: no pictures, or no columns.

    >>> from PIL import Image
    >>> montage([Image.new("RGB", (9, 8))] * 5, columns=3).size
    (27, 16)
    """
    from PIL import Image

    if not images or columns < 1:
        raise InputError(f"montage: expected pictures and columns, got {len(images)} and {columns}")
    w, h = images[0].size
    columns = min(columns, len(images))
    sheet = Image.new("RGB", (columns * w, -(-len(images) // columns) * h), BLACK)
    for i, image in enumerate(images):
        tile = image.convert("RGB").resize((w, h))
        if i < len(captions):
            write_in_a_corner(tile, captions[i])
        sheet.paste(tile, (i % columns * w, i // columns * h))
    return sheet


def check_style(colormap: str, alpha: float) -> None:
    """Raise InputError unless there is such a colormap and such an opacity."""
    make_scale(0.0, colormap=colormap, alpha=alpha)


def _indices(heatmap: Array) -> "Image":
    """A map as a grey image of colour indices from 0 to 255."""
    from PIL import Image

    return Image.fromarray(np.rint(normalize(heatmap) * 255).astype(np.uint8))


def _coloured(indices: "Image", colormap: str) -> "Image":
    """The colours of colour indices, as an RGB image."""
    picture = indices.copy()
    picture.putpalette(colour_table(colormap).tobytes())
    return picture.convert("RGB")


def line_width(size: tuple[int, int]) -> int:
    """How many pixels wide each of the two lines around a box is, in a picture of (width, height)."""
    shorter, longer = sorted(size)
    return max(1, shorter // 150, min(longer // 600, shorter // 25))  # the last for panoramas


def fitting(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """A picture's (width, height) once its longer side has so many pixels at most.

    Raises:
        InputError: less than one pixel.

    >>> fitting((4000, 3000), 1000), fitting((40, 30), 1000)
    ((1000, 750), (40, 30))
    """
    if longest < 1:
        raise InputError(f"longest {longest}: expected a number of pixels from 1 up")
    longer = max(size)
    if longer <= longest:
        return size
    return max(1, size[0] * longest // longer), max(1, size[1] * longest // longer)


def resized(photo: "Image", size: tuple[int, int]) -> "Image":
    """A photograph at another (width, height): enlarged, its pixels stay squares; itself at its own size."""
    from PIL import Image

    if size == photo.size:
        return photo
    larger = max(size) > max(photo.size)
    how = Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
    return photo.resize(size, how, reducing_gap=None if larger else 3.0)


def outline(
    picture: "Image", box: Box, line: int | None = None, colour: tuple[int, int, int] = WHITE
) -> None:
    """Draw a white line within a black one: it stands out on any ground.

    Args:
        picture: is drawn on.
        box: (x0, y0, x1, y1) in its pixels, x1 and y1 exclusive.
        line: the width of each line; None for a 150th of the picture.
        colour: of the inner line, in place of white.
    """
    from PIL import ImageDraw

    x0, y0, x1, y1 = box
    line = line_width(picture.size) if line is None else line
    draw = ImageDraw.Draw(picture)
    for shade, width in ((BLACK, 2 * line), (colour, line)):
        # Where opposite lines meet, Pillow may draw them a pixel beyond the box; filling it does not.
        fill = shade if 2 * width >= min(x1 - x0, y1 - y0) else None
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=fill, outline=shade, width=width)

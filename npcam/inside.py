"""What happens inside a network, as pictures: the maps of one layer."""

import math
from typing import TYPE_CHECKING

import numpy as np

from npcam.common.errors import InputError
from npcam.images.photos import Photo, open_photo
from npcam.images.preprocess import to_input
from npcam.model import Model
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.pictures.colorbar import Legend
    from npcam.pictures.figure import Tile


def feature_maps(
    model: Model,
    image: Photo,
    layer: str,
    top: int = 16,
    *,
    interpolation: str = "nearest",
    exif_transpose: bool = False,
) -> "Image":
    """The strongest maps of one layer for a photograph, side by side on one scale.

    Args:
        model: from `npcam.load_model`.
        image: a path, a binary file, a Pillow image, or pixels (H, W, 3) uint8.
        layer: Keras's name of the layer, `conv2_block3_out`.
        top: how many channels, those of the largest mean magnitude first; all where there are fewer.
        interpolation: how to resize to the network's input, see `npcam.explain`.
        exif_transpose: turn the photograph upright first, as its EXIF orientation says.

    Returns:
        A Pillow image, RGB: each map with its channel's number and its mean, and a bar with the values.
        A layer whose maps are negative somewhere has a scale of two sides, white at 0.

    Raises:
        InputError: the photograph cannot be read, no layer has that name, or it has no maps.

    >>> from npcam.model import load_model
    >>> pixels = np.zeros((40, 60, 3), np.uint8)
    >>> feature_maps(load_model(), pixels, "conv2_block3_out", top=4).mode
    'RGB'
    """
    from npcam.pictures.figure import figure

    if top < 1:
        raise InputError(f"feature_maps: expected a number of channels from 1 up, got {top}")
    _, pixels = as_seen(model, image, interpolation, exif_transpose)
    maps = model.activations(model.preprocess(pixels[None]), layer)[layer][0]  # (h, w, K)
    tiles, legend = drawn_maps(maps, layer, top)
    return figure(tiles, legend, columns=math.ceil(math.sqrt(len(tiles))))


def as_seen(model: Model, image: Photo, interpolation: str, exif_transpose: bool) -> "tuple[Image, Array]":
    """A photograph, and its pixels at the network's size, (H, W, 3), or (H, W, 1) of a grey one.

    Raises:
        InputError: the photograph cannot be read, or the interpolation is unknown.
    """
    photo = open_photo(image, exif_transpose)
    return photo, to_input(photo, model.photo_size, interpolation, model.weights.preprocessing.grey)


def drawn_maps(maps: Array, layer: str, top: int) -> "tuple[list[Tile], Legend]":
    """The strongest maps of a layer as pictures of one pixel a place, with words, and the bar for all.

    Args:
        maps: what the layer put out, (H, W, K).
        layer: its name.
        top: how many channels, those of the largest mean magnitude first.

    Raises:
        InputError: the layer has no maps.
    """
    from PIL import Image

    from npcam.pictures.colorbar import Legend
    from npcam.pictures.figure import Tile
    from npcam.pictures.overlay import Scale, paint

    if maps.ndim != 3:
        raise InputError(f"{layer}: has no maps, but {maps.shape}; name a layer before avg_pool")
    strength = np.abs(maps).mean(axis=(0, 1), dtype=np.float64)
    channels = np.argsort(-strength, kind="stable")[:top]
    shown = maps[..., channels]
    signed = bool(shown.min() < 0)
    largest = float(np.abs(shown).max())
    scale = Scale(largest, signed, None if signed else "viridis", alpha=1.0, solid=not signed)
    tiles = []
    for channel in channels:
        picture = Image.new("RGB", maps.shape[1::-1], (255, 255, 255))
        paint(picture, maps[..., channel], scale)
        tiles.append(Tile(picture, (f"channel {channel}", f"mean {maps[..., channel].mean():.3g}")))
    unit = f"{layer}, {maps.shape[0]}x{maps.shape[1]}"
    return tiles, Legend(scale, largest, unit, grounds=(255,))

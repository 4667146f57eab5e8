"""A map over its photograph: the more evidence, the less is seen through the tint.

Where nothing speaks for the class there is no tint, so that the photograph keeps its colours.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from npcam.cam import Box
from npcam.common.errors import InputError
from npcam.pictures.colormaps import colormap as colour_table
from npcam.pictures.colormaps import two_sided
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

BAND = 2**20  # pixels that are coloured at a time


class Scale(NamedTuple):
    """What the values of a map look like; several maps on one scale can be compared.

    Attributes:
        largest: the value of the fullest tint, and so are all above it; 0 for maps without a tint.
        signed: whether what is negative is shown, in the other colour.
        colormap: one of `colormaps.NAMES`, or of `colormaps.TWO_SIDED` where it is signed; None for "ember"
            and "blue-vermilion".
        alpha: opacity of the fullest tint, 0 to 1; it falls to 0 in proportion to the value.
        solid: whether every value has that opacity.
    """

    largest: float
    signed: bool = False
    colormap: str | None = None
    alpha: float = 0.7
    solid: bool = False

    def indices(self, values: Array) -> Array:
        """The colour index of each value, uint8: 0 to 255, or 1 to 255 around 128 on a signed scale.

        >>> Scale(2.0).indices(np.array([-1.0, 0.0, 1.0, 2.0, 9.0])).tolist()
        [0, 0, 128, 255, 255]
        >>> Scale(2.0, signed=True).indices(np.array([-2.0, 0.0, 2.0])).tolist()
        [1, 128, 255]
        """
        share = np.asarray(values, np.float64) / self.largest if self.largest > 0 else np.zeros(values.shape)
        if self.signed:
            return (128 + np.rint(np.clip(share, -1, 1) * 127)).astype(np.uint8)
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)

    def colours(self) -> Array:
        """The colour of each index, (256, 3) uint8."""
        if self.signed:
            return two_sided(self.colormap or "blue-vermilion")
        return colour_table(self.colormap or "ember")

    def opacities(self) -> Array:
        """The opacity of each index, (256,) uint8: 0 where the value is 0, unless it is solid."""
        if self.solid:
            return np.full(256, round(self.alpha * 255), np.uint8)
        index = np.arange(256)
        share = np.minimum(np.abs(index - 128), 127) / 127 if self.signed else index / 255
        opacities: Array = np.rint(share * self.alpha * 255).astype(np.uint8)
        return opacities


def make_scale(
    largest: float, signed: bool = False, colormap: str | None = None, alpha: float | None = None
) -> Scale:
    """A scale of somebody's choice; None for what is usual.

    Raises:
        InputError: no such colormap for that scale, or an opacity outside 0 to 1.

    >>> make_scale(1.0, signed=True, colormap="magenta-green").alpha
    0.8
    """
    if alpha is not None and not 0 <= alpha <= 1:
        raise InputError(f"alpha {alpha}: expected an opacity from 0 (photograph only) to 1 (heat map only)")
    usual = 0.8 if signed else 0.7
    scale = Scale(largest, signed, colormap, usual if alpha is None else alpha)
    scale.colours()  # raises where there are none
    return scale


def paint(picture: "Image", heatmap: Array, scale: Scale, place: Box | None = None) -> None:
    """Lay the tint of a map over a part of a picture.

    Args:
        picture: an RGB image, which is drawn on.
        heatmap: (H, W), signed. It is stretched over the whole part, each pixel covering its share
            of the area (half-pixel centres).
        scale: which value is which colour.
        place: (x0, y0, x1, y1) of the part, in pixels; None for all of the picture.

    Raises:
        InputError: not a map (H, W), or one with NaN or infinity.

    >>> from PIL import Image
    >>> grey = Image.new("RGB", (2, 1), (100, 100, 100))
    >>> paint(grey, np.array([[-5.0, 1.0]]), Scale(1.0, colormap="grey", alpha=1))
    >>> [grey.getpixel((x, 0)) for x in (0, 1)]
    [(100, 100, 100), (255, 255, 255)]
    """
    from PIL import Image

    small = Image.fromarray(scale.indices(checked(heatmap)))
    opacities = scale.opacities().tolist()
    palette = scale.colours().tobytes()
    x0, y0, x1, y1 = place or (0, 0, *picture.size)
    width, height = x1 - x0, y1 - y0
    # A photograph may have a hundred million pixels: colour indices take a byte for each, and colouring
    # them a band of rows at a time leaves the picture as all that is larger.
    indices = small.resize((width, height), Image.Resampling.BILINEAR)
    for top in range(0, height, rows := max(1, BAND // width)):
        bottom = min(top + rows, height)
        part = indices.crop((0, top, width, bottom))
        opacity = part.point(opacities)
        part.putpalette(palette)
        picture.paste(part.convert("RGB"), (x0, y0 + top), opacity)


def checked(heatmap: Array) -> Array:
    """A map as an array, once it is one that can be drawn; else InputError."""
    heatmap = np.asarray(heatmap)
    if heatmap.ndim != 2 or heatmap.size == 0 or heatmap.dtype.kind not in "fiu":
        msg = f"heatmap: expected a map (H, W) of real numbers, got {heatmap.shape} of {heatmap.dtype}"
        raise InputError(msg)
    if not np.isfinite(heatmap).all():
        raise InputError("heatmap: holds NaN or infinity; look at the weights and the photograph's pixels")
    return heatmap

"""A map over its photograph: its boxes, its shares, its pictures. What the numbers are, others say."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from npcam.cam import Box, Part, bounding_box, connected_parts, evidence_inside, scale_box
from npcam.common import html
from npcam.common.errors import InputError
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.pictures.colorbar import Legend
    from npcam.pictures.figure import Tile

EVERYWHERE = 0.9  # a box that covers more of the photograph tells no place from another
STYLES = ("evidence", "flat")
NOTEBOOK = 800  # pixels of the longer side of a picture in a notebook


class Evidence:
    """What explanations and differences of two have in common: a map, and the photograph under it."""

    photo: "Image"
    cam: Array  # (h, w), signed
    heatmap: Array  # (H, W), signed: the map at the network's input size
    box: Box | None  # in pixels of the photograph
    threshold: float  # share of the heat map's maximum that boxes are drawn around
    scale: float  # the value of the map that has the fullest tint

    @property
    def title(self) -> str:
        """What is shown, in a few words."""
        raise NotImplementedError

    @property
    def caption(self) -> str:
        """What style "flat" writes into the picture."""
        return self.title

    @property
    def details(self) -> str:
        """The numbers that belong to it, in a few words."""
        raise NotImplementedError

    @property
    def unit(self) -> str:
        """What the numbers at the bar of colours are."""
        return "adds to the logit, per cell"

    @property
    def two_sided(self) -> bool:
        """Whether what is negative is drawn unless somebody says otherwise."""
        return False

    @cached_property
    def boxes(self) -> tuple[Part, ...]:
        """Every connected part of the heat map above the threshold, the most evidence first.

        Each has its `box`, in pixels of the photograph, and its share of the positive `evidence`.
        """
        parts = connected_parts(self.heatmap, self.threshold)
        return tuple(Part(self._on_photo(part.box), part.evidence) for part in parts)

    @cached_property
    def evidence_in_box(self) -> float:
        """The share of the heat map's positive evidence that lies in the box, 0 to 1; 0 without a box."""
        box = bounding_box(self.heatmap, self.threshold)
        return 0.0 if box is None else evidence_inside(self.heatmap, box)

    @property
    def everywhere(self) -> bool:
        """Whether the box covers more than 90 % of the photograph, and so says nothing of the place."""
        return self.box is not None and self._covers(self.box)

    def heatmap_at(self, size: tuple[int, int] | None = None) -> Array:
        """The heat map stretched over a photograph as the pictures have it, still signed.

        Args:
            size: (height, width) in pixels; None for the photograph's own.

        Returns:
            (height, width) float32, bilinear between the centres of pixels: what Matplotlib's
            `imshow` lays over the photograph of that size.

        Raises:
            InputError: a size that is none.
        """
        from PIL import Image

        height, width = self.photo.size[::-1] if size is None else size
        if min(height, width) < 1:
            raise InputError(f"size: expected (height, width) in pixels, got {size}")
        stretched = Image.fromarray(self.heatmap.astype(np.float32)).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        return np.array(stretched)

    def overlay(
        self,
        colormap: str | None = None,
        alpha: float | None = None,
        box: bool = True,
        *,
        style: str = "evidence",
        signed: bool | None = None,
        boxes: int = 0,
        in_place: bool = False,
        longest: int | None = None,
        caption: bool = True,
    ) -> "Image":
        """The heat map laid over the photograph, with box and caption.

        Args:
            colormap: "ember", "viridis", "jet" (as the CAM tutorials have it), "turbo", "magma" or
                "grey"; for signed maps "blue-vermilion" or "magenta-green"; None for the style's own.
            alpha: opacity of the most evidence, 0 to 1; None for the style's own.
            box: whether to draw the box; in style "evidence" one that is everywhere is not drawn.
            style: "evidence" tints in proportion to the evidence, up to `scale`; "flat" is the CAM
                tutorials': the same opacity everywhere, each map divided by its own maximum.
            signed: whether to show what speaks against, too, in a second colour.
            boxes: so many of `boxes` instead of the box; 0 for the box.
            in_place: draw on `photo` itself; a copy of a hundred million pixels takes 0.4 GB.
            longest: pixels that the longer side has at most: a larger photograph is made smaller before it is
                drawn on, and is itself left alone; None for its own size.
            caption: whether to write the class and its probability into a corner.

        Returns:
            A Pillow image, RGB, of the photograph's own size unless that is too large.

        Raises:
            InputError: an unknown style or colormap, alpha outside 0 to 1, or less than a pixel.
        """
        from npcam.pictures import draw
        from npcam.pictures.lettering import write_in_a_corner
        from npcam.pictures.overlay import paint

        signed = self.two_sided if signed is None else signed
        check_style(style, colormap, alpha, signed)
        size = self.photo.size if longest is None else draw.fitting(self.photo.size, longest)
        picture = draw.resized(self.photo, size)
        if picture is self.photo and not in_place:
            picture = self.photo.convert("RGB")  # a copy
        shown = [scale_box(one, self.photo.size[::-1], size[::-1]) for one in self.shown_boxes(box, boxes)]
        if style == "flat":
            alone = self.box if box and not boxes else None
            draw.overlay(
                picture,
                self.heatmap,
                colormap=colormap or "viridis",
                alpha=0.5 if alpha is None else alpha,
                box=None if alone is None else scale_box(alone, self.photo.size[::-1], size[::-1]),
                caption=self.caption if caption else None,
                in_place=True,
            )
            for one in shown if boxes else ():
                draw.outline(picture, one)
            return picture
        paint(picture, self.heatmap, self.legend(colormap, alpha, signed).scale)
        for one in shown:
            draw.outline(picture, one)
        if caption:
            write_in_a_corner(picture, self.title, shown, 2 * draw.line_width(picture.size))
        return picture

    def figure(
        self,
        colormap: str | None = None,
        alpha: float | None = None,
        box: bool = True,
        *,
        signed: bool | None = None,
        boxes: int = 0,
        longest: int | None = None,
    ) -> "Image":
        """The overlay in style "evidence", with words and a bar of colours with numbers under it.

        Args:
            colormap, alpha, box, signed, boxes: as for `overlay`.
            longest: pixels that the longer side of the photograph has at most; None for its own.

        Returns:
            A Pillow image, RGB: the photograph with its upper left corner in the figure's, larger only
            where its longer side has less than 320 pixels, and the words below.

        Raises:
            InputError: an unknown colormap, or alpha outside 0 to 1.
        """
        from npcam.pictures.figure import figure

        return figure([self.tile(box, boxes)], self.legend(colormap, alpha, signed), longest=longest)

    def tile(self, box: bool = True, boxes: int = 0) -> "Tile":
        """The photograph with its map, its boxes and its words, for a figure."""
        from npcam.pictures.figure import Tile

        lines = tuple(filter(None, (self.title, self.details, self._where(box, boxes))))
        parts = self.boxes[:boxes] if boxes else ()
        marks = tuple(_share(part.evidence) for part in parts if not self._covers(part.box))
        return Tile(self.photo, lines, self.heatmap, self.shown_boxes(box, boxes), marks)

    def legend(
        self, colormap: str | None = None, alpha: float | None = None, signed: bool | None = None
    ) -> "Legend":
        """The colours of the map's values, and the numbers beside them: what one cell adds to the logit."""
        from npcam.pictures.colorbar import Legend
        from npcam.pictures.overlay import make_scale

        signed = self.two_sided if signed is None else signed
        largest = max(self.scale, float(np.abs(self.cam).max())) if signed else self.scale
        return Legend(make_scale(largest, signed, colormap, alpha), largest / self.cam.size, self.unit)

    def shown_boxes(self, box: bool = True, boxes: int = 0) -> tuple[Box, ...]:
        """The boxes of a picture: the strongest ones, or the one box unless it is everywhere."""
        if boxes:
            return tuple(part.box for part in self.boxes[:boxes] if not self._covers(part.box))
        return (self.box,) if box and self.box is not None and not self.everywhere else ()

    def _where(self, box: bool, boxes: int) -> str:
        """Where the evidence is, in words; nothing of a box that is not drawn."""
        if self.box is None:
            return "nothing speaks for it"
        if boxes:
            inside = [part for part in self.boxes[:boxes] if not self._covers(part.box)]
            if len(inside) == len(self.boxes[:boxes]):
                return f"{_share(sum(part.evidence for part in inside))} of the evidence in the parts"
        if boxes or self.everywhere:
            return "evidence everywhere"
        return f"{_share(self.evidence_in_box)} of the evidence in the box" if box else ""

    def _covers(self, box: Box) -> bool:
        """Whether a box covers nearly all of the photograph."""
        x0, y0, x1, y1 = box
        return (x1 - x0) * (y1 - y0) > EVERYWHERE * self.photo.width * self.photo.height

    def _on_photo(self, box: Box) -> Box:
        """A box of the heat map in pixels of the photograph."""
        height, width = self.heatmap.shape
        return scale_box(box, (height, width), self.photo.size[::-1])

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it."""
        from npcam.pictures.figure import png

        return png(self.figure(longest=NOTEBOOK))

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return html.picture(self._repr_png_(), self.title)


def check_style(style: str, colormap: str | None, alpha: float | None, signed: bool) -> None:
    """Raise InputError unless there is such a style with such colours."""
    from npcam.pictures.overlay import make_scale

    if style not in STYLES:
        raise InputError(f"style {style!r}: expected one of {', '.join(STYLES)}")
    if style == "flat" and signed:
        raise InputError('style "flat" shows only what speaks for a class; leave it out for signed maps')
    make_scale(0.0, signed, colormap, alpha)


def _share(share: float) -> str:
    """A share as pictures show it: whole percent, and "<1%" for what would round to none."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"

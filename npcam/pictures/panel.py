"""Several maps of one photograph, side by side on one scale."""

from typing import TYPE_CHECKING, TypeVar

from npcam.common import html
from npcam.pictures.evidence import NOTEBOOK, Evidence

if TYPE_CHECKING:
    from PIL.Image import Image

Shown_co = TypeVar("Shown_co", bound=Evidence, covariant=True)


class Panel(tuple[Shown_co, ...]):
    """Maps of one photograph that are shown side by side on one scale.

    It is a tuple of explanations, or of differences, in the order asked for.
    """

    __slots__ = ()

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
        """The photograph and every map beside it, each with its words, and one bar for all.

        Args:
            colormap, alpha, box, signed, boxes: as for `Explanation.overlay`.
            longest: pixels that the longer side of each picture has at most; None for 960.

        Returns:
            A Pillow image, RGB. Pictures stand in one row unless that would be more than 6.5 times as
            wide as high.

        Raises:
            InputError: an unknown colormap, or alpha outside 0 to 1.
        """
        from npcam.pictures.figure import Tile, figure

        legends = [one.legend(colormap, alpha, signed) for one in self]
        widest = max(legends, key=lambda legend: legend.number)
        units = {legend.unit for legend in legends}
        legend = (
            widest
            if len(units) == 1
            else widest._replace(unit="per cell: + for the one class, - for the other")
        )
        tiles = [Tile(self[0].photo, ("photograph",)), *[one.tile(box, boxes) for one in self]]
        return figure(tiles, legend, longest=longest)

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it."""
        from npcam.pictures.figure import png

        return png(self.figure(longest=NOTEBOOK // 2))

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return html.picture(self._repr_png_(), "; ".join(one.title for one in self))

"""One class of a photograph against another: the difference of their maps."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from npcam.cam import Box
from npcam.labels import as_written
from npcam.pictures.evidence import Evidence
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Versus(Evidence):
    """Why one class and not another: the difference of their maps.

    M_c - M_d is the class activation map of the difference of two rows of weights, so its mean with the
    difference of the biases is the difference of the logits: mean(M_c - M_d) + b_c - b_d = z_c - z_d.

    Attributes:
        photo: the photograph, RGB, at its own size.
        target: index of the class c that is explained.
        other: index of the class d that it is held against.
        label: the target's name.
        other_label: the other's name.
        logit: z_c - z_d.
        cam: M_c - M_d, (h, w), signed: positive where a place speaks more for the target.
        heatmap: the map upsampled to the network's input size, (height, width), signed.
        box: (x0, y0, x1, y1) in pixels of the photograph, around the largest part of the heat map above
            the threshold; None where no place speaks more for the target.
        completeness: mean(cam) + b_c - b_d - (z_c - z_d), 0 up to rounding.
        threshold: share of the heat map's maximum that boxes are drawn around.
        scale: the value of the map that has the fullest tint: its largest, without its sign.
    """

    photo: "Image" = field(repr=False)
    target: int
    other: int
    label: str
    other_label: str
    logit: float
    cam: Array = field(repr=False)
    heatmap: Array = field(repr=False)
    box: Box | None
    completeness: float
    threshold: float = field(repr=False, default=0.2)
    scale: float = field(repr=False, default=0.0)

    @property
    def title(self) -> str:
        """Both classes, as the picture shows them."""
        return f"{as_written(self.label)}, not {as_written(self.other_label)}"

    @property
    def details(self) -> str:
        """The difference of the logits."""
        return f"logits {self.logit:+.2f} apart"

    @property
    def unit(self) -> str:
        """What the numbers at the bar of colours are: + for the target, - for the other."""
        return f"per cell: - {as_written(self.other_label)}, + {as_written(self.label)}"

    @property
    def two_sided(self) -> bool:
        """A difference has two sides."""
        return True

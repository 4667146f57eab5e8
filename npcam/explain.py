"""The trip from a photograph to an explanation: what was seen, and where."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from npcam.cam import Box, bounding_box, class_activation_map, scale_box, upsample_map
from npcam.images.photos import Photo, open_photo
from npcam.images.preprocess import to_input
from npcam.labels import Prediction, decode_predictions
from npcam.model import Model
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Explanation:
    """Where a network saw what it classified.

    Attributes:
        photo: the photograph, RGB, at its own size.
        target: index of the class that is explained.
        label: its name, or the index as text where the model has no names.
        probabilities: of all classes, (classes,); the plain values of a linear top.
        logit: of the target.
        cam: the class activation map, (h, w), signed: the sum itself, 7x7 for Keras's
            ResNet-50, 14x14 for the bundled model, whose last stage has stride 1.
        heatmap: the map upsampled to the network's input size, (height, width), still signed.
        box: (x0, y0, x1, y1) in pixels of the photograph, x1 and y1 exclusive, around the largest
            part of the heat map above 20 % of its maximum; None where nothing speaks for the class.
        completeness: mean(cam) + bias - logit, 0 up to rounding: the map accounts for all of the
            logit.
        class_names: a name for each class, or None.
        gives_probabilities: whether `probabilities` are some; False where the top is linear.
        notes: what was assumed of the network: the numbers are right if these assumptions are.
    """

    photo: "Image" = field(repr=False)
    target: int
    label: str
    probabilities: Array = field(repr=False)
    logit: float
    cam: Array = field(repr=False)
    heatmap: Array = field(repr=False)
    box: Box | None
    completeness: float
    class_names: tuple[str, ...] | None = field(repr=False, default=None)
    gives_probabilities: bool = field(repr=False, default=True)
    notes: tuple[str, ...] = field(repr=False, default=())

    @property
    def probability(self) -> float:
        """The target's probability, 0 to 1; its plain value where the top is linear."""
        return float(self.probabilities[self.target])

    def top(self, n: int = 5) -> list[Prediction]:
        """The n most probable classes, the most probable first."""
        return decode_predictions(self.probabilities[None], top=n, class_names=self.class_names)[0]

    @property
    def caption(self) -> str:
        """The class and its probability, as the overlay shows them; a linear top's value is no percentage."""
        shown = f"{self.probability:.1%}" if self.gives_probabilities else f"{self.probability:.4g}"
        return f"{self.label} {shown}"

    def overlay(
        self, colormap: str = "viridis", alpha: float = 0.5, box: bool = True, *, in_place: bool = False
    ) -> "Image":
        """The heat map laid over the photograph, with box and caption.

        Args:
            colormap: "viridis", "jet" (as the CAM tutorials have it), "turbo", "magma" or "grey".
            alpha: opacity of the heat map, 0 to 1.
            box: whether to draw the box.
            in_place: draw on `photo` itself; a copy of a hundred million pixels takes 0.4 GB.

        Returns:
            A Pillow image, RGB, of the photograph's own size.

        Raises:
            InputError: an unknown colormap, or alpha outside 0 to 1.
        """
        from npcam.pictures import draw

        shown = self.box if box else None
        return draw.overlay(
            self.photo,
            self.heatmap,
            colormap=colormap,
            alpha=alpha,
            box=shown,
            caption=self.caption,
            in_place=in_place,
        )


def explain(
    model: Model,
    image: Photo,
    target: int | str | None = None,
    *,
    interpolation: str = "nearest",
    exif_transpose: bool = False,
    align: str = "corners",
) -> Explanation:
    """Classify a photograph and say where the network saw the class. One forward pass does both.

    Args:
        model: from `npcam.load_model`.
        image: a path, a binary file, a Pillow image, or pixels (H, W, 3) uint8.
        target: the class to explain: its index, its name, or its WordNet id where the weights have
            them; None for the most probable one.
        interpolation: how to resize to the network's input: "nearest" as Keras does by default;
            "bilinear" is usually better.
        exif_transpose: turn the photograph upright first, as its EXIF orientation says.
        align: "corners" or "centers", see `npcam.upsample_map`.

    Raises:
        InputError: the photograph cannot be read, the class is unknown or ambiguous, or the
            network has no top.

    >>> from npcam import load_model
    >>> e = explain(load_model(), np.zeros((40, 60, 3), np.uint8), target="cat")
    >>> e.label, e.cam.shape, e.overlay().size
    ('cat', (14, 14), (60, 40))
    """
    model.require_top("explain a class")
    index = None if target is None else model.class_index(target)
    photo = open_photo(image, exif_transpose)
    pixels = to_input(photo, model.photo_size, interpolation, model.weights.preprocessing.grey)
    x = model.preprocess(pixels[None])  # (1, H, W, 3)
    outputs = model.run(x, [model.last_activation])
    assert outputs.logits is not None
    assert outputs.probabilities is not None
    index = int(np.argmax(outputs.logits[0])) if index is None else index
    logit = float(outputs.logits[0, index])

    class_weights, bias = model.class_weights(index)
    cam = class_activation_map(outputs.activations[model.last_activation][0], class_weights)  # (h, w)
    heatmap = upsample_map(cam, model.input_size, align)  # (H, W)
    box = bounding_box(heatmap)
    return Explanation(
        photo=photo,
        target=index,
        label=model.class_names[index] if model.class_names else str(index),
        probabilities=outputs.probabilities[0],
        logit=logit,
        cam=cam,
        heatmap=heatmap,
        box=None if box is None else scale_box(box, model.input_size, photo.size[::-1]),
        completeness=float(np.mean(cam, dtype=np.float64)) + bias - logit,
        class_names=model.class_names,
        gives_probabilities=model.gives_probabilities,
        notes=model.weights.assumptions,
    )

"""The trip from a photograph to an explanation: what was seen, and where."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, overload

import numpy as np

from npcam.cam import Box, bounding_box, class_activation_map, scale_box, upsample_map
from npcam.common import html
from npcam.common.errors import InputError
from npcam.common.pictures import how_it_lies
from npcam.common.text import percentage
from npcam.images.photos import Photo, open_photo
from npcam.images.preprocess import to_input
from npcam.labels import Prediction, Target, as_written, decode_predictions
from npcam.model import Model
from npcam.pictures.evidence import Evidence
from npcam.pictures.panel import Panel
from npcam.pictures.versus import Versus
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Pass:
    """What one pass of a photograph through a network gave: enough to explain any of its classes.

    Attributes:
        model: the network.
        photo: the photograph, RGB, at its own size.
        features: the maps that a class activation map sums, (h, w, K).
        logits: of all classes, (classes,).
        probabilities: of all classes, (classes,).
        align: "corners" or "centers", see `npcam.upsample_map`.
        threshold: share of a heat map's maximum that boxes are drawn around.
    """

    model: Model = field(repr=False)
    photo: "Image" = field(repr=False)
    features: Array = field(repr=False)
    logits: Array = field(repr=False)
    probabilities: Array = field(repr=False)
    align: str = "corners"
    threshold: float = 0.2

    def explain(self, target: Target | None = None) -> "Explanation":
        """Explain one class, the most probable one where none is given."""
        model, best = self.model, int(np.argmax(self.logits))
        index = best if target is None else model.class_index(target)
        (class_weights, bias), logit = model.class_weights(index), float(self.logits[index])
        cam = class_activation_map(self.features, class_weights)  # (h, w)
        of_best = class_activation_map(self.features, model.class_weights(best)[0])
        heatmap, box = self.upsampled(cam)  # (H, W)
        return Explanation(
            photo=self.photo,
            target=index,
            label=self.label(index),
            probabilities=self.probabilities,
            logit=logit,
            cam=cam,
            heatmap=heatmap,
            box=box,
            completeness=float(np.mean(cam, dtype=np.float64)) + bias - logit,
            class_names=model.class_names,
            gives_probabilities=model.gives_probabilities,
            notes=model.weights.assumptions + how_it_lies(self.photo.info.get("orientation")),
            threshold=self.threshold,
            scale=max(0.0, float(cam.max()), float(of_best.max())),
            seen=self,
        )

    def explain_all(self, targets: Target | Sequence[Target]) -> "Explanations":
        """Explain several classes, on one scale."""
        found = [self.explain(index) for index in self.model.class_indices(targets, self.logits)]
        shared = max(0.0, *(float(e.cam.max()) for e in found))
        return Explanations(replace(e, scale=shared) for e in found)

    def label(self, index: int) -> str:
        """A class's name, or its index as text where the model has no names."""
        return self.model.class_names[index] if self.model.class_names else str(index)

    def upsampled(self, cam: Array) -> tuple[Array, Box | None]:
        """A map at the network's input size, (height, width), and the box around it on the photograph."""
        heatmap = upsample_map(cam, self.model.input_size, self.align)
        box = bounding_box(heatmap, self.threshold)
        size = self.photo.size[::-1]
        return heatmap, None if box is None else scale_box(box, self.model.input_size, size)


@dataclass(frozen=True)
class Explanation(Evidence):
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
            part of the heat map above the threshold; None where nothing speaks for the class.
        completeness: mean(cam) + bias - logit, 0 up to rounding: the map accounts for all of the
            logit.
        class_names: a name for each class, or None.
        gives_probabilities: whether `probabilities` are some; False where the top is linear.
        notes: what was assumed of the network: the numbers are right if these assumptions are.
        threshold: share of the heat map's maximum that boxes are drawn around, 20 % in Zhou et al.
        scale: the value of the map that has the fullest tint in pictures: the largest one of this map and
            of the most probable class's, or of all that are explained together.
        seen: the pass that it is from, in which other classes can be looked at; it is not pickled.
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
    threshold: float = field(repr=False, default=0.2)
    scale: float = field(repr=False, default=0.0)
    seen: Pass | None = field(repr=False, default=None)

    @property
    def exif_orientation(self) -> int | None:
        """The turn, 2 to 8, that the photograph's EXIF asks for and that was not made; else None."""
        return self.photo.info.get("orientation")

    @property
    def probability(self) -> float:
        """The target's probability, 0 to 1; its plain value where the top is linear."""
        return float(self.probabilities[self.target])

    def top(self, n: int = 5) -> list[Prediction]:
        """The n most probable classes, the most probable first."""
        return decode_predictions(self.probabilities[None], top=n, class_names=self.class_names)[0]

    @property
    def caption(self) -> str:
        """The class and its probability; a linear top's value is no percentage."""
        shown = f"{self.probability:.1%}" if self.gives_probabilities else f"{self.probability:.4g}"
        return f"{self.label} {shown}"

    @property
    def title(self) -> str:
        """The caption as people write it: "garbage truck", and "<0.1%" instead of "0.0%"."""
        shown = percentage if self.gives_probabilities else "{:.4g}".format
        return f"{as_written(self.label)} {shown(self.probability)}"

    @property
    def details(self) -> str:
        """The logit, in words."""
        return f"logit {self.logit:.2f}"

    def __getstate__(self) -> dict[str, object]:
        """What of it is pickled: all but its pass, which holds the whole network."""
        return {**self.__dict__, "seen": None}

    def versus(self, other: Target) -> Versus:
        """Why this class and not another: the difference of their maps, from the same pass.

        mean(M_c - M_d) + b_c - b_d = z_c - z_d, up to rounding: the map accounts for all of the difference.

        Args:
            other: the other class: its index, its name, or its WordNet id.

        Raises:
            InputError: the class is unknown or ambiguous, or is this one.

        >>> from npcam import load_model
        >>> e = explain(load_model(), np.zeros((40, 60, 3), np.uint8), target="cat")
        >>> why = e.versus("dog")
        >>> abs(why.logit - (e.logit - explain(load_model(), e.photo, target="dog").logit)) < 1e-5
        True
        """
        if self.seen is None:
            raise InputError("versus: this explanation was pickled without its network; make it anew")
        seen, model = self.seen, self.seen.model
        index = model.class_index(other)
        if index == self.target:
            raise InputError(f"versus {other!r}: is the class that is explained; name another one")
        (weights, bias), (w, b) = model.class_weights(self.target), model.class_weights(index)
        cam = class_activation_map(seen.features, weights - w)  # (h, w)
        logit = float(seen.logits[self.target]) - float(seen.logits[index])
        heatmap, box = seen.upsampled(cam)
        return Versus(
            photo=self.photo,
            target=self.target,
            other=index,
            label=self.label,
            other_label=seen.label(index),
            logit=logit,
            cam=cam,
            heatmap=heatmap,
            box=box,
            completeness=float(np.mean(cam, dtype=np.float64)) + (bias - b) - logit,
            threshold=self.threshold,
            scale=float(np.abs(cam).max()),
        )

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the picture, and the most probable classes."""
        kind = "probability" if self.gives_probabilities else "value"
        rows = [
            (as_written(name), f"{value:.2%}" if self.gives_probabilities else f"{value:.4f}")
            for _, name, value in self.top()
        ]
        return super()._repr_html_() + html.table(rows, ("class", kind))


@overload
def explain(
    model: Model,
    image: Photo,
    target: Target | None = None,
    *,
    targets: None = None,
    interpolation: str = "nearest",
    exif_transpose: bool = False,
    align: str = "corners",
    threshold: float = 0.2,
) -> Explanation: ...
@overload
def explain(
    model: Model,
    image: Photo,
    target: None = None,
    *,
    targets: Target | Sequence[Target],
    interpolation: str = "nearest",
    exif_transpose: bool = False,
    align: str = "corners",
    threshold: float = 0.2,
) -> "Explanations": ...
def explain(
    model: Model,
    image: Photo,
    target: Target | None = None,
    *,
    targets: Target | Sequence[Target] | None = None,
    interpolation: str = "nearest",
    exif_transpose: bool = False,
    align: str = "corners",
    threshold: float = 0.2,
) -> "Explanation | Explanations":
    """Classify a photograph and say where the network saw the class. One forward pass does both.

    Args:
        model: from `npcam.load_model`.
        image: a path, a binary file, a Pillow image, or pixels (H, W, 3) uint8.
        target: the class to explain: its index, its name, or its WordNet id where the weights have
            them; None for the most probable one.
        targets: several classes instead, explained from one pass and drawn on one scale; "top3" are
            the three most probable ones.
        interpolation: how to resize to the network's input: "nearest" as Keras does by default;
            "bilinear" is usually better.
        exif_transpose: turn the photograph upright first, as its EXIF orientation says.
        align: "corners" or "centers", see `npcam.upsample_map`.
        threshold: share of the heat map's maximum that boxes are drawn around, 0 to 1.

    Returns:
        One explanation; with `targets` a tuple of them, which draws them side by side.

    Raises:
        InputError: the photograph cannot be read, the class is unknown or ambiguous, or the
            network has no top.

    >>> from npcam import load_model
    >>> e = explain(load_model(), np.zeros((40, 60, 3), np.uint8), target="cat")
    >>> e.label, e.cam.shape, e.overlay().size
    ('cat', (14, 14), (60, 40))
    """
    check_threshold(threshold)
    if targets is not None and target is not None:
        raise InputError("explain: expected `target` or `targets`, not both")
    model.require_top("explain a class")
    if target is not None:
        model.class_index(target)  # before anything is computed
    elif targets is not None:
        model.class_indices(targets)
    (seen,) = look(model, [open_photo(image, exif_transpose)], interpolation, align, threshold)
    return seen.explain(target) if targets is None else seen.explain_all(targets)


def look(
    model: Model,
    photos: "Sequence[Image]",
    interpolation: str = "nearest",
    align: str = "corners",
    threshold: float = 0.2,
) -> list[Pass]:
    """Run photographs through a network, all in one batch: what `explain` does, short of a class.

    Args:
        model, interpolation, align, threshold: as for `explain`.
        photos: RGB, as `npcam.images.photos.open_photo` gives them.

    Raises:
        InputError: the network has no top, or the interpolation is unknown.

    >>> from npcam import load_model
    >>> photos = [open_photo(np.full((40, 60, 3), grey, np.uint8)) for grey in (0, 255)]
    >>> [seen.explain("cat").label for seen in look(load_model(), photos)]
    ['cat', 'cat']
    """
    model.require_top("explain a class")
    grey, last = model.weights.preprocessing.grey, model.last_activation
    pixels = np.stack([to_input(photo, model.photo_size, interpolation, grey) for photo in photos])
    outputs = model.run(model.preprocess(pixels), [last])
    assert outputs.logits is not None
    assert outputs.probabilities is not None
    each = zip(photos, outputs.activations[last], outputs.logits, outputs.probabilities, strict=True)
    return [Pass(model, *one, align, threshold) for one in each]


class Explanations(Panel[Explanation]):
    """Explanations of several classes of one photograph, from one pass, on one scale: a tuple of them.

    `explanations.figure()` draws the photograph and the maps side by side.
    """

    __slots__ = ()

    def versus(self, other: Target) -> Panel[Versus]:
        """Each class against another one, see `Explanation.versus`."""
        return Panel(e.versus(other) for e in self)


def check_threshold(threshold: float) -> None:
    """Raise InputError unless it is a share of the maximum."""
    if not 0 <= threshold < 1:
        raise InputError(f"threshold {threshold}: expected a share of the map's maximum, from 0 to below 1")

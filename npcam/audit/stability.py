"""Stability: does the map stay where it is when the photograph changes and its content does not?

The question is that of Alvarez-Melis & Jaakkola 2018, "On the Robustness of Interpretability Methods"
(arXiv:1806.08049), asked of changes that happen to photographs: a shift by one pixel, a mirror, JPEG at
quality 50, the other way to resize; and of the other alignment of the map's upsampling.
"""

import io
from typing import TYPE_CHECKING

import numpy as np

from npcam.audit.likeness import pearson
from npcam.audit.subject import Subject, network_input
from npcam.cam import Box, bounding_box, class_activation_map, upsample_map
from npcam.localise.overlaps import overlaps
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

CHANGES = ("shift", "flip", "jpeg", "resizing", "alignment")
QUALITY = 50


def changed_inputs(subject: Subject) -> dict[str, Array]:
    """The network's input for each change of the photograph, (H, W, 3).

    `shift`: one pixel of the input to the right, the first column twice. `flip`: mirrored, left and right.
    `jpeg`: the photograph at its own size, saved at quality 50. `resizing`: bilinear instead of nearest, or
    nearest instead of any other.
    """
    x, photo, how = subject.x, subject.seen.photo, subject.interpolation
    other = "bilinear" if how == "nearest" else "nearest"
    return {
        "shift": np.concatenate([x[:, :1], x[:, :-1]], axis=1),
        "flip": np.ascontiguousarray(x[:, ::-1]),
        "jpeg": network_input(subject.model, _as_jpeg(photo), how),
        "resizing": network_input(subject.model, photo, other),
    }


def measure_stability(subject: Subject) -> dict[str, dict[str, float]]:
    """What becomes of map, probability and box under each change.

    Returns:
        {change: {"correlation": Pearson's, of the heat maps, "probability": by how much it changed, without
        its sign, "iou": of the two boxes}}. The mirrored photograph's map is mirrored back.
    """
    e, seen, model = subject.e, subject.seen, subject.model
    inputs = changed_inputs(subject)
    outputs = model.run(np.stack(list(inputs.values())), [model.last_activation])
    assert outputs.probabilities is not None
    weights, _ = model.class_weights(e.target)
    box = bounding_box(e.heatmap, seen.threshold)
    found = {}
    each = zip(inputs, outputs.activations[model.last_activation], outputs.probabilities, strict=True)
    for name, features, probabilities in each:
        heatmap = upsample_map(class_activation_map(features, weights), model.input_size, seen.align)
        heatmap = heatmap[:, ::-1] if name == "flip" else heatmap
        change = abs(float(probabilities[e.target]) - e.probability)
        found[name] = _compared(e.heatmap, box, heatmap, seen.threshold, change)
    other = upsample_map(e.cam, model.input_size, "centers" if seen.align == "corners" else "corners")
    found["alignment"] = _compared(e.heatmap, box, other, seen.threshold, 0.0)
    return found


def iou(one: Box | None, other: Box | None) -> float:
    """How far two boxes overlap, 0 to 1; 1 where there is none twice, 0 where there is none once.

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2)), iou(None, None), iou(None, (0, 0, 1, 1))
    (0.3333333333333333, 1.0, 0.0)
    """
    if one is None or other is None:
        return float(one is other)
    return float(overlaps(one, np.array([other]))[0])


def numbers(changes: dict[str, dict[str, float]]) -> dict[str, float]:
    """`stability`, the lowest correlation of all changes, and every number of every change."""
    found = {"stability": min(one["correlation"] for one in changes.values())}
    return found | {f"stability.{c}.{key}": v for c, one in changes.items() for key, v in one.items()}


def _compared(
    before: Array, box: Box | None, after: Array, threshold: float, change: float
) -> dict[str, float]:
    new = bounding_box(after, threshold)
    return {"correlation": pearson(before, after), "probability": change, "iou": iou(box, new)}


def _as_jpeg(photo: "Image") -> "Image":
    """The photograph once it was saved at quality 50."""
    from PIL import Image

    file = io.BytesIO()
    photo.save(file, "JPEG", quality=QUALITY)
    with Image.open(file, formats=("JPEG",)) as image:
        return image.convert("RGB")

"""Everything that is measured of one photograph: numbers by name, and the curves that they are taken of."""

from typing import Any

import numpy as np

from npcam.audit import deletion, randomise, road, shape, stability
from npcam.audit.likeness import spearman
from npcam.audit.subject import Subject
from npcam.cam import class_activation_map
from npcam.localise.contours import unit_map
from npcam.localise.measure import of_drop
from npcam.shapes import Array

OTHERS = 4  # classes after the first whose maps are held against its map


def measure(
    subject: Subject, networks: tuple[randomise.Randomised, ...], boxes: Array | None = None
) -> dict[str, Any]:
    """Measure one photograph.

    Args:
        subject: the photograph, its class and its map.
        networks: of `randomise.randomised`.
        boxes: (n, 4), the true boxes of the class, by their edges in pixels of the photograph; None or empty
            for none.

    Returns:
        {"numbers": {name: float}, "curves": what charts are drawn of}. What asks for probabilities is left
        out where the network gives none, and what asks for boxes where there are none.
    """
    e, seen = subject.e, subject.seen
    curves: dict[str, Any] = {}
    found: dict[str, float] = {"probability": e.probability, "completeness": abs(e.completeness)}
    if e.gives_probabilities:
        curves |= deletion.measure_deletion(subject)
        found |= deletion.numbers(curves) | _drop(subject)
        curves["road"] = road.measure_road(subject)
        found |= road.numbers(curves["road"])
    curves["randomisation"] = randomise.compare(subject, randomise.random_maps(subject, networks))
    found |= randomise.numbers(curves["randomisation"], networks)
    found |= _labels(subject) | stability.numbers(stability.measure_stability(subject))
    curves["lorenz"] = shape.lorenz(e.cam)
    found |= shape.numbers(e.cam)
    if boxes is not None and len(boxes):
        truth = shape.inside(boxes, seen.photo.size[::-1], e.heatmap.shape)
        found |= shape.in_boxes(e.heatmap, truth)
        found["inside.gain"] = found["inside.mass"] - found["inside.area"]
    found["same_bits"] = float(_same_bits(subject))
    if not e.gives_probabilities:
        found = {name: value for name, value in found.items() if not name.endswith("probability")}
    return {"numbers": found, "curves": curves}


def _drop(subject: Subject) -> dict[str, float]:
    """Average Drop and Increase, as `npcam evaluate` has them: the input times the map, brought to 0..1."""
    masked = subject.x * unit_map(subject.e.heatmap)[..., None]
    (after,) = subject.probabilities([masked]).tolist()
    drop = of_drop(subject.e.probability, after)
    return {"drop": drop["drop"], "increase": float(drop["increase"]), "drop.after": after}


def _labels(subject: Subject) -> dict[str, float]:
    """The rank correlations of the map with those of the most probable other classes."""
    e, seen, model = subject.e, subject.seen, subject.model
    order = [int(i) for i in np.argsort(-seen.logits, kind="stable") if i != e.target]
    found = {}
    for place, index in enumerate(order[:OTHERS], start=2):
        cam = class_activation_map(seen.features, model.class_weights(index)[0])
        found[f"labels.{place}"] = spearman(e.cam, cam)
    return found | ({"labels": found["labels.2"]} if found else {})


def _same_bits(subject: Subject) -> bool:
    """Whether the network gives the same maps, to the last bit, when the same input is run twice."""
    name = subject.model.last_activation
    one, other = (subject.model.activations(subject.x[None], name)[name] for _ in range(2))
    return bool((one.view(np.uint8) == other.view(np.uint8)).all())

"""Model randomisation: does the map change when the network forgets what it learnt?

Adebayo et al. 2018, "Sanity Checks for Saliency Maps" (arXiv:1810.03292), section 3: the weights are
replaced by random ones from the top layer down, and what is replaced stays so. A map that depends on
what was learnt becomes another one. Here the stages of the network are taken one after the other, and
within every array the values are put into a random order: their distribution stays, so that
activations stay finite in a network of any depth.
"""

from typing import Any, NamedTuple

import numpy as np

from npcam.audit.likeness import spearman, ssim
from npcam.audit.orderings import SEED
from npcam.audit.subject import Subject
from npcam.cam import class_activation_map, upsample_map
from npcam.model import Model
from npcam.shapes import Array

STAGES = ("predictions", "conv5", "conv4", "conv3", "conv2", "conv1")  # those that a network has


class Randomised(NamedTuple):
    """A network of which the layers from the top down to a stage are random."""

    stage: str
    model: Model


def randomised(model: Model, seed: int = SEED) -> tuple[Randomised, ...]:
    """The network again, once for each stage, each with one stage more at random.

    Args:
        model: the network.
        seed: of the random orders; with the same one the networks have the same weights.

    >>> from npcam.model import load_model
    >>> networks = randomised(load_model())
    >>> [one.stage for one in networks]
    ['predictions', 'conv5', 'conv4', 'conv3', 'conv2', 'conv1']
    >>> before = load_model().layer("predictions").kernel
    >>> after = networks[0].model.layer("predictions").kernel
    >>> bool((before == after).all()), bool((np.sort(before.ravel()) == np.sort(after.ravel())).all())
    (False, True)
    """
    generator = np.random.default_rng(seed)
    found, current = [], model
    for stage in STAGES:
        changed = {
            layer: {
                name: generator.permuted(array.ravel()).reshape(array.shape) for name, array in own.items()
            }
            for layer, own in sorted(model.weights.tensors.items())
            if layer == stage or layer.startswith(f"{stage}_")
        }
        if changed:
            current = current.with_weights(changed)
            found.append(Randomised(stage, current))
    return tuple(found)


def random_maps(subject: Subject, networks: tuple[Randomised, ...]) -> list[Array]:
    """The map (h, w) of the same class and input in each network."""
    target, maps = subject.e.target, []
    for _, model in networks:
        features = model.activations(subject.x[None], model.last_activation)[model.last_activation][0]
        maps.append(class_activation_map(features, model.class_weights(target)[0]))
    return maps


def compare(subject: Subject, maps: list[Array]) -> dict[str, list[float]]:
    """How alike each map is to the first, at 1 for the network as it was.

    Returns:
        {"spearman": of the cells' ranks, "ssim": of the heat maps as pictures}, one number more than maps.
    """
    e, align = subject.e, subject.seen.align
    size = subject.model.input_size
    return {
        "spearman": [1.0, *(spearman(e.cam, cam) for cam in maps)],
        "ssim": [1.0, *(ssim(e.heatmap, upsample_map(cam, size, align)) for cam in maps)],
    }


def numbers(curves: dict[str, Any], networks: tuple[Randomised, ...]) -> dict[str, float]:
    """`randomisation`, the rank correlation once all is random, and those of every stage."""
    stages = [stage for stage, _ in networks]
    found = {"randomisation": curves["spearman"][-1]}
    for name in ("spearman", "ssim"):
        found |= {
            f"randomisation.{stage}.{name}": v for stage, v in zip(stages, curves[name][1:], strict=True)
        }
    return found

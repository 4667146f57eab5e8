"""The stages of a network, from input to class: what each makes, its time, its multiplications."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from npcam import resnet
from npcam.layers import layers, output_shapes
from npcam.model import Model
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.weights import Weights

TIMES = 3  # that a photograph is run; the shortest time of each stage counts


@dataclass(frozen=True)
class Stage:
    """What lies between two layers that one looks at.

    Attributes:
        name: conv1, pool1, conv2 to conv5, avg_pool, predictions.
        layer: Keras's name of the layer that it ends with.
        about: what it consists of, in words.
        value: what it puts out for one photograph, without the batch's axis: (H, W, K), (K,) or (classes,).
        seconds: that it took, on the reference engine, layer by layer.
        multiplications: of its convolutions, or of its dense layer; one for each product in their sums.
    """

    name: str
    layer: str
    about: str
    value: Array
    seconds: float
    multiplications: int


def stages(model: Model, x: Array) -> list[Stage]:
    """Run one photograph layer by layer, and tell the stages apart.

    Args:
        model: from `npcam.load_model`; whatever its engine is, the layers are run as Keras runs them.
        x: a preprocessed batch of one photograph, (1, H, W, 3).

    Raises:
        ValueError: not one photograph.

    >>> import numpy as np
    >>> from npcam.model import load_model
    >>> found = stages(load_model(), np.zeros((1, 64, 64, 3), np.float32))
    >>> [stage.name for stage in found][-2:], found[0].value.shape
    (['avg_pool', 'predictions'], (32, 32, 16))
    """
    if x.ndim != 4 or len(x) != 1:
        msg = f"stages: expected a batch of one photograph, (1, H, W, 3), got {x.shape}"
        raise ValueError(msg)
    arch = model.weights.architecture
    ends = _ends(arch)
    counts = multiplications(model.weights, (x.shape[1], x.shape[2]))
    runs = [_timed(model, x, list(ends)) for _ in range(TIMES)]
    values = runs[0][0]
    return [
        Stage(
            name,
            layer,
            _about(arch, name),
            values[layer][0],
            min(taken[layer] for _, taken in runs),
            sum(count for of, count in counts.items() if _stage_of(of) == name),
        )
        for layer, name in ends.items()
    ]


def multiplications(weights: Weights, size: tuple[int, int]) -> dict[str, int]:
    """How many products each convolution and the dense layer add up, for one photograph of (height, width).

    Biases, batch norms and pools are left out: they take one for each number at most.

    >>> from npcam.weights.random import random_weights
    >>> multiplications(random_weights(), (224, 224))["conv1_conv"] == 112 * 112 * 64 * 7 * 7 * 3
    True
    """
    kernels = {name: arrays["kernel"] for name, arrays in weights.tensors.items() if "kernel" in arrays}
    filters = {name: kernel.shape[-1] for name, kernel in kernels.items()}
    shapes = output_shapes(weights.architecture, filters, size)
    return {
        name: math.prod(int(side or 1) for side in shapes[name]) * math.prod(kernel.shape[:-1])
        for name, kernel in kernels.items()
    }


def _timed(model: Model, x: Array, ends: list[str]) -> tuple[Mapping[str, Array], Mapping[str, float]]:
    """What the last layers of the stages put out, and how long each stage took, in seconds."""
    weights = model.weights
    values: dict[str, Array] = {}
    taken: dict[str, float] = {}
    start = time.perf_counter()

    def keep(name: str, value: Array) -> Array:
        nonlocal start
        if name in ends:
            now = time.perf_counter()
            values[name], taken[name] = value, now - start
            start = now
        return value

    maps = resnet.features(x, weights.tensors, weights.architecture, keep)
    if model.has_top:
        resnet.head(maps, weights.tensors, weights.architecture, keep)
    return values, taken


def _ends(arch: Architecture) -> dict[str, str]:
    """{the layer that a stage ends with: the stage's name}, in the network's order."""
    ends = {"conv1_relu": "conv1", "pool1_pool": "pool1"}
    for stage, count in enumerate(arch.blocks, start=2):
        ends[f"conv{stage}_block{count}_out"] = f"conv{stage}"
    return ends if arch.activation is None else {**ends, "avg_pool": "avg_pool", "predictions": "predictions"}


def _stage_of(layer: str) -> str:
    """The stage that a layer with a kernel is in."""
    return layer if layer == "predictions" else layer.split("_", 1)[0]


def _about(arch: Architecture, name: str) -> str:
    """What a stage consists of."""
    if name in ("conv1", "pool1", "avg_pool", "predictions"):
        return {
            "conv1": "convolution 7x7, batch norm, ReLU",
            "pool1": "maximum of 3x3",
            "avg_pool": "mean over all places",
            "predictions": f"dense layer, {arch.activation}",
        }[name]
    count = sum(layer.kind == "Conv2D" and layer.name.startswith(f"{name}_") for layer in layers(arch))
    return f"{arch.blocks[int(name[4:]) - 2]} blocks, {count} convolutions"

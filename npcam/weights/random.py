"""A ResNet with random weights, for tests, timings and lectures: activations stay near 1 at any depth."""

from typing import Any

import numpy as np

from npcam.layers import layers, weight_shapes
from npcam.resnet import RESNET50, Architecture
from npcam.shapes import Array
from npcam.weights.tensors import Weights


def random_weights(
    arch: Architecture = RESNET50,
    width: int = 64,
    classes: int = 1000,
    seed: int = 0,
    dtype: Any = np.float32,
) -> Weights:
    """Kernels scaled as in He et al. 2015 (arXiv:1502.01852, equation 10), and statistics that all differ.

    Args:
        arch: the network.
        width: channels of the stem and of conv2; they double at each stage, as in Keras. 64 in
            Keras's own ResNets.
        classes: how many it tells apart.
        seed: of the random numbers; the same one gives the same weights.
        dtype: float type of the arrays.

    >>> random_weights(width=8, classes=5).tensors["predictions"]["kernel"].shape
    (256, 5)
    """
    rng = np.random.default_rng(seed)
    tensors = {
        layer: {name: _draw(rng, layer, name, shape).astype(dtype) for name, shape in shapes.items()}
        for layer, shapes in weight_shapes(arch, filters(arch, width, classes)).items()
    }
    return Weights(arch, tensors, source=f"random, seed {seed}")


def filters(arch: Architecture, width: int, classes: int) -> dict[str, int]:
    """What each convolution and `predictions` of such a network puts out, by layer name."""
    table = {"conv1_conv": width, "predictions": classes}
    for layer in layers(arch):
        if layer.kind == "Conv2D" and layer.name != "conv1_conv":
            stage, part = int(layer.name[4]) - 2, layer.name.split("_")[2]
            table[layer.name] = width * 2**stage * (4 if part in "03" else 1)
    return table


def _draw(rng: np.random.Generator, layer: str, name: str, shape: tuple[int, ...]) -> Array:
    """Random numbers of the size that a trained network has in that place."""
    if name == "kernel":
        gain = 0.05 if layer == "predictions" else 2.0  # probabilities that are neither 0 nor 1
        if layer == "conv1_conv":
            gain = 2.0 / 60**2  # its input is pixels, of standard deviation about 60
        return rng.normal(scale=np.sqrt(gain / np.prod(shape[:-1])), size=shape)
    if name == "moving_variance":
        return rng.uniform(0.5, 2.0, shape)
    if name == "gamma":  # the branch is small beside the shortcut, so that depth does not blow up
        low, high = (0.1, 0.5) if layer.endswith("_3_bn") else (0.6, 1.4)
        return rng.uniform(low, high, shape)
    return rng.normal(size=shape) * 0.2

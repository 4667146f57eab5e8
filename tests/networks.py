"""Networks with random weights, for tests: activations stay near 1 through any depth."""

import numpy as np

from npcam.layers import layers, weight_shapes
from npcam.resnet import Architecture


def filters(arch: Architecture, width: int = 8, classes: int = 5) -> dict[str, int]:
    """Channels of every convolution: `width` in the stem and conv2, doubled at each stage, as in Keras."""
    table = {"conv1_conv": width, "predictions": classes}
    for layer in layers(arch):
        if layer.kind == "Conv2D" and layer.name != "conv1_conv":
            stage = int(layer.name[4]) - 2
            table[layer.name] = width * 2**stage * (4 if layer.name.split("_")[2] in "03" else 1)
    return table


def random_tensors(
    arch: Architecture, width: int = 8, classes: int = 5, seed: int = 0, dtype: type = np.float32
) -> dict[str, dict[str, np.ndarray]]:
    """He-scaled kernels, and batch norm statistics that are all different."""
    rng = np.random.default_rng(seed)
    return {
        layer: {name: _draw(rng, layer, name, shape).astype(dtype) for name, shape in shapes.items()}
        for layer, shapes in weight_shapes(arch, filters(arch, width, classes)).items()
    }


def _draw(rng: np.random.Generator, layer: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers of the size that a trained network has in that place."""
    if name == "kernel":
        gain = 0.05 if layer == "predictions" else 2.0  # probabilities that are neither 0 nor 1
        if layer == "conv1_conv":
            gain = 2.0 / 60**2  # its input is pixels, of standard deviation about 60
        return rng.normal(size=shape) * np.sqrt(gain / np.prod(shape[:-1]))
    if name == "moving_variance":
        return rng.uniform(0.5, 2.0, shape)
    if name == "gamma":  # the branch is small beside the shortcut, so that depth does not blow up
        low, high = (0.1, 0.5) if layer.endswith("_3_bn") else (0.6, 1.4)
        return rng.uniform(low, high, shape)
    return rng.normal(size=shape) * 0.2

"""Narrow networks with random weights, for tests."""

import numpy as np

from npcam.resnet import Architecture
from npcam.weights import Weights, write_weights
from npcam.weights.random import random_weights


def random_tensors(
    arch: Architecture, width: int = 8, classes: int = 5, seed: int = 0, dtype: type = np.float32
) -> dict[str, dict[str, np.ndarray]]:
    """The tensors of `npcam.weights.random.random_weights`, an eighth as wide as Keras's."""
    return random_weights(arch, width, classes, seed, dtype).tensors


def small_file(path, **changes):
    """Write a weights file of two blocks and five classes that is quickly run; returns its path."""
    arch = Architecture(blocks=(1, 1), strides=(1, 2))
    tensors = changes.pop("tensors", None) or random_tensors(arch, width=4)
    write_weights(path, Weights(arch, tensors, **{"input_size": (40, 56), "source": "made up"} | changes))
    return str(path)

"""Narrow networks with random weights, for tests."""

import numpy as np

from npcam.resnet import Architecture
from npcam.weights.random import random_weights


def random_tensors(
    arch: Architecture, width: int = 8, classes: int = 5, seed: int = 0, dtype: type = np.float32
) -> dict[str, dict[str, np.ndarray]]:
    """The tensors of `npcam.weights.random.random_weights`, an eighth as wide as Keras's."""
    return random_weights(arch, width, classes, seed, dtype).tensors

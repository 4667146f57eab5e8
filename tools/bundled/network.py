"""The Keras ResNet-50 of `train_bundled.py`, its weights by name, and the loss of its maps.

Keras gives the starting weights and the file that comes out. Weights
travel between it and whatever trains them by their Keras names, such as ``conv2_block1_1_conv/kernel``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from npcam.resnet import RESNET50, Architecture
from npcam.verify.live_keras import keras_network
from npcam.weights.random import filters

Arrays = dict[str, np.ndarray]  # {"layer/weight": float32, in Keras's layout}

BN_MOMENTUM = 0.9  # share of the old statistics that a step keeps, as Keras has it
DENSE_KERNEL = "predictions/kernel"


def architecture(last_stride: int = 2) -> Architecture:
    """ResNet-50, or with a stride of 1 in conv5, which doubles the last maps' side (14x14 at 224)."""
    return replace(RESNET50, strides=(*RESNET50.strides[:-1], last_stride))


def build_keras(classes: int, width: float = 0.25, last_stride: int = 2, size: int | None = None) -> Any:
    """Build keras.applications' ResNet50 v1, layer for layer and name for name, `width` times as wide.

    Args:
        classes: units of the dense layer.
        width: share of ResNet-50's filters; 1 is ResNet-50 itself.
        last_stride: stride of conv5.
        size: input height and width in pixels; None for any.

    Returns:
        A `keras.Model` from preprocessed pictures (N, H, W, 3) to probabilities (N, classes).
    """
    import keras

    arch = architecture(last_stride)
    return keras_network(keras, arch, filters(arch, round(64 * width), classes), (size, size))


def keras_arrays(model: Any) -> Arrays:
    """Every weight of a Keras model, by layer and name."""
    import keras

    return {
        f"{layer.name}/{weight.name}": np.array(keras.ops.convert_to_numpy(weight.value), np.float32)
        for layer in model.layers
        for weight in layer.weights
    }


def set_keras_arrays(model: Any, arrays: Arrays) -> None:
    """The way back: every weight of `model` is assigned, by name."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([arrays[f"{layer.name}/{weight.name}"] for weight in layer.weights])


def extent_loss(
    xp: Any, maps: Any, masks: Any, boxed: Any, threshold: float = 0.2, sharpness: float = 12.0
) -> Any:
    """How far the region above `threshold` of each map's maximum is from the boxes: 0, the same, to 1.

    The maps are divided by their maximum and softly thresholded. The loss is one minus the Dice
    overlap: half of it over the area, half over the shadows on the two axes, since a box's corners
    are rarely object but its extent along each axis always is (the projection term of BoxInst, Tian
    et al. 2021, arXiv:2012.02310).

    Args:
        xp: `torch` or `keras.ops`, to compute with.
        maps: class activation maps without what is negative, (N, G, G), enlarged to the masks' grid
            as npcam draws them (bilinear, corners aligned).
        masks: (N, G, G), 1 inside a box.
        boxed: (N,), 1 for the maps that count, else 0.
        threshold: the share of the maximum that npcam's box rule cuts at.
        sharpness: of the soft threshold.

    Returns:
        The mean over the maps that count, a scalar; 0 where none does.
    """
    peak = xp.amax(maps, axis=(1, 2), keepdims=True) + 1e-3
    soft = xp.sigmoid(sharpness * (maps / peak - threshold))
    shadows = [(xp.amax(soft, axis=axis), xp.amax(masks, axis=axis)) for axis in (1, 2)]
    along_axes = sum(1 - _dice(xp, soft_shadow, shadow, 1) for soft_shadow, shadow in shadows) / 2
    losses = 0.5 * along_axes + 0.5 * (1 - _dice(xp, soft, masks, (1, 2)))
    return xp.sum(losses * boxed) / (xp.sum(boxed) + 1e-6)


def _dice(xp: Any, a: Any, b: Any, axes: int | tuple[int, ...]) -> Any:
    """Soft Dice overlap of arrays in 0..1, summed over some axes."""
    return 2 * xp.sum(a * b, axis=axes) / (xp.sum(a * a, axis=axes) + xp.sum(b * b, axis=axes) + 1e-6)


def corners_matrix(size: int, new_size: int) -> np.ndarray:
    """The matrix that enlarges an axis bilinearly, its corners aligned: (new_size, size) float32.

    >>> corners_matrix(2, 3).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    at = np.linspace(0, size - 1, new_size)[:, None]
    matrix: np.ndarray = np.maximum(0, 1 - np.abs(at - np.arange(size))).astype(np.float32)
    return matrix

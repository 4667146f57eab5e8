"""The Keras ResNet-50 of `train_bundled.py`, its weights by name, and the loss of its maps.

Keras gives the topology, the layer names, the starting weights and the file that comes out. Weights
travel between it and whatever trains them by their Keras names, such as ``conv2_block1_1_conv/kernel``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]  # {"layer/weight": float32, in Keras's layout}

BLOCKS = (3, 4, 6, 3)
BN_EPSILON = 1.001e-5
BN_MOMENTUM = 0.9  # share of the old statistics that a step keeps, as Keras has it
DENSE_KERNEL = "predictions/kernel"


def blocks(width: float, last_stride: int = 2) -> Iterator[tuple[str, int, int, bool]]:
    """Yield (name, filters, stride, first of its stage) for each of the 16 bottleneck blocks.

    >>> next(blocks(0.25))
    ('conv2_block1', 16, 1, True)
    """
    for stage, count in enumerate(BLOCKS, start=2):
        filters = round(64 * width) * 2 ** (stage - 2)
        for index in range(1, count + 1):
            stride = 1 if index > 1 or stage == 2 else (last_stride if stage == 5 else 2)
            yield f"conv{stage}_block{index}", filters, stride, index == 1


def build_keras(classes: int, width: float = 0.25, last_stride: int = 2, size: int | None = None) -> Any:
    """Build keras.applications' ResNet50 v1, layer for layer and name for name, `width` times as wide.

    Args:
        classes: units of the dense layer.
        width: share of ResNet-50's filters; 1 is ResNet-50 itself.
        last_stride: stride of conv5; with 1 the last maps have twice the side (14x14 at 224).
        size: input height and width in pixels; None for any.

    Returns:
        A `keras.Model` from preprocessed pictures (N, H, W, 3) to probabilities (N, classes).
    """
    import keras
    from keras import layers

    def conv_bn(x: Any, name: str, filters: int, kernel: int, **options: Any) -> Any:
        x = layers.Conv2D(filters, kernel, name=f"{name}_conv", **options)(x)
        return layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_bn")(x)

    def relu(x: Any, name: str) -> Any:
        return layers.Activation("relu", name=name)(x)

    inputs = keras.Input((size, size, 3), name="input_layer")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(inputs)
    x = relu(conv_bn(x, "conv1", round(64 * width), 7, strides=2), "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for name, filters, stride, first in blocks(width, last_stride):
        shortcut = conv_bn(x, f"{name}_0", 4 * filters, 1, strides=stride) if first else x
        y = relu(conv_bn(x, f"{name}_1", filters, 1, strides=stride), f"{name}_1_relu")
        y = relu(conv_bn(y, f"{name}_2", filters, 3, padding="same"), f"{name}_2_relu")
        y = conv_bn(y, f"{name}_3", 4 * filters, 1)
        x = relu(layers.Add(name=f"{name}_add")([shortcut, y]), f"{name}_out")
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    outputs = layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(inputs, outputs, name="resnet50")


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
    return np.maximum(0, 1 - np.abs(at - np.arange(size))).astype(np.float32)

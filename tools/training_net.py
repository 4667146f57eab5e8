"""The Keras ResNet-50 of `train_bundled.py`, twice: as a Keras model, and as the same arithmetic in PyTorch.

Keras gives the topology, the layer names, the starting weights and the file that comes out. The
training steps themselves run in PyTorch, channels first in channels-last memory, which is faster on a
CPU than the training steps of any Keras backend that we tried. Weights travel between the two by their
Keras names, such as ``conv2_block1_1_conv/kernel``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

Arrays = dict[str, np.ndarray]  # {"layer/weight": float32, in Keras's layout}

BLOCKS = (3, 4, 6, 3)
BN_EPSILON = 1.001e-5
BN_MOMENTUM = 0.1  # PyTorch's convention: share of the new batch; Keras would write 0.9
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


class TorchResNet:
    """The forward pass over tensors that are named as Keras names them.

    Attributes:
        weights: what is trained; kernels (out, in, height, width), the dense one (classes, features).
        statistics: batch norm's moving means and variances.
    """

    def __init__(self, arrays: Arrays, width: float, last_stride: int, device: str = "cpu") -> None:
        self.blocks = tuple(blocks(width, last_stride))
        self.weights: dict[str, torch.Tensor] = {}
        self.statistics: dict[str, torch.Tensor] = {}
        for name, array in arrays.items():
            tensor = torch.from_numpy(np.array(array, np.float32)).to(device)
            if tensor.ndim == 4:
                tensor = tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            elif name == DENSE_KERNEL:
                tensor = tensor.t().contiguous()
            if "/moving_" in name:
                self.statistics[name] = tensor
            else:
                self.weights[name] = tensor.requires_grad_(True)

    def state(self) -> dict[str, torch.Tensor]:
        """All tensors by name, the trained ones first; the tensors themselves, not copies."""
        return {**{name: tensor.detach() for name, tensor in self.weights.items()}, **self.statistics}

    @staticmethod
    def to_keras(state: dict[str, torch.Tensor]) -> Arrays:
        """A `state()` in Keras's layouts."""
        arrays = {}
        for name, tensor in state.items():
            if tensor.ndim == 4:
                tensor = tensor.permute(2, 3, 1, 0)  # noqa: PLW2901
            elif name == DENSE_KERNEL:
                tensor = tensor.t()  # noqa: PLW2901
            arrays[name] = np.ascontiguousarray(tensor.detach().cpu().numpy())
        return arrays

    def __call__(self, x: torch.Tensor, train: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the network, with batch norm on the batch's statistics (and updating its own) or not.

        Args:
            x: preprocessed pictures, (N, 3, H, W).
            train: True for a training step.

        Returns:
            Logits (N, classes) in float32, and the features (N, K, h, w) of `conv5_block3_out`.
        """
        x = F.relu(self._conv_bn(x, "conv1", train, 2, 3))
        x = F.max_pool2d(x, 3, 2, 1)  # pads with -inf, Keras with 0: the same after a ReLU
        for name, _, stride, first in self.blocks:
            shortcut = self._conv_bn(x, f"{name}_0", train, stride) if first else x
            y = F.relu(self._conv_bn(x, f"{name}_1", train, stride), inplace=True)
            y = F.relu(self._conv_bn(y, f"{name}_2", train, 1, 1), inplace=True)
            y = self._conv_bn(y, f"{name}_3", train)
            x = F.relu(y + shortcut, inplace=True)
        pooled = x.float().mean((2, 3))  # (N, K, h, w) -> (N, K)
        with torch.autocast(x.device.type, enabled=False):
            logits = F.linear(pooled, self.weights[DENSE_KERNEL], self.weights["predictions/bias"])
        return logits, x

    def class_maps(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Class activation maps M_c = sum_k w_k^c f_k: (N, K, h, w), (N,) indices -> (N, h, w) float32."""
        with torch.autocast(features.device.type, enabled=False):
            rows = self.weights[DENSE_KERNEL][classes]  # (N, K)
            return torch.einsum("nkhw,nk->nhw", features.float(), rows)

    def _conv_bn(
        self, x: torch.Tensor, name: str, train: bool, stride: int = 1, padding: int = 0
    ) -> torch.Tensor:
        w, s, bn = self.weights, self.statistics, f"{name}_bn"
        x = F.conv2d(x, w[f"{name}_conv/kernel"], w[f"{name}_conv/bias"], stride, padding)
        mean, variance = s[f"{bn}/moving_mean"], s[f"{bn}/moving_variance"]
        gamma, beta = w[f"{bn}/gamma"], w[f"{bn}/beta"]
        return F.batch_norm(x, mean, variance, gamma, beta, train, BN_MOMENTUM, BN_EPSILON)


def extent_loss(
    maps: torch.Tensor, masks: torch.Tensor, threshold: float = 0.2, sharpness: float = 12.0
) -> torch.Tensor:
    """How far the region above `threshold` of each map's maximum is from the boxes: 0, the same, to 1.

    The maps are enlarged to the masks' grid as npcam draws them (bilinear, corners aligned), divided
    by their maximum and softly thresholded. The loss is one minus the Dice overlap: half of it over
    the area, half over the shadows on the two axes, since a box's corners are rarely object but its
    extent along each axis always is (the projection term of BoxInst, Tian et al. 2021,
    arXiv:2012.02310).

    Args:
        maps: signed class activation maps, (N, h, w).
        masks: (N, G, G), 1 inside a box.
        threshold: the share of the maximum that npcam's box rule cuts at.
        sharpness: of the soft threshold.

    Returns:
        The mean over the batch, a scalar.
    """
    positive = F.relu(maps)[:, None]
    maps = F.interpolate(positive, size=masks.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    peak = maps.amax((1, 2), keepdim=True).clamp_min(1e-3)
    soft = torch.sigmoid(sharpness * (maps / peak - threshold))
    along_axes = sum(1 - _dice(soft.amax(axis), masks.amax(axis)) for axis in (1, 2)) / 2
    over_area = 1 - _dice(soft.flatten(1), masks.flatten(1))
    return (0.5 * along_axes + 0.5 * over_area).mean()


def _dice(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Soft Dice overlap of the rows of two (N, L) arrays in 0..1."""
    return 2 * (a * b).sum(1) / (a.square().sum(1) + b.square().sum(1)).clamp_min(1e-6)

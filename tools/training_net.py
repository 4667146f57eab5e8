"""The Keras ResNet-50 of `train_bundled.py`, twice: as a Keras model, and as the same arithmetic in PyTorch.

Keras gives the topology, the layer names, the starting weights and the file that comes out. The training steps
themselves run in PyTorch, channels first in channels-last memory: on a CPU that is two to three times as fast as
Keras's own training step (`docs/bring-your-own.md` has the figures), and a GPU is used where there is one. Weights
travel between the two by their Keras names, such as ``conv2_block1_1_conv/kernel``.
"""
from __future__ import annotations

from typing import Iterator

import numpy as np
import torch
import torch.nn.functional as F

BLOCKS = (3, 4, 6, 3)
BN_EPSILON = 1.001e-5
BN_MOMENTUM = 0.1           # PyTorch's convention: share of the new batch; Keras would write 0.9
FEATURES = "conv5_block3_out"


def blocks(width: float, last_stride: int = 2) -> Iterator[tuple[str, int, int, bool]]:
    """Yield (name, filters, stride, first of its stage) for each of the 16 bottleneck blocks."""
    for stage, count in enumerate(BLOCKS, start=2):
        filters = int(round(64 * width)) * 2 ** (stage - 2)
        for index in range(1, count + 1):
            stride = 1 if index > 1 or stage == 2 else (last_stride if stage == 5 else 2)
            yield f"conv{stage}_block{index}", filters, stride, index == 1


def build_keras(classes: int, width: float = 0.25, last_stride: int = 2, size: int | None = None):
    """keras.applications' ResNet50 v1, layer for layer and name for name, with `width` times its filters."""
    import keras
    from keras import layers

    def conv_bn(x, name, filters, kernel, **options):
        x = layers.Conv2D(filters, kernel, name=f"{name}_conv", **options)(x)
        return layers.BatchNormalization(epsilon=BN_EPSILON, name=f"{name}_bn")(x)

    def relu(x, name):
        return layers.Activation("relu", name=name)(x)

    inputs = keras.Input((size, size, 3), name="input_layer")
    x = layers.ZeroPadding2D(3, name="conv1_pad")(inputs)
    x = relu(conv_bn(x, "conv1", int(round(64 * width)), 7, strides=2), "conv1_relu")
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


def keras_arrays(model) -> dict[str, np.ndarray]:
    """{"layer/weight": float32 array} of a Keras model, in Keras's layouts (kernels HWIO, dense (in, out))."""
    return {f"{layer.name}/{weight.name}": np.array(_numpy(weight), np.float32)
            for layer in model.layers for weight in layer.weights}


def set_keras_arrays(model, arrays: dict[str, np.ndarray]) -> None:
    """The way back: every weight of `model` is assigned, by name."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([arrays[f"{layer.name}/{weight.name}"] for weight in layer.weights])


def _numpy(weight):
    import keras
    return keras.ops.convert_to_numpy(weight.value)


class TorchResNet:
    """The forward pass over tensors named as Keras names them; kernels OIHW, the dense kernel (classes, features)."""

    def __init__(self, arrays: dict[str, np.ndarray], width: float, last_stride: int, device: str = "cpu"):
        self.blocks = tuple(blocks(width, last_stride))
        self.device = device
        self.weights: dict[str, torch.Tensor] = {}     # trained
        self.statistics: dict[str, torch.Tensor] = {}  # batch norm's moving mean and variance
        for name, array in arrays.items():
            tensor = self._from_keras(name, array)
            if "/moving_" in name:
                self.statistics[name] = tensor
            else:
                self.weights[name] = tensor.requires_grad_(True)

    def _from_keras(self, name: str, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(np.array(array, np.float32)).to(self.device)
        if tensor.ndim == 4:
            return tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        return tensor.t().contiguous() if name == "predictions/kernel" else tensor

    def state(self) -> dict[str, torch.Tensor]:
        """All tensors by name, the trained ones first; the tensors themselves, not copies."""
        return {**{name: tensor.detach() for name, tensor in self.weights.items()}, **self.statistics}

    @staticmethod
    def to_keras(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
        """A `state()` as Keras's arrays."""
        arrays = {}
        for name, tensor in state.items():
            if tensor.ndim == 4:
                tensor = tensor.permute(2, 3, 1, 0)
            elif name == "predictions/kernel":
                tensor = tensor.t()
            arrays[name] = np.ascontiguousarray(tensor.detach().cpu().numpy())
        return arrays

    def _conv_bn(self, x, name, train, stride=1, padding=0):
        w, s = self.weights, self.statistics
        x = F.conv2d(x, w[f"{name}_conv/kernel"], w[f"{name}_conv/bias"], stride, padding)
        return F.batch_norm(x, s[f"{name}_bn/moving_mean"], s[f"{name}_bn/moving_variance"], w[f"{name}_bn/gamma"],
                            w[f"{name}_bn/beta"], train, BN_MOMENTUM, BN_EPSILON)

    def __call__(self, x: torch.Tensor, train: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Preprocessed (N, 3, H, W) -> logits (N, classes) float32, features (N, K, h, w) of conv5_block3_out."""
        x = F.relu(self._conv_bn(x, "conv1", train, 2, 3))
        x = F.max_pool2d(x, 3, 2, 1)           # after a ReLU, padding with zeros and with -inf are the same
        for name, _, stride, first in self.blocks:
            shortcut = self._conv_bn(x, f"{name}_0", train, stride) if first else x
            y = F.relu(self._conv_bn(x, f"{name}_1", train, stride), inplace=True)
            y = F.relu(self._conv_bn(y, f"{name}_2", train, 1, 1), inplace=True)
            y = self._conv_bn(y, f"{name}_3", train)
            x = F.relu(y + shortcut, inplace=True)
        pooled = x.float().mean((2, 3))
        with torch.autocast(x.device.type, enabled=False):
            logits = F.linear(pooled, self.weights["predictions/kernel"], self.weights["predictions/bias"])
        return logits, x

    def class_maps(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Class activation maps M_c = sum_k w_k^c f_k: (N, K, h, w), (N,) class indices -> (N, h, w) float32."""
        with torch.autocast(features.device.type, enabled=False):
            rows = self.weights["predictions/kernel"][classes]
            return torch.einsum("nkhw,nk->nhw", features.float(), rows)


def extent_loss(maps: torch.Tensor, masks: torch.Tensor, threshold: float = 0.2, sharpness: float = 12.0) -> torch.Tensor:
    """How far the region above `threshold` of each map's maximum is from the boxes, 0 (the same) to 1.

    maps (N, h, w) signed class activation maps, masks (N, G, G) 1 inside a box: the maps are enlarged to the masks'
    grid as npcam draws them (bilinear, corners aligned), divided by their maximum and softly thresholded. The loss
    is one minus the Dice overlap, half of it over the area, half over the shadows on the two axes: a box's corners
    are rarely object, but its extent along each axis always is (the projection term of BoxInst, Tian et al. 2021).
    """
    maps = F.interpolate(F.relu(maps)[:, None], size=masks.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    peak = maps.amax((1, 2), keepdim=True).clamp_min(1e-3)
    soft = torch.sigmoid(sharpness * (maps / peak - threshold))
    shadows = [(soft.amax(axis), masks.amax(axis)) for axis in (1, 2)]
    along_axes = sum(1 - _dice(a, b) for a, b in shadows) / 2
    over_area = 1 - _dice(soft.flatten(1), masks.flatten(1))
    return (0.5 * along_axes + 0.5 * over_area).mean()


def _dice(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Soft Dice overlap of the rows of two (N, L) arrays in 0..1."""
    return 2 * (a * b).sum(1) / (a.square().sum(1) + b.square().sum(1)).clamp_min(1e-6)

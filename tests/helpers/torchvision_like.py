"""A ResNet of PyTorch modules, named and wired as torchvision's, with the weights of `small.h5` in it.

`tools/record_torch.py` runs this file. Unlike torchvision's its convolutions have a bias, as Keras's
have; its ReLUs work in place, and one of a block is called three times, as torchvision's are.
"""

from typing import Any

import numpy as np

from npcam.weights import Weights, read_weights


def make() -> Any:
    """The model."""
    import torch

    weights = read_weights("small.h5")
    model = _modules(weights)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            w = weights.tensors[_keras_name(name, "conv")]
            _put(module, weight=w["kernel"].transpose(3, 2, 0, 1), bias=w["bias"])
        elif isinstance(module, torch.nn.BatchNorm2d):
            w = weights.tensors[_keras_name(name, "bn")]
            module.eps = weights.architecture.epsilon
            _put(module, weight=w["gamma"], bias=w["beta"])
            _put(module, running_mean=w["moving_mean"], running_var=w["moving_variance"])
    dense = weights.tensors["predictions"]
    _put(model.fc, weight=dense["kernel"].T, bias=dense["bias"])
    return model


def wrong() -> Any:
    """The same with another epsilon in one layer."""
    model = make()
    model.layer2[1].bn2.eps = 1e-3
    return model


def _put(module: Any, **arrays: Any) -> None:
    """Copy arrays into a module's tensors."""
    import torch

    for name, array in arrays.items():
        getattr(module, name).data.copy_(torch.tensor(np.array(array)))


def _keras_name(name: str, kind: str) -> str:
    """Keras's name of a torchvision module."""
    if not name.startswith("layer"):
        return f"conv1_{kind}"
    stage, block, module, *_ = name.split(".")
    part = "0" if module == "downsample" else module[-1]
    return f"conv{int(stage[5:]) + 1}_block{int(block) + 1}_{part}_{kind}"


def _modules(weights: Weights) -> Any:
    """The modules, with the weights that PyTorch starts from."""
    from torch import flatten, nn

    class Bottleneck(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int, projects: bool) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, filters, 1, stride), nn.BatchNorm2d(filters)
            self.conv2, self.bn2 = nn.Conv2d(filters, filters, 3, padding=1), nn.BatchNorm2d(filters)
            self.conv3, self.bn3 = nn.Conv2d(filters, 4 * filters, 1), nn.BatchNorm2d(4 * filters)
            self.relu = nn.ReLU(inplace=True)
            shortcut = (nn.Conv2d(channels, 4 * filters, 1, stride), nn.BatchNorm2d(4 * filters))
            self.downsample = nn.Sequential(*shortcut) if projects else None

        def forward(self, x: Any) -> Any:
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
            y += x if self.downsample is None else self.downsample(x)
            return self.relu(y)

    class ResNet(nn.Module):
        def __init__(
            self, blocks: tuple[int, ...], strides: tuple[int, ...], width: int, classes: int
        ) -> None:
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3), nn.BatchNorm2d(width)
            self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
            channels = width
            for i, (count, stride) in enumerate(zip(blocks, strides, strict=True)):
                filters, stage = width * 2**i, []
                for n in range(count):
                    stage.append(Bottleneck(channels, filters, stride if n == 0 else 1, n == 0))
                    channels = 4 * filters
                setattr(self, f"layer{i + 1}", nn.Sequential(*stage))
            self.depth = len(blocks)
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(channels, classes)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            for i in range(self.depth):
                x = getattr(self, f"layer{i + 1}")(x)
            return self.fc(flatten(self.avgpool(x), 1))

    arch, tensors = weights.architecture, weights.tensors
    width, classes = len(tensors["conv1_conv"]["bias"]), len(tensors["predictions"]["bias"])
    return ResNet(arch.blocks, arch.strides, width, classes)

"""A ResNet in PyTorch, as `npcam.layers` lists it, over tensors that are named as Keras names them."""

from __future__ import annotations

import numpy as np
import torch
from bundled.network import BN_MOMENTUM, DENSE_KERNEL, Arrays
from torch.nn import functional as F  # noqa: N812

from npcam.layers import Layer, layers
from npcam.resnet import Architecture


class TorchResNet(torch.nn.Module):
    """The forward pass of a network with a top.

    Attributes:
        weights: what is trained; kernels (out, in, height, width), the dense one (classes, features).
        statistics: batch norm's moving means and variances.
    """

    def __init__(self, arch: Architecture, arrays: Arrays, device: str = "cpu") -> None:
        """Take the arrays over.

        Args:
            arch: the network; its strides stand in 1x1 convolutions, as Keras has them.
            arrays: by layer and name, in Keras's layouts. A batch norm that has none is left out: it
                is folded into the convolution before it.
            device: where the tensors lie.
        """
        super().__init__()
        self._arch = arch
        self._table = layers(arch)[1:]
        self._last_reader = {name: layer.name for layer in self._table for name in layer.inputs}
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

    def forward(self, x: torch.Tensor, train: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the network, with batch norm on the batch's statistics (and updating its own) or not.

        Args:
            x: preprocessed pictures, (N, 3, H, W).
            train: True for a training step.

        Returns:
            Logits (N, classes) in float32, and the features (N, K, h, w) of the last activation.
        """
        values, padding = {"input_layer": x}, 0
        for layer in self._table[:-2]:
            x = values[layer.inputs[-1]]
            match layer.kind:
                case "ZeroPadding2D":  # of the layer that follows
                    padding = int(layer.padding)
                case "Conv2D":
                    x, padding = self._convolve(x, layer, padding), 0
                case "BatchNormalization":
                    x = self._normalise(x, layer.name, train)
                case "Activation":
                    x = F.relu(x, inplace=True)
                case "MaxPooling2D":  # pads with -inf, Keras with 0: the same after a ReLU
                    x, padding = F.max_pool2d(x, layer.window, layer.stride, padding), 0
                case "Add":
                    x = x + values[layer.inputs[0]]
            for name in layer.inputs:  # give memory back
                if self._last_reader[name] == layer.name:
                    del values[name]
            values[layer.name] = x
        pooled = x.float().mean((2, 3))  # (N, K, h, w) -> (N, K)
        with torch.autocast(x.device.type, enabled=False):
            logits = F.linear(pooled, self.weights[DENSE_KERNEL], self.weights["predictions/bias"])
        return logits, x

    def class_maps(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """Class activation maps M_c = sum_k w_k^c f_k: (N, K, h, w), (N,) indices -> (N, h, w) float32."""
        with torch.autocast(features.device.type, enabled=False):
            rows = self.weights[DENSE_KERNEL][classes]  # (N, K)
            return torch.einsum("nkhw,nk->nhw", features.float(), rows)

    def _convolve(self, x: torch.Tensor, layer: Layer, padding: int) -> torch.Tensor:
        if layer.padding == "same":
            assert layer.stride == 1  # with a stride, Keras pads more on one side than on the other
            padding = layer.window // 2
        kernel, bias = (self.weights[f"{layer.name}/{name}"] for name in ("kernel", "bias"))
        return F.conv2d(x, kernel, bias, layer.stride, padding)

    def _normalise(self, x: torch.Tensor, name: str, train: bool) -> torch.Tensor:
        if f"{name}/gamma" not in self.weights:
            return x
        gamma, beta = (self.weights[f"{name}/{part}"] for part in ("gamma", "beta"))
        mean, variance = (self.statistics[f"{name}/moving_{part}"] for part in ("mean", "variance"))
        return F.batch_norm(x, mean, variance, gamma, beta, train, 1 - BN_MOMENTUM, self._arch.epsilon)

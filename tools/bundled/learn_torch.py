"""The training steps of `train_bundled.py` taken by PyTorch.

Channels first in channels-last memory and in bfloat16 where the processor has it: on a CPU that is
faster than the training steps of any Keras backend.
"""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import torch
from bundled.batches import Batch
from bundled.network import BN_EPSILON, BN_MOMENTUM, DENSE_KERNEL, Arrays, blocks, extent_loss
from bundled.optimizer import Optimizer
from torch.nn import functional as F  # noqa: N812


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
        return F.batch_norm(x, mean, variance, gamma, beta, train, 1 - BN_MOMENTUM, BN_EPSILON)


def has_fast_bfloat16(device: str) -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulation would be slower than float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


class TorchLearner:
    """The network while it learns. Arrays go in and come out in Keras's layouts, by Keras's names.

    Attributes:
        net: the weights as they are.
        average: their moving average, by name.
    """

    def __init__(self, args: Namespace, starting: Arrays) -> None:
        if args.threads:
            torch.set_num_threads(args.threads)
        self._args = args
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        half = args.precision == "bfloat16" or (args.precision == "auto" and has_fast_bfloat16(self._device))
        self._autocast = {"device_type": self._device, "dtype": torch.bfloat16, "enabled": half}
        self.net = TorchResNet(starting, args.width, args.last_stride, self._device)
        self.average = {name: tensor.clone() for name, tensor in self.net.state().items()}
        muon = args.optimizer == "muon"
        self._optimizer = Optimizer(self.net.weights, args.rate, args.decay, muon)

    def step(self, batch: Batch, rate: float) -> tuple[float, float, float]:
        """One update; the loss, the box loss (NaN without boxes) and the share of right answers."""
        self._optimizer.zero_grad()
        with torch.autocast(**self._autocast):
            logits, features = self.net(self._tensor(batch.x).permute(0, 3, 1, 2), train=True)
        labels = self._tensor(batch.labels)
        loss = total = F.cross_entropy(logits, self._tensor(batch.targets))
        box = torch.tensor(float("nan"))
        if batch.boxed.any() and self._args.box_weight > 0:
            rows = self._tensor(np.flatnonzero(batch.boxed))
            masks = self._tensor(batch.masks)[rows]
            maps = F.relu(self.net.class_maps(features[rows], labels[rows]))[:, None]
            grid = F.interpolate(maps, size=masks.shape[1:], mode="bilinear", align_corners=True)[:, 0]
            box = extent_loss(torch, grid, masks, torch.ones(len(rows), device=self._device))
            total = loss + self._args.box_weight * box
        total.backward()
        torch.nn.utils.clip_grad_norm_(list(self.net.weights.values()), self._args.clip)
        self._optimizer.step(rate)
        right = (logits.argmax(1) == labels).float().mean()
        return float(loss.detach()), float(box.detach()), float(right)

    def update_average(self, keep: float) -> None:
        """Move the averages towards the weights; `keep` is what stays, 0..1."""
        state = self.net.state()
        torch._foreach_lerp_(list(self.average.values()), [state[n] for n in self.average], 1 - keep)

    @torch.no_grad()
    def predict(self, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, classes) and the maps (N, h, w) of the labels, from the averaged weights."""
        net = TorchResNet(
            TorchResNet.to_keras(self.average), self._args.width, self._args.last_stride, self._device
        )
        with torch.autocast(**self._autocast):
            logits, features = net(self._tensor(x).permute(0, 3, 1, 2))
        return logits.cpu().numpy(), net.class_maps(features, self._tensor(labels)).cpu().numpy()

    def state(self) -> dict[str, Arrays]:
        """All that a checkpoint needs: weights, average and the optimizer's state."""
        return {
            "weights": TorchResNet.to_keras(self.net.state()),
            "average": TorchResNet.to_keras(self.average),
            "optimizer": self._optimizer.arrays(),
        }

    def restore(self, state: dict[str, Arrays]) -> None:
        """The way back."""
        with torch.no_grad():
            for kind, into in (("weights", self.net.state()), ("average", self.average)):
                saved = TorchResNet(state[kind], self._args.width, self._args.last_stride).state()
                for name, tensor in into.items():
                    tensor.copy_(saved[name])
        self._optimizer.load(state["optimizer"])

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

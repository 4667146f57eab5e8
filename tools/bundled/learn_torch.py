"""The training steps of `train_bundled.py` taken by PyTorch.

Channels first in channels-last memory and in bfloat16 where the processor has it: on a CPU that is
faster than the training steps of any Keras backend.
"""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import torch
from bundled.batches import Batch
from bundled.network import Arrays, architecture, extent_loss
from bundled.optimizer import Optimizer
from bundled.torch_network import TorchResNet
from torch.nn import functional as F  # noqa: N812


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
        self._arch = architecture(args.last_stride)
        self.net = TorchResNet(self._arch, starting, self._device)
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

    def predict(self, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, classes) and the maps (N, h, w) of the labels, from the averaged weights."""
        net = TorchResNet(self._arch, TorchResNet.to_keras(self.average), self._device)
        with torch.no_grad(), torch.autocast(**self._autocast):
            logits, features = net(self._tensor(x).permute(0, 3, 1, 2))
            maps = net.class_maps(features, self._tensor(labels))
        return logits.cpu().numpy(), maps.cpu().numpy()

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
                saved = TorchResNet(self._arch, state[kind]).state()
                for name, tensor in into.items():
                    tensor.copy_(saved[name])
        self._optimizer.load(state["optimizer"])

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

"""The optimizer of `train_bundled.py`: AdamW, or Muon for convolutions and AdamW for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


class Optimizer:
    """Updates named weights; a kernel's weight decay is its own, biases and batch norms have none.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) makes every step of a kernel,
    as a matrix of (filters, height * width * channels), orthogonal; scaled to the size of
    AdamW's steps (Liu et al. 2025, arXiv:2502.16982), both go by the same rate and decay.
    """

    def __init__(self, weights: dict[str, torch.Tensor], rate: float, decay: float, muon: bool) -> None:
        self._weights = list(weights.values())
        kernels = [weight for name, weight in weights.items() if name.endswith("/kernel")]
        others = [weight for name, weight in weights.items() if not name.endswith("/kernel")]
        self._convolutions = [kernel for kernel in kernels if muon and kernel.ndim == 4]
        # The same memory as the kernels, whose last axis is the channels': torch.optim.Muon takes matrices.
        self._matrices = [k.detach().permute(0, 2, 3, 1).view(len(k), -1) for k in self._convolutions]
        groups = [
            {"params": [kernel for kernel in kernels if kernel.ndim == 2 or not muon], "weight_decay": decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self._parts: list[Any] = [torch.optim.AdamW(groups, lr=rate, fused=True)]
        if muon:
            options = {"weight_decay": decay, "adjust_lr_fn": "match_rms_adamw"}
            self._parts.append(torch.optim.Muon(self._matrices, lr=rate, **options))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self._weights:
            weight.grad = None

    def step(self, rate: float) -> None:
        """Update every weight by its gradient, at a learning rate."""
        for kernel, matrix in zip(self._convolutions, self._matrices, strict=True):
            assert kernel.grad is not None
            matrix.grad = kernel.grad.permute(0, 2, 3, 1).reshape(matrix.shape)
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def arrays(self) -> dict[str, np.ndarray]:
        """Momenta and counts, for a checkpoint."""
        return {
            f"{number}/{index}/{key}": value.cpu().numpy().copy()
            for number, part in enumerate(self._parts)
            for index, values in part.state_dict()["state"].items()
            for key, value in values.items()
        }

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """The way back."""
        for number, part in enumerate(self._parts):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for name, array in arrays.items():
                which, index, key = name.split("/")
                if int(which) == number:
                    state.setdefault(int(index), {})[key] = torch.from_numpy(array)
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})

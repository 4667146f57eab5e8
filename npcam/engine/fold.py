"""Fold each batch norm into the convolution before it."""

from typing import NamedTuple

import numpy as np

from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array


class Folded(NamedTuple):
    """A convolution with its batch norm in it: y = conv(x, kernel) + bias.

    Attributes:
        kernel: (KH, KW, C, K).
        bias: (K,), float64: more will be added to it.
    """

    kernel: Array
    bias: Array


def fold_batch_norm(tensors: Tensors, conv: str, bn: str, arch: Architecture) -> Folded:
    """One convolution that does what a convolution and the batch norm behind it do.

    gamma (conv(x) + b - mean) / sqrt(var + epsilon) + beta is conv with its kernel scaled per
    output channel, and one bias. Scales are found in float64, so that folding rounds once.

    Reason: batch norm is two passes over every activation, all of them memory traffic.
    """
    kernel, bias = tensors[conv]["kernel"], tensors[conv].get("bias", 0.0)
    gamma, beta, mean, variance = (
        tensors[bn][n].astype(np.float64) for n in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + arch.epsilon)  # (K,)
    folded_bias = (np.asarray(bias, np.float64) - mean) * scale + beta
    folded = np.multiply(kernel, scale, out=np.empty_like(kernel), casting="same_kind")
    return Folded(folded, folded_bias)

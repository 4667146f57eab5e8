"""ResNet as Keras builds it: the forward pass on one screen, then the architecture as data.

He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385), table 1, in the
form of `keras.applications.ResNet50`, `ResNet101` and `ResNet152`. Every activation goes by the
name that Keras gives the layer that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from npcam import ops
from npcam.shapes import Array


def features(x: Array, w: Tensors, arch: Architecture, keep: Keep = lambda _, y: y) -> Array:
    """Run a preprocessed batch through every convolution, to the maps f_k.

    A residual block is out = relu(shortcut + F(x)), with F = 1x1, 3x3, 1x1 (He et al., figure 5).

    Args:
        x: (N, H, W, 3), any float dtype; H and W from 32 up.
        w: the weights by layer and name, as Keras names them, of the dtype of `x`.
        arch: the architecture, such as RESNET50.
        keep: called with the name and value of each activation; what it returns goes on to the
            next layer. Use it to collect activations, or to put others in their place.

    Returns:
        (N, H/32, W/32, C) in Keras's ResNets: 2048 maps of 7x7 for 224x224 photographs.
    """

    def conv_bn(x: Array, name: str, stride: int = 1, padding: str = "valid") -> Array:
        x = keep(f"{name}_conv", ops.conv2d(x, **w[f"{name}_conv"], strides=stride, padding=padding))
        return keep(f"{name}_bn", ops.batch_norm(x, **w[f"{name}_bn"], epsilon=arch.epsilon))

    def relu(x: Array, name: str) -> Array:
        return keep(name, ops.relu(x))

    x = keep("conv1_pad", ops.zero_pad2d(x, 3))  # (N, H+6, W+6, 3)
    x = relu(conv_bn(x, "conv1", stride=2), "conv1_relu")  # (N, H/2, W/2, 64)
    x = keep("pool1_pad", ops.zero_pad2d(x, arch.pool_padding))  # (N, H/2 + 2, W/2 + 2, 64)
    x = keep("pool1_pool", ops.max_pool2d(x, 3, strides=2))  # (N, H/4, W/4, 64)
    for b in residual_blocks(arch):  # C channels come in; s is the block's stride, F the filters of its 3x3
        shortcut = conv_bn(x, f"{b.name}_0", b.stride) if b.projects else x  # (N, H/s, W/s, 4F)
        y = relu(conv_bn(x, f"{b.name}_1", b.stride_1), f"{b.name}_1_relu")  # 1x1: C -> F
        y = relu(conv_bn(y, f"{b.name}_2", b.stride_2, "same"), f"{b.name}_2_relu")  # 3x3: F -> F
        y = conv_bn(y, f"{b.name}_3")  # 1x1: F -> 4F
        x = relu(keep(f"{b.name}_add", shortcut + y), f"{b.name}_out")  # (N, H/s, W/s, 4F)
    return x  # (N, H/32, W/32, 2048)


def head(x: Array, w: Tensors, arch: Architecture, keep: Keep = lambda _, y: y) -> tuple[Array, Array]:
    """Classify the maps: average over all positions, one dense layer, softmax.

    (N, H/32, W/32, C) -> logits (N, classes) and probabilities (N, classes).
    """
    x = keep("avg_pool", ops.global_average_pool2d(x))  # (N, C)
    logits = ops.dense(x, **w["predictions"])  # (N, classes)
    return logits, keep("predictions", ACTIVATIONS[arch.activation or "linear"](logits))


@dataclass(frozen=True)
class Architecture:
    """What the weights alone do not tell of a network; filter counts they do.

    Attributes:
        blocks: residual blocks in each of the stages conv2, conv3, ...
        strides: stride of each stage's first block.
        stride_in: which convolution of that block takes the stride: 1, the first 1x1 (Keras), or
            2, the 3x3 (torchvision's "v1.5").
        pool_padding: zeros around the input of `pool1_pool`: 1, or 0 in the network of 2017.
        epsilon: of every batch norm: 1.001e-5, or 1e-3 in the network of 2017.
        activation: of `predictions`: "softmax", "sigmoid" or "linear"; None for a network without
            a top (`include_top=False`).
    """

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    strides: tuple[int, ...] = (1, 2, 2, 2)
    stride_in: int = 1
    pool_padding: int = 1
    epsilon: float = 1.001e-5
    activation: str | None = "softmax"


RESNET50 = Architecture()
RESNET101 = Architecture(blocks=(3, 4, 23, 3))
RESNET152 = Architecture(blocks=(3, 8, 36, 3))

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "softmax": ops.softmax,
    "sigmoid": ops.sigmoid,
    "linear": lambda x: x,
}


class Block(NamedTuple):
    """One residual block.

    Attributes:
        name: what Keras's names of its layers begin with, `conv2_block1`.
        stride: how many times smaller its maps are than what it reads: that of its shortcut.
        stride_1, stride_2: the strides of its first 1x1 and of its 3x3, of which one takes it all.
        projects: whether its shortcut is a convolution.
    """

    name: str
    stride: int
    stride_1: int
    stride_2: int
    projects: bool


def residual_blocks(arch: Architecture) -> list[Block]:
    """The blocks in order; the first of each stage projects its shortcut.

    >>> residual_blocks(RESNET50)[3]
    Block(name='conv3_block1', stride=2, stride_1=2, stride_2=1, projects=True)
    """
    blocks = []
    for stage, (count, s) in enumerate(zip(arch.blocks, arch.strides, strict=True), start=2):
        first, second = (s, 1) if arch.stride_in == 1 else (1, s)
        blocks.append(Block(f"conv{stage}_block1", s, first, second, projects=True))
        blocks += [Block(f"conv{stage}_block{n}", 1, 1, 1, projects=False) for n in range(2, count + 1)]
    return blocks


def last_activation(arch: Architecture) -> str:
    """The name of the maps f_k that a class activation map sums.

    >>> last_activation(RESNET50)
    'conv5_block3_out'
    """
    return f"{residual_blocks(arch)[-1].name}_out"


Tensors = Mapping[str, Mapping[str, Any]]  # {layer name: {weight name: array}}
Keep = Callable[[str, Array], Array]  # sees every activation with its name; what it returns flows on


class Outputs(NamedTuple):
    """What a run gives.

    Attributes:
        logits: (N, classes), before the softmax; None for a network without a top.
        probabilities: (N, classes), after it; None for a network without a top.
        activations: {Keras layer name: array}, as asked for.
    """

    logits: Array | None
    probabilities: Array | None
    activations: dict[str, Array]


def run(x: Array, w: Tensors, arch: Architecture, names: Collection[str] = ()) -> Outputs:
    """Run a preprocessed batch layer by layer, and keep the activations that are asked for."""
    found = {"input_layer": x}

    def keep(name: str, value: Array) -> Array:
        if name in names:
            found[name] = value
        return value

    maps = features(x, w, arch, keep)
    logits, probabilities = (None, None) if arch.activation is None else head(maps, w, arch, keep)
    return Outputs(logits, probabilities, {name: found[name] for name in names})

"""ResNet as Keras builds it: the architecture as data, and the forward pass on one screen.

He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385), table 1, in the
form of `keras.applications.ResNet50`, `ResNet101` and `ResNet152`. Every activation goes by the
name that Keras gives the layer that makes it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from npcam import ops
from npcam.shapes import Array

Tensors = Mapping[str, Mapping[str, Any]]  # {layer name: {weight name: array}}
Keep = Callable[[str, Array], Array]  # sees every activation with its name; what it returns flows on


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
    """One residual block: its name (`conv2_block1`), stride, and whether its shortcut is a convolution."""

    name: str
    stride: int
    projects: bool


def residual_blocks(arch: Architecture) -> list[Block]:
    """The blocks in order; the first of each stage projects its shortcut.

    >>> residual_blocks(RESNET50)[3]
    Block(name='conv3_block1', stride=2, projects=True)
    """
    return [
        Block(f"conv{stage}_block{n}", stride if n == 1 else 1, projects=n == 1)
        for stage, (blocks, stride) in enumerate(zip(arch.blocks, arch.strides, strict=True), start=2)
        for n in range(1, blocks + 1)
    ]


def last_activation(arch: Architecture) -> str:
    """The name of the maps f_k that a class activation map sums.

    >>> last_activation(RESNET50)
    'conv5_block3_out'
    """
    return f"{residual_blocks(arch)[-1].name}_out"


def pass_on(_name: str, x: Array) -> Array:
    """The `keep` that keeps nothing."""
    return x


def features(x: Array, w: Tensors, arch: Architecture, keep: Keep = pass_on) -> Array:
    """Run a preprocessed batch through every convolution.

    Args:
        x: (N, H, W, 3), any float dtype; H and W from 32 up.
        w: the weights by layer and name, as Keras names them, of the dtype of `x`.
        arch: the architecture.
        keep: called with the name and value of each activation; what it returns goes on to the
            next layer. Use it to collect activations, or to put others in their place.

    Returns:
        The maps f_k, (N, H/32, W/32, C) in Keras's ResNets: 2048 of 7x7 for 224x224 photographs.
    """
    x = keep("conv1_pad", ops.zero_pad2d(x, 3))  # (N, H+6, W+6, 3)
    x = keep("conv1_conv", ops.conv2d(x, **w["conv1_conv"], strides=2))  # (N, H/2, W/2, 64)
    x = keep("conv1_bn", ops.batch_norm(x, **w["conv1_bn"], epsilon=arch.epsilon))
    x = keep("conv1_relu", ops.relu(x))
    x = keep("pool1_pad", ops.zero_pad2d(x, arch.pool_padding))  # (N, H/2 + 2, W/2 + 2, 64)
    x = keep("pool1_pool", ops.max_pool2d(x, 3, strides=2))  # (N, H/4, W/4, 64)
    for block in residual_blocks(arch):
        x = bottleneck(x, w, arch, block, keep)  # (N, H/4, W/4, 256) ... (N, H/32, W/32, 2048)
    return x


def bottleneck(x: Array, w: Tensors, arch: Architecture, block: Block, keep: Keep = pass_on) -> Array:
    """One residual block: out = relu(shortcut(x) + F(x)), F = 1x1, 3x3, 1x1 (He et al., figure 5).

    (N, H, W, C) -> (N, H/s, W/s, 4F), with s the block's stride and F the filters of its 3x3.
    """
    name, stride, projects = block

    def conv_bn(x: Array, part: str, stride: int = 1, padding: str = "valid") -> Array:
        conv, bn = f"{name}_{part}_conv", f"{name}_{part}_bn"
        x = keep(conv, ops.conv2d(x, **w[conv], strides=stride, padding=padding))
        return keep(bn, ops.batch_norm(x, **w[bn], epsilon=arch.epsilon))

    first, second = (stride, 1) if arch.stride_in == 1 else (1, stride)

    shortcut = conv_bn(x, "0", stride) if projects else x  # (N, H/s, W/s, 4F)
    x = keep(f"{name}_1_relu", ops.relu(conv_bn(x, "1", first)))  # (N, H/s, W/s, F)
    x = keep(f"{name}_2_relu", ops.relu(conv_bn(x, "2", second, padding="same")))  # (N, H/s, W/s, F)
    x = conv_bn(x, "3")  # (N, H/s, W/s, 4F)
    x = keep(f"{name}_add", shortcut + x)
    return keep(f"{name}_out", ops.relu(x))


def head(x: Array, w: Tensors, arch: Architecture, keep: Keep = pass_on) -> tuple[Array, Array]:
    """Classify the maps: average over all positions, one dense layer, softmax.

    (N, H/32, W/32, C) -> logits (N, classes) and probabilities (N, classes).
    """
    x = keep("avg_pool", ops.global_average_pool2d(x))  # (N, C)
    logits = ops.dense(x, **w["predictions"])  # (N, classes)
    return logits, keep("predictions", ACTIVATIONS[arch.activation or "linear"](logits))


class Outputs(NamedTuple):
    """What a run gives.

    Attributes:
        logits: (N, classes), before the softmax; None for a network without a top.
        activations: {Keras layer name: array}, as asked for.
    """

    logits: Array | None
    activations: dict[str, Array]


def run(x: Array, w: Tensors, arch: Architecture, names: Collection[str] = ()) -> Outputs:
    """Run a preprocessed batch layer by layer, and keep the activations that are asked for."""
    found = {"input_layer": x}

    def keep(name: str, value: Array) -> Array:
        if name in names:
            found[name] = value
        return value

    maps = features(x, w, arch, keep)
    logits = None if arch.activation is None else head(maps, w, arch, keep)[0]
    return Outputs(logits, {name: found[name] for name in names})

"""The usual mistakes, layer by layer: each one a name in words and the layers as they are computed with it.

The order within a list is that of preference: where two mistakes do the same to the numbers at hand,
the first one is named.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from npcam.layers import Layer, layers
from npcam.resnet import residual_blocks
from npcam.shapes import Array
from npcam.verify import conv_mistakes, layer_mistakes
from npcam.verify.part import Step
from npcam.verify.quantise import COMMON, ways
from npcam.verify.steps import Found, Network, hand_on, padded, then, usual

KINDS: dict[str, Callable[[Layer, Network], Iterator[Found]]] = {
    "ZeroPadding2D": conv_mistakes.padding,
    "Conv2D": conv_mistakes.convolution,
    "BatchNormalization": layer_mistakes.batch_norm,
    "Activation": lambda _, __: layer_mistakes.activation(),
    "MaxPooling2D": layer_mistakes.pooling,
    "Add": layer_mistakes.addition,
    "GlobalAveragePooling2D": lambda _, __: layer_mistakes.average(),
    "Dense": layer_mistakes.dense,
}

# The beginnings of their words, by the class of layer.
EVERYWHERE = {
    "Conv2D": (
        "bias missing",
        "kernel transposed (height and width)",
        "kernel flipped by 180 degrees",
        "kernel transposed (inputs and outputs)",
        "kernel in another order: it lies as OIHW and is read as HWIO",
        "kernel in another order: it lies as HWIO and is read as OIHW",
        *(f"weights quantised to {words}" for words in COMMON),
    ),
    "BatchNormalization": (
        "variance taken for deviation",
        "deviation taken for variance",
        *(f"another epsilon, {epsilon:g}," for epsilon in layer_mistakes.EPSILONS),
        "gamma missing",
        "beta missing",
        "mean missing",
        "mean and variance of the photographs at hand (training mode)",
        "batch norm missing",
    ),
    "Activation": ("ReLU missing", "leaky ReLU with a slope of 0.01", "ReLU6"),
}


class Mistake(NamedTuple):
    """One mistake.

    Attributes:
        words: what it is, as a person would say it, without the layer.
        layer: the name of the layer that it is in.
        steps: {layer name: that layer with the mistake}.
        seen_at: a layer after it that must agree with the mistake, too, where it is given.
    """

    words: str
    layer: str
    steps: Mapping[str, Step]
    seen_at: str | None = None


def mistakes(parts: list[Layer], network: Network) -> list[Iterator[Mistake]]:
    """The usual mistakes of some layers, the input's excepted: one list for each layer, and some of several.

    Args:
        parts: layers in the network's order; the last is the one whose output is looked at.
        network: the network.
    """
    found = [_strides_moved({layer.name for layer in parts}, network)]
    found += [_in_layer(layer, KINDS[layer.kind](layer, network)) for layer in parts if layer.kind in KINDS]
    norms = {layer.inputs[0]: layer for layer in parts if layer.kind == "BatchNormalization"}
    found += [_folded(layer, norms[layer.name], network) for layer in parts if layer.name in norms]
    found.append(_everywhere(parts, network))
    if parts[-1].kind != "InputLayer":
        found.append(_in_layer(parts[-1], _output(parts[-1], network)))
    return found


def _everywhere(parts: list[Layer], network: Network) -> Iterator[Mistake]:
    """The mistakes that people make in all layers of a class at once, where a part has several of them."""
    for kind, several in EVERYWHERE.items():
        concerned = [layer for layer in parts if layer.kind == kind]
        if len(concerned) < 2:
            continue
        for words in several:
            steps: dict[str, Step] = {}
            for layer in concerned:
                ways = KINDS[kind](layer, network)
                step = next((step for said, step in ways if said.startswith(words)), None)
                steps |= {layer.name: step} if step else {}
            if len(steps) > 1:
                where = f"in all {len(steps)} layers of its class from the last tensor given on"
                yield Mistake(f"{words.rstrip(',')}, {where}", next(iter(steps)), steps)


def _in_layer(layer: Layer, ways: Iterator[Found]) -> Iterator[Mistake]:
    """Mistakes within one layer."""
    for words, step in ways:
        yield Mistake(words, layer.name, {layer.name: step})


def _strides_moved(names: set[str], network: Network) -> Iterator[Mistake]:
    """The stride in the 3x3 and not in the first 1x1 (v1.5), or the reverse."""
    table = {layer.name: layer for layer in layers(network.arch)}
    for block in residual_blocks(network.arch):
        one, three = f"{block.name}_1_conv", f"{block.name}_2_conv"
        if block.stride == 1 or not names & {one, three}:
            continue
        ahead = network.arch.stride_in == 2
        first = table[one]._replace(stride=block.stride if ahead else 1)
        second = table[three]._replace(stride=1 if ahead else block.stride)
        words = "stride in the first 1x1 (v1), not in the 3x3" if ahead else "stride in the 3x3 (v1.5)"
        around = ((1, 1), (1, 1))
        for other in (padded(second, network, around), usual(second, network)):
            steps = {one: usual(first, network), three: other}
            yield Mistake(words, one if one in names else three, steps, three)


def _folded(layer: Layer, norm: Layer, network: Network) -> Iterator[Mistake]:
    """Of a convolution into which its batch norm is folded: what is done to the kernel that this makes."""
    own, p = network.w[layer.name], network.w[norm.name]
    scale = p["gamma"] / np.sqrt(p["moving_variance"] + network.arch.epsilon)
    kernel = own["kernel"] * scale
    shift = p["beta"] - p["moving_mean"] * scale
    bias = own["bias"] * scale + shift

    def mistake(words: str, k: Array, b: Array) -> Mistake:
        steps = {layer.name: usual(layer, network, {"kernel": k, "bias": b}), norm.name: hand_on}
        return Mistake(words, layer.name, steps)

    folding = "in the folding of its batch norm"
    yield mistake("bias missing once its batch norm was folded in", kernel, np.zeros_like(bias))
    yield mistake(f"bias not scaled, {folding}", kernel, own["bias"] + shift)
    for words, found in ways(kernel):
        if "each channel" in words:
            continue  # the same as without the folding, which only scales the channels
        yield mistake(f"weights quantised, once its batch norm was folded in, to {words}", found, bias)


def _output(layer: Layer, network: Network) -> Iterator[Found]:
    """What is right but lies in another order."""
    own = usual(layer, network)

    def to_nhwc(y: Array) -> Array:
        return y.transpose(0, 3, 1, 2).reshape(y.shape) if y.ndim == 4 else y

    def to_nchw(y: Array) -> Array:
        n, h, w, c = y.shape if y.ndim == 4 else (*y.shape, 1, 1)[:4]
        return y.reshape(n, c, h, w).transpose(0, 2, 3, 1) if y.ndim == 4 else y

    yield "NCHW read as NHWC: its numbers lie as channels, height, width", then(own, to_nhwc)
    yield "NHWC read as NCHW: its numbers lie as height, width, channels", then(own, to_nchw)
    if layer.kind != "Dense":
        yield "height and width swapped", then(own, lambda y: y.swapaxes(1, 2) if y.ndim == 4 else y)
        yield "channels in the reversed order", then(own, lambda y: y[..., ::-1])

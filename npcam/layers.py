"""The network as a list of layers, as Keras lists them: names, classes, connections, shapes.

`resnet` says what the network computes; this says what it consists of, for whatever has to look at
the layers without running them: the summary, the check of a weights file, the table of a comparison.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from npcam.resnet import Architecture, Block, residual_blocks
from npcam.shapes import Array, pad_amounts, same_padding

Shape = tuple[int | None, ...]


class Layer(NamedTuple):
    """One Keras layer.

    Attributes:
        name: Keras's name of it, `conv1_conv`.
        kind: its Keras class, `Conv2D`.
        inputs: the names of the layers it reads.
        window: side of its kernel or pool.
        stride: of that window.
        padding: zeros on each side, or "same".
    """

    name: str
    kind: str
    inputs: tuple[str, ...] = ()
    window: int = 1
    stride: int = 1
    padding: int | str = 0


def likely_names(name: str, names: Sequence[str]) -> str:
    """What may have been meant by a name that no layer has, or where the names are listed.

    >>> likely_names("conv1_con", ["conv1_conv", "avg_pool"]), likely_names("x", ["avg_pool"])
    ('did you mean conv1_conv?', '`npcam summary` lists them')
    """
    from difflib import get_close_matches

    near = " or ".join(get_close_matches(name, names))
    return f"did you mean {near}?" if near else "`npcam summary` lists them"


@dataclass(frozen=True, repr=False)
class LayerArrays:
    """A layer and its weights, each by its name: `.kernel`, `.bias`, `.gamma`.

    Attributes:
        layer: its name, its Keras class and what it reads.
        arrays: {weight name: array}, read-only; empty for a layer without weights.

    >>> import numpy as np
    >>> LayerArrays(Layer("fc", "Dense"), {"bias": np.zeros(3)}).bias
    array([0., 0., 0.])
    """

    layer: Layer
    arrays: Mapping[str, Array]

    def __getattr__(self, name: str) -> Array:
        """A weight by its name."""
        arrays: Mapping[str, Array] = self.__dict__.get("arrays", {})
        if name in arrays:
            return arrays[name]
        known = ", ".join(arrays) or "no weights"
        msg = f"{self.__dict__.get('layer', ('a layer',))[0]} has no {name}; it has {known}"
        raise AttributeError(msg)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.arrays]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.arrays.items())
        return f"{self.layer.name} ({self.layer.kind}): {shapes or 'no weights'}"


def layers(arch: Architecture) -> list[Layer]:
    """Every layer, in the order of Keras's `model.layers` and `model.summary()`.

    >>> from npcam.resnet import RESNET50
    >>> len(layers(RESNET50)), layers(RESNET50)[2].name
    (177, 'conv1_conv')
    """
    table = [
        Layer("input_layer", "InputLayer"),
        Layer("conv1_pad", "ZeroPadding2D", ("input_layer",), padding=3),
        Layer("conv1_conv", "Conv2D", ("conv1_pad",), window=7, stride=2),
        Layer("conv1_bn", "BatchNormalization", ("conv1_conv",)),
        Layer("conv1_relu", "Activation", ("conv1_bn",)),
        Layer("pool1_pad", "ZeroPadding2D", ("conv1_relu",), padding=arch.pool_padding),
        Layer("pool1_pool", "MaxPooling2D", ("pool1_pad",), window=3, stride=2),
    ]
    for block in residual_blocks(arch):
        table += _block_layers(block, x=table[-1].name)
    if arch.activation is not None:
        table.append(Layer("avg_pool", "GlobalAveragePooling2D", (table[-1].name,)))
        table.append(Layer("predictions", "Dense", ("avg_pool",)))
    return table


def _block_layers(block: Block, x: str) -> list[Layer]:
    """A bottleneck's layers; Keras sorts by depth, which puts the shortcut late."""
    n = block.name
    main = [
        Layer(f"{n}_1_conv", "Conv2D", (x,), stride=block.stride_1),
        Layer(f"{n}_1_bn", "BatchNormalization", (f"{n}_1_conv",)),
        Layer(f"{n}_1_relu", "Activation", (f"{n}_1_bn",)),
        Layer(f"{n}_2_conv", "Conv2D", (f"{n}_1_relu",), window=3, stride=block.stride_2, padding="same"),
        Layer(f"{n}_2_bn", "BatchNormalization", (f"{n}_2_conv",)),
        Layer(f"{n}_2_relu", "Activation", (f"{n}_2_bn",)),
    ]
    conv3 = Layer(f"{n}_3_conv", "Conv2D", (f"{n}_2_relu",))
    bn3 = Layer(f"{n}_3_bn", "BatchNormalization", (conv3.name,))
    if block.projects:
        conv0 = Layer(f"{n}_0_conv", "Conv2D", (x,), stride=block.stride)
        bn0 = Layer(f"{n}_0_bn", "BatchNormalization", (conv0.name,))
        tail, shortcut = [conv0, conv3, bn0, bn3], bn0.name
    else:
        tail, shortcut = [conv3, bn3], x
    add = Layer(f"{n}_add", "Add", (shortcut, bn3.name))
    return [*main, *tail, add, Layer(f"{n}_out", "Activation", (add.name,))]


def weight_shapes(arch: Architecture, filters: Mapping[str, int]) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shape that every weight must have.

    Args:
        arch: the architecture.
        filters: what each convolution and `predictions` puts out, by layer name; a layer that is
            not named there gets a 0.

    Returns:
        {layer name: {weight name: shape}}, layers without weights left out.

    >>> from npcam.resnet import RESNET50
    >>> weight_shapes(RESNET50, {"conv1_conv": 64})["conv1_conv"]
    {'kernel': (7, 7, 3, 64), 'bias': (64,)}
    """
    channels: dict[str, int] = {}
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for layer in layers(arch):
        c = channels[layer.inputs[-1]] if layer.inputs else 3
        k = filters.get(layer.name, 0) if layer.kind in ("Conv2D", "Dense") else c
        if layer.kind == "Conv2D":
            shapes[layer.name] = {"kernel": (layer.window, layer.window, c, k), "bias": (k,)}
        elif layer.kind == "Dense":
            shapes[layer.name] = {"kernel": (c, k), "bias": (k,)}
        elif layer.kind == "BatchNormalization":
            names = ("gamma", "beta", "moving_mean", "moving_variance")
            shapes[layer.name] = dict.fromkeys(names, (c,))
        channels[layer.name] = k
    return shapes


def output_shapes(arch: Architecture, filters: Mapping[str, int], size: tuple[int, int]) -> dict[str, Shape]:
    """The shape of every activation for pictures of `size` (height, width); the batch is None.

    Args:
        arch: the architecture.
        filters: what each convolution and `predictions` puts out, by layer name.
        size: (height, width) of the input.

    >>> from npcam.resnet import RESNET50
    >>> output_shapes(RESNET50, {"conv1_conv": 64}, (224, 224))["conv1_conv"]
    (None, 112, 112, 64)
    """
    shapes: dict[str, Shape] = {}
    for layer in layers(arch):
        if not layer.inputs:
            shapes[layer.name] = (None, *size, 3)
            continue
        _, *hw, c = shapes[layer.inputs[-1]]
        if layer.kind in ("Conv2D", "MaxPooling2D", "ZeroPadding2D"):
            hw = [_steps(int(s or 0), layer) for s in hw]
        if layer.kind in ("GlobalAveragePooling2D", "Dense"):
            hw = []
        if layer.kind in ("Conv2D", "Dense"):
            c = filters.get(layer.name, 0)
        shapes[layer.name] = (None, *hw, c)
    return shapes


def _steps(size: int, layer: Layer) -> int:
    """How many outputs a layer makes along one side of its input."""
    k, s = (layer.window,) * 2, (layer.stride,) * 2
    if isinstance(layer.padding, str):
        (before, after), _ = same_padding((size, size), k, s)
    else:
        (before, after), _ = pad_amounts(layer.padding)
    return (size + before + after - layer.window) // layer.stride + 1

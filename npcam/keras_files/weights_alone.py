"""Weights without a configuration: which network they make, told by names, else by order and shapes."""

import re
from collections import Counter
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.keras_files.arrays import ENDINGS, SavedArray, SavedLayer
from npcam.keras_files.assign import Datasets, by_weight
from npcam.keras_files.names import WeightLayer, by_order, count_blocks, is_old, is_v2, new_name
from npcam.resnet import Architecture

# What weights cannot tell: the zeros around the pool's input, and epsilon, of Keras's ResNets by year.
NETWORKS = {"keras": (1, 1.001e-5), "2018": (1, 1e-3), "2017": (0, 1e-3)}

# Layers that change the input, by the names of their groups without underscores.
FRONT = ("rescaling", "normalization", "resizing", "slicingoplambda", "tfoplambda")

ARRAYS = {
    "Conv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}


class Found(NamedTuple):
    """A network recognised in weights alone: its arrays by Keras's new names, and what was assumed."""

    architecture: Architecture
    arrays: dict[str, Datasets]
    notes: tuple[str, ...]


def from_weights(saved: list[SavedLayer], network: str | None, where: str) -> Found:
    """Recognise a network by the names of its layers, or, where they say nothing, by their order.

    Args:
        saved: the layers in the file.
        network: a key of NETWORKS, or None to tell it from the file.
        where: the file's name, for messages.

    Raises:
        InputError: the layers are not those of a ResNet with one Dense layer at most, or nothing
            tells which of Keras's ResNets they belong to.
    """
    layers = _layers(saved, where)
    named = {part: layer for layer in layers if (part := new_name(layer.name)) is not None}
    others = [layer for layer in layers if new_name(layer.name) is None]
    old: bool | None = None
    if "conv1_conv" in named:
        old = any(is_old(layer.name) for layer in named.values())
        parts = named
    else:
        convolutions = [layer for layer in layers if layer.kind == "Conv2D"]
        norms = [layer for layer in layers if layer.kind == "BatchNormalization"]
        parts, main_first = by_order(convolutions, norms, where)
        others = [layer for layer in layers if layer.kind not in ("Conv2D", "BatchNormalization")]
        old = main_first
    dense = [layer for layer in others if layer.kind == "Dense"]
    extra = [layer.name for layer in others if layer.kind in ("Conv2D", "BatchNormalization")]
    if len(dense) > 1 or extra:
        names = ", ".join([*(layer.name for layer in dense if len(dense) > 1), *extra])
        msg = (
            f"{where}: layers {names} besides the ResNet's; a class activation map needs global "
            "average pooling followed by exactly one Dense layer"
        )
        raise InputError(msg)
    if dense:
        parts["predictions"] = dense[0]
        _check_flattened(dense[0], parts, where)
    kinds = _kinds(saved)
    for kind in ("globalmaxpooling2d", "lambda"):
        if kinds[kind]:
            raise InputError(f"{where}: holds a layer of the class {kind}, which npcam can't run")
    pool_padding, epsilon = NETWORKS[network] if network else _which(old, kinds, where)
    blocks = count_blocks(set(parts))
    arch = Architecture(
        blocks=blocks,
        strides=(1, *[2] * (len(blocks) - 1)),
        pool_padding=pool_padding,
        epsilon=epsilon,
        activation="softmax" if dense else None,
    )
    front = [f"{kind} in the file, not run by npcam" for kind in FRONT if kinds[kind]]
    return Found(arch, {part: _datasets(layer, where) for part, layer in parts.items()}, tuple(front))


def _check_flattened(dense: WeightLayer, parts: dict[str, WeightLayer], where: str) -> None:
    """Raise InputError where the Dense layer reads whole maps: more inputs than the maps have channels."""
    rows = dense.arrays[0].dataset.extent[0]
    ends = [layer.arrays[0].dataset.extent[-1] for name, layer in parts.items() if name.endswith("3_conv")]
    channels = max(ends, default=0)
    if channels and rows > channels and rows % channels == 0:
        msg = (
            f"{where}: {dense.name} reads {rows} values, {rows // channels} positions of {channels} channels "
            "(a Flatten); a class activation map needs global average pooling before the Dense layer"
        )
        raise InputError(msg)


def _layers(saved: list[SavedLayer], where: str) -> list[WeightLayer]:
    """The layers with weights, nested models unpacked, under the last part of their names."""
    groups: dict[tuple[str, ...], list[SavedArray]] = {}
    for layer in saved:
        own = layer.path[-1] if len(layer.path) >= len(layer.slot) and layer.path else layer.slot[-1]
        for array in layer.arrays:
            inner = re.sub(r"_[0-9]+$", "", array.layer) if new_name(array.layer) is None else array.layer
            nested = not layer.slot and new_name(own) is None and new_name(inner) is not None
            key = (*layer.slot, own, inner) if nested else (*layer.slot, own)
            groups.setdefault(key, []).append(array)
    for name in (key[-1] for key in groups):
        if is_v2(name):
            raise InputError(f"{where}: layer {name} is ResNetV2's; npcam runs ResNet (v1)")
    return [WeightLayer(key[-1], _kind(arrays), arrays) for key, arrays in groups.items()]


def _kind(arrays: list[SavedArray]) -> str:
    """The class of a layer that has such arrays."""
    rank = len(arrays[0].dataset.extent)
    if rank == 4 and len(arrays) <= 2:
        return "Conv2D"
    if rank == 2 and len(arrays) <= 2:
        return "Dense"
    return "BatchNormalization" if rank == 1 and len(arrays) in (2, 3, 4) else "other"


def _kinds(saved: list[SavedLayer]) -> Counter[str]:
    """How many layers there are of each class, as far as names and numbers tell it."""
    names = [layer.slot[-1] if layer.slot else layer.path[-1] for layer in saved]
    return Counter(re.sub(r"_?[0-9]+$", "", name).replace("_", "").lower() for name in names)


def _which(old: bool | None, kinds: Counter[str], where: str) -> tuple[int, float]:
    """The pool's padding and epsilon, from the age of the names and from the layers that have no weights.

    Both layouts list these, too: the network of 2017 has one zero padding, later ones have two.
    """
    paddings = kinds["zeropadding2d"] + kinds["conv1pad"] + kinds["pool1pad"]
    listed = kinds["maxpooling2d"] + kinds["pool1pool"] > 0
    if old and listed and paddings in (1, 2):
        return NETWORKS["2017" if paddings == 1 else "2018"]
    if listed and paddings == 1 and kinds["flatten"]:  # its pooling, too, is that of 2017
        return NETWORKS["2017"]
    if not old and (not listed or paddings == 2):
        return NETWORKS["keras"]
    names = ", ".join(NETWORKS)
    msg = (
        f"{where}: nothing in the file tells batch norm's epsilon and the padding before the pool; say with "
        f"--network which one it is ({names}), or convert a file that holds the whole model"
    )
    raise InputError(msg)


def _datasets(layer: WeightLayer, where: str) -> Datasets:
    """A layer's arrays by the name of the weight: by the file's names, else by the class's order."""
    expected = ARRAYS.get(layer.kind, ())
    if len(layer.arrays) == 2 and layer.kind == "BatchNormalization":
        expected = expected[2:]  # neither scaled nor shifted
    if layer.kind in ("Conv2D", "Dense"):
        expected = expected[: len(layer.arrays)]
    datasets = by_weight(layer.arrays, ENDINGS.values(), expected)
    if datasets is None:
        raise InputError(f"{where}: {layer.name} has {len(layer.arrays)} arrays that nothing tells apart")
    return datasets

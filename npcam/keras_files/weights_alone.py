"""Weights without a configuration: which network they make, told by names, else by order and shapes."""

import re
from collections import Counter
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.keras_files.arrays import ENDINGS, SavedArray, SavedLayer, check_order
from npcam.keras_files.assign import Datasets, by_weight
from npcam.keras_files.listed import FRONT, check_counts, check_listed, listed_kinds, plain
from npcam.keras_files.names import WeightLayer, by_order, count_blocks, is_old, is_v2, new_name
from npcam.resnet import Architecture

# What weights cannot tell: the zeros around the pool's input, and epsilon, of Keras's ResNets by year.
NETWORKS = {"keras": (1, 1.001e-5), "2018": (1, 1e-3), "2017": (0, 1e-3)}

# Classes whose arrays have the ranks of a convolution's, a Dense layer's or a batch norm's.
LOOK_ALIKE = {
    "conv2dtranspose",
    "depthwiseconv2d",
    "einsumdense",
    "embedding",
    "groupnormalization",
    "instancenormalization",
    "layernormalization",
    "normalization",
    "prelu",
    "rmsnormalization",
    "separableconv2d",
}
# All that a ResNet has, where a file names classes.
CLASSES = {
    "batchnormalization",
    "batchnormalizationv",  # and a number, 1 or 2
    "conv2d",
    "convolution2d",
    "dense",
    "syncbatchnormalization",
}

MOST_NAMED = 6  # layers in one message
ARRAYS = {
    "Conv2D": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}


class Found(NamedTuple):
    """A network recognised in weights alone: its arrays by Keras's new names, and what was assumed.

    `origins` has the name that each layer has in the file; `pooled` is whether it lists the average.
    """

    architecture: Architecture
    arrays: dict[str, Datasets]
    notes: tuple[str, ...]
    origins: dict[str, str]
    pooled: bool


def from_weights(
    saved: list[SavedLayer], network: str | None, where: str, preprocessing_told: bool = False
) -> Found:
    """Recognise a network by the names of its layers, or, where they say nothing, by their order.

    Every array in the file is the ResNet's or its Dense layer's, or it is named in a refusal.

    Args:
        saved: the layers in the file.
        network: a key of NETWORKS, or None to tell it from the file.
        where: the file's name, for messages.
        preprocessing_told: whether a person has said what is done to a photograph, which layers in
            front of the ResNet leave open.

    Raises:
        InputError: the layers are not those of a ResNet with one Dense layer at most, or nothing
            tells which of Keras's ResNets they belong to.
    """
    listed = check_listed(saved, preprocessing_told, where)
    layers = [layer for layer in _layers(saved, where) if plain(layer.name) not in FRONT]
    _check_arrays(layers, where)
    named: dict[str, WeightLayer] = {}
    for layer in layers:
        part = new_name(layer.name)
        if part in named:
            raise InputError(f"{where}: {part} is in the file twice ({named[part].name}, {layer.name})")
        if part is not None:
            named[part] = layer
    others = [layer for layer in layers if new_name(layer.name) is None]
    old: bool | None = None
    if "conv1_conv" in named:
        old = any(is_old(layer.name) for layer in named.values())
        parts = named
    else:
        convolutions = [layer for layer in layers if layer.kind == "Conv2D"]
        norms = [layer for layer in layers if layer.kind == "BatchNormalization"]
        if not convolutions and layers:
            names = ", ".join(layer.name for layer in layers[:4])
            raise InputError(f"{where}: a head without its backbone: {names}, and no convolution")
        parts, main_first = by_order(convolutions, norms, where)
        others = [layer for layer in layers if layer.kind not in ("Conv2D", "BatchNormalization")]
        old = main_first
    dense = [layer for layer in others if layer.kind == "Dense"]
    extra = [layer.name for layer in others if layer.kind in ("Conv2D", "BatchNormalization")]
    if len(dense) > 1 or extra:
        besides = [*(layer.name for layer in dense if len(dense) > 1), *extra]
        more = f" and {len(besides) - MOST_NAMED} more" if len(besides) > MOST_NAMED else ""
        names = ", ".join(besides[:MOST_NAMED]) + more
        msg = (
            f"{where}: layers {names} besides the ResNet's, and weights alone do not say how they are "
            "connected; a class activation map needs global average pooling followed by exactly one Dense "
            "layer; a file that holds the whole model may say more"
        )
        raise InputError(msg)
    if dense:
        parts["predictions"] = dense[0]
        _check_flattened(dense[0], parts, where)
    blocks = count_blocks(set(parts))
    check_counts(saved, sum(blocks), where)
    pool_padding, epsilon = NETWORKS[network] if network else _which(old, listed_kinds(saved), where)
    arch = Architecture(
        blocks=blocks,
        strides=(1, *[2] * (len(blocks) - 1)),
        pool_padding=pool_padding,
        epsilon=epsilon,
        activation="softmax" if dense else None,
    )
    notes = [f"{name} in the file: what it does is what --preprocessing says" for name in listed.front]
    if listed.unknown:
        names = ", ".join(listed.unknown)
        notes.append(f"layers without weights, whose names do not say what they do: {names}")
    origins = {part: layer.name for part, layer in parts.items()}
    return Found(
        arch,
        {part: _datasets(layer, where) for part, layer in parts.items()},
        tuple(notes),
        origins,
        listed.pooled or not dense,
    )


def _check_arrays(layers: list[WeightLayer], where: str) -> None:
    """Raise InputError for arrays of no layer that npcam knows, or of kernels in Theano's order."""
    for layer in layers:
        shapes = [array.dataset.extent for array in layer.arrays]
        for shape in shapes:
            check_order(layer.name, shape, where)
        for array in layer.arrays:
            if (dtype := array.dataset.whole_numbers) in ("int8", "uint8"):
                reason = f"is quantised ({dtype}); npcam runs floats: save the model unquantised"
                raise InputError(f"{where}: {layer.name} {reason}")
        if layer.kind == "other":
            found = ", ".join(str(shape) for shape in shapes[:4])
            msg = (
                f"{where}: {layer.name} has weights {found}, of no layer that npcam knows in a ResNet; "
                "convert a model without it"
            )
            raise InputError(msg)


def _check_flattened(dense: WeightLayer, parts: dict[str, WeightLayer], where: str) -> None:
    """Raise InputError where the Dense layer reads whole maps: more inputs than the maps have channels."""
    rows = _kernel(dense)[0]
    ends = [_kernel(layer)[-1] for name, layer in parts.items() if name.endswith("3_conv")]
    channels = max(ends, default=0)
    if channels and rows > channels and rows % channels == 0:
        msg = (
            f"{where}: {dense.name} reads {rows} values, {rows // channels} for each of {channels} channels, "
            "as after a Flatten; a class activation map needs global average pooling before the Dense layer"
        )
        raise InputError(msg)


def _kernel(layer: WeightLayer) -> tuple[int, ...]:
    """The shape of a layer's kernel, by its name or as its first array; of a misshapen one (0,)."""
    named = [array for array in layer.arrays if array.weight == "kernel"]
    return (named or layer.arrays)[0].dataset.extent or (0,)


def _layers(saved: list[SavedLayer], where: str) -> list[WeightLayer]:
    """The layers with weights, nested models unpacked, under the last part of their names."""
    groups: dict[tuple[str, ...], list[SavedArray]] = {}
    classes: dict[tuple[str, ...], set[str]] = {}
    for layer in saved:
        told = len(layer.path) >= len(layer.slot) and layer.path
        own = layer.path[-1] if told else layer.slot[-1] if layer.slot else "the model itself"
        for array in layer.arrays:
            inner = re.sub(r"_[0-9]+$", "", array.layer) if new_name(array.layer) is None else array.layer
            if new_name(inner) is None:
                inner = array.layer
            same = not inner or plain(inner) == plain(own)
            key = (*layer.slot, own) if layer.slot or same else (*layer.slot, own, inner)
            groups.setdefault(key, []).append(array)
            classes.setdefault(key, set()).update(plain(name) for name in (own, *layer.slot[-1:], inner))
        if layer.arrays and layer.slot and not layer.attribute and plain(layer.slot[-1]) not in CLASSES:
            classes[(*layer.slot, own)].add("another class")
    for name in (key[-1] for key in groups):
        if is_v2(name):
            raise InputError(f"{where}: layer {name} is ResNetV2's; npcam runs ResNet (v1)")
    kinds = {key: _resnets_kind(key[-1], arrays) or _kind(arrays) for key, arrays in groups.items()}
    # Layers of other classes may have arrays of the same ranks, and go by such a class's name.
    return [
        WeightLayer(key[-1], "other" if classes[key] & {*LOOK_ALIKE, "another class"} else kinds[key], arrays)
        for key, arrays in groups.items()
    ]


def _resnets_kind(name: str, arrays: list[SavedArray]) -> str | None:
    """The class of a layer that goes by a ResNet's name, and whose arrays do so, too; else None.

    Even if an array is missing or misshapen: whoever compares shapes names it.
    """
    part, own = new_name(name), {array.weight for array in arrays}
    kind = "BatchNormalization" if part is None or part.endswith("_bn") else "Conv2D"
    return kind if part is not None and len(own) == len(arrays) and own <= set(ARRAYS[kind]) else None


def _kind(arrays: list[SavedArray]) -> str:
    """The class of a layer of such arrays, told by their own names or, without these, by their ranks."""
    ranks = [len(array.dataset.extent) for array in arrays]
    known = set(ENDINGS.values())
    if any(array.weight for array in arrays):
        has = {array.weight: rank for array, rank in zip(arrays, ranks, strict=True)}
        if len(has) < len(arrays) or not set(has) <= known:
            return "other"
        ranks = [has[name] for name in has if name == "kernel"] + [
            has[name] for name in has if name != "kernel"
        ]
        if ("kernel" in has) == {"moving_mean", "moving_variance"}.issubset(has):
            return "other"
    if ranks in ([4], [4, 1]):
        return "Conv2D"
    if ranks in ([2], [2, 1]):
        return "Dense"
    return "BatchNormalization" if set(ranks) == {1} and len(ranks) in (2, 3, 4) else "other"


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

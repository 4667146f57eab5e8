"""Which layers somebody's arrays are of: told by their names, or by their order and what they are like."""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.text import some_names
from npcam.shapes import Array
from npcam.verify.by_order import tell
from npcam.verify.fused import likeness
from npcam.verify.layout import Extent, possible, settle, to_nhwc
from npcam.verify.names import SCHEMES, keras_names, read_map, torchvision_names
from npcam.weights import Weights


class Naming(NamedTuple):
    """How a person says what the arrays are.

    Attributes:
        names: "keras", "torchvision" or the path of a JSON map; None to tell.
        by_order: whether to go by their order and shapes alone.
    """

    names: str | None = None
    by_order: bool = False


class Told(NamedTuple):
    """What arrays are, and how that was told.

    Attributes:
        layers: {array's name: layer's name}, "" for what is to be left out.
        how: in words.
        guessed: whether it was told from names that say nothing of what is fused.
    """

    layers: dict[str, str]
    how: str
    guessed: bool = False


def by_name(
    arrays: Mapping[str, Array],
    shapes: Mapping[str, Extent],
    weights: Weights,
    names: str | None,
    path: str | Path,
) -> Told:
    """Tell arrays by their names."""
    given, arch = list(arrays), weights.architecture
    if names is not None and names not in SCHEMES:
        found = read_map(names, given, arch)
        if not any(found.values()):
            raise InputError(f"{names}: names none of the arrays of {path} ({some_names(given, 4)})")
        rest = keras_names([name for name in given if name in shapes and name not in found], arch)
        return Told(found | rest, f"names: {len(found)} of {len(given)} arrays by {Path(names).name}")

    def fits(name: str, layer: str) -> bool:
        return bool(possible(arrays[name].shape, [shapes[layer]]))

    tried = {}
    if names != "torchvision":
        tried["keras"] = keras_names(given, arch)
    if names != "keras":
        tried["torchvision"] = torchvision_names(given, arch, fits)
        tried["torchvision"] |= {
            name: "predictions"
            for name, layer in tried["torchvision"].items()
            if (name, layer) == ("output", "logits") and _are_probabilities(arrays[name])
        }
    best = max(tried, key=lambda name: len(set(tried[name].values()) - {"input_layer", ""}))
    if not set(tried[best].values()) - {"input_layer", ""}:
        what = f"{names}'s names" if names else "Keras's or torchvision's names"
        msg = f"{path}: no array has one of {what} ({some_names(given, 4)})"
        raise InputError(f"{msg}; give --names MAP.json, or --by-order")
    rest = {name: name for name in given if name in shapes and name not in tried[best]}  # Keras's, too
    how = f"names: {best}'s{'' if names else ', told from them'}"
    steps = [name for name, layer in tried[best].items() if not layer]
    if steps:
        how += f"; steps inside of layers, left out: {some_names(steps, 4)}"
    return Told(tried[best] | rest, how, guessed=True)


def _are_probabilities(array: Array) -> bool:
    """Whether each photograph's numbers could come out of a softmax, and not out of a Dense layer."""
    rows = array.reshape(len(array), -1).astype(np.float64)
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < 1e-2).all())


def by_order(
    arrays: Mapping[str, Array],
    shapes: Mapping[str, Extent],
    own: Mapping[str, Array],
    weights: Weights,
    path: str | Path,
) -> Told:
    """Tell arrays by their order and shapes; copies of others are left out where that helps."""
    twins = _twins(arrays)
    turned = [name for name in twins if arrays[name].shape != arrays[twins[name]].shape]
    for without in ([], turned, list(twins)):
        names = [name for name in arrays if name not in without]
        layouts = layouts_of(arrays, {name: list(shapes.values()) for name in names}, shapes)
        channels = [_channels(to_nhwc(arrays[name], layouts[name], (1, 1, 1, 1))) for name in names]

        def alike(
            i: int, layer: str, names: Sequence[str] = names, layouts: Mapping[str, str] = layouts
        ) -> float:
            array = to_nhwc(arrays[names[i]], layouts[names[i]], shapes[layer])
            if array.shape == own[layer].shape:
                return likeness(array, own[layer])
            return -1 - abs(math.log(max(array.size, 1) / own[layer].size))

        told = tell(channels, {n: s[-1] for n, s in shapes.items()}, weights.architecture, alike)
        if told is not None:
            way, found = told
            said = f"by order: {len(names)} arrays told by channels and likeness; {way.in_words()}"
            said += f"; copies left out: {some_names(without, 4)}" if without else ""
            return Told(dict(zip(names, found, strict=True)) | dict.fromkeys(without, ""), said)
    msg = f"{path}: the arrays ({len(arrays)}) are not this network's layers in order"
    raise InputError(f"{msg}, by the numbers of their channels; give --names MAP.json")


def layouts_of(
    arrays: Mapping[str, Array],
    expected: Mapping[str, Sequence[Extent]],
    shapes: Mapping[str, Extent],
) -> dict[str, str]:
    """The layout of every array, from the shapes that it may have; of all where nothing is known of it."""
    choices = [possible(a.shape, expected.get(name, list(shapes.values()))) for name, a in arrays.items()]
    return dict(zip(arrays, settle(choices), strict=True))


def _channels(array: Array) -> int:
    """How many channels an array in NHWC has; of one without positions, all that it has."""
    sides = array.shape[1:]
    return int(max(sides, default=0) if math.prod(sides) == max(sides, default=0) else sides[-1])


def same(a: Array, b: Array) -> bool:
    """Whether two arrays hold the same numbers in the same order, whatever their shapes."""
    return a.size == b.size and bool(np.array_equal(a.ravel(), b.ravel(), equal_nan=True))


def is_copy(array: Array, arrays: Mapping[str, Array], told: Mapping[str, str]) -> bool:
    """Whether an array holds what one of a layer's holds, in either layout."""
    turned = [array, array.transpose(0, 2, 3, 1), array.transpose(0, 3, 1, 2)] if array.ndim == 4 else [array]
    return any(same(t, arrays[name]) for name, layer in told.items() if layer for t in turned)


def _twins(arrays: Mapping[str, Array]) -> dict[str, str]:
    """The arrays that hold what the one before them holds, in either layout; and which that is."""
    names = list(arrays)
    return {
        name: before
        for before, name in itertools.pairwise(names)
        if is_copy(arrays[name], {before: arrays[before]}, {before: before})
    }

"""Arrays of a port as a run to compare with: each array given to its layer, with npcam's axes.

What is found out on the way, and the file does not say, is said in words: how the axes lie, whose
names they are, which layers the port has fused into others.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.text import printable
from npcam.layers import output_shapes
from npcam.resnet import residual_blocks
from npcam.shapes import Array
from npcam.verify.by_order import tell
from npcam.verify.foreign import read_arrays, single_precision
from npcam.verify.fused import likeness, overwritten, refold
from npcam.verify.layout import Extent, in_words, possible, settle, to_nhwc, with_batch
from npcam.verify.names import SCHEMES, keras_names, read_map, torchvision_names
from npcam.verify.record import Record
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


def read_port(path: str | Path, own: Record, weights: Weights, naming: Naming) -> Record:
    """Read the arrays of somebody's run, as a run to compare npcam's with.

    Args:
        path: an `.npz`, a folder of `.npy` files, or a plain `.h5`.
        own: npcam's run of the same photographs, every layer of it.
        weights: npcam's network.
        naming: what the arrays' names are.

    Returns:
        The run, its layers by Keras's names and with npcam's axes; `fused` is true, `names` has the
        arrays' own names, and `notes` what was found out. Arrays of no layer keep their names.

    Raises:
        InputError: the file cannot be used, its arrays cannot be told, or they are of another number
            of photographs.
    """
    arrays, aside = read_arrays(path)
    notes = [f"set aside, for they hold no floats: {_some(aside)}"] if aside else []
    single = single_precision(arrays)
    if single is not None:
        arrays = single
        notes.append("float64 in which every number is a float32: taken for float32")
    shapes = _shapes(own, weights)
    arrays = _with_batch(arrays, shapes, path)
    if naming.by_order:
        told = _by_order(arrays, shapes, own.activations, weights, path)
    else:
        told = _by_name(arrays, shapes, weights, naming.names, path)
    notes.append(told.how)
    layouts = _layouts(
        arrays, {name: [shapes[layer]] for name, layer in told.layers.items() if layer}, shapes
    )
    found: dict[str, Array] = {}
    names: dict[str, str] = {}
    for name, layer in told.layers.items():
        if not layer:
            continue
        array = to_nhwc(arrays[name], layouts[name], shapes[layer])
        if layer in found and not _same(found[layer], array):
            both = f"{printable(names[layer])[:80]} and {printable(name)[:80]}"
            msg = f"{path}: {both} are both {layer}, and not the same; give --names MAP.json, null for one"
            raise InputError(msg)
        found.setdefault(layer, array)
        names.setdefault(layer, name)
    notes.append(_layout_in_words(layouts, told.layers, arrays))
    if told.guessed:
        for change in (overwritten, refold):
            renamed, said = change(found, own.activations, weights.architecture)
            notes += said
            names = {renamed[layer]: name for layer, name in names.items() if renamed[layer]}
            found = {renamed[layer]: array for layer, array in found.items() if renamed[layer]}
    if weights.architecture.activation == "linear" and "predictions" not in found and "logits" in found:
        found["predictions"], names["predictions"] = found.pop("logits"), names.pop("logits")
    notes += _strides(found, shapes, weights)
    extra = {name: array for name, array in arrays.items() if name not in told.layers}
    copies = [name for name, array in extra.items() if _copies(array, arrays, told.layers)]
    if copies:
        notes.append(f"copies of other arrays: {_some(copies)}")
    ordered = {layer: np.ascontiguousarray(found[layer]) for layer in shapes if layer in found}
    strange = {name: array for name, array in extra.items() if name not in copies}
    clash = next((name for name in strange if name in ordered), None)
    if clash is not None:
        raise InputError(f"{path}: {clash} is the name of a layer, and of an array that is none; rename it")
    return Record(
        ordered | strange,
        {"model": Path(path).name},
        fused=True,
        names=names,
        notes=tuple(n for n in notes if n),
    )


def _shapes(own: Record, weights: Weights) -> dict[str, Extent]:
    """The shape of every layer's activation for the photographs of npcam's run, and of the logits."""
    filters = {n: a["kernel"].shape[-1] for n, a in weights.tensors.items() if "kernel" in a}
    n, height, width, _ = own.activations["input_layer"].shape
    found = output_shapes(weights.architecture, filters, (height, width))
    shapes = {name: (n, *(int(side or 0) for side in shape[1:])) for name, shape in found.items()}
    return shapes | ({"logits": shapes["predictions"]} if "predictions" in shapes else {})


def _with_batch(
    arrays: Mapping[str, Array], shapes: Mapping[str, Extent], path: str | Path
) -> dict[str, Array]:
    """The arrays with an axis of photographs; InputError where they are of another number of them."""
    n = shapes["input_layer"][0]
    found = {
        name: with_batch(array, (1,) * (array.ndim + 1)) if n == 1 and array.ndim in (1, 3) else array
        for name, array in arrays.items()
    }
    counts = [len(array) for array in found.values() if array.ndim in (2, 4)]
    if counts and n not in counts:
        many = max(counts, key=counts.count)
        raise InputError(f"{path}: arrays of {many} photographs, {n} given; give the same ones, in order")
    return found


def _by_name(
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
            raise InputError(f"{names}: names none of the arrays of {path} ({_some(given)})")
        rest = keras_names([name for name in given if name in shapes and name not in found], arch)
        return Told(found | rest, f"names: {len(found)} of {len(given)} arrays by {Path(names).name}")

    def fits(name: str, layer: str) -> bool:
        return bool(possible(arrays[name].shape, [shapes[layer]]))

    tried = {}
    if names != "torchvision":
        tried["keras"] = keras_names(given, arch)
    if names != "keras":
        tried["torchvision"] = torchvision_names(given, arch, fits)
    best = max(tried, key=lambda name: len(set(tried[name].values()) - {"input_layer"}))
    if not set(tried[best].values()) - {"input_layer"}:
        what = f"{names}'s names" if names else "Keras's or torchvision's names"
        msg = f"{path}: no array has one of {what} ({_some(given)})"
        raise InputError(f"{msg}; give --names MAP.json, or --by-order")
    return Told(tried[best], f"names: {best}'s{'' if names else ', told from them'}", guessed=True)


def _by_order(
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
        layouts = _layouts(arrays, {name: list(shapes.values()) for name in names}, shapes)
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
            said += f"; copies left out: {_some(without)}" if without else ""
            return Told(dict(zip(names, found, strict=True)) | dict.fromkeys(without, ""), said)
    msg = f"{path}: {len(arrays)} arrays that are not this network's layers in order"
    raise InputError(f"{msg}, by the numbers of their channels; give --names MAP.json")


def _layouts(
    arrays: Mapping[str, Array],
    expected: Mapping[str, Sequence[Extent]],
    shapes: Mapping[str, Extent],
) -> dict[str, str]:
    """The layout of every array, from the shapes that it may have; of all where nothing is known of it."""
    choices = [possible(a.shape, expected.get(name, list(shapes.values()))) for name, a in arrays.items()]
    return dict(zip(arrays, settle(choices), strict=True))


def _layout_in_words(layouts: Mapping[str, str], told: Mapping[str, str], arrays: Mapping[str, Array]) -> str:
    """What was found of the layout of all arrays that have one."""
    maps = [
        name
        for name, layer in told.items()
        if layer
        and arrays[name].ndim == 4
        and math.prod(arrays[name].shape[1:]) > max(arrays[name].shape[1:])
    ]
    return f"layout: {in_words([layouts[name] for name in maps], maps)}" if maps else ""


def _channels(array: Array) -> int:
    """How many channels an array in NHWC has; of one without positions, all that it has."""
    sides = array.shape[1:]
    return int(max(sides, default=0) if math.prod(sides) == max(sides, default=0) else sides[-1])


def _strides(found: Mapping[str, Array], shapes: Mapping[str, Extent], weights: Weights) -> list[str]:
    """Which blocks take their stride in the other convolution than npcam's network does, by their shapes."""
    there = {1: "the first 1x1", 2: "the 3x3 (as in v1.5)"}
    own = weights.architecture.stride_in
    before, other = "input_layer", []
    for block in residual_blocks(weights.architecture):
        first = [
            found[n] for n in (f"{block.name}_1_{part}" for part in ("conv", "bn", "relu")) if n in found
        ]
        elsewhere = shapes[before][1:3] if own == 1 else shapes[f"{block.name}_out"][1:3]
        if block.stride > 1 and any(a.ndim == 4 and a.shape[1:3] == elsewhere for a in first):
            other.append(block.name)
        before = f"{block.name}_out"
    if not other:
        return []
    return [f"strides: in {there[3 - own]} of {_some(other)}; this network has them in {there[own]}"]


def _same(a: Array, b: Array) -> bool:
    """Whether two arrays hold the same numbers in the same order, whatever their shapes."""
    return a.size == b.size and bool(np.array_equal(a.ravel(), b.ravel(), equal_nan=True))


def _copies(array: Array, arrays: Mapping[str, Array], told: Mapping[str, str]) -> bool:
    """Whether an array holds what one of a layer's holds, in either layout."""
    turned = [array, array.transpose(0, 2, 3, 1), array.transpose(0, 3, 1, 2)] if array.ndim == 4 else [array]
    return any(_same(t, arrays[name]) for name, layer in told.items() if layer for t in turned)


def _twins(arrays: Mapping[str, Array]) -> dict[str, str]:
    """The arrays that hold what the one before them holds, in either layout; and which that is."""
    names = list(arrays)
    return {
        name: before
        for before, name in itertools.pairwise(names)
        if _copies(arrays[name], {before: arrays[before]}, {before: before})
    }


def _some(names: Sequence[str], most: int = 4) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(printable(name)[:80] for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")

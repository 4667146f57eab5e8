"""Arrays of a port as a run to compare with: each array given to its layer, with npcam's axes.

What is found out on the way, and the file does not say, is said in words: how the axes lie, whose
names they are, which layers the port has fused into others.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from npcam.common.errors import InputError
from npcam.common.text import some_names
from npcam.layers import output_shapes
from npcam.resnet import residual_blocks
from npcam.shapes import Array
from npcam.verify.foreign import read_arrays, single_precision
from npcam.verify.fused import overwritten, refold
from npcam.verify.layout import Extent, in_words, to_nhwc, with_batch
from npcam.verify.record import Record
from npcam.verify.telling import Naming, by_name, by_order, is_copy, layouts_of, same
from npcam.weights import Weights


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
    notes = [f"set aside, for they hold no floats: {some_names(aside, 4)}"] if aside else []
    single = single_precision(arrays)
    if single is not None:
        arrays = single
        notes.append("float64 in which every number is a float32: taken for float32")
    shapes = _shapes(own, weights)
    arrays = _with_batch(arrays, shapes, path)
    if naming.by_order:
        told = by_order(arrays, shapes, own.activations, weights, path)
    else:
        told = by_name(arrays, shapes, weights, naming.names, path)
    notes.append(told.how)
    layouts = layouts_of(
        arrays, {name: [shapes[layer]] for name, layer in told.layers.items() if layer}, shapes
    )
    found: dict[str, Array] = {}
    names: dict[str, str] = {}
    for name, layer in told.layers.items():
        if not layer:
            continue
        array = to_nhwc(arrays[name], layouts[name], shapes[layer])
        if layer in found and not same(found[layer], array):
            both = " and ".join(some_names([one]) for one in (names[layer], name))
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
    copies = [name for name, array in extra.items() if is_copy(array, arrays, told.layers)]
    if copies:
        notes.append(f"copies of other arrays: {some_names(copies, 4)}")
    ordered = {layer: np.ascontiguousarray(found[layer]) for layer in shapes if layer in found}
    strange = {name: array for name, array in extra.items() if name not in copies}
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
    return [f"strides: in {there[3 - own]} of {some_names(other, 4)}; this network has them in {there[own]}"]

"""npcam's own weights file: plain HDF5 that says by itself what network it belongs to.

One group per Keras layer name, one float32 dataset per weight; everything else that is needed to
run the network stands in the root's attributes (docs/format.md lists them). The same weights give
the same bytes.
"""

import hashlib
import json
import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_INPUT_SIDE, MAX_LAYER_ARRAYS, MAX_STAGE_BLOCKS, MAX_STAGES, MAX_STRIDE
from npcam.hdf5 import Dataset, Group, new_hdf5, open_hdf5, read_together
from npcam.layers import weight_shapes
from npcam.resnet import ACTIVATIONS, Architecture, Tensors
from npcam.shapes import Array
from npcam.weights.check import Shapes, check_classes, check_shapes

FORMAT = "npcam"
FORMAT_VERSION = 1
TEXT_LIMIT = 60_000  # HDF5 holds attributes of up to 64 KiB; longer texts are cut into pieces


@dataclass(frozen=True)
class Weights:
    """A network at rest: its arrays, and all that is known of them.

    Attributes:
        architecture: the network they belong to.
        tensors: {layer name: {weight name: array}}, in Keras's names and layouts.
        input_size: (height, width) that it was trained for, in pixels.
        preprocessing: "caffe" (RGB to BGR, minus the ImageNet mean), the only one so far.
        class_names: one name per class, or None.
        wnids: one WordNet id per class (`n02124075`), or None.
        source: name of the file that it was converted from.
        source_sha256: of that file.
        converter: who converted it, with its version.
        notes: what the conversion assumed, and what of the source's model it left out.
    """

    architecture: Architecture
    tensors: dict[str, dict[str, Array]]
    input_size: tuple[int, int] = (224, 224)
    preprocessing: str = "caffe"
    class_names: tuple[str, ...] | None = None
    wnids: tuple[str, ...] | None = None
    source: str = ""
    source_sha256: str = ""
    converter: str = ""
    notes: tuple[str, ...] = ()


def write_weights(path: str | Path, weights: Weights) -> None:
    """Write a weights file; it appears whole or not at all, and the same weights give the same bytes.

    Raises:
        InputError: the weights do not fit the architecture, or the file cannot be written.
    """
    check(weights, str(path))
    with new_hdf5(path) as file:
        for name, value in _to_attributes(weights).items():
            file.attrs[name] = value
        for layer, names in weight_shapes(weights.architecture, {}).items():  # in the network's order
            group = file.create_group(layer)
            for name in names:
                group.create_dataset(name, data=weights.tensors[layer][name].astype("<f4"))


def read_weights(path: str | Path, dtype: Any = np.float32) -> Weights:
    """Read a weights file, every shape checked before its array is allocated.

    Args:
        path: a file that `write_weights` made.
        dtype: float type of the arrays; the file holds float32.

    Raises:
        InputError: no npcam weights file, damaged, altered since it was written, or with tensors
            that are missing, extra, misshapen or not finite.
    """
    with open_hdf5(path) as file:
        header = _from_attributes(file, str(path))
        nodes = {layer: _datasets(file, layer) for layer in file}
        shapes = {
            layer: {name: node.shape for name, node in members.items()} for layer, members in nodes.items()
        }
        _check(header, shapes, str(path))
        tensors, found = _read_tensors(nodes, weight_shapes(header.architecture, {}))
        expected = file.attribute("tensors_sha256")
    if expected != found:
        msg = f"{path}: the tensors are not those that were written (SHA-256 differs); convert again"
        raise InputError(msg)
    return replace(header, tensors=cast(tensors, dtype))


def cast(tensors: Tensors, dtype: Any) -> dict[str, dict[str, Array]]:
    """The same tensors in another float type; those that have it already are not copied."""
    return {
        layer: {name: array.astype(dtype, copy=False) for name, array in arrays.items()}
        for layer, arrays in tensors.items()
    }


def tensors_sha256(tensors: Tensors) -> str:
    """SHA-256 over all tensors: for each, sorted by name, `layer/weight shape` and its float32 bytes.

    >>> tensors_sha256({"a": {"bias": np.zeros(2)}})[:8]
    '838cc71b'
    """
    return _sha256((layer, name, tensors[layer][name]) for layer, name in _sorted_names(tensors))


def _sorted_names(layers: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Layer and name of each weight, in the order of the hash."""
    return [(layer, name) for layer in sorted(layers) for name in sorted(layers[layer])]


def _sha256(arrays: Iterable[tuple[str, str, Array]]) -> str:
    digest = hashlib.sha256()
    for layer, name, array in arrays:
        plain = np.ascontiguousarray(array, dtype="<f4")
        digest.update(f"{layer}/{name} {plain.shape}\n".encode())
        digest.update(plain.data if plain.size else b"")
    return digest.hexdigest()


def _read_tensors(
    nodes: Mapping[str, Mapping[str, Dataset]], order: Mapping[str, Iterable[str]]
) -> tuple[dict[str, dict[str, Array]], str]:
    """All arrays, in the network's order, and their hash: a second thread finds it while they are read."""
    seen: queue.SimpleQueue[tuple[str, str, Array] | None] = queue.SimpleQueue()
    found: list[str] = []
    hashing = threading.Thread(target=lambda: found.append(_sha256(iter(seen.get, None))))
    hashing.start()
    try:
        names = _sorted_names(nodes)
        arrays: dict[tuple[str, str], Array] = {}
        for key, array in zip(
            names, read_together([nodes[layer][name] for layer, name in names]), strict=True
        ):
            arrays[key] = array
            seen.put((*key, array))
    finally:
        seen.put(None)
        hashing.join()
    return {
        layer: {name: arrays[layer, name] for name in members} for layer, members in order.items()
    }, found[0]


def check(weights: Weights, where: str) -> None:
    """Raise InputError unless it is a network that npcam runs, every tensor there, and finite."""
    _check_architecture(weights.architecture, weights, where)
    shapes = {layer: {n: a.shape for n, a in arrays.items()} for layer, arrays in weights.tensors.items()}
    _check(weights, shapes, where)
    for layer, arrays in weights.tensors.items():
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise InputError(f"{where}: {layer}/{name} holds NaN or infinity; weights must be finite")


def _check(weights: Weights, shapes: Shapes, where: str) -> None:
    """Shapes and numbers of names, for arrays that are read already or still in the file."""
    check_shapes(weights.architecture, shapes, where)
    check_classes(shapes, weights.class_names, "class names", where)
    check_classes(shapes, weights.wnids, "wnids", where)


def _datasets(file: Group, layer: str) -> dict[str, Dataset]:
    """The members of a layer's group."""
    group = file.child(layer)
    if isinstance(group, Dataset) or len(group) > MAX_LAYER_ARRAYS:
        raise InputError(f"{group.where} is not a layer's group of weights")
    return {name: group.dataset(name) for name in group}


def _to_attributes(weights: Weights) -> dict[str, Any]:
    """The root attributes of a file: what `_from_attributes` reads."""
    arch = weights.architecture
    plain: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "blocks": np.array(arch.blocks, "<i8"),
        "strides": np.array(arch.strides, "<i8"),
        "stride_in": arch.stride_in,
        "pool_padding": arch.pool_padding,
        "epsilon": arch.epsilon,
        "activation": arch.activation or "none",
        "input_size": np.array(weights.input_size, "<i8"),
        "preprocessing": weights.preprocessing,
        "source": weights.source,
        "source_sha256": weights.source_sha256,
        "converter": weights.converter,
        "tensors_sha256": tensors_sha256(weights.tensors),
    }
    for name in ("class_names", "wnids", "notes"):
        if getattr(weights, name):
            text = json.dumps(getattr(weights, name))
            pieces = [text[i : i + TEXT_LIMIT] for i in range(0, len(text), TEXT_LIMIT)]
            plain |= {f"{name}{i}" if i else name: piece for i, piece in enumerate(pieces)}
    return {k: np.bytes_(v.encode()) if isinstance(v, str) else v for k, v in plain.items()}


def _from_attributes(file: Group, path: str) -> Weights:
    """Everything but the tensors."""
    if file.attribute("format") != FORMAT:
        msg = f"{path}: HDF5, but not an npcam weights file; `npcam convert` makes one from Keras's"
        raise InputError(msg)
    version = file.attribute("format_version")
    if version != FORMAT_VERSION:
        raise InputError(f"{path}: format version {version}; this npcam reads {FORMAT_VERSION}; update npcam")
    try:
        arch = Architecture(
            blocks=tuple(int(n) for n in file.attribute("blocks")),
            strides=tuple(int(n) for n in file.attribute("strides")),
            stride_in=int(file.attribute("stride_in")),
            pool_padding=int(file.attribute("pool_padding")),
            epsilon=float(file.attribute("epsilon")),
            activation={"none": None}.get(file.attribute("activation"), file.attribute("activation")),
        )
        height, width = (int(n) for n in file.attribute("input_size"))
        weights = Weights(
            arch,
            tensors={},
            input_size=(height, width),
            preprocessing=str(file.attribute("preprocessing")),
            class_names=_names(file, "class_names"),
            wnids=_names(file, "wnids"),
            source=str(file.attribute("source")),
            source_sha256=str(file.attribute("source_sha256")),
            converter=str(file.attribute("converter")),
            notes=_names(file, "notes") or (),
        )
    except (TypeError, ValueError) as error:
        msg = f"{path}: root attributes are missing or damaged ({error}); convert again"
        raise InputError(msg) from error
    _check_architecture(arch, weights, path)
    return weights


def _check_architecture(arch: Architecture, weights: Weights, path: str) -> None:
    """Raise InputError for values that no network of ours has, before anything is built from them."""
    sane = {
        "blocks": 1 <= len(arch.blocks) <= MAX_STAGES
        and all(1 <= n <= MAX_STAGE_BLOCKS for n in arch.blocks),
        "strides": len(arch.strides) == len(arch.blocks) and all(1 <= n <= MAX_STRIDE for n in arch.strides),
        "stride_in": arch.stride_in in (1, 2),
        "pool_padding": arch.pool_padding in (0, 1),
        "epsilon": 0 <= arch.epsilon <= 1,
        "activation": arch.activation is None or arch.activation in ACTIVATIONS,
        "input_size": all(32 <= n <= MAX_INPUT_SIDE for n in weights.input_size),
        "preprocessing": weights.preprocessing == "caffe",
    }
    for name, ok in sane.items():
        if not ok:
            value = getattr(arch, name, getattr(weights, name, None))
            raise InputError(f"{path}: attribute {name} is {value}, which npcam cannot run; convert again")


def _names(file: Group, name: str) -> tuple[str, ...] | None:
    """A list of names, stored as JSON text, in pieces where it is long."""
    first = file.attribute(name)
    if first is None:
        return None
    pieces = [first]
    while (piece := file.attribute(f"{name}{len(pieces)}")) is not None:
        pieces.append(piece)
    names = json.loads("".join(pieces))
    if not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        msg = f"{name} is not a list of names"
        raise ValueError(msg)
    return tuple(names)

"""npcam's own weights file: plain HDF5 that says by itself what network it belongs to.

One group per Keras layer name, one float32 dataset per weight; everything else that is needed to
run the network stands in the root's attributes (docs/format.md lists them). The same weights give
the same bytes.
"""

import json
import queue
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.hashes import require_size
from npcam.common.limits import MAX_LAYER_ARRAYS
from npcam.common.meanwhile import meanwhile
from npcam.hdf5 import Dataset, Group, new_hdf5, open_hdf5, read_together
from npcam.layers import weight_shapes
from npcam.preprocessing import MODES, Preprocessing, Step
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.weights.check import check, check_architecture, check_header
from npcam.weights.tensors import Weights, cast, freeze, sha256_of, sorted_names, tensors_sha256

FORMAT = "npcam"
FORMAT_VERSION = 2  # written; version 1, which knew only one preprocessing, is read for ever
TEXT_LIMIT = 60_000  # HDF5 holds attributes of up to 64 KiB; longer texts are cut into pieces


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
        require_size(path, Path(path).stat().st_size)
        header = _from_attributes(file, str(path))
        nodes = {layer: _datasets(file, layer) for layer in file}
        shapes = {layer: {n: a.shape for n, a in members.items()} for layer, members in nodes.items()}
        check_header(header, shapes, str(path))
        tensors, found = _read_tensors(nodes, weight_shapes(header.architecture, {}))
        expected = file.attribute("tensors_sha256")
    if expected != found:
        msg = f"{path}: the tensors are not those that were written (SHA-256 differs); convert again"
        raise InputError(msg)
    return replace(header, tensors=cast(tensors, dtype))


def _read_tensors(
    nodes: Mapping[str, Mapping[str, Dataset]], order: Mapping[str, Iterable[str]]
) -> tuple[dict[str, dict[str, Array]], str]:
    """All arrays, in the network's order, and their hash: a second thread finds it while they are read."""
    seen: queue.SimpleQueue[tuple[str, str, Array] | None] = queue.SimpleQueue()
    found = meanwhile(lambda: sha256_of(iter(seen.get, None)))
    try:
        names = sorted_names(nodes)
        arrays: dict[tuple[str, str], Array] = {}
        read = read_together([nodes[layer][name] for layer, name in names])
        for key, array in zip(names, read, strict=True):
            arrays[key] = array
            seen.put((*key, array))
    finally:
        seen.put(None)
    tensors = {layer: {name: arrays[layer, name] for name in members} for layer, members in order.items()}
    freeze(tensors)
    return tensors, found()


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
        "preprocessing": _preprocessing_text(weights.preprocessing),
        "source": weights.source,
        "source_sha256": weights.source_sha256,
        "converter": weights.converter,
        "tensors_sha256": tensors_sha256(weights.tensors),
    }
    for name in ("class_names", "wnids", "assumed", "notes"):
        if getattr(weights, name):
            text = json.dumps(getattr(weights, name))
            pieces = [text[i : i + TEXT_LIMIT] for i in range(0, len(text), TEXT_LIMIT)]
            plain |= {f"{name}{i}" if i else name: piece for i, piece in enumerate(pieces)}
    # A file's name may be no text (PEP 383), and so may what is said of it.
    return {
        name: np.bytes_(value.encode("utf-8", "backslashreplace")) if isinstance(value, str) else value
        for name, value in plain.items()
    }


def _from_attributes(file: Group, path: str) -> Weights:
    """Everything but the tensors."""
    if file.attribute("format") != FORMAT:
        msg = f"{path}: HDF5, but not an npcam weights file; `npcam convert` makes one from Keras's"
        raise InputError(msg)
    version = file.attribute("format_version")
    if version not in range(1, FORMAT_VERSION + 1):
        msg = f"{path}: format version {version}; this npcam reads 1 to {FORMAT_VERSION}; update npcam"
        raise InputError(msg)
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
            preprocessing=_preprocessing(file, version),
            assumed=("preprocessing",) if version == 1 else _names(file, "assumed") or (),
            class_names=_names(file, "class_names"),
            wnids=_names(file, "wnids"),
            source=str(file.attribute("source")),
            source_sha256=str(file.attribute("source_sha256")),
            converter=str(file.attribute("converter")),
            notes=_names(file, "notes") or (),
        )
    except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
        msg = f"{path}: root attributes are missing or damaged ({error}); convert again"
        raise InputError(msg) from error
    check_architecture(arch, weights, path)
    return weights


def _preprocessing_text(preprocessing: Preprocessing) -> str:
    """The steps as JSON, which `_preprocessing` reads."""
    steps = [[step.operation, list(step.values)] for step in preprocessing.steps]
    return json.dumps({"name": preprocessing.name, "grey": preprocessing.grey, "steps": steps})


def _preprocessing(file: Group, version: int) -> Preprocessing:
    """The preprocessing that a file states; version 1 has the name of the only one there was."""
    text = str(file.attribute("preprocessing"))
    if version == 1:
        return MODES[text]
    found = json.loads(text)
    steps = [Step(str(operation), tuple(float(v) for v in values)) for operation, values in found["steps"]]
    return Preprocessing(str(found["name"]), tuple(steps), bool(found["grey"]))


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

"""What Keras wrote, in any of its layouts, as the weights of one ResNet.

Only arrays and JSON are taken out of a file; nothing in it is run, and no Keras is needed. Where
the file has a model's configuration, that decides what the network is, and it must be a ResNet
layer by layer; weights alone must say so by their names or, in the end, by their shapes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from npcam import __version__
from npcam.errors import InputError
from npcam.files import sha256_file
from npcam.hdf5 import Group, open_hdf5
from npcam.keras_arrays import has_layers, named_layers, numbered_layers
from npcam.keras_assign import Datasets, assign
from npcam.keras_config import parse_json, read_graph
from npcam.keras_graph import recognise
from npcam.keras_weights import NETWORKS, from_weights
from npcam.keras_zip import is_zip, open_archive
from npcam.layers import weight_shapes
from npcam.resnet import ACTIVATIONS, Architecture
from npcam.shapes import Array
from npcam.validate import check_shapes
from npcam.weights import Weights, check

DEFAULT_SIZE = (224, 224)
DEFAULTS = {"bias": 0.0, "beta": 0.0, "gamma": 1.0}  # of weights that a layer can be built without


def read_keras(
    path: str | FilePath,
    *,
    class_names: Sequence[str] | None = None,
    network: str | None = None,
    activation: str | None = None,
) -> Weights:
    """Read a Keras ResNet: a `.keras` file, a `.weights.h5`, or a legacy `.h5` with or without its model.

    Args:
        path: the file.
        class_names: one name per class, in the order of the Dense layer's columns.
        network: for weights without their model, where nothing in the file tells: "keras", "2018"
            (batch norm's epsilon is 1e-3) or "2017" (no padding before the pool, either).
        activation: for weights without their model: of the Dense layer, "softmax" (assumed by
            default), "sigmoid" or "linear".

    Returns:
        The weights under Keras's names for them (`conv1_conv`, `kernel`), in float32.

    Raises:
        InputError: not such a file, damaged, or not a ResNet that npcam runs; the message says which
            layer or tensor is the reason.
    """
    where = str(path)
    for option, value, known in (("network", network, NETWORKS), ("activation", activation, ACTIVATIONS)):
        if value is not None and value not in known:
            raise InputError(f"{option} {value!r}: expected one of {', '.join(known)}")
    with _open(path) as (file, config):
        group = file.group("model_weights") if "model_weights" in file else file
        layout = has_layers(group)
        if layout is None:
            reason = "HDF5, but not Keras's: it has neither layer_names nor layers"
            raise InputError(f"{where}: {reason}; `npcam inspect` shows what it has")
        saved = named_layers(group) if layout == "named" else numbered_layers(group)
        size: tuple[int, int] | None = None
        notes: tuple[str, ...] = ()
        if config is None:
            arch, found, notes = from_weights(saved, network, where)
            if arch.activation is not None:
                if activation is None:
                    notes = (*notes, "no configuration in the file: the Dense layer's softmax is assumed")
                arch = replace(arch, activation=activation or arch.activation)
        else:
            graph = read_graph(config, where)
            recognised = recognise(graph, where)
            arch, size = recognised.architecture, recognised.input_size
            _check_options(arch, network, activation, where)
            found = assign(recognised.parts, graph, saved, where)
            notes = tuple(f"in front, not run by npcam: {node.label}" for node in recognised.front)
        tensors = _tensors(found, arch, where)
    weights = Weights(
        arch,
        tensors,
        input_size=size or DEFAULT_SIZE,
        class_names=None if class_names is None else tuple(class_names),
        source=FilePath(path).name,
        source_sha256=sha256_file(path),
        converter=f"npcam {__version__}",
        notes=notes,
    )
    check(weights, where)
    return weights


def _check_options(arch: Architecture, network: str | None, activation: str | None, where: str) -> None:
    """Raise InputError for options that contradict the model's configuration."""
    if network is not None and NETWORKS[network] != (arch.pool_padding, arch.epsilon):
        found = f"pool padding {arch.pool_padding}, epsilon {arch.epsilon}"
        raise InputError(
            f"{where}: its configuration says {found}, not network {network}; leave the option out"
        )
    if activation is not None and activation != arch.activation:
        found = f"its configuration says activation {arch.activation}, not {activation}"
        raise InputError(f"{where}: {found}; leave the option out")


@contextmanager
def _open(path: str | FilePath) -> Iterator[tuple[Group, Any]]:
    """The file's HDF5, and the model's configuration where there is one."""
    where = str(path)
    if FilePath(path).is_file() and is_zip(path):
        with open_archive(path) as archive, open_hdf5(path, archive.weights) as file:
            yield file, parse_json(archive.config, f"{where}: config.json")
    else:
        with open_hdf5(path) as file:
            config = file.attribute("model_config")
            yield file, None if config is None else parse_json(config, f"{where}: model_config")


def _tensors(found: dict[str, Datasets], arch: Architecture, where: str) -> dict[str, dict[str, Array]]:
    """Read the arrays, once all their shapes fit, in the order in which the network uses them.

    What a layer was built without (a bias, a batch norm's scale) is added as the zeros or ones that
    change nothing.
    """
    shapes = {layer: {name: array.shape for name, array in arrays.items()} for layer, arrays in found.items()}
    filters = {layer: arrays["kernel"][-1] for layer, arrays in shapes.items() if arrays.get("kernel")}
    expected = weight_shapes(arch, filters)
    filled = {
        layer: {name: shape for name, shape in expected.get(layer, {}).items() if name in DEFAULTS} | arrays
        for layer, arrays in shapes.items()
    }
    check_shapes(arch, filled, where)
    return {
        layer: {
            name: found[layer][name].read()
            if name in found[layer]
            else np.full(shape, DEFAULTS[name], np.float32)
            for name, shape in weights.items()
        }
        for layer, weights in expected.items()
    }

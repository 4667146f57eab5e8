"""What Keras wrote, in any of its layouts, as the weights of one ResNet.

Only arrays and JSON are taken out of a file; nothing in it is run, and no Keras is needed. Where
the file has a model's configuration, that decides what the network is, and it must be a ResNet
layer by layer; weights alone must say so by their names or, in the end, by their shapes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np

from npcam import __version__
from npcam.errors import InputError
from npcam.files import sha256_file
from npcam.hdf5 import array_shape, attribute, child, open_hdf5, read_array
from npcam.keras_arrays import has_layers, named_layers, numbered_layers
from npcam.keras_assign import Datasets, assign
from npcam.keras_config import parse_json, read_graph
from npcam.keras_graph import recognise
from npcam.keras_weights import from_names
from npcam.keras_zip import is_zip, open_archive
from npcam.layers import weight_shapes
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.validate import check_shapes
from npcam.weights import Weights, check

if TYPE_CHECKING:
    import h5py

DEFAULT_SIZE = (224, 224)
DEFAULTS = {"bias": 0.0, "beta": 0.0, "gamma": 1.0}  # of weights that a layer can be built without


def read_keras(path: str | FilePath, *, class_names: Sequence[str] | None = None) -> Weights:
    """Read a Keras ResNet: a `.keras` file, a `.weights.h5`, or a legacy `.h5` with or without its model.

    Args:
        path: the file.
        class_names: one name per class, in the order of the Dense layer's columns.

    Returns:
        The weights under Keras's names for them (`conv1_conv`, `kernel`), in float32.

    Raises:
        InputError: not such a file, damaged, or not a ResNet that npcam runs; the message says which
            layer or tensor is the reason.
    """
    where = str(path)
    with _open(path) as (file, config):
        weights_group = child(file, "model_weights") if "model_weights" in file else file
        layout = has_layers(weights_group)
        if layout is None:
            raise InputError(
                f"{where}: HDF5, but not Keras's: no layer_names and no layers; npcam can't convert it"
            )
        saved = named_layers(weights_group) if layout == "named" else numbered_layers(weights_group)
        if config is not None:
            graph = read_graph(config, where)
            network = recognise(graph, where)
            found = assign(network.parts, graph, saved, where)
        else:
            network, found = from_names(saved, where)
        tensors = _tensors(found, network.architecture, where)
    weights = Weights(
        network.architecture,
        tensors,
        input_size=network.input_size or DEFAULT_SIZE,
        class_names=None if class_names is None else tuple(class_names),
        source=FilePath(path).name,
        source_sha256=sha256_file(path),
        converter=f"npcam {__version__}",
    )
    check(weights, where)
    return weights


@contextmanager
def _open(path: str | FilePath) -> Iterator[tuple["h5py.File", Any]]:
    """The file's HDF5, and the model's configuration where there is one."""
    where = str(path)
    if FilePath(path).is_file() and is_zip(path):
        with open_archive(path) as archive, open_hdf5(path, archive.weights) as file:
            yield file, parse_json(archive.config, f"{where}: config.json")
    else:
        with open_hdf5(path) as file:
            config = attribute(file, "model_config")
            yield file, None if config is None else parse_json(config, f"{where}: model_config")


def _tensors(found: dict[str, Datasets], arch: Architecture, where: str) -> dict[str, dict[str, Array]]:
    """Read the arrays, once all their shapes fit, in the order in which the network uses them.

    What a layer was built without (a bias, a batch norm's scale) is added as the zeros or ones that
    change nothing.
    """
    shapes = {
        layer: {name: array_shape(array) for name, array in arrays.items()} for layer, arrays in found.items()
    }
    filters = {layer: arrays["kernel"][-1] for layer, arrays in shapes.items() if arrays.get("kernel")}
    expected = weight_shapes(arch, filters)
    filled = {
        layer: {name: shape for name, shape in expected.get(layer, {}).items() if name in DEFAULTS} | arrays
        for layer, arrays in shapes.items()
    }
    check_shapes(arch, filled, where)
    return {
        layer: {
            name: read_array(found[layer][name])
            if name in found[layer]
            else np.full(shape, DEFAULTS[name], np.float32)
            for name, shape in weights.items()
        }
        for layer, weights in expected.items()
    }

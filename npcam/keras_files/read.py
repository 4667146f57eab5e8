"""What Keras wrote, in any of its layouts, as the weights of one ResNet.

Only arrays and JSON are taken out of a file; nothing in it is run, and no Keras is needed. Where
the file has a model's configuration, that decides what the network is, and it must be a ResNet
layer by layer. Weights alone must show by their names, or at least by their shapes, that they are one.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import sha256_file
from npcam.common.version import __version__
from npcam.keras_files.assign import Datasets, assign
from npcam.keras_files.file import KerasFile, open_keras
from npcam.keras_files.recognise import recognise
from npcam.keras_files.settings import dtype_of, weight_names
from npcam.keras_files.unroll import read_graph
from npcam.keras_files.weights_alone import NETWORKS, from_weights
from npcam.layers import weight_shapes
from npcam.resnet import ACTIVATIONS, Architecture
from npcam.shapes import Array
from npcam.weights import Shapes, Weights, check, check_shapes

DEFAULT_SIZE = (224, 224)
DEFAULTS = {"bias": 0.0, "beta": 0.0, "gamma": 1.0}  # for weights that a layer can be built without


class Recognised(NamedTuple):
    """The ResNet in a file, its arrays by Keras's names but not read yet.

    Attributes:
        architecture: which ResNet.
        arrays: {layer: {weight: dataset}}.
        absent: the weights that a layer was built without, such as a convolution's bias.
        input_size: (height, width), or None where the file does not say.
        notes: what was assumed, and what of the model is left out.
    """

    architecture: Architecture
    arrays: dict[str, Datasets]
    absent: dict[str, tuple[str, ...]]
    input_size: tuple[int, int] | None
    notes: tuple[str, ...]


def read_keras(
    path: str | Path,
    *,
    network: str | None = None,
    activation: str | None = None,
) -> Weights:
    """Read a Keras ResNet: a `.keras` file, a `.weights.h5`, or a legacy `.h5` with or without its model.

    Args:
        path: the file.
        network: which of Keras's networks it is, for weights without their model where nothing in the
            file tells: "keras", "2018" (batch norm's epsilon is 1e-3) or "2017" (no padding before the
            pool, either).
        activation: the Dense layer's function, for weights without their model: "softmax" (assumed by
            default), "sigmoid" or "linear".

    Returns:
        The weights under Keras's names for them (`conv1_conv`, `kernel`), in float32; without names
        of classes, which Keras does not save.

    Raises:
        InputError: the file is not one of these, is damaged, or holds no ResNet that npcam runs; the
            message says which layer or tensor is the reason.
    """
    for option, value, known in (("network", network, NETWORKS), ("activation", activation, ACTIVATIONS)):
        if value is not None and value not in known:
            raise InputError(f"{option} {value!r}: expected one of {', '.join(known)}")
    where = str(path)
    with open_keras(path) as file:
        found = recognise_file(file, where, network, activation)
        tensors = _read(found, where)
    weights = Weights(
        found.architecture,
        tensors,
        input_size=found.input_size or DEFAULT_SIZE,
        source=Path(path).name,
        source_sha256=sha256_file(path),
        converter=f"npcam {__version__}",
        notes=found.notes,
    )
    check(weights, where)
    return weights


def recognise_file(file: KerasFile, where: str, network: str | None, activation: str | None) -> Recognised:
    """Find the ResNet in a file, by its configuration if it has one, else by its weights.

    Args:
        file: the open file, from `open_keras`.
        where: the file's name, for messages.
        network, activation: as `read_keras` takes them.

    Raises:
        InputError: there is no ResNet that npcam runs.
    """
    if file.config is None:
        arch, arrays, notes = from_weights(file.saved, network, where)
        if arch.activation is not None:
            if activation is None:
                notes = (*notes, "no configuration in the file: the Dense layer's softmax is assumed")
            arch = replace(arch, activation=activation or arch.activation)
        # Keras builds all convolutions alike, so a bias that only one of them lacks is missing, not left out.
        built: dict[str, set[str]] = {}
        for layer, weights in arrays.items():
            built.setdefault(layer[-4:], set()).update(weights)
        return Recognised(arch, arrays, _absent({n: built[n[-4:]] for n in arrays}), None, notes)
    graph = read_graph(file.config, where)
    found = recognise(graph, where)
    arch = found.architecture
    if network is not None and NETWORKS[network] != (arch.pool_padding, arch.epsilon):
        says = f"pool padding {arch.pool_padding} and epsilon {arch.epsilon}, not network {network}"
        raise InputError(f"{where}: its configuration says {says}; leave the option out")
    if activation is not None and activation != arch.activation:
        says = f"activation {arch.activation}, not {activation}"
        raise InputError(f"{where}: its configuration says {says}; leave the option out")
    arrays = assign(found.parts, graph, file.saved, where)
    named = {layer: set(weight_names(node)) for layer, node in found.parts.items()}
    notes = tuple(f"in front of the ResNet, not run by npcam: {node.label}" for node in found.front)
    policies = {dtype_of(node) for node in found.parts.values()} - {"float32", "float64"}
    if policies:
        notes = (*notes, f"Keras computes it in {', '.join(sorted(policies))}, npcam in float32")
    return Recognised(arch, arrays, _absent(named), found.input_size, notes)


def expected_shapes(found: Recognised) -> Shapes:
    """The shape of every tensor of the ResNet, given the filters of the convolutions that are there."""
    filters = {
        layer: arrays["kernel"].shape[-1]
        for layer, arrays in found.arrays.items()
        if "kernel" in arrays and arrays["kernel"].shape
    }
    return weight_shapes(found.architecture, filters)


def present_shapes(found: Recognised) -> Shapes:
    """The shape of every tensor in the file, and of those that its layers were built without."""
    expected = expected_shapes(found)
    return {
        layer: {name: expected.get(layer, {}).get(name, ()) for name in found.absent[layer]}
        | {name: array.shape for name, array in arrays.items()}
        for layer, arrays in found.arrays.items()
    }


def _absent(built: dict[str, set[str]]) -> dict[str, tuple[str, ...]]:
    """The weights that layers were built without: those that have a default and are not in `built`.

    >>> _absent({"conv1_conv": {"kernel"}, "conv1_bn": {"beta", "moving_mean", "moving_variance"}})
    {'conv1_conv': ('bias',), 'conv1_bn': ('gamma',)}
    """
    absent = {}
    for layer, names in built.items():
        could = ("gamma", "beta") if layer.endswith("_bn") else ("bias",)
        absent[layer] = tuple(name for name in could if name not in names)
    return absent


def _read(found: Recognised, where: str) -> dict[str, dict[str, Array]]:
    """Read the arrays, once all their shapes fit, in the order in which the network uses them.

    What a layer was built without is added as the zeros or ones that change nothing.
    """
    check_shapes(found.architecture, present_shapes(found), where)
    return {
        layer: {
            name: np.full(shape, DEFAULTS[name], np.float32)
            if name in found.absent[layer]
            else found.arrays[layer][name].read()
            for name, shape in weights.items()
        }
        for layer, weights in expected_shapes(found).items()
    }

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
from npcam.common.hashes import sha256_file
from npcam.common.limits import MAX_INPUT_SIDE, MIN_INPUT_SIDE
from npcam.common.version import __version__
from npcam.keras_files.arrays import check_order
from npcam.keras_files.assign import Datasets, assign
from npcam.keras_files.file import KerasFile, open_keras
from npcam.keras_files.front import declared_size, read_front
from npcam.keras_files.graph import Node, reading_config
from npcam.keras_files.head import fold
from npcam.keras_files.recognise import Network, recognise
from npcam.keras_files.settings import dtype_of, weight_names
from npcam.keras_files.unroll import read_graph
from npcam.keras_files.walk import Walk
from npcam.keras_files.weights_alone import NETWORKS, from_weights
from npcam.layers import output_shapes, weight_shapes
from npcam.preprocessing import MODES, Preprocessing
from npcam.resnet import ACTIVATIONS, Architecture, last_activation
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
        made: layers that no array of the file is the weights of: `predictions`, where npcam made one
            kernel and one bias of a head of several layers.
        input_size: (height, width) of what the ResNet is given, or None where the file does not say.
        preprocessing: what is done to a photograph before the ResNet.
        assumed: which of "preprocessing", "input_size", "activation", "pooling" and "network" nothing tells.
        notes: what was folded, and what of the model is left out.
        origins: the name that each layer has in the file, by Keras's name of it in a ResNet.
        turned: whether kernels are stored turned by 180 degrees, as Keras on Theano kept them.
    """

    architecture: Architecture
    arrays: dict[str, Datasets]
    absent: dict[str, tuple[str, ...]]
    made: dict[str, dict[str, Array]]
    input_size: tuple[int, int] | None
    preprocessing: Preprocessing
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
    origins: dict[str, str]
    turned: bool = False


class Options(NamedTuple):
    """What a person says of a file, where it does not tell; each is None where nothing is said.

    Attributes:
        network: a key of NETWORKS.
        activation: a key of ACTIVATIONS.
        preprocessing: a key of MODES.
        input_size: (height, width).
    """

    network: str | None = None
    activation: str | None = None
    preprocessing: str | None = None
    input_size: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise InputError for a value that there is not."""
        for option, known in (("network", NETWORKS), ("activation", ACTIVATIONS), ("preprocessing", MODES)):
            value = getattr(self, option)
            if value is not None and value not in known:
                raise InputError(f"{option} {value!r}: expected one of {', '.join(known)}")
        if self.input_size is not None and not all(
            MIN_INPUT_SIDE <= side <= MAX_INPUT_SIDE for side in self.input_size
        ):
            found = "x".join(str(side) for side in self.input_size)
            raise InputError(
                f"input size {found}: sides of {MIN_INPUT_SIDE} to {MAX_INPUT_SIDE} pixels expected"
            )


def read_keras(
    path: str | Path,
    *,
    network: str | None = None,
    activation: str | None = None,
    preprocessing: str | None = None,
    input_size: tuple[int, int] | None = None,
) -> Weights:
    """Read a Keras ResNet: a `.keras` file, a `.weights.h5`, or a legacy `.h5` with or without its model.

    Args:
        path: the file.
        network: which of Keras's networks it is, for weights without their model where nothing in the
            file tells: "keras", "2018" (batch norm's epsilon is 1e-3) or "2017" (no padding before the
            pool, either).
        activation: the Dense layer's function, for weights without their model: "softmax" (assumed by
            default), "sigmoid" or "linear".
        preprocessing: what was done to photographs outside of the model: "caffe", "tf" or "torch", the
            modes of `keras.applications.imagenet_utils.preprocess_input`, "unit" (divided by 255) or
            "none" (RGB 0 to 255). By default "none" where layers of the model preprocess, else "caffe",
            which is noted as assumed.
        input_size: (height, width) of what the ResNet is given, in pixels, where the file does not say;
            224x224 is assumed by default.

    Returns:
        The weights under Keras's names for them (`conv1_conv`, `kernel`), in float32; without names
        of classes, which Keras does not save. What layers in front of the ResNet do to pixels is its
        preprocessing; layers between the average and the logits are folded into `predictions`.

    Raises:
        InputError: the file is not one of these, is damaged, or holds no ResNet that npcam runs; the
            message says which layer or tensor is the reason.
    """
    Options(network, activation, preprocessing, input_size).check()
    where = str(path)
    with open_keras(path) as file:
        found = recognise_file(file, where, network, activation, preprocessing, input_size)
        tensors = _read(found, where)
    weights = Weights(
        found.architecture,
        tensors,
        input_size=found.input_size or DEFAULT_SIZE,
        preprocessing=found.preprocessing,
        assumed=found.assumed,
        source=Path(path).name,
        source_sha256=sha256_file(path),
        converter=f"npcam {__version__}",
        notes=found.notes,
    )
    check(weights, where)
    return weights


def recognise_file(
    file: KerasFile,
    where: str,
    network: str | None = None,
    activation: str | None = None,
    preprocessing: str | None = None,
    input_size: tuple[int, int] | None = None,
) -> Recognised:
    """Find the ResNet in a file, by its configuration if it has one, else by its weights.

    Args:
        file: the open file, from `open_keras`.
        where: the file's name, for messages.
        network, activation, preprocessing, input_size: as `read_keras` takes them.

    Raises:
        InputError: there is no ResNet that npcam runs.
    """
    options = Options(network, activation, preprocessing, input_size)
    if file.config is None:
        found = _from_weights(file, where, options)
    else:
        with reading_config(where):
            found = _from_configuration(file, where, options)
    if file.metadata.get("backend") == "theano":
        # Theano convolves, all others correlate: Keras 2.3's loader turned kernels between them.
        note = "written by Keras on Theano: kernels turned by 180 degrees, as Keras's own loader did"
        found = found._replace(turned=True, notes=(*found.notes, note))
    return found


def _from_weights(file: KerasFile, where: str, options: Options) -> Recognised:
    """The ResNet in a file of weights alone."""
    arch, arrays, notes, origins, pooled = from_weights(
        file.saved, options.network, where, options.preprocessing is not None
    )
    told: dict[str, object] = {
        "network": options.network,
        "preprocessing": options.preprocessing,
        "input_size": options.input_size,
    }
    if arch.activation is not None:
        told["activation"] = options.activation
        if options.activation is None:
            if _classes(arrays) == 1:
                msg = f"{where}: a softmax of one class is always 100 %; say which function it has "
                raise InputError(f"{msg}with --activation sigmoid or linear")
            notes = (*notes, "no configuration in the file: the Dense layer's softmax is assumed")
        arch = replace(arch, activation=options.activation or arch.activation)
    # Keras builds all convolutions alike, so a bias that only one of them lacks is missing, not left out.
    built: dict[str, set[str]] = {}
    for layer, weights in arrays.items():
        built.setdefault(layer[-4:], set()).update(weights)
    return Recognised(
        arch,
        arrays,
        _absent({n: built[n[-4:]] for n in arrays}),
        {},
        options.input_size,
        MODES[options.preprocessing or "caffe"],
        (*(name for name, value in told.items() if value is None), *(() if pooled else ("pooling",))),
        notes,
        origins,
    )


def _from_configuration(file: KerasFile, where: str, options: Options) -> Recognised:
    """The ResNet in a file that holds its model's configuration."""
    graph = read_graph(file.config, where)
    found = recognise(graph, where)
    walk, arch = Walk(graph, where), found.architecture
    if options.network is not None and NETWORKS[options.network] != (arch.pool_padding, arch.epsilon):
        says = f"pool padding {arch.pool_padding} and epsilon {arch.epsilon}, not network {options.network}"
        raise InputError(f"{where}: its configuration says {says}; leave the option out")
    if options.activation not in (None, arch.activation):
        says = f"activation {arch.activation}, not {options.activation}"
        raise InputError(f"{where}: its configuration says {says}; leave the option out")

    def read(node: Node) -> dict[str, Array]:
        datasets = assign({"": node}, graph, file.saved, where)[""]
        missing = [name for name in weight_names(node) if name not in datasets]
        if missing:
            raise InputError(f"{where}: {node.label} has no {', '.join(missing)} in the file")
        return {name: dataset.read() for name, dataset in datasets.items() if name != "count"}

    arrays = assign(found.parts, graph, file.saved, where)
    if "kernel" in arrays["conv1_conv"]:
        check_order(found.parts["conv1_conv"].path[-1], arrays["conv1_conv"]["kernel"].extent, where)
    front = read_front(walk, found.entry, read, options.preprocessing, options.input_size)
    size, assumed = _size(walk, found, front.size, options, where)
    made, notes = {}, [*front.notes]
    channels = _channels(found, arrays)
    if channels is not None:
        maps = output_shapes(arch, {}, size)[last_activation(arch)][1:3] if size else (None, None)
        folded = fold(found.head, walk, (maps[0], maps[1]), channels, read)
        if folded is not None:
            made["predictions"] = {"kernel": folded[0], "bias": folded[1]}
            parts = ", ".join(node.label for node in found.head.computing)
            notes.append(f"folded into predictions: {parts}")
    named = {layer: set(weight_names(node)) for layer, node in found.parts.items()}
    computing = [*found.parts.values(), *found.head.layers, *walk.in_order(found.entry.path)]
    policies = {dtype_of(node) for node in computing if node.kind != "InputLayer"} - {"float32", "float64"}
    if policies:
        notes.append(f"Keras computes it in {', '.join(sorted(policies))}, npcam in float32")
    assumed = (*(["preprocessing"] if front.assumed else []), *assumed)
    origins = {layer: node.path[-1] for layer, node in found.parts.items()}
    if "predictions" in made:
        origins["predictions"] = ", ".join(node.path[-1] for node in found.head.computing)
    return Recognised(
        arch,
        arrays,
        _absent(named),
        made,
        size,
        front.preprocessing,
        assumed,
        tuple(notes),
        origins,
    )


def _size(
    walk: Walk, found: Network, told: tuple[int | None, int | None], options: Options, where: str
) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
    """The size of what the ResNet is given, None where nothing says it, and whether it is assumed."""
    declared = declared_size(walk, found.parts["conv1_conv"].path)
    height, width = (a or b for a, b in zip(told, declared, strict=True))
    if options.input_size is not None:
        said = options.input_size
        if (height or said[0], width or said[1]) != said:
            says = f"input size {height or 'any'}x{width or 'any'}, not {said[0]}x{said[1]}"
            raise InputError(f"{where}: its configuration says {says}; leave the option out")
        return said, ()
    if height is None or width is None:
        return (None if height is width else (height or DEFAULT_SIZE[0], width or DEFAULT_SIZE[1])), (
            "input_size",
        )
    return (height, width), ()


def _classes(arrays: dict[str, Datasets]) -> int:
    """How many outputs the Dense layer has."""
    kernel = arrays["predictions"].get("kernel")
    return kernel.extent[-1] if kernel is not None and kernel.extent else 0


def _channels(found: Network, arrays: dict[str, Datasets]) -> int | None:
    """How many maps the last convolution makes; None where its kernel is missing, which others report."""
    last = last_activation(found.architecture).removesuffix("_out")
    shape = arrays[f"{last}_3_conv"]["kernel"].shape if "kernel" in arrays[f"{last}_3_conv"] else ()
    return shape[-1] if shape else None


def expected_shapes(found: Recognised) -> Shapes:
    """The shape of every tensor of the ResNet, given the filters of the convolutions that are there."""
    filters = {
        layer: arrays["kernel"].shape[-1]
        for layer, arrays in found.arrays.items()
        if "kernel" in arrays and arrays["kernel"].shape
    } | {layer: arrays["kernel"].shape[-1] for layer, arrays in found.made.items()}
    return weight_shapes(found.architecture, filters)


def present_shapes(found: Recognised) -> Shapes:
    """The shape of every tensor in the file, and of those that its layers were built without."""
    expected = expected_shapes(found)
    return {
        layer: {name: expected.get(layer, {}).get(name, ()) for name in found.absent[layer]}
        | {name: array.shape for name, array in arrays.items()}
        for layer, arrays in found.arrays.items()
    } | {layer: {name: array.shape for name, array in made.items()} for layer, made in found.made.items()}


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
        layer: found.made[layer]
        if layer in found.made
        else {
            name: np.full(shape, DEFAULTS[name], np.float32)
            if name in found.absent[layer]
            else _turned(found.arrays[layer][name].read(), found.turned)
            for name, shape in weights.items()
        }
        for layer, weights in expected_shapes(found).items()
    }


def _turned(array: Array, turned: bool) -> Array:
    """A convolution's kernel turned by 180 degrees where it is stored so; any other array as it is."""
    return np.ascontiguousarray(array[::-1, ::-1]) if turned and array.ndim == 4 else array

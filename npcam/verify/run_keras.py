"""A run of a Keras model, layer by layer: what each layer put out, under npcam's names for them."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.keras_files import parse_json, read_graph, recognise
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.verify.live_keras import backend_version
from npcam.verify.record import Record, array_sha256, tensor_hashes
from npcam.weights import tensors_sha256


class Call(NamedTuple):
    """A layer's last call in a run: its class, what it was given, and what it made of it."""

    kind: str
    inputs: list[Any]
    output: Any


def run_keras(keras: Any, model: Any, x: Array, arch: Architecture, name: str = "") -> Record:
    """Run a Keras model eagerly, layer by layer, and take every activation.

    Layers are found by the names that Keras's own ResNets have; in a network that names them
    otherwise, by what they do (`keras_files.recognise`). Nested models are looked into. Where no layer
    of the model goes by a name of npcam's, its activation is what the layer after it was given.

    Args:
        keras: the module that `import_keras` gives.
        model: a Keras model.
        x: the preprocessed batch, (N, H, W, 3) float32.
        arch: the network that npcam takes it for.
        name: the name of the model's file, for the record and messages.

    Raises:
        InputError: Keras cannot run it on `x`.
    """
    calls, result = _calls(keras, model, x, name)
    by_name = {layer.name: layer for layer in _leaves(model)}
    names = _names(model, calls, arch)
    found = {
        layer.name: calls[key].output
        for layer in layers(arch)
        if (key := names.get(layer.name, layer.name)) in calls
    }
    _trace_back(found, calls, names, arch)
    dense = names.get("predictions", "predictions")
    if "predictions" in found:
        found["logits"] = _logits(keras, by_name[dense], calls[dense])
        if tuple(getattr(result, "shape", ())) == tuple(found["predictions"].shape):
            found["predictions"] = result  # where the softmax is a layer of its own
    order = [*(layer.name for layer in layers(arch)), "logits"]
    activations = {n: _to_numpy(keras, found[n]) for n in order if n in found}
    tensors = _tensors(keras, by_name, names, arch)
    provenance = {
        "made_by": f"keras {keras.__version__}",
        "engine": backend_version(keras),
        "model": name,
        "weights_sha256": tensors_sha256(tensors),
        "input_sha256": array_sha256(x),
    }
    for layer_name, arrays in tensors.items():
        epsilon = getattr(by_name[names.get(layer_name, layer_name)], "epsilon", None)
        if epsilon is not None:
            arrays["epsilon"] = np.array(epsilon)
    return Record(activations, provenance, tensor_hashes(tensors))


def layer_names(model: Any) -> set[str]:
    """The names of a model's layers, those of nested models among them."""
    return {layer.name for layer in _leaves(model)}


def _calls(keras: Any, model: Any, x: Array, where: str) -> tuple[dict[str, Call], Any]:
    """Run a model once and note what each layer, of nested models too, was given and gave."""
    calls: dict[str, Call] = {}
    try:
        with _watched(model, calls):
            result = model(keras.ops.convert_to_tensor(x), training=False)
    except Exception as error:  # whatever a model makes Keras raise
        reason = " ".join(str(error).split())[:300]
        msg = f"{where}: Keras cannot run it on an input of shape {x.shape} ({reason})"
        raise InputError(msg) from error
    return calls, result


@contextlib.contextmanager
def _watched(model: Any, calls: dict[str, Call]) -> Iterator[None]:
    """Note what each layer's `call` is given and gives; Keras's functional models have no other hook."""

    def watch(name: str, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def noting(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            given = args[0] if args else next(iter(kwargs.values()), None)
            inputs = list(given) if isinstance(given, (list, tuple)) else [given]
            calls[name] = Call(kind, inputs, output)
            return output

        return noting

    watched = [layer for layer in _leaves(model) if type(layer).__name__ != "InputLayer"]
    for layer in watched:
        layer.call = watch(layer.name, type(layer).__name__, layer.call)
    try:
        yield
    finally:
        for layer in watched:
            del layer.call


def _leaves(model: Any) -> list[Any]:
    """The layers of a model and of the models nested in it, but not those models themselves."""
    found: list[Any] = []
    for layer in model.layers:
        found += _leaves(layer) if hasattr(layer, "layers") else [layer]
    return found


def _names(model: Any, calls: dict[str, Call], arch: Architecture) -> dict[str, str]:
    """{npcam's name of a layer: the model's name of it}, where they differ."""
    if "conv1_conv" in calls and (arch.activation is None or "predictions" in calls):
        return {}
    try:
        graph = read_graph(parse_json(model.to_json(), model.name), model.name)
        return {part: node.path[-1] for part, node in recognise(graph, model.name).parts.items()}
    except (InputError, NotImplementedError):  # another network, or a subclass with no graph: by names
        dense = [layer.name for layer in _leaves(model) if type(layer).__name__ == "Dense"]
        return {"predictions": dense[0]} if len(dense) == 1 else {}


def _trace_back(
    found: dict[str, Any], calls: dict[str, Call], names: dict[str, str], arch: Architecture
) -> None:
    """Add the activations of layers that go by no known name: what a known layer after each was given."""
    made_by = {id(call.output): call for call in calls.values()}
    for layer in reversed(layers(arch)):
        if layer.name not in found or len(layer.inputs) != 1:
            continue
        value = found[layer.name]
        call = calls.get(names.get(layer.name, layer.name)) or made_by.get(id(value))
        if layer.kind == "ZeroPadding2D" and (call is None or call.kind != layer.kind):
            found.setdefault(layer.inputs[0], value)  # the model pads elsewhere, or not at all
        elif call is not None and len(call.inputs) == 1:
            found.setdefault(layer.inputs[0], call.inputs[0])


def _logits(keras: Any, dense: Any, call: Call) -> Any:
    """What the dense layer puts out before its activation."""
    activation, dense.activation = dense.activation, keras.activations.linear
    try:
        return dense.call(call.inputs[0])
    finally:
        dense.activation = activation


def _tensors(
    keras: Any, by_name: dict[str, Any], names: dict[str, str], arch: Architecture
) -> dict[str, dict[str, Array]]:
    """The model's weights by npcam's names, for their hash."""
    known = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    return {
        layer.name: {
            weight.name: _to_numpy(keras, weight.value) for weight in owner.weights if weight.name in known
        }
        for layer in layers(arch)
        if (owner := by_name.get(names.get(layer.name, layer.name))) is not None and owner.weights
    }


def _to_numpy(keras: Any, value: Any) -> Array:
    """A backend's tensor as a NumPy array of a float type that NumPy itself has."""
    array: Array = np.asarray(keras.ops.convert_to_numpy(value))
    return array if array.dtype.kind == "f" else array.astype(np.float32)  # bfloat16

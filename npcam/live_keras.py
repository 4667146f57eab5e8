"""Live Keras: load it on a chosen backend, load or build a model, take every layer's activation.

The only module that imports Keras, and only when it is asked to. Everything else in npcam reads
Keras's files without it.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam import resnet
from npcam.errors import InputError
from npcam.keras_config import parse_json, read_graph
from npcam.keras_graph import recognise
from npcam.layers import layers
from npcam.record import Record, array_sha256, tensor_hashes
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.weights import Weights, tensors_sha256

BACKENDS = ("tensorflow", "jax", "torch", "numpy")


class Call(NamedTuple):
    """What a layer of a class was given, and what it made of it, in the last call of a run."""

    kind: str
    inputs: list[Any]
    output: Any


def import_keras(backend: str | None = None) -> Any:
    """Import Keras on one backend; which one is decided at its first import, for good.

    Args:
        backend: "tensorflow", "jax", "torch" or "numpy"; None for what `KERAS_BACKEND` says, else
            the first of them that is installed.

    Raises:
        InputError: Keras or the backend is not installed, or Keras runs on another one already.
    """
    wanted = backend or os.environ.get("KERAS_BACKEND") or _installed_backend()
    if wanted not in BACKENDS:
        raise InputError(f"backend {wanted!r} is not known; choose one of {', '.join(BACKENDS)}")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = wanted
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its greetings are no results of ours
    try:
        keras = importlib.import_module("keras")
    except ImportError as error:
        msg = f"Keras on backend {wanted} cannot be imported ({error}); pip install keras {wanted}"
        raise InputError(msg) from error
    running = keras.backend.backend()
    if running != wanted and backend:
        raise InputError(
            f"Keras runs on {running} in this process already; start a new one for backend {backend}"
        )
    return keras


def load_keras_model(keras: Any, path: str | Path) -> Any:
    """Have Keras load a `.keras` file or a whole-model `.h5`, in its safe mode.

    Raises:
        InputError: the file is missing, or Keras refuses it.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give a .keras file or a .h5 that holds a whole Keras model")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a broken model makes Keras raise
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: Keras cannot load it ({reason}); save it again") from error


def build_keras_model(keras: Any, weights: Weights) -> Any:
    """Build a network in Keras from npcam's weights, layer by layer, for pictures of any size.

    Args:
        keras: the module that `import_keras` gives.
        weights: the network and its tensors.

    Returns:
        A functional `keras.Model`.
    """
    arch = weights.architecture
    made: dict[str, Any] = {}
    for layer in layers(arch):
        x = [made[name] for name in layer.inputs]
        if layer.kind == "InputLayer":
            made[layer.name] = keras.Input((None, None, 3), name=layer.name)
        else:
            operation = getattr(keras.layers, layer.kind)(
                **_settings(layer.kind, layer, arch, weights.tensors), name=layer.name
            )
            made[layer.name] = operation(x if layer.kind == "Add" else x[0])
    model = keras.Model(made["input_layer"], made[layer.name], name="npcam")
    for name, arrays in weights.tensors.items():
        for variable in model.get_layer(name).weights:
            variable.assign(arrays[variable.name])
    return model


def keras_input(keras: Any, photo: str | Path, size: tuple[int, int]) -> Array:
    """A photograph as Keras's own functions turn it into a batch: (1, H, W, 3) float32."""
    image = keras.utils.load_img(photo, target_size=size)
    pixels = keras.utils.img_to_array(image)[None]
    batch: Array = np.asarray(keras.applications.resnet50.preprocess_input(pixels))
    return batch


def run_keras(keras: Any, model: Any, x: Array, arch: Architecture, name: str = "") -> Record:
    """Run a Keras model eagerly, layer by layer, and take every activation.

    Layers are found by the names that Keras's own ResNets have; in a network that names them
    otherwise, by what they do (`keras_graph.recognise`). Nested models are looked into. Where a layer
    of npcam's has no name in the model, it is what the layer after it was given.

    Args:
        keras: the module that `import_keras` gives.
        model: a Keras model.
        x: preprocessed batch (N, H, W, 3), float32.
        arch: the network that npcam takes it for.
        name: of the model's file, for the record and messages.

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
        if tuple(result.shape) == tuple(found["predictions"].shape):
            found["predictions"] = result  # where the softmax is a layer of its own
    activations = {n: _to_numpy(keras, value) for n, value in found.items()}
    tensors = _tensors(keras, by_name, names, arch)
    provenance = {
        "made_by": f"keras {keras.__version__}",
        "engine": _backend_version(keras),
        "model": name,
        "weights_sha256": tensors_sha256(tensors),
        "input_sha256": array_sha256(x),
    }
    for layer_name, arrays in tensors.items():
        epsilon = getattr(by_name[names.get(layer_name, layer_name)], "epsilon", None)
        if epsilon is not None:
            arrays["epsilon"] = np.array(epsilon)
    return Record(activations, provenance, tensor_hashes(tensors))


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
    """Put a note-taker before each layer's `call`; Keras's functional models know no other hook."""

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


def layer_names(model: Any) -> set[str]:
    """The names of a model's layers, those of nested models among them."""
    return {layer.name for layer in _leaves(model)}


def _leaves(model: Any) -> list[Any]:
    """The layers of a model and of the models nested in it, without these."""
    found: list[Any] = []
    for layer in model.layers:
        found += _leaves(layer) if hasattr(layer, "layers") else [layer]
    return found


def _names(model: Any, calls: dict[str, Call], arch: Architecture) -> dict[str, str]:
    """{npcam's name of a layer: the model's}, where they differ."""
    if "conv1_conv" in calls and (arch.activation is None or "predictions" in calls):
        return {}
    try:
        graph = read_graph(parse_json(model.to_json(), model.name), model.name)
        return {part: node.path[-1] for part, node in recognise(graph, model.name).parts.items()}
    except (InputError, NotImplementedError):  # not the ResNet that it is to be: by names, then
        dense = [layer.name for layer in _leaves(model) if type(layer).__name__ == "Dense"]
        return {"predictions": dense[0]} if len(dense) == 1 else {}


def _trace_back(
    found: dict[str, Any], calls: dict[str, Call], names: dict[str, str], arch: Architecture
) -> None:
    """Add what the layers that go by no known name put out: what a known layer after them was given."""
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


def _settings(kind: str, layer: Any, arch: Architecture, tensors: resnet.Tensors) -> dict[str, Any]:
    """The arguments of a Keras layer."""
    if kind in ("Conv2D", "Dense"):
        filters = tensors[layer.name]["kernel"].shape[-1]
        if kind == "Dense":
            return {"units": filters, "activation": arch.activation}
        padding = layer.padding if isinstance(layer.padding, str) else "valid"
        return {
            "filters": filters,
            "kernel_size": layer.window,
            "strides": layer.stride,
            "padding": padding,
        }
    return {
        "ZeroPadding2D": {"padding": layer.padding},
        "BatchNormalization": {"epsilon": arch.epsilon},
        "Activation": {"activation": "relu"},
        "MaxPooling2D": {"pool_size": layer.window, "strides": layer.stride},
    }.get(kind, {})


def _to_numpy(keras: Any, value: Any) -> Array:
    """A backend's tensor as a NumPy array of a float type that NumPy itself has."""
    array: Array = np.asarray(keras.ops.convert_to_numpy(value))
    return array if array.dtype.kind == "f" else array.astype(np.float32)  # bfloat16


def _installed_backend() -> str:
    """The first backend that is installed; NumPy always is."""
    return next(name for name in BACKENDS if importlib.util.find_spec(name))


def _backend_version(keras: Any) -> str:
    """`jax 0.7.1`."""
    name = keras.backend.backend()
    return f"{name} {importlib.import_module(name).__version__}"

"""A run of a Keras model, layer by layer: what each layer put out, under npcam's names for them."""

import itertools
from collections.abc import Container
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.keras_files import parse_json, read_graph, recognise
from npcam.layers import layers
from npcam.resnet import Architecture, last_activation
from npcam.shapes import Array
from npcam.verify.live_keras import backend_version
from npcam.verify.record import Record, array_sha256, tensor_hashes
from npcam.verify.trace import Call, Trace, leaves
from npcam.weights import tensors_sha256


def run_keras(
    keras: Any, model: Any, x: Array, arch: Architecture, name: str = "", preprocessing: str = ""
) -> Record:
    """Run a Keras model eagerly, layer by layer, and take every activation.

    Layers are found by the names that Keras's own ResNets have; in a network that names them
    otherwise, by what they do (`keras_files.recognise`). Nested models are looked into. Where no layer
    of the model goes by a name of npcam's, its activation is what the layer after it was given.

    A model may have several outputs. `predictions` is the one that all the others lead to. What leads
    nowhere and is no layer of the network is kept under its own layer's name: only this model has it.

    Args:
        keras: the module that `import_keras` gives.
        model: a Keras model.
        x: what the model takes, (N, H, W, 3) or (N, H, W, 1), float32.
        arch: the network that npcam takes it for.
        name: the name of the model's file, for the record and messages.
        preprocessing: how a photograph became `x`, for the record.

    Raises:
        InputError: Keras cannot run it on `x`.
    """
    trace = Trace(keras, model, x, name)
    by_name = {layer.name: layer for layer in leaves(model)}
    names = _names(model, trace, arch)
    found = {
        layer.name: trace.calls[key].output
        for layer in layers(arch)
        if (key := names.get(layer.name, layer.name)) in trace.calls
    }
    _find_pooled(found, trace, arch)
    _trace_back(found, trace, names, arch)
    head_is_dense = arch.activation is not None and _find_head(keras, found, trace, names, by_name)
    order = [*(layer.name for layer in layers(arch)), "logits"]
    activations = {n: _without_sides(_to_numpy(keras, found[n]), n) for n in order if n in found}
    for output in _others(found, trace, arch):
        activations[_name_of(output, trace, activations)] = _to_numpy(keras, output)
    tensors = _tensors(keras, by_name, names, arch)
    if not head_is_dense:  # npcam made one kernel of several layers' weights: their hashes differ
        tensors.pop("predictions", None)
    provenance = {
        "made_by": f"keras {keras.__version__}",
        "engine": backend_version(keras),
        "model": name,
        "weights_sha256": tensors_sha256(tensors),
        "input_sha256": array_sha256(activations.get("input_layer", x)),
        **({"preprocessing": preprocessing} if preprocessing else {}),
    }
    for layer_name, arrays in tensors.items():
        epsilon = getattr(by_name[names.get(layer_name, layer_name)], "epsilon", None)
        if epsilon is not None:
            arrays["epsilon"] = np.array(epsilon)
    return Record(activations, provenance, tensor_hashes(tensors))


def layer_names(model: Any) -> set[str]:
    """The names of a model's layers, those of nested models among them."""
    return {layer.name for layer in leaves(model)}


def first_convolution_input(keras: Any, model: Any, x: Array, name: str = "") -> Array | None:
    """What a Keras model's first convolution is given of `x`; None where no layer is a Conv2D.

    One of a 1x1 kernel only mixes channels: it belongs to what stands before, if another comes after it.
    Where nothing but zero padding stands before, `x` itself is returned, and nothing is run.

    Raises:
        InputError: Keras cannot run it on `x`.
    """
    all_layers = leaves(model)
    convolutions = [layer for layer in all_layers if type(layer).__name__ == "Conv2D"]
    first = next((layer for layer in convolutions if max(layer.kernel_size) > 1), (*convolutions, None)[0])
    if first is not None and hasattr(model, "operations"):
        before = {type(layer).__name__ for layer in all_layers[: all_layers.index(first)]}
        if before <= {"InputLayer", "ZeroPadding2D"}:
            return x
    calls = Trace(keras, model, x, name).calls.values()
    return next(
        (_to_numpy(keras, call.inputs[0]) for call in calls if first is not None and call.name == first.name),
        None,
    )


def _names(model: Any, trace: Trace, arch: Architecture) -> dict[str, str]:
    """{npcam's name of a layer: the model's name of it}, where they differ."""
    if "conv1_conv" in trace.calls and (arch.activation is None or "predictions" in trace.calls):
        return {}
    try:
        graph = read_graph(parse_json(model.to_json(), model.name), model.name)
        return {part: node.path[-1] for part, node in recognise(graph, model.name).parts.items()}
    except (InputError, NotImplementedError):  # another network, or a subclass with no graph: by names
        dense = [layer.name for layer in leaves(model) if type(layer).__name__ == "Dense"]
        return {"predictions": dense[0]} if len(dense) == 1 else {}


def _find_pooled(found: dict[str, Any], trace: Trace, arch: Architecture) -> None:
    """Add the average pool where it has another name: what makes one value per channel of the last maps."""
    maps = found.get(last_activation(arch))
    if maps is None or arch.activation is None:
        return
    n, channels = maps.shape[0], maps.shape[-1]
    for call in trace.calls.values():
        shape = tuple(getattr(call.output, "shape", ()))
        if any(given is maps for given in call.inputs) and shape in ((n, channels), (n, 1, 1, channels)):
            found.setdefault("avg_pool", call.output)


def _trace_back(found: dict[str, Any], trace: Trace, names: dict[str, str], arch: Architecture) -> None:
    """Add the activations of layers that go by no known name: what a known layer after each was given."""
    for layer in reversed(layers(arch)):
        if layer.name not in found or len(layer.inputs) != 1:
            continue
        value = found[layer.name]
        call = trace.calls.get(names.get(layer.name, layer.name)) or trace.maker(value)
        if layer.kind == "ZeroPadding2D" and (call is None or call.kind != layer.kind):
            found.setdefault(layer.inputs[0], value)  # the model pads elsewhere, or not at all
        elif call is not None and len(call.inputs) == 1:
            found.setdefault(layer.inputs[0], call.inputs[0])


def _find_head(
    keras: Any, found: dict[str, Any], trace: Trace, names: dict[str, str], by_name: dict[str, Any]
) -> bool:
    """Put the model's predictions and its logits into `found`; whether one Dense layer makes them."""
    dense = trace.calls.get(names.get("predictions", "predictions"))
    head = _predictions(found, trace, dense)
    if head is None:
        return False
    found["predictions"] = head
    call = trace.maker(head)
    if call is not None and call.kind in ("Activation", "Softmax", "Sigmoid"):
        found["logits"] = call.inputs[0]
        call = trace.maker(call.inputs[0])
    if call is None or call.kind != "Dense":
        return False
    found.setdefault("logits", _without_activation(keras, by_name[call.name], call))
    below: Any = call.inputs[0]
    while below is not found.get("avg_pool") and (made := trace.maker(below)):
        if made.kind not in ("Flatten", "Reshape"):
            break
        below = made.inputs[0]
    return below is found.get("avg_pool")


def _predictions(found: dict[str, Any], trace: Trace, dense: Call | None) -> Any | None:
    """The output that classifies: of those that are no layer below it, the one that all others lead to.

    Where a model has several heads, it is that of the Dense layer which stands for `predictions`;
    where that is none of the outputs, what the layer itself gives.
    """
    below = {id(value) for name, value in found.items() if name != "predictions"}
    heads = [output for output in trace.outputs if id(output) not in below]
    own = dense.output if dense is not None else None
    for some in (heads, [head for head in heads if id(own) in trace.leading_to(head)]):
        for head in some:
            if {id(other) for other in some} <= trace.leading_to(head):
                return head
    return own


def _without_activation(keras: Any, dense: Any, call: Call) -> Any:
    """What a Dense layer puts out before its activation."""
    activation, dense.activation = dense.activation, keras.activations.linear
    try:
        return dense.call(call.inputs[0])
    finally:
        dense.activation = activation


def _others(found: dict[str, Any], trace: Trace, arch: Architecture) -> list[Any]:
    """The outputs that are no layer of the network's, and lead to none."""
    end = found.get("predictions", found.get(last_activation(arch)))
    known = {id(value) for value in found.values()} | trace.leading_to(end)
    return [output for output in trace.outputs if id(output) not in known]


def _name_of(output: Any, trace: Trace, taken: Container[str]) -> str:
    """A name for an output that is no layer of the network's: its layer's, unless that is taken."""
    call = trace.maker(output)
    name = (call.name if call else "output").replace("/", "_")
    return next(n for n in (name, *(f"{name}_{i}" for i in itertools.count(1))) if n not in taken)


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
        if (owner := by_name.get(names.get(layer.name, layer.name))) is not None
        and getattr(owner, "weights", None)
    }


def _without_sides(array: Array, name: str) -> Array:
    """A layer of the top as (N, C): an average may keep its sides of 1, and a head may be a convolution."""
    top = name in ("avg_pool", "predictions", "logits")
    return array[:, 0, 0] if top and array.ndim == 4 and array.shape[1:3] == (1, 1) else array


def _to_numpy(keras: Any, value: Any) -> Array:
    """A backend's tensor as a NumPy array of a float type that NumPy itself has."""
    array: Array = np.asarray(keras.ops.convert_to_numpy(value))
    return array if array.dtype.kind == "f" else array.astype(np.float32)  # bfloat16

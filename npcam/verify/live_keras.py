"""Live Keras: load it on a chosen backend, have it load or build a model, and prepare a photograph.

The only module that imports Keras, and only when it is asked to. Everything else in npcam reads
Keras's files without it.
"""

import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.layers import Layer, layers
from npcam.preprocessing import MODES, Preprocessing, preprocess
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.weights import Weights

BACKENDS = ("tensorflow", "jax", "torch")


def import_keras(backend: str | None = None) -> Any:
    """Import Keras on one backend; which one is decided at its first import, for good.

    Args:
        backend: "tensorflow", "jax" or "torch"; None for what `KERAS_BACKEND` says, else
            the first of them that is installed.

    Raises:
        InputError: Keras or the backend is not installed, or Keras runs on another one already.
    """
    wanted = backend or os.environ.get("KERAS_BACKEND") or _installed_backend()
    if wanted not in BACKENDS:
        why = "computes with JAX's convolutions" if wanted == "numpy" else "is not known"
        raise InputError(f"backend {wanted!r} {why}; choose one of {', '.join(BACKENDS)}")
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
    require_file(path, "give a .keras file or a .h5 that holds a whole Keras model")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a broken model makes Keras raise
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: Keras cannot load it ({reason}); save it again") from error


def keras_network(
    keras: Any,
    arch: Architecture,
    filters: Mapping[str, int],
    size: tuple[int | None, int | None] = (None, None),
) -> Any:
    """Build a network in Keras, layer by layer, with the weights that Keras starts from.

    The layers are made in the order in which `keras.applications` makes them, a block's shortcut
    first: with one seed (`keras.utils.set_random_seed`), both start from the same weights.

    Args:
        keras: the module that `import_keras` gives.
        arch: the architecture.
        filters: what each convolution and `predictions` puts out, by layer name.
        size: (height, width) of the pictures; None for any.

    Returns:
        A functional `keras.Model`.
    """
    made: dict[str, Any] = {}
    table = layers(arch)
    for _, block in itertools.groupby(table, key=lambda layer: layer.name.split("_")[:2]):
        for layer in sorted(block, key=lambda layer: "_0_" not in layer.name):
            if layer.kind == "InputLayer":
                made[layer.name] = keras.Input((*size, 3), name=layer.name)
            else:
                make = getattr(keras.layers, layer.kind)
                x = [made[name] for name in layer.inputs]
                operation = make(**_settings(layer, arch, filters), name=layer.name)
                made[layer.name] = operation(x if layer.kind == "Add" else x[0])
    return keras.Model(made[table[0].name], made[table[-1].name], name="resnet50")


def build_keras_model(
    keras: Any, weights: Weights, size: tuple[int | None, int | None] = (None, None)
) -> Any:
    """Build a network in Keras from npcam's weights.

    Args:
        keras: the module that `import_keras` gives.
        weights: the network and its tensors.
        size: (height, width) of the pictures; None for any.

    Returns:
        A functional `keras.Model`.
    """
    filters = {
        name: arrays["kernel"].shape[-1] for name, arrays in weights.tensors.items() if "kernel" in arrays
    }
    model = keras_network(keras, weights.architecture, filters, size)
    for name, arrays in weights.tensors.items():
        for variable in model.get_layer(name).weights:
            variable.assign(arrays[variable.name])
    return model


def keras_input(
    keras: Any, photo: str | Path, size: tuple[int, int], preprocessing: Preprocessing = MODES["caffe"]
) -> Array:
    """A photograph as Keras's own functions turn it into a batch.

    Args:
        keras: the module that `import_keras` gives.
        photo: the photograph's path.
        size: (height, width) to which it is resized.
        preprocessing: what is done to its pixels: by Keras where it is one of Keras's modes, else by npcam.

    Returns:
        (1, H, W, 3) float32, of `size` unless the preprocessing enlarges it; one channel where it is
        grey and nothing more is done.
    """
    mode = next((n for n in ("caffe", "tf", "torch") if MODES[n].steps == preprocessing.steps), None)
    colours = "grayscale" if preprocessing.grey else "rgb"
    image = keras.utils.load_img(photo, target_size=size, color_mode=colours)
    pixels = keras.utils.img_to_array(image, data_format="channels_last", dtype="float32")[None]
    if mode is None or preprocessing.grey:
        return preprocess(pixels, preprocessing)
    prepare = keras.applications.imagenet_utils.preprocess_input
    return np.ascontiguousarray(prepare(pixels, data_format="channels_last", mode=mode))


def backend_version(keras: Any) -> str:
    """The backend that Keras runs on, with its version: `jax 0.7.1`."""
    name = keras.backend.backend()
    return f"{name} {importlib.import_module(name).__version__}"


def _settings(layer: Layer, arch: Architecture, filters: Mapping[str, int]) -> dict[str, Any]:
    """The arguments of a Keras layer."""
    k, window, stride = filters.get(layer.name), layer.window, layer.stride
    padding = layer.padding if isinstance(layer.padding, str) else "valid"
    settings: dict[str, dict[str, Any]] = {
        "Conv2D": {"filters": k, "kernel_size": window, "strides": stride, "padding": padding},
        "Dense": {"units": k, "activation": arch.activation},
        "ZeroPadding2D": {"padding": layer.padding},
        "BatchNormalization": {"epsilon": arch.epsilon},
        "Activation": {"activation": "relu"},
        "MaxPooling2D": {"pool_size": window, "strides": stride},
    }
    return settings.get(layer.kind, {})


def _installed_backend() -> str:
    """The first backend that is installed; the first of all where none is, for the message."""
    return next((name for name in BACKENDS if importlib.util.find_spec(name)), BACKENDS[0])

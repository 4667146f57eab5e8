"""Live Keras: load it on a chosen backend, have it load or build a model, and prepare a photograph.

The only module that imports Keras, and only when it is asked to. Everything else in npcam reads
Keras's files without it.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.layers import Layer, layers
from npcam.preprocessing import MODES, Preprocessing, preprocess
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array
from npcam.weights import Weights

BACKENDS = ("tensorflow", "jax", "torch", "numpy")


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
    require_file(path, "give a .keras file or a .h5 that holds a whole Keras model")
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


def _settings(kind: str, layer: Layer, arch: Architecture, tensors: Tensors) -> dict[str, Any]:
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
    settings: dict[str, dict[str, Any]] = {
        "ZeroPadding2D": {"padding": layer.padding},
        "BatchNormalization": {"epsilon": arch.epsilon},
        "Activation": {"activation": "relu"},
        "MaxPooling2D": {"pool_size": layer.window, "strides": layer.stride},
    }
    return settings.get(kind, {})


def _installed_backend() -> str:
    """The first backend that is installed; NumPy always is."""
    return next(name for name in BACKENDS if importlib.util.find_spec(name))

"""The other side of a comparison: from a word or a file's path to a recorded run."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.hdf5 import open_hdf5
from npcam.images.batch import is_batch, read_batch
from npcam.keras_files import count_blocks, is_zip, read_keras
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.verify.live_keras import build_keras_model, import_keras, keras_input, load_keras_model
from npcam.verify.record import FORMAT as RECORD
from npcam.verify.record import Record, read_record
from npcam.verify.run_keras import layer_names, run_keras
from npcam.verify.run_npcam import run_npcam
from npcam.weights import FORMAT as WEIGHTS
from npcam.weights import Weights, read_weights


class Source(NamedTuple):
    """What is put through both programs.

    Attributes:
        path: the file of a photograph, which Keras prepares by itself, or of a saved batch.
        x: the batch that npcam made of it, (N, H, W, 3) float32.
        weights: npcam's network.
    """

    path: str
    x: Array
    weights: Weights


def other_run(against: str, source: Source, backend: str | None = None) -> Record:
    """Have the other program run the same input, or read what it made of it.

    Args:
        against: "reference" (npcam in float64), "fast" (npcam's fast engine), "keras" (Keras, built
            from npcam's weights), or the path of a Keras model, a record, or npcam weights.
        source: the input, and npcam's network.
        backend: the one that Keras runs on, see `live_keras.import_keras`.

    Raises:
        InputError: there is no such file, it is none of these, or it cannot be run.
    """
    weights = source.weights
    if against == "reference":
        return run_npcam(weights, source.x, dtype=np.float64)
    if against == "fast":
        return run_npcam(weights, source.x, "fast")
    if against == "keras":
        keras = import_keras(backend)
        x = _keras_batch(keras, source.path, weights.input_size)
        return run_keras(keras, build_keras_model(keras, weights), x, weights.architecture)
    known = "reference, fast, keras, a Keras model, a record or a weights file"
    require_file(against, f"--against takes {known}")
    kind = None if is_zip(against) else _format(against)
    if kind == RECORD:
        return read_record(against)
    if kind == WEIGHTS:
        return run_npcam(read_weights(against), source.x)
    return run_keras_file(against, source.path, backend, weights)


def run_keras_file(path: str, photo: str, backend: str | None, weights: Weights | None = None) -> Record:
    """Have Keras run a model of its own on a photograph or a saved batch.

    Args:
        path: a `.keras` file or whole-model `.h5`, which Keras loads in its safe mode; or a file of
            weights alone, which npcam reads and builds a Keras model for.
        photo: the file of a photograph, which Keras's own functions prepare, or of a saved batch.
        backend: the one that Keras runs on, see `live_keras.import_keras`.
        weights: npcam's network, for the names of the layers; None to go by the model alone.

    Raises:
        InputError: one of the files cannot be used, or Keras cannot be imported or cannot run it.
    """
    require_file(path, "give the path of a Keras model")
    whole = is_zip(path) or _has_model(path)
    keras = import_keras(backend)
    if whole:
        model = load_keras_model(keras, path)
        network = weights or _recognised(path, layer_names(model))
    else:
        found = read_keras(path)
        model, network = build_keras_model(keras, found), weights or found
    x = _keras_batch(keras, photo, network.input_size)
    return run_keras(keras, model, x, network.architecture, Path(path).name)


def _recognised(path: str, names: set[str]) -> Weights:
    """The network in a Keras file; where npcam cannot read it, the one that its layers' names tell of."""
    try:
        return read_keras(path)
    except InputError:
        blocks = count_blocks(names)
        if not blocks:
            raise
        activation = "softmax" if "predictions" in names else None
        strides = (1, *[2] * (len(blocks) - 1))
        return Weights(Architecture(blocks=blocks, strides=strides, activation=activation), {})


def _keras_batch(keras: Any, path: str, size: tuple[int, int]) -> Array:
    """A saved batch as it is; a photograph as Keras's own functions prepare it."""
    return read_batch(path) if is_batch(path) else keras_input(keras, path, size)


def _format(path: str) -> Any:
    """What kind of npcam's files an HDF5 file says it is; None where it says nothing."""
    with open_hdf5(path) as file:
        return file.attribute("format")


def _has_model(path: str) -> bool:
    """Whether a Keras HDF5 file holds a whole model, not weights alone."""
    with open_hdf5(path) as file:
        return file.attribute("model_config") is not None

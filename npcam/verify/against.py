"""The other side of a comparison: from a word or a file's path to a recorded run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.hdf5 import open_hdf5
from npcam.keras_files import count_blocks, is_zip, read_keras
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.shapes import Array
from npcam.verify.foreign import is_arrays
from npcam.verify.live_keras import build_keras_model, import_keras, load_keras_model
from npcam.verify.port import read_port
from npcam.verify.prepare import prepare_keras, prepare_npcam
from npcam.verify.record import FORMAT as RECORD
from npcam.verify.record import Record, in_pieces, read_record
from npcam.verify.run_keras import layer_names, run_keras
from npcam.verify.run_npcam import run_npcam
from npcam.verify.telling import Naming
from npcam.weights import FORMAT as WEIGHTS
from npcam.weights import Weights, read_weights

ENGINES = {"reference": ("reference", np.float64), "fast": ("fast", np.float32)}  # npcam's own, and how
WORDS = (*ENGINES, "keras")


class Source(NamedTuple):
    """What is put through both programs.

    Attributes:
        path: the file of a photograph, which the other program prepares by itself, or of a saved batch.
        x: the batch that npcam made of it, (N, H, W, 3) float32.
        weights: npcam's network.
        how: how npcam made it, in words.
        own: npcam's run of it, if there is one already.
    """

    path: str
    x: Array
    weights: Weights
    how: str = ""
    own: Record | None = None


def is_kept(against: str) -> bool:
    """Whether the other side is a run that was saved, and not a program to run."""
    if against in WORDS:
        return False
    return is_arrays(against) or (
        Path(against).is_file() and not is_zip(against) and _format(against) == RECORD
    )


def other_run(
    against: str, source: Source, backend: str | None = None, naming: Naming | None = None
) -> Record:
    """Have the other program run the same input, or read what it made of it.

    Args:
        against: "reference" (npcam in float64), "fast" (npcam's fast engine), "keras" (Keras, built
            from npcam's weights), or the path of a Keras model, a record, npcam weights, or arrays:
            an `.npz`, a folder of `.npy` files, a plain `.h5`.
        source: the input, and npcam's network.
        backend: the one that Keras runs on, see `live_keras.import_keras`.
        naming: how arrays are told; None to tell by their names.

    Raises:
        InputError: there is no such file, it is none of these, or it cannot be run; or `naming` is for
            something that is no arrays.
    """
    if against not in WORDS and is_arrays(against):
        return read_port(against, _whole_run(source), source.weights, naming or Naming())
    if naming is not None:
        raise InputError(
            f"{against}: --names and --by-order are for an .npz, a folder of .npy or a plain .h5"
        )
    weights = source.weights
    if against in ENGINES:
        engine, dtype = ENGINES[against]
        return run_npcam(weights, source.x, engine, dtype, source.how)
    if against == "keras":
        keras = import_keras(backend)
        model = build_keras_model(keras, weights)
        x, how = prepare_keras(keras, model, source.path, weights)
        return run_keras(keras, model, x, weights.architecture, "", how)
    known = "reference, fast, keras, a Keras model, a record, a weights file, an .npz or a folder of .npy"
    require_file(against, f"--against takes {known}")
    kind = None if is_zip(against) else _format(against)
    if kind == RECORD:
        return read_record(against)
    if kind == WEIGHTS:
        other = read_weights(against)
        x, how = prepare_npcam(source.path, other)
        return run_npcam(other, x, preprocessing=how)
    return run_keras_file(against, source.path, backend, weights)


def _whole_run(source: Source) -> Record:
    """npcam's run of every layer, which shows what arrays without names are."""
    names = {layer.name for layer in layers(source.weights.architecture)}
    if source.own is not None and names <= set(source.own.activations):
        return source.own
    return run_npcam(source.weights, source.x)


def run_keras_file(
    path: str,
    photo: str,
    backend: str | None,
    weights: Weights | None = None,
    layers: Sequence[str] | None = None,
) -> Record:
    """Have Keras run a model of its own on a photograph or a saved batch.

    Args:
        path: a `.keras` file or whole-model `.h5`, which Keras loads in its safe mode; or a file of
            weights alone, which npcam reads and builds a Keras model for.
        photo: the file of a photograph, which Keras's own functions prepare, or of a saved batch.
        backend: the one that Keras runs on, see `live_keras.import_keras`.
        weights: npcam's network, for the names of the layers and for the preprocessing of a model that
            has none; None to go by the model alone.
        layers: the layers to keep, with the input; None for all.

    Raises:
        InputError: one of the files cannot be used, or Keras cannot be imported or cannot run it.
    """
    require_file(path, "give the path of a Keras model")
    if is_zip(path) or _has_model(path):
        keras = import_keras(backend)
        model = load_keras_model(keras, path)
        network = weights or _recognised(path, layer_names(model))
    else:
        found = read_keras(path)  # what is no network is told before Keras is imported, which takes seconds
        keras = import_keras(backend)
        model, network = build_keras_model(keras, found), weights or found
    name = Path(path).name
    x, how = prepare_keras(keras, model, photo, network, name, batch=weights is None)

    def run(part: Array) -> Record:
        return run_keras(keras, model, part, network.architecture, name, how)

    return in_pieces(run, x, layers)


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
        arch = Architecture(blocks=blocks, strides=strides, activation=activation)
        return Weights(arch, {}, assumed=("preprocessing",))


def _format(path: str) -> Any:
    """What kind of npcam's files an HDF5 file says it is; None where it says nothing."""
    with open_hdf5(path) as file:
        return file.attribute("format")


def _has_model(path: str) -> bool:
    """Whether a Keras HDF5 file holds a whole model, not weights alone."""
    with open_hdf5(path) as file:
        return file.attribute("model_config") is not None

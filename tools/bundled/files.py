"""Where a training run's weights come from and go to: starting weights in, a .keras file out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from bundled.calibration import temperature
from bundled.checkpoint import read_checkpoint
from bundled.network import Arrays, build_keras, keras_arrays, set_keras_arrays
from bundled.photos import Photographs
from bundled.report import say

from npcam import InputError, preprocess_input
from npcam.common.files import replacing
from npcam.hdf5 import open_hdf5
from npcam.keras_files import read_keras
from npcam.weights import FORMAT, read_weights, tensors_sha256

PREPROCESSING = "caffe"  # what `npcam.preprocess_input` does to every photograph of a batch


def starting_arrays(
    classes: int, width: float, last_stride: int, seed: int, init: str | None
) -> tuple[Arrays, str | None]:
    """The weights of step 0: Keras's random ones, or those of a file.

    Args:
        classes: units of the dense layer.
        width: share of ResNet-50's filters.
        last_stride: of conv5; the arrays are the same for any.
        seed: of Keras's initialisers.
        init: a file that npcam or Keras wrote; a dense layer of another number of classes starts afresh.

    Returns:
        The arrays, and the SHA-256 of the file's tensors (None without a file).
    """
    import keras

    keras.utils.set_random_seed(seed)
    arrays = keras_arrays(build_keras(classes, width, last_stride))
    if init is None:
        for name in arrays:  # each block starts as the identity: a deep network learns from the first step
            if name.endswith("_3_bn/gamma"):
                arrays[name][:] = 0
        return arrays, None
    with_top = read_weights(init) if _is_npcam(init) else read_keras(init)
    given = {
        f"{layer}/{name}": a for layer, members in with_top.tensors.items() for name, a in members.items()
    }
    for name, array in arrays.items():
        head = name.startswith("predictions/")
        if head and (name not in given or given[name].shape != array.shape):
            continue
        if name not in given or given[name].shape != array.shape:
            found = f"shape {given[name].shape}" if name in given else "missing"
            msg = f"{init}: {name} is {found}, needed {array.shape}; give --width of this file's network"
            raise InputError(msg)
        arrays[name] = given[name].astype(np.float32)
    return arrays, tensors_sha256(with_top.tensors)


def _is_npcam(path: str) -> bool:
    """Whether a file is npcam's own; everything else is left to the reader of Keras's files to judge."""
    try:
        with open_hdf5(path) as file:
            return bool(file.attribute("format") == FORMAT)
    except InputError:
        return False


def calibrate(model: Any, photographs: Photographs, size: int) -> float:
    """Divide a Keras model's dense layer by the temperature that fits the photographs; returns it."""
    parts = np.array_split(np.arange(len(photographs)), -(-len(photographs) // 64))
    inputs = (preprocess_input(photographs.plain(part, size, nearest=True)) for part in parts)
    probabilities = np.concatenate([model.predict_on_batch(x) for x in inputs])
    found = temperature(probabilities, photographs.labels)
    dense = model.get_layer("predictions")
    dense.set_weights([array / np.float32(found) for array in dense.get_weights()])
    return found


def export(checkpoint: Path, folder: Path, size: int, calibration: Photographs | None) -> None:
    """Write model.keras and class_names.txt from a checkpoint's averaged weights, calibrated or not.

    The command that converts them is said, with what a `.keras` file does not tell: how photographs
    are preprocessed.
    """
    saved, state = read_checkpoint(checkpoint)
    recipe = saved["recipe"]
    model = build_keras(len(recipe["classes"]), recipe["width"], recipe["last_stride"], size)
    set_keras_arrays(model, state["average"])
    how = "" if calibration is None else f", temperature {calibrate(model, calibration, size):.3f}"
    with replacing(folder / "model.keras") as unfinished:
        named = unfinished.with_suffix(".keras")  # Keras goes by the suffix
        try:
            model.save(named)
            named.replace(unfinished)
        finally:
            named.unlink(missing_ok=True)
    with replacing(folder / "class_names.txt") as unfinished:
        unfinished.write_text("\n".join(recipe["classes"]) + "\n")
    say(f"{folder / 'model.keras'}: step {saved['step']}{how}")
    files = [str(folder / name) for name in ("model.keras", "model.h5", "class_names.txt")]
    command = ["npcam", "convert", *files[:2], "--class-names", files[2], "--preprocessing", PREPROCESSING]
    say(f"for npcam's own file: {shlex.join(command)}")

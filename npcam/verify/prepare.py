"""What each program is given of a photograph: prepared as its author does it, or as it is.

A Keras model may preprocess by itself, in layers or operations before its first convolution. Then it
is given the photograph's pixels; given prepared ones, it would prepare them again. Whether it does is
tried: a picture of one colour goes in, and what its first convolution is given is looked at.
"""

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_INPUT_PIXELS, MAX_RECORD_BYTES
from npcam.images.photos import open_photo
from npcam.preprocessing import MODES, Preprocessing
from npcam.shapes import Array
from npcam.verify.batch import is_batch, read_batch, read_input
from npcam.verify.live_keras import keras_input
from npcam.verify.record import BY_ITSELF, BYTES
from npcam.verify.run_keras import first_convolution_input
from npcam.verify.trace import declared_shapes
from npcam.weights import Weights

COLOUR = (250.0, 150.0, 50.0)  # red, green and blue that no preprocessing leaves as they are
SAVED = "a saved batch, taken as it is"


class Prepared(NamedTuple):
    """What a program is given.

    Attributes:
        x: the batch, (N, H, W, 3), or (N, H, W, 1) for a model that takes grey photographs; float32.
        how: what was done to the photograph before, in words.
    """

    x: Array
    how: str


class Front(NamedTuple):
    """What stands before a Keras model's first convolution.

    Attributes:
        preprocesses: whether it changes the values of pixels.
        enlarges: whether it makes the picture larger, beyond the padding of a convolution.
    """

    preprocesses: bool
    enlarges: bool


def prepare_npcam(path: str, weights: Weights) -> Prepared:
    """A photograph as npcam prepares it for a network, or a saved batch as it is.

    Raises:
        InputError: the file is neither.
    """
    how = SAVED if is_batch(path) else in_words(weights.preprocessing, weights)
    return Prepared(read_input(path, weights.photo_size, weights.preprocessing), how)


def prepare_keras(
    keras: Any, model: Any, path: str, network: Weights, name: str = "", batch: bool = True
) -> Prepared:
    """A photograph as Keras's own functions prepare it for a model, or a saved batch as it is.

    A photograph is resized to the size that the model's input declares, or else to the network's. A
    model that preprocesses by itself is given its pixels; another one, what `network` says.

    Args:
        keras: the module that `import_keras` gives.
        model: a Keras model.
        path: the photograph or `.npy` file.
        network: the network that npcam takes the model for: its preprocessing and input size.
        name: of the model's file, for messages.
        batch: whether a saved batch may be given to a model that preprocesses by itself.

    Raises:
        InputError: the file is neither, or Keras cannot run the model on it, or what the model declares
            takes more memory than the limits allow.
    """
    size, channels = _declared(model)
    _require_room(model, size, name)
    if is_batch(path):
        x = read_batch(path)
        if not batch and front(keras, model, (x.shape[1], x.shape[2]), channels, name).preprocesses:
            what = "a saved batch, which is preprocessed already"
            raise InputError(f"{path}: {what}; {name} preprocesses by itself: give it the photograph")
        return Prepared(x, SAVED)
    open_photo(path)  # one line for what is no photograph, before Keras opens it
    found = front(keras, model, size or network.photo_size, channels, name)
    before = MODES["none"] if found.preprocesses else network.preprocessing
    done = {"enlarge"} if found.enlarges else set()
    if channels == 1:  # the model makes three channels of one
        done.add("channels")
    steps = tuple(step for step in before.steps if step.operation not in done)
    before = replace(before, steps=steps, grey=channels == 1)
    how = BY_ITSELF if found.preprocesses else in_words(before, network)
    height, width = size or network.input_size
    rows, columns = before.enlarge
    return Prepared(keras_input(keras, path, (height // rows, width // columns), before), how)


def front(keras: Any, model: Any, size: tuple[int, int], channels: int = 3, name: str = "") -> Front:
    """Try what a Keras model does before its first convolution, on a picture of one colour.

    Args:
        keras: the module that `import_keras` gives.
        model: a Keras model.
        size: (height, width) of the picture.
        channels: 3, or 1 where the model takes grey photographs.
        name: of the model's file, for messages.

    Raises:
        InputError: Keras cannot run the model on such a picture.
    """
    x = np.empty((1, *size, channels), np.float32)
    x[:] = COLOUR if channels == 3 else COLOUR[1]
    seen = first_convolution_input(keras, model, x, name)
    if seen is None:
        return Front(preprocesses=False, enlarges=False)
    middle = seen[0, seen.shape[1] // 2, seen.shape[2] // 2]
    same = np.allclose(middle, x[0, 0, 0] if len(middle) == channels else x[0, 0, 0, 0], rtol=1e-3)
    return Front(not same, min(seen.shape[1] / size[0], seen.shape[2] / size[1]) > 1.5)


def in_words(preprocessing: Preprocessing, network: Weights) -> str:
    """A preprocessing by its name, what it does, and whether that is known of the network.

    >>> from npcam.resnet import Architecture
    >>> in_words(MODES["unit"], Weights(Architecture(), {}, assumed=("preprocessing",)))
    'unit (divide 255), assumed'
    """
    assumed = ", assumed" if "preprocessing" in network.assumed else ""
    return f"{preprocessing.name} ({preprocessing.describe()}){assumed}"


def _require_room(model: Any, size: tuple[int, int] | None, name: str) -> None:
    """Raise InputError, before anything is run, where a model declares more than npcam lets Keras compute."""
    if size is not None and prod(size) > MAX_INPUT_PIXELS:
        found = f"photographs of {size[0]:,}x{size[1]:,} pixels, {MAX_INPUT_PIXELS:,} in all at most"
        raise InputError(f"{name}: is for {found}; save it for smaller ones")
    total = BYTES * sum(prod(shape) for shape in declared_shapes(model))
    if total > MAX_RECORD_BYTES:
        found = f"its layers put out {total:,} bytes for one photograph, {MAX_RECORD_BYTES:,} at most"
        raise InputError(f"{name}: {found}; save it for smaller photographs")


def _declared(model: Any) -> tuple[tuple[int, int] | None, int]:
    """(height, width) that a model's input declares, None where it takes any; and its channels, or 3."""
    inputs = getattr(model, "inputs", None) or []
    shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    if len(shape) != 4:
        return None, 3
    size = None if None in shape[1:3] else (int(shape[1]), int(shape[2]))
    return size, 1 if shape[3] == 1 else 3

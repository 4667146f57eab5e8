"""`npcam.record`: what a model made of a photograph, layer by layer, in memory and in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from npcam.common.errors import InputError
from npcam.images.photos import Photo, open_photo
from npcam.images.preprocess import to_input
from npcam.model import Model
from npcam.shapes import Array

if TYPE_CHECKING:
    from npcam.verify.record import Record


def record(
    model: Model, photo: Photo | Array, path: str | Path | None = None, *, layers: Sequence[str] | None = None
) -> "Record":
    """Run a photograph layer by layer and keep every activation, for `npcam verify --against`.

    Args:
        model: from `npcam.load_model`; whatever its engine is, its layers are run as Keras runs them.
        photo: a path, a binary file, a Pillow image, or pixels (H, W, 3) uint8, prepared as the
            network's author does it; or a preprocessed batch (N, H, W, 3) of floats, or the path of an
            `.npy` file of one, taken as it is.
        path: where to write the record, an HDF5 file (docs/record.md); None to write none.
        layers: names of the layers to keep, with the input; None for all.

    Returns:
        The run. `activations` holds an array of the model's float type for each layer, by Keras's
        name, and the logits; `provenance` says how they came about.

    Raises:
        InputError: the photograph or a layer's name cannot be used, more would be kept than a record
            may hold, or the file cannot be written.

    >>> from npcam import load_model
    >>> run = record(load_model(), np.zeros((40, 60, 3), np.uint8), layers=["avg_pool"])
    >>> {name: array.shape for name, array in run.activations.items()}
    {'input_layer': (1, 224, 224, 3), 'avg_pool': (1, 512)}
    """
    # what is beside the lecture waits until it is used, so that `import npcam` stays quick
    from npcam.verify.prepare import SAVED, Prepared, in_words, prepare_npcam
    from npcam.verify.record import write_record
    from npcam.verify.run_npcam import run_npcam

    weights = model.weights
    if isinstance(photo, str | Path):
        x, how = prepare_npcam(str(photo), weights)
        name = Path(photo).name
    elif isinstance(photo, np.ndarray) and photo.dtype.kind == "f":
        if photo.ndim != 4:
            msg = f"record: expected a preprocessed batch (N, H, W, 3) of floats, got shape {photo.shape}"
            raise InputError(msg)
        x, how = Prepared(photo, SAVED)
        name = ""
    else:
        pixels = to_input(open_photo(photo), weights.photo_size, grey=weights.preprocessing.grey)
        x, how = model.preprocess(pixels[None]), in_words(weights.preprocessing, weights)
        name = ""
    found = run_npcam(weights, x, "reference", model.dtype, how, layers)
    if name:
        found.provenance["input"] = name
    if path is not None:
        write_record(path, found)
    return found

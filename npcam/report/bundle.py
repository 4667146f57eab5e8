"""From a network and photographs to a report's data: every number that its page shows.

Nothing in it says when or where it was made: the same run gives the same bytes.
"""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from npcam.card import network_in_words
from npcam.common.hashes import sha256_file
from npcam.common.version import __version__
from npcam.convert.findings import in_values
from npcam.images.preprocess import to_input
from npcam.model import Model
from npcam.report.audited import Auditor, audit_data
from npcam.report.canonical import encode, sealed, sha256_of
from npcam.report.explained import Options, explained, held, shown_classes
from npcam.report.photograph import MIME, small_photograph
from npcam.report.shape import FORMAT, VERSION
from npcam.shapes import Array
from npcam.stream.batches import Seen
from npcam.weights import tensors_sha256

if TYPE_CHECKING:
    from PIL.Image import Image


class Reported(NamedTuple):
    """One photograph's part of a report.

    Attributes:
        data: what goes under "photos".
        picture: the JPEG that the page shows.
    """

    data: dict[str, Any]
    picture: bytes


def bundle(model: dict[str, Any], options: Options, photos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A report's data, with the hash over all of them.

    Args:
        model: from `model_data`.
        options: how the photographs were read and explained.
        photos: the `data` of each.
    """
    return sealed(
        {
            "format": FORMAT,
            "version": VERSION,
            "npcam": __version__,
            "model": model,
            "options": options_data(options),
            "photos": list(photos),
        }
    )


def options_data(options: Options) -> dict[str, Any]:
    """The options as plain values."""
    return {
        "interpolation": options.interpolation,
        "exif_transpose": options.exif_transpose,
        "align": options.align,
        "threshold": options.threshold,
        "targets": None if options.targets is None else list(options.targets),
        "top": options.top,
        "digits": options.digits,
        "audit": options.audit,
    }


def model_data(model: Model, path: str | Path) -> dict[str, Any]:
    """What a report says of the network.

    Args:
        model: the network, with a top.
        path: the weights file that it was loaded from.

    >>> from npcam.common.where import bundled_path
    >>> from npcam.model import load_model
    >>> model_data(load_model(), bundled_path())["map"]
    [14, 14, 512]
    """
    weights = model.weights
    height, width = model.input_size
    x = np.zeros((1, height, width, 3), model.dtype)
    maps = model.activations(x, model.last_activation)[model.last_activation][0]
    return {
        "weights": Path(path).name,
        "weights_sha256": sha256_file(path),
        "tensors_sha256": tensors_sha256(weights.tensors),
        "source": weights.source,
        "source_sha256": weights.source_sha256,
        "converter": weights.converter,
        "network": network_in_words(weights),
        "input_size": [height, width],
        "preprocessing": f"{weights.preprocessing.name}: {weights.preprocessing.describe()}",
        "activation": weights.architecture.activation,
        "classes": model.classes,
        "last_activation": model.last_activation,
        "map": list(maps.shape),
        "assumptions": list(weights.assumptions),
        "notes": list(weights.notes),
        "findings": [finding._asdict() for finding in in_values(weights.tensors)],
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The libraries that a number may depend on in its last digits, as they are here."""
    import h5py
    import PIL
    import scipy
    from PIL import features

    return {
        "h5py": h5py.__version__,
        "libjpeg": str(features.version("libjpeg_turbo") or features.version("jpg")),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "python": platform.python_version(),
        "scipy": scipy.__version__,
    }


def photo_data(one: Seen, options: Options, audit: Auditor | None = None) -> Reported:
    """What a report says of one photograph, and the picture that it shows.

    Args:
        one: the photograph, as it went through the network.
        options: how it was read, and which classes are explained.
        audit: what audits one class of a pass, where the options ask for that.
    """
    seen = held(one.seen)
    model = one.seen.model
    grey = model.weights.preprocessing.grey
    pixels = to_input(seen.photo, model.photo_size, options.interpolation, grey)
    target, classes = shown_classes(seen, options)
    picture, size = small_photograph(seen.photo)
    data = {
        "photo": Path(one.path).name,
        "photo_sha256": one.sha256,
        **photo_itself(seen.photo, pixels, picture, size),
        "features": {"shape": list(seen.features.shape), "float32": encode(seen.features)},
        "target": target,
        "classes": explained(seen, classes),
        "digits": digits_data(model, pixels, target, options) if options.digits else None,
        "audit": audit_data(model, seen.photo, target, options, audit) if audit and options.audit else None,
    }
    return Reported(data, picture)


def photo_itself(photo: "Image", pixels: Array, picture: bytes, size: tuple[int, int]) -> dict[str, Any]:
    """What a report says of a photograph's pixels.

    Args:
        photo: decoded, RGB.
        pixels: as the network was given them, before its preprocessing, uint8.
        picture: the JPEG that the page shows.
        size: that picture's (width, height).
    """
    return {
        "size": list(photo.size),
        "exif_orientation": photo.info.get("orientation"),
        "input_sha256": sha256_of(np.ascontiguousarray(pixels).tobytes()),
        "picture": {"mime": MIME, "width": size[0], "height": size[1], "sha256": sha256_of(picture)},
    }


def digits_data(model: Model, pixels: Array, target: int, options: Options) -> dict[str, Any]:
    """What rounding to float32 may do to the explanation of one class, whatever the model computes in."""
    from npcam.verify.digits import as_json, digits

    if model.dtype != np.float32:
        model = Model(model.weights, np.float32, engine="reference")
    found = digits(model, model.preprocess(pixels[None]), target, options.align, options.threshold)
    return as_json(found, model.class_names)

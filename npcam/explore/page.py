"""The page: a network's table and weights, a photograph, and the scripts that run it, in one file."""

import base64
import io
import zlib
from importlib import resources
from math import prod
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import replacing
from npcam.common.text import printable
from npcam.common.version import __version__
from npcam.common.web import in_script
from npcam.images.photos import Photo, open_photo
from npcam.images.preprocess import to_input
from npcam.labels import as_written
from npcam.layers import layers, output_shapes
from npcam.model import Model
from npcam.pictures.colormaps import colormap
from npcam.shapes import Array
from npcam.weights import tensors_sha256

ENGINE = ("network.js", "photo.js", "arithmetic.js", "record.js")  # what the page and its worker both have
PAGE = (  # in this order: what a script does at once needs those before it
    *("draw.js", "state.js", "classes.js", "blocks.js", "maps.js"),
    *("numbers.js", "pixel.js", "evidence.js", "explore.js"),
)
MOST_PARAMETERS = 4_000_000  # a page of 19 MB; the bundled model has 1.5 million
MOST_PRODUCTS = 2_000_000_000  # of one pass, about a second; the bundled model has 0.4 thousand million
# What `npcam verify` says of the page's numbers, by the hash of the weights; the tests keep it true.
CHECKED = {
    "f1929f0f936438643ddd2d0b1ef233637c88a12b16819b6ef2b6d4906296102f": (
        "177 layers, none further off than 10 %"
    )
}
VIEW = 640  # pixels of the longer side of the photograph as the page shows it
# Dark blue, white, dark red: 0 is white, and both sides are told apart without their hue's help by words.
SIGNED = (
    (0.0, 0.25, 0.5, 0.75, 1.0),
    ((5, 48, 97), (67, 147, 195), (247, 247, 247), (214, 96, 77), (103, 0, 31)),
)


def write_explorer(
    path: str | Path, model: Model, photo: Photo | None = None, name: str = "", verify_options: str = ""
) -> None:
    """Write a network as a page in which it runs: one file that asks for nothing else.

    Args:
        path: the file; the old one is replaced as a whole.
        model: from `npcam.load_model`.
        photo: what it opens with: a path, a binary file, a Pillow image, or pixels (H, W, 3) uint8; None for
            a page that waits for one.
        name: what the page calls the network; its source's name if empty.
        verify_options: what `npcam verify` needs to have the same network, `--weights mine.h5`.

    Raises:
        InputError: the network has no top or is too large for a page, the photograph cannot be read, or the
            page cannot be written.

    >>> import tempfile
    >>> from npcam.model import load_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_explorer(Path(folder, "a.html"), load_model())
    ...     Path(folder, "a.html").stat().st_size < 8_000_000
    True
    """
    model.require_top("be explored")
    check_size(model)
    shown = {} if photo is None else _photo(model, photo)
    folder, shared = resources.files("npcam.explore"), resources.files("npcam.common") / "page"
    scripts = [_read(shared, "make.js"), *(_read(folder, script) for script in PAGE)]
    name = name or model.weights.source or "a network"
    text = Template(_read(folder, "explore.html")).substitute(
        title=_escaped(printable(f"{name}: every number of a network")),
        style=_read(folder, "explore.css").strip(),
        network=in_script(_about(model, printable(name)) | {"verify_options": f" {verify_options}".rstrip()}),
        weights=base64.b64encode(packed(model)).decode(),
        photo=in_script(shown),
        engine="\n".join(_read(folder, script) for script in ENGINE).strip(),
        worker=_read(folder, "worker.js").strip(),
        script="\n".join(scripts).strip(),
    )
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def check_size(model: Model) -> None:
    """Raise InputError where a network is too large to be carried and run by a page."""
    parameters, products = cost(model)
    if parameters <= MOST_PARAMETERS and products <= MOST_PRODUCTS:
        return
    reason = (
        f"has {parameters:,} parameters and takes {products / 1e6:,.0f} million products for a photograph; "
        f"a page carries up to {MOST_PARAMETERS:,} and runs up to {MOST_PRODUCTS / 1e6:,.0f} million"
    )
    source = model.weights.source or "this network"
    raise InputError(f"explore: {source} {reason}; take a narrower network, such as the bundled one")


def cost(model: Model) -> tuple[int, int]:
    """How many parameters a network has, and how many products it sums for one photograph.

    >>> from npcam.model import load_model
    >>> cost(load_model())
    (1508078, 400404480)
    """
    tensors = model.weights.tensors
    parameters = sum(array.size for arrays in tensors.values() for array in arrays.values())
    kernels = {layer: arrays["kernel"].size for layer, arrays in tensors.items() if "kernel" in arrays}
    filters = {layer: tensors[layer]["bias"].size for layer in kernels}
    shapes = output_shapes(model.weights.architecture, filters, model.input_size)
    places = {layer: prod(size or 0 for size in shapes[layer][1:-1]) for layer in kernels}
    return parameters, sum(places[layer] * size for layer, size in kernels.items() if layer != "predictions")


def packed(model: Model) -> bytes:
    """All weights as bytes that zlib has packed, with nothing lost.

    In the order of the layers; all numbers' first bytes, then their second ones, and so on: signs and
    exponents lie together, which packs better.
    """
    arrays = [np.asarray(array, "<f4").ravel() for _, _, array in _listed(model)]
    planes = np.concatenate(arrays).view(np.uint8).reshape(-1, 4).T  # (4, numbers)
    return zlib.compress(np.ascontiguousarray(planes).tobytes(), 9)


def _listed(model: Model) -> list[tuple[str, str, Array]]:
    """Layer, name and array of each weight, in the network's order."""
    tensors = model.weights.tensors
    names = [layer.name for layer in layers(model.weights.architecture) if layer.name in tensors]
    return [(layer, name, array) for layer in names for name, array in tensors[layer].items()]


def _about(model: Model, name: str) -> dict[str, Any]:
    """What the scripts know of the network: its table, as npcam's and Keras's names have it."""
    weights, sha256 = model.weights, tensors_sha256(model.weights.tensors)
    table = [layer._asdict() for layer in layers(weights.architecture)]
    for layer in table:
        if layer["kind"] == "BatchNormalization":
            layer["epsilon"] = weights.architecture.epsilon
    names = weights.class_names or tuple(f"class {index}" for index in range(model.classes))
    places, colours = SIGNED
    ramp = np.linspace(0, 1, 255)
    signed = np.stack([np.interp(ramp, places, channel) for channel in zip(*colours, strict=True)], axis=-1)
    return {
        "name": name,
        "npcam": __version__,
        "parameters": cost(model)[0],
        "tensors_sha256": sha256,
        "checked": CHECKED.get(sha256),
        "assumptions": list(weights.assumptions),
        "layers": table,
        "activation": weights.architecture.activation,
        "input_size": model.input_size,
        "photo_size": model.photo_size,
        "preprocessing": {
            "name": weights.preprocessing.name,
            "grey": weights.preprocessing.grey,
            "steps": [
                step._asdict() if hasattr(step, "_asdict") else vars(step)
                for step in weights.preprocessing.steps
            ],
        },
        "class_names": [printable(as_written(one)) for one in names],
        "weights": [(layer, weight, array.shape) for layer, weight, array in _listed(model)],
        "colours": {
            "viridis": colormap("viridis").tobytes().hex(),
            "signed": np.rint(signed).astype(np.uint8).tobytes().hex(),
        },
    }


def _photo(model: Model, photo: Photo) -> dict[str, Any]:
    """The photograph: the pixels that the network is given, and a smaller picture to look at."""
    image = open_photo(photo)
    pixels = to_input(image, model.photo_size)
    view, file = image.copy(), io.BytesIO()
    view.thumbnail((VIEW, VIEW))
    view.info = {}
    view.save(file, "JPEG", quality=85)
    return {
        "name": printable(Path(photo).name) if isinstance(photo, str | Path) else "the photograph",
        "size": image.size,
        "turned": "orientation" in image.info,
        "pixels": base64.b64encode(pixels.tobytes()).decode(),
        "view": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}",
    }


def _read(folder: Any, name: str) -> str:
    text: str = (folder / name).read_text(encoding="utf-8")
    return text


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)

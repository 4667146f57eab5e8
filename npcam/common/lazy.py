"""Names of `npcam` that are imported when somebody asks for them, so that `import npcam` stays quick."""

import importlib
from typing import Any

ROOMS = (
    *("audit", "cam", "card", "cli", "common", "convert", "datasets", "engine", "explore"),
    *("hdf5", "images", "inside", "keras_files", "labels", "layers", "localise", "model"),
    *("pictures", "preprocessing", "report", "resnet", "shapes", "slides", "stages", "stream"),
    *("verify", "weights"),
)
ELSEWHERE = {
    "colormaps": ("npcam.pictures.colormaps", None),
    "draw": ("npcam.pictures.draw", None),
    "feature_maps": ("npcam.inside", "feature_maps"),
    "fetch": ("npcam.convert.fetch", None),
    "photos": ("npcam.images.photos", None),
    "record": ("npcam.verify.recording", "record"),
}


def __getattr__(name: str) -> Any:
    """A module of npcam's, or a function of one, as an attribute of `npcam`.

    >>> import npcam
    >>> npcam.draw.normalize.__module__
    'npcam.pictures.draw'
    """
    if name in ROOMS:
        return importlib.import_module(f"npcam.{name}")
    if name in ELSEWHERE:
        module, function = ELSEWHERE[name]
        found = importlib.import_module(module)
        return getattr(found, function) if function else found
    raise AttributeError(f"module 'npcam' has no attribute {name!r}")


def __dir__() -> list[str]:
    """All names, those that wait included, for whoever completes them with a key."""
    own = vars(importlib.import_module("npcam"))
    return sorted({*own, *ROOMS, *ELSEWHERE})

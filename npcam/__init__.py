"""Keras ResNet-50 and its class activation maps in pure NumPy.

>>> import npcam
>>> model = npcam.load_model()
>>> e = npcam.explain(model, "examples/chelsea.png")
>>> e.label
'cat'
"""

from npcam.common import collector, interrupts, threads, weights_hash  # noqa: F401  # before the rest is imported

# isort: split
from typing import TYPE_CHECKING

from npcam import naive, ops
from npcam.cam import bounding_box, class_activation_map, upsample_map
from npcam.common.errors import InputError
from npcam.common.version import __version__
from npcam.explain import Explanation, Explanations, explain
from npcam.images.preprocess import load_image, preprocess_input
from npcam.labels import decode_predictions
from npcam.model import Model, load_model
from npcam.pictures.versus import Versus

if TYPE_CHECKING:
    from npcam.inside import feature_maps
    from npcam.pictures import draw
    from npcam.verify.recording import record
else:
    from npcam.common.lazy import __dir__, __getattr__  # noqa: F401

__all__ = [
    "Explanation",
    "Explanations",
    "InputError",
    "Model",
    "Versus",
    "__version__",
    "bounding_box",
    "class_activation_map",
    "decode_predictions",
    "draw",
    "explain",
    "feature_maps",
    "load_image",
    "load_model",
    "naive",
    "ops",
    "preprocess_input",
    "record",
    "upsample_map",
]

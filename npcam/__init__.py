"""Keras ResNet-50 and its class activation maps in pure NumPy.

>>> import npcam
>>> model = npcam.load_model()
>>> e = npcam.explain(model, "examples/chelsea.png")
>>> e.label
'cat'
"""

from npcam.common import interrupts, threads  # noqa: F401  # before the rest is imported

# isort: split
from npcam import naive, ops
from npcam.cam import bounding_box, class_activation_map, upsample_map
from npcam.common.errors import InputError
from npcam.common.version import __version__
from npcam.explain import Explanation, explain
from npcam.images.preprocess import load_image, preprocess_input
from npcam.labels import decode_predictions
from npcam.model import Model, load_model
from npcam.verify.recording import record

__all__ = [
    "Explanation",
    "InputError",
    "Model",
    "__version__",
    "bounding_box",
    "class_activation_map",
    "decode_predictions",
    "explain",
    "load_image",
    "load_model",
    "naive",
    "ops",
    "preprocess_input",
    "record",
    "upsample_map",
]

"""npcam's own weights file: read, written, checked, and shown as the table that Keras prints."""

from npcam.weights.check import Shapes, check, check_shapes, compare_shapes
from npcam.weights.file import FORMAT, read_weights, write_weights
from npcam.weights.summary import summary
from npcam.weights.tensors import Weights, cast, freeze, read_only, tensors_sha256

__all__ = [
    "FORMAT",
    "Shapes",
    "Weights",
    "cast",
    "check",
    "check_shapes",
    "compare_shapes",
    "freeze",
    "read_only",
    "read_weights",
    "summary",
    "tensors_sha256",
    "write_weights",
]

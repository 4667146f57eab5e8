"""npcam's own weights file: read, written, checked, and shown as the table that Keras prints."""

from npcam.weights.check import Shapes, check_shapes, compare_shapes
from npcam.weights.file import FORMAT, Weights, cast, check, read_weights, tensors_sha256, write_weights
from npcam.weights.summary import summary

__all__ = [
    "FORMAT",
    "Shapes",
    "Weights",
    "cast",
    "check",
    "check_shapes",
    "compare_shapes",
    "read_weights",
    "summary",
    "tensors_sha256",
    "write_weights",
]

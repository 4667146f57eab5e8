"""Keras ResNet-50 and its class activation maps in pure NumPy."""

from npcam.errors import InputError

__version__ = "0.1.0"

__all__ = ["InputError", "__version__"]

"""Weights brought in and looked at: what Keras wrote becomes npcam's own file."""

from npcam.convert.conversion import convert

__all__ = ["convert"]

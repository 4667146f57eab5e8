"""The forward pass of `resnet`, compiled for speed. The results are the same up to rounding."""

from npcam.engine.engine import Engine, compile

__all__ = ["Engine", "compile"]

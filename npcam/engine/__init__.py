"""The forward pass of `resnet`, compiled for speed. The results are the same up to rounding."""

from npcam.engine.engine import Engine, Outputs, compile

__all__ = ["Engine", "Outputs", "compile"]

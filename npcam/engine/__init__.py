"""The forward pass of `resnet`, compiled for speed. The results are the same up to rounding.

From the bottom up: `plan` leaves out positions that nobody reads; `fold` and `filters` turn weights
into what is multiplied with; `geometry` knows the sizes and chooses between `kernels`' two 3x3s, one
of which is `winograd`'s; `shares` and `slices` give each worker its operations, which `program`
records; `layouts` lead one or many photographs through them by a `team`; `engine` is what is called.
`steps` is the plan, to be read.
"""

from npcam.engine.engine import Engine, compile, scratch_bytes
from npcam.engine.steps import Step, format_steps

__all__ = ["Engine", "Step", "compile", "format_steps", "scratch_bytes"]

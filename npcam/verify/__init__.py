"""Two programs side by side: which layer is off, by how much, and whether rounding explains it.

A `record` holds a run; `run_npcam` and `run_keras` make one, and `against` finds the one to compare
with. `rounding` says what float32 may do to each layer, `compare` holds two runs to that, and
`report` and `plot` show what came of it. Keras is imported in `live_keras` and nowhere else.
"""

from npcam.verify.compare import verify

__all__ = ["verify"]

"""Two programs side by side: which layer is off, by how much, and whether rounding explains it.

A run is a `record`; `run_npcam` and `run_keras` make one, `against` finds the one to compare with.
`rounding` says what float32 may do to each layer, `compare` holds two runs to that, `report` and
`plot` show it. Keras is imported in `live_keras` and nowhere else.
"""

from npcam.verify.compare import verify

__all__ = ["verify"]

"""A port's arrays, made of npcam's own run: for what is about files and names, not about numbers."""

import numpy as np


def arrays(run, keep=lambda _name: True, nchw=False):
    """The activations of a run that a port would save, with Keras's names; NCHW where that is asked for."""
    found = {name: array for name, array in run.activations.items() if keep(name)}
    if nchw:
        return {
            name: np.ascontiguousarray(np.moveaxis(a, -1, 1)) if a.ndim == 4 else a
            for name, a in found.items()
        }
    return found

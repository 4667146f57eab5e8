"""Limits so low that the kernels of small networks, too, lie in slices and are multiplied in pieces."""

import numpy as np


def small_pieces(monkeypatch):
    """Slices of some 4 channels, sums of some 16 terms, and 3 rows at a time; for `unpacked` some 1500."""
    monkeypatch.setattr("npcam.engine.slices.SMALL_SLICE", 4)
    monkeypatch.setattr("npcam.engine.products.TERMS", 16)
    monkeypatch.setattr("npcam.engine.products.ROWS", 3)


def product(op):
    """(Positions, channels) of what an operation makes by a kernel; None where it does not multiply.

    See `npcam.engine.products.multiply` for the axes.
    """
    if op.func is not np.matmul or op.args[0].ndim < 5:
        return None
    slices, pieces, rows, channels = op.keywords["out"].shape[-4:]
    return pieces * rows, slices * channels


def winograd_products(op):
    """How many products per tile and pair of channels an operation makes; 0 where it is no Winograd's."""
    return op.args[0].shape[1] if product(op) and op.args[0].ndim == 6 else 0

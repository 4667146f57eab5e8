"""Maps as files.

A map has the header of an `.npy` file with more spaces at its end than NumPy leaves, which every
reader skips: so a later run knows its own.
"""

import re
from pathlib import Path

import numpy as np

from npcam.common.files import replacing
from npcam.shapes import Array

NPY = b"\x93NUMPY\x01\x00"
MAP_HEADER = 448  # bytes in front of a map's numbers; NumPy's own header of it has 128


def save_map(array: Array, path: Path) -> None:
    """Write a map (h, w) as an .npy file that is whole or not there; `numpy.load` reads it."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    text = f"{{'descr': '{plain.dtype.str}', 'fortran_order': False, 'shape': {plain.shape}, }}"
    size = MAP_HEADER - len(NPY) - 2
    header = NPY + size.to_bytes(2, "little") + text.encode().ljust(size - 1) + b"\n"
    with replacing(path) as unfinished:
        unfinished.write_bytes(header + plain.tobytes())


def is_map(head: bytes) -> bool:
    """Whether a file's first bytes are those of a map: the header that `save_map` writes."""
    size = MAP_HEADER - len(NPY) - 2
    text = rb"\{'descr': '<f[48]', 'fortran_order': False, 'shape': \(\d+, \d+\), \} +\n"
    begins = head.startswith(NPY + size.to_bytes(2, "little"))
    return begins and re.fullmatch(text, head[len(NPY) + 2 : MAP_HEADER]) is not None

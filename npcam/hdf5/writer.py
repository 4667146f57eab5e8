"""HDF5 is written in memory first, then as one file that is whole or not there."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from npcam.common.files import replacing

if TYPE_CHECKING:
    import h5py


@contextmanager
def new_hdf5(path: str | Path) -> Iterator["h5py.File"]:
    """A new HDF5 file to fill; it appears under `path` when the block ends without an error.

    The HDF5 library brings the process down when the disk fills up beneath it. So it writes to
    memory (as much as the file is large), and the finished bytes are written out by Python.

    Raises:
        InputError: the folder is missing or cannot be written to, or the disk is full.
    """
    import h5py

    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        yield file
    image.seek(0)
    with replacing(path) as unfinished, unfinished.open("wb") as output:
        # Piece by piece: a view of all would outlive a failed write in its traceback, and stop the collector.
        shutil.copyfileobj(image, output, 2**20)

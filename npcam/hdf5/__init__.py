"""HDF5 files from strangers: only plain float arrays and short attributes come out.

HDF5 can point elsewhere (soft and external links, external and virtual storage), hold Python
objects, declare shapes that it does not store, and inflate a few bytes to gigabytes. All reading goes
through `Group` and `Dataset`, which refuse all that by name, before anything is allocated.
"""

from npcam.hdf5.dataset import Dataset, read_together
from npcam.hdf5.reader import Group, open_hdf5
from npcam.hdf5.writer import new_hdf5

__all__ = ["Dataset", "Group", "new_hdf5", "open_hdf5", "read_together"]

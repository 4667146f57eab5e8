"""A new HDF5 file is whole or not there."""

import h5py
import numpy as np
import pytest

from npcam import InputError
from npcam.hdf5 import new_hdf5


def test_the_file_appears_when_the_block_ends(tmp_path):
    """Before, there is nothing; after, h5py reads what was written."""
    path = tmp_path / "a.h5"
    with new_hdf5(path) as file:
        file["x"] = np.arange(5.0)
        assert not list(tmp_path.iterdir())
    with h5py.File(path) as file:
        assert np.array_equal(file["x"], np.arange(5.0))


def test_an_error_leaves_the_old_file(tmp_path):
    """Whatever goes wrong while the file is being filled."""
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), new_hdf5(path) as file:  # noqa: PT012
        file["x"] = np.arange(5.0)
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    """The disk fills up while the bytes are written out: InputError, and the old file stays."""
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")

    def full(self, data):
        with self.open("wb") as file:
            file.write(bytes(data)[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"), new_hdf5(path) as file:
        file["x"] = np.arange(5.0)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

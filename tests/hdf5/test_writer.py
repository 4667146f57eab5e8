"""A new HDF5 file is whole or not there."""

import gc
import resource
import sys
from contextlib import contextmanager

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


@contextmanager
def small_disk():
    """Meanwhile no file of this process grows beyond 20,000 bytes, nor does one that the tests report to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    """The bytes cannot all be written: InputError, and the old file stays.

    Nothing is left for the collector to stumble over: no buffer that is still looked at.
    """
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    stumbled = []
    monkeypatch.setattr(sys, "unraisablehook", stumbled.append)
    with small_disk(), pytest.raises(InputError, match="File too large") as caught, new_hdf5(path) as file:
        file["x"] = np.arange(10_000.0)
    caught.value.itself = caught  # a circle, as frames and tracebacks often make one
    del caught, file
    gc.collect()
    assert not stumbled
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

"""The bytes behind a file: exactly those asked for, and no more than may come out."""

import io

import numpy as np
import pytest

from npcam import InputError
from npcam.common.limits import HDF5_ALLOWANCE, MAX_HDF5_EXPANSION
from npcam.hdf5.attributes import FormatError
from npcam.hdf5.source import Source

BYTES = bytes(range(100))


def test_addresses_count_from_behind_the_user_block():
    """`read` gives exactly so many bytes, up to the file's last."""
    source = Source("a.h5", io.BytesIO(BYTES), start=10)
    assert source.size == 100
    assert source.read(0, 3) == bytes([10, 11, 12])
    assert source.read(85, 5) == BYTES[95:]
    assert source.read(90, 0) == b""
    for address, size in ((85, 6), (90, 1), (91, 0), (2**63, 1)):
        with pytest.raises(FormatError, match=r"^an address beyond the end of the file$"):
            source.read(address, size)


def test_arrays_are_filled_in_place():
    """`read_into` takes the file's own addresses and says whether all of the array was there."""
    source = Source("a.h5", io.BytesIO(BYTES), start=10)
    array = np.zeros((2, 3), "<u2")
    assert source.read_into(20, array) is True
    np.testing.assert_array_equal(array, np.frombuffer(BYTES[20:32], "<u2").reshape(2, 3))
    assert source.read_into(88, array) is True
    assert source.read_into(89, array) is False


def test_what_may_come_out():
    """The allowance, and so many times the file's size; whatever is one byte more is refused."""
    most = HDF5_ALLOWANCE + MAX_HDF5_EXPANSION * len(BYTES)
    whole = Source("a.h5", io.BytesIO(BYTES), start=0)
    whole.spend(most, "a.h5: x")
    parts = Source("a.h5", io.BytesIO(BYTES), start=0)
    parts.spend(most - 10, "a.h5: x")
    parts.spend(10, "a.h5: x")
    for source in (whole, parts):
        with pytest.raises(InputError) as error:
            source.spend(1, "a.h5: y")
        assert str(error.value) == "a.h5: y: the file's arrays declare far more than its 100 bytes; refused"

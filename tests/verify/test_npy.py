"""An `.npy` file is read as NumPy reads it, without what is in it being evaluated."""

import io

import numpy as np
import pytest

from npcam import InputError
from npcam.verify import npy

ARRAYS = [
    np.arange(24, dtype="<f4").reshape(2, 3, 4),
    np.asfortranarray(np.arange(24, dtype="<f8").reshape(2, 3, 4)),
    np.arange(6, dtype=">f2").reshape(6, 1),
    np.zeros((0, 3), np.float32),
    np.float64(2.5),
]


def saved(array, version=(1, 0)):
    """The bytes of an array as NumPy writes them."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), version=version)
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_the_header_is_numpys(array, version):
    """Type, shape, order and length, of every version of the format."""
    file = saved(array, version)
    found = npy.read_header(file, "x.npy")
    assert (found.dtype, found.shape, found.length) == (array.dtype, array.shape, file.tell())
    assert found.fortran == (array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous)


@pytest.mark.parametrize("piece", [1, 5, 2**22])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_the_numbers_are_numpys(array, piece, monkeypatch):
    """Read in pieces of any size, in C order, and of the type that is asked for."""
    monkeypatch.setattr(npy, "_PIECE", piece)
    file = saved(array)
    header = npy.read_header(file, "x.npy")
    for dtype in (np.float32, np.float64):
        file.seek(header.length)
        found = npy.read_numbers(file, header, "x.npy", dtype)
        assert (found.dtype, found.flags.c_contiguous) == (dtype, True)
        assert np.array_equal(found, np.asarray(array).astype(dtype).reshape(header.shape))


def test_as_many_bytes_as_it_takes():
    """Exactly enough is enough; one byte less is named, before and while the numbers are read."""
    file = saved(ARRAYS[0])
    header = npy.read_header(file, "x.npy")
    assert npy.check_size(header, 96, "x.npy") == 24
    with pytest.raises(InputError, match="its 24 numbers take 96 bytes, 95 are there"):
        npy.check_size(header, 95, "x.npy")
    short = io.BytesIO(file.getvalue()[:-1])
    short.seek(header.length)
    with pytest.raises(InputError, match="it has been cut short meanwhile"):
        npy.read_numbers(short, header, "x.npy", np.float32)


@pytest.mark.parametrize("key", ["descr", "fortran_order", "shape"])
def test_a_header_that_lacks_one_of_its_three(key):
    """None of the three may be missing, and the text may not end too early."""
    data = saved(ARRAYS[0]).getvalue()
    for damaged in (data.replace(key.encode(), b"x" * len(key)), data[:40]):
        with pytest.raises(InputError, match="its header is no plain array's"):
            npy.read_header(io.BytesIO(damaged), "x.npy")

"""Maps as files, and the folder for what is written."""

import io
from pathlib import Path

import numpy as np
import pytest

from npcam import InputError
from npcam.cli.outputs import MAP_HEADER, is_map, save_map
from npcam.common.files import make_folder

MAP = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)


def npy(array):
    """The bytes of an array as NumPy saves it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_map_is_an_npy_file(dtype, order):
    """NumPy reads back the same numbers from it, of the same width; the header is a whole one."""
    array = np.asarray(MAP.astype(dtype), order=order)
    save_map(array, Path("a.npy"))
    found = np.load("a.npy", allow_pickle=False)
    assert (found.dtype, found.shape) == (array.dtype.newbyteorder("<"), array.shape)
    assert np.array_equal(found, array)
    assert (Path("a.npy").stat().st_size - array.nbytes) % 64 == 0


def test_its_own_are_known():
    """A map of this npcam, by its header alone."""
    for array in (MAP, MAP.astype(np.float64), np.zeros((0, 7), np.float32)):
        save_map(array, Path("a.npy"))
        assert is_map(Path("a.npy").read_bytes()[:MAP_HEADER])


@pytest.mark.parametrize("data", [b"", b"old", npy(MAP), npy(np.zeros((2, 2, 2), np.float32)), npy(MAP)[:60]])
def test_all_else_is_not(data):
    """Arrays as NumPy saves them, text, damaged files; and a map's header cut short."""
    assert not is_map(data)
    save_map(MAP, Path("a.npy"))
    assert not is_map(Path("a.npy").read_bytes()[: MAP_HEADER - 1])


def test_a_folder_is_made():
    """With those that it lies in; one that is there is as good; one that cannot be made is named."""
    for _ in range(2):
        make_folder(Path("a/b"), "-o")
        assert Path("a/b").is_dir()
    Path("file").write_bytes(b"")
    for name, reason in (("file", "File exists"), ("file/b", "Not a directory"), ("a\0b", "null")):
        with pytest.raises(InputError, match=f"cannot make this folder .*{reason}.*; choose another --csv$"):
            make_folder(Path(name), "--csv")

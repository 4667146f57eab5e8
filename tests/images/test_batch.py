"""Saved batches: read as data, or refused in one line."""

import numpy as np
import pytest
from PIL import Image

from npcam import load_image, preprocess_input
from npcam.common.errors import InputError
from npcam.images.batch import read_batch, read_input


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ">f4"])
def test_batches_of_floats_are_read_as_float32(tmp_path, dtype):
    """Any float type and memory order."""
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(2, 33, 40, 3)).astype(dtype))
    np.save(tmp_path / "x.npy", x)
    found = read_batch(tmp_path / "x.npy")
    assert found.dtype == np.float32
    assert np.array_equal(found, x.astype(np.float32))


def test_a_photograph_is_prepared(tmp_path):
    """What is no array is a photograph, resized and preprocessed."""
    Image.new("RGB", (60, 40), (255, 0, 9)).save(tmp_path / "p.png")
    expected = preprocess_input(load_image(tmp_path / "p.png", (32, 48)))[None]
    assert np.array_equal(read_input(tmp_path / "p.png", (32, 48)), expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2), np.float32), "got .2, 2."),
        (np.zeros((33, 33, 3), np.float32), "expected a preprocessed batch"),
        (np.zeros((1, 33, 33, 3), np.uint8), "uint8"),
        (np.zeros((0, 33, 33, 3), np.float32), "expected a preprocessed batch"),
        (np.full((1, 33, 33, 3), np.nan, np.float32), "NaN"),
        (np.array([{"a": 1}], dtype=object), "not a readable"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    """Wrong shapes, integers, NaN, and pickled objects, which are never loaded."""
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match=message) as caught:
        read_input(tmp_path / "x.npy", (224, 224))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"not numpy at all",
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999, 99999999, 3)}".ljust(118),
        b"\x93NUMPY\x01\x00\x10\x00__import__('os')",
    ],
)
def test_damaged_files_are_refused(tmp_path, data):
    """Truncated, huge by its own word, or no array: one line, nothing allocated, nothing run."""
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"x\.npy: not a"):
        read_input(tmp_path / "x.npy", (224, 224))

"""Saved batches: read as data, or refused in one line."""

import os
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from npcam import load_image, preprocess_input
from npcam.common.errors import InputError
from npcam.verify import batch
from npcam.verify.batch import is_batch, read_batch, read_input


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ">f4"])
def test_batches_of_floats_are_read_as_float32(tmp_path, dtype):
    """Any float type and memory order gives contiguous float32 that may be written to."""
    x = np.asfortranarray(np.random.default_rng(0).normal(size=(2, 33, 40, 3)).astype(dtype))
    np.save(tmp_path / "x.npy", x)
    found = read_batch(tmp_path / "x.npy")
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.array_equal(found, x.astype(np.float32))
    found[:] = 0
    assert np.array_equal(np.load(tmp_path / "x.npy"), x)


def test_a_photograph_is_prepared(tmp_path):
    """What is no array is a photograph, resized and preprocessed."""
    Image.new("RGB", (60, 40), (255, 0, 9)).save(tmp_path / "p.png")
    expected = preprocess_input(load_image(tmp_path / "p.png", (32, 48)))[None]
    assert np.array_equal(read_input(tmp_path / "p.png", (32, 48)), expected)


def test_a_batch_is_known_by_its_name_or_its_first_bytes(tmp_path):
    """Either is enough; what cannot be opened, and what is neither, is no batch."""
    x = np.ones((1, 5, 4, 3), np.float32)
    with (tmp_path / "x.dat").open("wb") as file:
        np.save(file, x)
    (tmp_path / "words.npy").write_text("no array")
    (tmp_path / "words.txt").write_text("no array")
    (tmp_path / "short").write_bytes(b"\x93NUMP")
    (tmp_path / "folder.npy").mkdir()
    names = ("x.dat", "words.npy", "words.txt", "short", "folder.npy", "none.npy")
    assert [is_batch(tmp_path / name) for name in names] == [True, True, False, False, False, False]
    assert is_batch(str(tmp_path / "x.dat"))
    assert np.array_equal(read_input(tmp_path / "x.dat", (224, 224)), x)
    with pytest.raises(InputError, match=r"none\.npy: no such file"):
        read_input(tmp_path / "none.npy", (224, 224))


FINITE = "holds NaN, or numbers too large for float32; a batch must be finite"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2), np.float32), "got (2, 2) of float32"),
        (np.zeros((33, 33, 3), np.float32), "got (33, 33, 3) of float32"),
        (np.zeros((1, 1, 9, 9, 3), np.float32), "got (1, 1, 9, 9, 3) of float32"),
        (np.zeros((1, 3, 33, 33), np.float32), "got (1, 3, 33, 33) of float32"),
        (np.zeros((1, 33, 33, 3), np.uint8), "got (1, 33, 33, 3) of uint8"),
        (np.zeros((0, 33, 33, 3), np.float32), "got (0, 33, 33, 3) of float32"),
        (np.array([0.0, np.nan, 0.0], np.float32).reshape(1, 1, 1, 3), FINITE),
        (np.array([0.0, 1e39, 0.0]).reshape(1, 1, 1, 3), FINITE),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    """Wrong shapes, integers, NaN: what was found stands in the line, and what was expected."""
    path = tmp_path / "x.npy"
    np.save(path, array)
    if message != FINITE:
        message = f"expected a preprocessed batch (N, H, W, 3) of floats, {message}"
    with pytest.raises(InputError) as caught:
        read_input(path, (224, 224))
    assert str(caught.value) == f"{path}: {message}"


def test_the_largest_batch(tmp_path, monkeypatch):
    """A batch that takes as many bytes in float32 as the limit is read, one of more is not."""
    path = tmp_path / "x.npy"
    np.save(path, np.ones((2, 5, 10, 3), np.float64))  # 300 numbers, 1,200 bytes in float32
    monkeypatch.setattr(batch, "MAX_BATCH_BYTES", 1200)
    assert read_batch(path).shape == (2, 5, 10, 3)
    monkeypatch.setattr(batch, "MAX_BATCH_BYTES", 1199)
    with pytest.raises(InputError) as caught:
        read_batch(path)
    said = "(2, 5, 10, 3) takes 1,200 bytes, 1,199 at most; save fewer pictures"
    assert str(caught.value) == f"{path}: {said}"


def test_the_largest_pictures(tmp_path, monkeypatch):
    """Pictures of as many pixels as the limit are read, larger ones are not."""
    path = tmp_path / "x.npy"
    np.save(path, np.ones((2, 5, 10, 3), np.float32))
    monkeypatch.setattr(batch, "MAX_INPUT_PIXELS", 50)
    assert read_batch(path).shape == (2, 5, 10, 3)
    monkeypatch.setattr(batch, "MAX_INPUT_PIXELS", 49)
    with pytest.raises(InputError) as caught:
        read_batch(path)
    assert str(caught.value) == f"{path}: its pictures have 50 pixels, 49 at most; save smaller ones"


def test_the_limit_is_asked_before_anything_is_read(tmp_path):
    """A file with a hole of 3 GB in it is refused, not read: it takes no memory to speak of."""
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 16384, 16384, 3)}".ljust(117) + b"\n"
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        file.write(header(text))
        file.truncate(file.tell() + 3 * 2**30)
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        read_input(path, (224, 224))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    said = "(1, 16384, 16384, 3) takes 3,221,225,472 bytes, 268,435,456 at most; save fewer pictures"
    assert str(caught.value) == f"{path}: {said}"


def header(text):
    """The start of an .npy file that says this of itself."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HUGE = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 99999999, 99999999, 3)}".ljust(118)


@pytest.mark.parametrize("data", [b"\x93NUMPY", header(HUGE), header(b"__import__('os')")])
def test_damaged_files_are_refused(tmp_path, data):
    """Truncated, huge by its own word, or code: one line, nothing allocated, nothing run."""
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_input(path, (224, 224))
    message = str(caught.value)
    assert message.startswith(f"{path}: not a readable .npy file (")
    assert message.endswith("); save it again")


def test_a_long_reason_is_cut(tmp_path):
    """Of a header that is no array's 60 characters are shown, on one line; of a long one its length."""
    path = tmp_path / "x.npy"
    text = repr("a" * 900 + "\n")
    for data, reason in (
        (header(text.encode()), f"its header is no plain array's: {text[:60]!r}"),
        (header(b" " * 10_001), "its header has 10,001 bytes, 10,000 at most"),
        (header(b"{'descr': '<f4', 'fortran_order': False"), "its header is no plain array's: "),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError) as caught:
            read_batch(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: not a readable .npy file ({reason}")
        assert message.endswith("); save it again")
        assert "\n" not in message
        assert len(message) < len(str(path)) + 150


@pytest.mark.parametrize(
    "shape",
    [
        "(%s, 33, 33, 3)" % ("9" * 5000),  # of more digits than Python makes a number of
        "(1, %s, 33, 3)" % ("9" * 19),
        "(1,, 33, 3)",
        "(1, 33, 33, 3L 3)",
        "(,)",
    ],
)
def test_damaged_shapes(tmp_path, shape):
    """A side that is no number, or one of more digits than any array's, is named."""
    path = tmp_path / "x.npy"
    path.write_bytes(header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()))
    with pytest.raises(InputError, match=r"not a readable \.npy file \(its header has a damaged shape: \("):
        read_input(path, (224, 224))


def test_how_python_2_wrote_shapes(tmp_path):
    """Long integers with an L, a comma at the end: the same array."""
    path, x = tmp_path / "x.npy", np.arange(3267, dtype="<f4").reshape(1, 33, 33, 3)
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 33L ,33L, 3L,), }"
    path.write_bytes(header(text) + x.tobytes())
    assert np.array_equal(read_batch(path), x)


@pytest.mark.parametrize("left", [0, 1, 5000])
def test_a_file_that_shrinks_while_it_is_read(tmp_path, monkeypatch, left):
    """Cut between its header and its last number: one line. Mapped into memory, it would kill the process."""
    path = tmp_path / "x.npy"
    np.save(path, np.ones((2, 40, 40, 3), np.float32))
    real = batch._read_values

    def shrink(file, *arguments):
        size = os.fstat(file.fileno())
        os.truncate(path, file.tell() + left)
        monkeypatch.setattr(os, "fstat", lambda _: size)  # which it was asked for a moment before
        return real(file, *arguments)

    monkeypatch.setattr(batch, "_read_values", shrink)
    with pytest.raises(InputError, match=r"not a readable \.npy file \(it has been cut short meanwhile\)"):
        read_batch(path)


@pytest.mark.parametrize("data", [b"", b"not numpy at all", b"\x94NUMPY\x01\x00"])
def test_no_array_by_its_first_bytes(tmp_path, data):
    """Named as one, but none: the line says how one is made."""
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_input(path, (224, 224))
    assert str(caught.value) == f"{path}: not a NumPy array file; save one with numpy.save"


def test_pickled_objects_are_never_loaded(tmp_path):
    """An object that would run code when it is loaded does not run it."""

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "x.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not a readable"):
        read_input(tmp_path / "x.npy", (224, 224))
    assert not (tmp_path / "sprung").exists()

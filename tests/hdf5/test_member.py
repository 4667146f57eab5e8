"""Attributes as Python values, and every complaint of the library on one line."""

import struct

import h5py
import numpy as np
import pytest

from npcam import InputError
from npcam.common.limits import MAX_HDF5_TEXT
from npcam.hdf5 import open_hdf5
from npcam.hdf5.member import reading

VALUES = {
    "int": (7, 7),
    "negative": (np.int8(-3), -3),
    "unsigned": (np.uint16(65535), 65535),
    "float": (2.5, 2.5),
    "big-endian": (np.array(1.5, ">f8"), 1.5),
    "truth": (True, True),
    "text": ("größe", "größe"),
    "bytes": (b"abc", "abc"),
    "no UTF-8": (np.bytes_(b"a\xff"), "a\ufffd"),
    "empty text": ("", ""),
    "ints": (np.array([1, 2, 3], "<i8"), [1, 2, 3]),
    "floats": (np.array([0.5]), [0.5]),
    "texts": (["conv1", "", "é"], ["conv1", "", "é"]),
    "list of bytes": (np.array([b"conv1", b"bn"]), ["conv1", "bn"]),
    "no texts": (np.array([], "S1"), []),
    "null": (h5py.Empty("f4"), []),
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("kind", VALUES)
def test_values(tmp_path, kind, libver):
    """Numbers and text, one or a list, of a group and of an array."""
    value, expected = VALUES[kind]
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file.create_group("g").attrs["value"] = value
        file.create_dataset("x", data=1.0).attrs["value"] = value
    with open_hdf5(tmp_path / "a.h5") as file:
        for member in (file.group("g"), file.dataset("x")):
            found = member.attribute("value")
            assert found == expected
            assert type(found) is type(expected)
            assert member.attribute("other") is None
            assert member.where.startswith(f"{tmp_path / 'a.h5'}: /")
        assert file.attribute("value") is None


REFUSED = {
    "a table": (np.ones((2, 2)), "has shape (2, 2) of float64; refused, no weights file has that"),
    "complex": (1j, "holds complex128; text or numbers expected"),
    "opaque": (np.void(b"abc"), "holds |V3; text or numbers expected"),
    "record": (np.zeros((), [("a", "i4")]), "holds [('a', '<i4')]; text or numbers expected"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_types(tmp_path, kind):
    """What no weights file has is refused by the attribute's name and place."""
    value, reason = REFUSED[kind]
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_group("g").attrs["odd"] = value
    with open_hdf5(path) as file, pytest.raises(InputError) as error:
        file.group("g").attribute("odd")
    assert str(error.value) == f"{path}: attribute odd of /g {reason}"


def test_a_reference_is_no_text(tmp_path):
    """References to objects are as long as texts, and are not followed."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.create("odd", file.ref, dtype=h5py.ref_dtype)
        kind = h5py.h5t.py_create(h5py.vlen_dtype("i4"))
        h5py.h5a.create(file.id, b"numbers", kind, h5py.h5s.create_simple((1,)))
    with open_hdf5(tmp_path / "a.h5") as file:
        for name in ("odd", "numbers"):
            with pytest.raises(
                InputError, match=rf"attribute {name} of / holds .*; text or numbers expected"
            ):
                file.attribute(name)


def test_lists_of_a_claimed_length(tmp_path):
    """A list that claims more than its header holds is refused before anything is allocated for it."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["list"] = np.arange(1234, dtype="<i8")
    whole = path.read_bytes()
    assert struct.pack("<Q", 1234) in whole
    path.write_bytes(whole.replace(struct.pack("<Q", 1234), struct.pack("<Q", 2**40)))
    with open_hdf5(path) as file, pytest.raises(InputError, match="attribute list of / "):
        file.attribute("list")


def test_attributes_have_a_limit(tmp_path, monkeypatch):
    """An attribute may take so many bytes, and not one more."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["list"] = np.arange(4.0)
    with open_hdf5(path) as file:
        monkeypatch.setattr("npcam.hdf5.member.MAX_HDF5_ATTRIBUTE", 32)
        assert file.attribute("list") == [0, 1, 2, 3]
        monkeypatch.setattr("npcam.hdf5.member.MAX_HDF5_ATTRIBUTE", 31)
        with pytest.raises(InputError, match=r"attribute list of / has shape \(4,\) of float64; refused"):
            file.attribute("list")


def test_long_texts(tmp_path):
    """A text beyond HDF5's limit for attributes is read whole."""
    text = "x" * (MAX_HDF5_TEXT // 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["text"] = text
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file.attribute("text") == text


@pytest.mark.parametrize(
    "error",
    [
        OSError("first\nsecond"),
        RuntimeError("first\nsecond"),
        ValueError("first\nsecond"),
        TypeError("first\nsecond"),
        IndexError("first\nsecond"),
        OverflowError("first\nsecond"),
        AttributeError("first\nsecond"),
    ],
)
def test_complaints_of_the_library(error):
    """Their first line, after the place; npcam's own come through as they are."""
    with pytest.raises(InputError) as caught, reading("a.h5: /x"):
        raise error
    assert str(caught.value) == "a.h5: /x cannot be read (first); the file is damaged, get it again"
    with pytest.raises(InputError) as caught, reading("a.h5: /x"):
        raise InputError("as it is")
    assert str(caught.value) == "as it is"
    with reading("a.h5: /x") as where:
        assert where == "a.h5: /x"


def test_names_of_attributes(tmp_path):
    """All of a group's and of an array's, whatever bytes a stranger made a name of."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for member in (file, file.create_dataset("x", data=1.0)):
            member.attrs["größe"] = 1
            member.attrs["b"] = "text"
            h5py.h5a.create(member.id, b"odd\xff", h5py.h5t.NATIVE_INT8, h5py.h5s.create(h5py.h5s.SCALAR))
    with open_hdf5(tmp_path / "a.h5") as file:
        for member in (file, file.dataset("x")):
            assert sorted(member.attributes) == ["b", "größe", "odd\udcff"]

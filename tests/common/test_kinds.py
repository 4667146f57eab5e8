"""What people give by mistake is called what it is, with what to do."""

import pickle
import zipfile

import numpy as np
import pytest

from npcam import InputError, load_model
from npcam.common.kinds import kind_of_file, kind_of_folder
from npcam.keras_files import read_keras


def written(path, data):
    path.write_bytes(data)
    return path


def zipped(path, name):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x" * 99)
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (
            lambda p: written(p / "a.h5", b"version https://git-lfs.github.com/spec/v1\noid x\n"),
            "a Git LFS pointer",
        ),
        (lambda p: written(p / "a.h5", b""), "empty"),
        (lambda p: written(p / "a.pt", pickle.dumps([1])), "a Python pickle"),
        (lambda p: zipped(p / "a.pth", "archive/data.pkl"), "a PyTorch file"),
        (
            lambda p: zipped(p / "a.keras", "config.json"),
            r"a zip, perhaps a .keras file; `npcam convert a.keras",
        ),
        (lambda p: written(p / "a.h5", b"\x1f\x8b\x08\x00"), "compressed with gzip"),
        (lambda p: written(p / "a.h5", b"<!DOCTYPE html>"), "a web page"),
        (lambda p: written(p / "a.tflite", b"\x1c\0\0\0TFL3"), "a TensorFlow Lite model"),
        (lambda p: written(p / "a.safetensors", b'\x40\0\0\0\0\0\0\0{"x":'), "a safetensors file"),
        (lambda p: written(p / "m.weights.json", b"{}"), "a part of a set"),
        (lambda p: written(p / "m.data-00000-of-00001", b"\1\2"), "a part of a set"),
    ],
)
def test_files(tmp_path, make, kind):
    """Each by its first bytes or its name, wherever weights are expected."""
    path = make(tmp_path)
    assert kind_of_file(path).startswith(kind.split(";")[0])
    with pytest.raises(InputError, match=f"is {kind}"):
        load_model(path)
    if not kind.startswith("a zip"):
        with pytest.raises(InputError, match="PyTorch" if "PyTorch" in kind else "is|a zip of"):
            read_keras(path)


def test_what_is_not_known(tmp_path):
    """Other bytes, HDF5 and a file that is not there are nothing by mistake."""
    assert kind_of_file(written(tmp_path / "a", b"hello")) is None
    assert kind_of_file(written(tmp_path / "a.h5", b"\x89HDF\r\n\x1a\n")) is None
    assert kind_of_file(tmp_path / "none") is None


def test_an_array(tmp_path):
    """A batch is no weights."""
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(InputError, match="is a NumPy array"):
        load_model(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["saved_model.pb"], "a TensorFlow SavedModel"),
        (["config.json", "model.weights.h5"], "an unzipped .keras file"),
    ],
)
def test_folders(tmp_path, names, kind):
    """A folder that is a model in another form is named; any other is just a directory."""
    assert kind_of_folder(tmp_path) is None
    with pytest.raises(InputError, match="is a directory"):
        load_model(tmp_path)
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=f"is {kind}"):
        load_model(tmp_path)
    with pytest.raises(InputError, match=f"is {kind}"):
        read_keras(tmp_path)

"""What people give by mistake is called what it is, with what to do."""

import pickle
import zipfile

import h5py
import numpy as np
import pytest

from npcam import InputError, load_model
from npcam.common.kinds import kind_of_file, kind_of_folder, kind_of_zip
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
        (lambda p: written(p / "m.weights.json", b"{}"), "a part of a set of shards"),
        (lambda p: written(p / "m.data-00000-of-00001", b"\1\2"), "a part of a TensorFlow checkpoint"),
        (lambda p: written(p / "m.index", b"\1\2"), "a part of a TensorFlow checkpoint"),
        (
            lambda p: written(p / "checkpoint", b'model_checkpoint_path: "m"\n'),
            "a part of a TensorFlow checkpoint",
        ),
        (lambda p: written(p / "a.onnx", b"\x08\x07\x12\x07pytorch"), "an ONNX model"),
        (lambda p: written(p / "a.pb", b"\n\x1a\n\x05input"), "a TensorFlow graph"),
        (lambda p: written(p / "a.h5", b"\n  <html>"), "a web page"),
        (lambda p: written(p / "a.h5", b'{"error": "not found"}'), "JSON"),
        (lambda p: written(p / "a.h5", b"\x89PNG\r\n\x1a\n"), "a picture"),
        (lambda p: written(p / "a.tar", b"a".ljust(257, b"\0") + b"ustar"), "a tar archive"),
        (lambda p: written(p / "a.xz", b"\xfd7zXZ\0"), "compressed with xz"),
    ],
)
def test_files(tmp_path, make, kind):
    """Each by its first bytes or its name, wherever weights are expected."""
    path = make(tmp_path)
    assert kind_of_file(path).startswith(kind.split(";")[0])
    with pytest.raises(InputError, match=f"is {kind}"):
        load_model(path)
    if not kind.startswith("a zip"):
        with pytest.raises(InputError, match=f"is {kind}"):
            read_keras(path)


UNPACK = "unpack it first"
OURS = "npcam reads what Keras wrote"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.h5", b"BZh91AY", f"compressed with bzip2; {UNPACK}"),
        ("a.h5", b"\x1f\x8b\x08", f"compressed with gzip; {UNPACK}"),
        ("a.h5", b"\xfd7zXZ\0", f"compressed with xz; {UNPACK}"),
        ("a.h5", b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {UNPACK}"),
        ("a.h5", b"Rar!\x1a\x07", f"a RAR archive; {UNPACK}"),
        ("a.tar", b"a".ljust(257, b"\0") + b"ustar\x0000", f"a tar archive; {UNPACK}"),
        ("a.gguf", b"GGUF\x03\0\0\0", f"a GGUF file; {OURS}"),
        ("a.tflite", b"\x1c\0\0\0TFL3\x14\0\x20\0", f"a TensorFlow Lite model; {OURS}"),
        ("a.safetensors", b'\x40\1\0\0\0\0\0\0{"x":{"dtype":"F32"}}', f"a safetensors file; {OURS}"),
        ("a.mlmodel", b"\x08\x04", f"a Core ML model; {OURS}"),
        ("a.msgpack", b"\x81\xa6", f"a Flax file; {OURS}"),
        ("a.onnx", b"\x08\x07", f"an ONNX model; {OURS}"),
        ("a.pt", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", f"a PyTorch file; {OURS}"),
        ("a.h5", b"\xff\xd8\xff\xe0", "a picture; weights were expected here"),
        ("a.h5", b"\x93NUMPY\1\0", "a NumPy array; `npcam record` and `verify` take it as a batch"),
        ("a.h5", b"", "empty (0 bytes); get it again"),
    ],
)
def test_what_it_is_and_what_to_do(tmp_path, name, data, kind):
    """More bytes follow the mark; the whole line is what a user reads."""
    assert kind_of_file(written(tmp_path / name, data)) == kind


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
        (["saved_model.pbtxt"], "a TensorFlow SavedModel"),
        (["config.json", "model.weights.h5"], "an unzipped .keras file; zip"),
        (["config.json", "model.weights.json"], "an unzipped .keras file of shards"),
        (["pytorch_model.bin"], "a PyTorch model's folder"),
        (["config.json", "model.safetensors"], "a PyTorch model's folder"),
        (["checkpoint", "m.index"], "a folder of a TensorFlow checkpoint"),
    ],
)
def test_folders(tmp_path, names, kind):
    """A folder that is a model in another form is named; any other is just a directory."""
    assert kind_of_folder(tmp_path) is None
    with pytest.raises(InputError, match="is a directory"):
        load_model(tmp_path)
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    for read in (load_model, read_keras):
        with pytest.raises(InputError) as error:
            read(tmp_path)
        assert str(error.value).startswith(f"{tmp_path}: is {kind}")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["x/data.pkl", "x/version"], "a PyTorch file"),
        (["config.json", "model.weights.json", "model_00000.weights.h5"], "a .keras file of shards"),
        (["m/saved_model.pb", "m/variables/variables.index"], "a TensorFlow SavedModel"),
        (["a.npy", "b.npy"], "NumPy arrays"),
        (
            ["m/config.json", "m/metadata.json", "m/model.weights.h5"],
            "a folder around a .keras file's members",
        ),
        (["m/config.json", "m/model.weights.h5"], "a folder around a .keras file's members"),
        (["weights/best.keras", "readme.txt"], "a zip around weights/best.keras"),
    ],
)
def test_zips(tmp_path, names, kind):
    """A zip of something else is called that."""
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(InputError, match=f"is {kind}"):
        read_keras(tmp_path / "a.keras")


def test_zips_of_anything():
    """Nothing is guessed of others, nor of none."""
    for names in ([], ["a"], ["a.h5", "b.h5"], ["a.npy", "b"]):
        assert kind_of_zip(names) is None


def test_one_shard_of_several(tmp_path):
    """An HDF5 file that has its table beside it; one that is only numbered may be whole."""
    path = tmp_path / "model_00001.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = np.zeros((3, 3, 2, 2), "f4")
    with pytest.raises(InputError, match="no ResNet's"):
        read_keras(path)
    (tmp_path / "model.weights.json").write_text("{}")
    with pytest.raises(InputError, match="is a part of a set of shards"):
        read_keras(path)

"""Looking into files: every layout, npcam's own, any other HDF5, and what is damaged."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import InputError
from npcam.common import published
from npcam.convert import inspection
from npcam.convert.conversion import convert
from npcam.convert.inspection import inspect
from npcam.resnet import RESNET50, RESNET101, RESNET152, Architecture
from npcam.weights import Weights, write_weights

TINY = Architecture(blocks=(1,), strides=(1,))


@pytest.fixture(scope="module")
def folder(saved, tmp_path_factory):
    """One small model in each of Keras's layouts and in npcam's."""
    path = tmp_path_factory.mktemp("npcam") / "npcam.h5"
    convert(saved.folder / "model.keras", path)
    shutil.copy(path, saved.folder)
    return saved.folder


def sha256(path):
    """As hashlib has it, all at once."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_layers_of_no_resnet_of_keras(keras, tmp_path):
    """Where no network is recognised, the layers are listed as they are saved."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, name="one")])
    model.save(tmp_path / "dense.keras")
    model.save_weights(tmp_path / "dense.weights.h5")
    for name, layer in (("dense.keras", "one"), ("dense.weights.h5", "one")):
        found = inspect(tmp_path / name)
        (listed,) = found.layers
        assert (listed["name"], listed["parameters"]) == (layer, 8)
        assert list(listed["weights"].values()) == [[3, 2], [2]]
        assert (found.architecture, found.converts) == (None, False)
        assert str(tmp_path / name) in found.reason


def test_a_file_that_is_read_to_the_end(folder, tmp_path):
    """That all shapes fit is not enough: a number that is none is found, too."""
    path = tmp_path / "bad.h5"
    shutil.copy(folder / "weights.h5", path)
    with h5py.File(path, "a") as file:
        file["predictions/predictions/bias"][0] = np.nan
    found = inspect(path)
    assert (found.missing, found.extra, found.misshapen, found.converts) == ([], [], [], False)
    assert "NaN" in found.reason


@pytest.mark.parametrize(
    ("arch", "name"),
    [
        (RESNET50, "ResNet-50"),
        (RESNET101, "ResNet-101"),
        (RESNET152, "ResNet-152"),
        (TINY, "ResNet of 1 blocks"),
    ],
)
def test_npcams_own_files(tmp_path, arch, name):
    """The network by its name, its size, its notes, its parameters, and that there is nothing to convert."""
    tensors = random_tensors(arch, width=1, classes=2)
    weights = Weights(arch, tensors, input_size=(33, 40), notes=("made up",), source="no file")
    write_weights(tmp_path / "w.h5", weights)
    found = inspect(tmp_path / "w.h5")
    assert found.architecture == {
        "name": name,
        "blocks": arch.blocks,
        "strides": arch.strides,
        "stride_in": 1,
        "pool_padding": 1,
        "epsilon": 1.001e-5,
        "activation": "softmax",
        "input_size": [33, 40],
    }
    assert found.parameters == sum(a.size for arrays in tensors.values() for a in arrays.values())
    assert {layer["name"]: layer["weights"] for layer in found.layers} == {
        layer: {n: list(a.shape) for n, a in arrays.items()} for layer, arrays in tensors.items()
    }
    assert found.notes == ["made up"]
    assert found.metadata == {"source": "no file", "source_sha256": "", "converter": ""}
    assert (found.converts, found.reason) == (False, "npcam's own already")
    assert json.loads(json.dumps(found.to_json()))["parameters"] == found.parameters


def test_the_file_itself(tmp_path):
    """Its length and its hashes, and what is no HDF5: in a few words and with the reader's reason."""
    path = tmp_path / "words"
    path.write_bytes(b"abc")
    found = inspect(str(path))
    assert (found.file, found.bytes) == (str(path), 3)
    assert (
        found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )  # FIPS 180-2, B.1
    assert found.md5 == "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321, A.5
    assert (found.format, found.layers, found.converts) == ("not HDF5", [], False)
    assert found.reason.startswith(f"{path}: not an HDF5 file")
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    assert inspect(path).format == "zip"


@pytest.mark.parametrize(("has_top", "words"), [(True, "with top"), (False, "without top")])
def test_published_files_are_recognised(tmp_path, monkeypatch, has_top, words):
    """By their MD5, whatever is in them."""
    (tmp_path / "f.h5").write_bytes(b"abc")
    file = published.Official("resnet101", "x.h5", "900150983cd24fb0d6963f7d28e17f72", has_top, "2017")
    monkeypatch.setattr(published, "FILES", (file,))
    assert inspect(tmp_path / "f.h5").official == f"resnet101 {words}, network 2017"


@pytest.mark.parametrize(("depth", "count"), [(32, 1), (33, 0)])
def test_groups_in_groups(tmp_path, depth, count):
    """Arrays are listed that lie up to 32 groups deep."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["/".join(["g"] * depth) + "/data"] = np.ones(5)
    found = inspect(tmp_path / "a.h5")
    assert [layer["parameters"] for layer in found.layers] == [5] * count
    with h5py.File(tmp_path / "circle.h5", "w") as file:
        file["a/data"] = np.ones(5)
        file["a/b/circle"] = file["a"]
    assert len(inspect(tmp_path / "circle.h5").layers) < 32


@pytest.mark.parametrize(("limit", "listed"), [(6, 3), (5, 2), (4, 1), (3, 0)])
def test_as_many_members_as_the_limit(tmp_path, monkeypatch, limit, listed):
    """Members are counted, groups and arrays: what lies beyond the limit is not listed."""
    monkeypatch.setattr(inspection, "MAX_KERAS_LAYERS", limit)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in "abc":
            file[f"{name}/data"] = np.ones(5)
    assert len(inspect(tmp_path / "a.h5").layers) == listed


def test_no_file(tmp_path, monkeypatch):
    """Nothing there, or nothing that can be read, is an error and no finding."""
    with pytest.raises(InputError) as caught:
        inspect(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: no such file; give the path of a weights file"

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / "a.h5").write_bytes(b"abc")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        inspect(tmp_path / "a.h5")
    assert str(caught.value) == f"{tmp_path / 'a.h5'}: cannot be read ({os.strerror(errno.EACCES)})"

"""Looking into files: every layout, npcam's own, any other HDF5, and what is damaged."""

import errno
import hashlib
import io
import json
import os
import shutil
import zipfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.handmade_keras import config_of, tensors_of, write_h5, write_keras, write_weights_h5, write_zip
from helpers.networks import random_tensors

from npcam import InputError
from npcam.cli.commands import main
from npcam.common import published
from npcam.convert import inspection
from npcam.convert.conversion import convert
from npcam.convert.inspection import Inspection, describe, inspect
from npcam.resnet import RESNET50, RESNET101, RESNET152, Architecture
from npcam.weights import Weights, read_weights, tensors_sha256, write_weights
from npcam.weights.file import FORMAT_VERSION

BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
TINY = Architecture(blocks=(1,), strides=(1,))


@pytest.fixture(scope="module")
def folder(saved, tmp_path_factory):
    """One small model in each of Keras's layouts and in npcam's."""
    path = tmp_path_factory.mktemp("npcam") / "npcam.h5"
    convert(saved.folder / "model.keras", path)
    shutil.copy(path, saved.folder)
    return saved.folder


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("model.keras", "Keras .keras"),
        ("model.weights.h5", "Keras .weights.h5"),
        ("whole.h5", "Keras HDF5 (.h5), whole model"),
        ("weights.h5", "Keras HDF5 (.h5), weights only"),
        ("npcam.h5", f"npcam weights, version {FORMAT_VERSION}"),
    ],
)
def test_layouts(keras, saved, folder, name, form):
    """The layout, the architecture, and as many parameters as Keras counts."""
    found = inspect(folder / name)
    assert found.format == form
    assert found.parameters == saved.parameters
    assert found.architecture["name"] == "ResNet of 1, 1 blocks"
    assert (found.architecture["blocks"], found.architecture["strides"]) == ((1, 1), (1, 2))
    assert found.architecture["activation"] == "softmax"
    assert found.preprocessing == "caffe: channels 2, 1, 0; subtract 103.939, 116.779, 123.68"
    told = name in ("model.keras", "whole.h5", "npcam.h5")  # where the configuration is
    alone = ["network", "preprocessing", "input_size", "activation"]
    assert found.assumed == (["preprocessing"] if told else alone)
    assert found.findings == []
    assert found.tensors_sha256 == tensors_sha256(read_weights(folder / "npcam.h5").tensors)
    assert found.architecture["input_size"] == ([64, 64] if told else None)
    assert found.converts == (name != "npcam.h5")
    assert len(found.layers) == 19  # nine convolutions with their batch norms, and the Dense layer
    if form.startswith("Keras") and name != "model.weights.h5":
        assert found.metadata["keras_version"] == keras.__version__
    assert found.reason == (None if found.converts else "npcam's own already")
    if name == "npcam.h5":
        assert found.metadata["source"] == "model.keras"
        assert found.metadata["source_sha256"] == sha256(folder / "model.keras")
        assert found.metadata["converter"].startswith("npcam ")
    else:
        assert {"conv1_conv", "predictions"} < {layer["name"] for layer in found.layers}


@pytest.mark.parametrize(
    ("write", "form", "where"),
    [
        (write_keras, "Keras .keras", "config.json"),
        (write_h5, "Keras HDF5 (.h5), whole model", "model_config"),
        (partial(write_h5, whole=False), "Keras HDF5 (.h5), weights only", None),
        (write_weights_h5, "Keras .weights.h5", None),
    ],
)
def test_layouts_made_by_hand(tmp_path, write, form, where):
    """Each is called what it is, converts, and names the place of a class that is not Keras's."""
    found = inspect(write(tmp_path / "a.h5", config_of(), tensors_of()))
    assert (found.format, found.converts, found.reason, found.findings) == (form, True, None, [])
    assert found.parameters == sum(a.size for arrays in tensors_of().values() for a in arrays.values())
    assert found.to_json()["class_names"] is None
    assert found.preprocessing == "caffe: channels 2, 1, 0; subtract 103.939, 116.779, 123.68"
    if where:
        mine = config_of()
        mine["config"]["layers"][-1]["registered_name"] = "mine>Dense"
        found = inspect(write(tmp_path / "b.h5", mine, tensors_of()))
        assert not found.converts
        assert "mine>Dense" in found.reason
        assert len(found.layers) == len(tensors_of())  # those that hold arrays
        (finding,) = found.findings
        assert finding["where"].startswith(where)


def test_a_zip_whose_layers_are_not_as_keras_writes_them(tmp_path):
    """What its configuration says is looked at none the less."""
    mine = config_of()
    mine["config"]["layers"][-1]["registered_name"] = "mine>Dense"
    whole = write_keras(tmp_path / "a.keras", mine, tensors_of())
    empty = io.BytesIO()
    with h5py.File(empty, "w") as file:
        file["layers"] = np.zeros(3)
    with zipfile.ZipFile(whole) as archive:
        members = [(n, archive.read(n)) for n in archive.namelist() if n != "model.weights.h5"]
    path = write_zip(tmp_path / "b.keras", *members, ("model.weights.h5", empty.getvalue()))
    found = inspect(path)
    assert (found.format, found.converts, found.class_names) == ("Keras .keras", False, None)
    assert any(f["where"].startswith("config.json") and "mine>Dense" in f["what"] for f in found.findings)


def sha256(path):
    """As hashlib has it, all at once."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_missing(folder, tmp_path):
    """Missing, extra and misshapen tensors are listed, all of them."""
    path = tmp_path / "bad.h5"
    shutil.copy(folder / "weights.h5", path)
    with h5py.File(path, "a") as file:
        for name in ("conv1_conv", "conv2_block1_1_bn"):
            file[name].attrs["weight_names"] = file[name].attrs["weight_names"][1:]
        changed = {"conv2_block1_2_conv/kernel": np.ones((3, 3, 5, 4), "f4")}
        changed |= {f"conv3_block1_3_bn/{name}": np.float32(1) for name in BATCH_NORM}
        for name, array in changed.items():  # the group of a layer holds one of that name again
            del file[f"{name.split('/')[0]}/{name}"]
            file[f"{name.split('/')[0]}/{name}"] = array
    found = inspect(path)
    assert not found.converts
    assert set(found.missing) == {"conv1_conv/kernel", "conv2_block1_1_bn/gamma"}
    assert found.extra == []
    assert found.misshapen == [
        "conv2_block1_2_conv/kernel (3, 3, 5, 4) (expected (3, 3, 4, 4))",
        *(f"conv3_block1_3_bn/{name} () (expected (32,))" for name in BATCH_NORM),
    ]
    for tensor in ("conv1_conv/kernel", "conv2_block1_1_bn/gamma", "conv2_block1_2_conv/kernel"):
        assert tensor in found.reason


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
    found = inspect(path)
    assert (found.format, found.readable) == ("damaged zip", False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    found = inspect(path)
    assert (found.format, found.readable, found.converts) == ("zip", True, False)
    assert "a zip of word/document.xml; a .keras file holds config.json and" in found.reason


@pytest.mark.parametrize(("has_top", "words"), [(True, "with top"), (False, "without top")])
def test_published_files_are_recognised(tmp_path, monkeypatch, has_top, words):
    """By their MD5, whatever is in them."""
    (tmp_path / "f.h5").write_bytes(b"abc")
    file = published.Official("resnet101", "x.h5", "900150983cd24fb0d6963f7d28e17f72", has_top, "2017")
    monkeypatch.setattr(published, "FILES", (file,))
    assert inspect(tmp_path / "f.h5").official == f"resnet101 {words}, network 2017"


def test_any_hdf5(tmp_path):
    """An HDF5 file of something else: its arrays, and that it does not convert."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["some/where/data"] = np.ones((2, 3))
        file["some/where/empty"] = np.ones((0, 3))
        file["some/number"] = 7.0
        file["link"] = h5py.ExternalLink("/nowhere", "/x")
    found = inspect(tmp_path / "a.h5")
    assert sorted(found.layers, key=lambda layer: layer["name"]) == [
        {"name": "/some", "weights": {"number": []}, "parameters": 1},
        {"name": "/some/where", "weights": {"data": [2, 3], "empty": [0, 3]}, "parameters": 6},
    ]
    assert (found.format, found.converts) == ("HDF5, not Keras's", False)
    assert found.reason == f"{tmp_path / 'a.h5'}: /link is a link to elsewhere; npcam reads plain data only"
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["link"]
    says = "HDF5, but not Keras's: it has neither layer_names nor layers; `npcam inspect` shows what it has"
    assert inspect(tmp_path / "a.h5").reason == f"{tmp_path / 'a.h5'}: {says}"
    assert inspect(tmp_path / "a.h5").layers == found.layers


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


def test_in_words():
    """Every line as a reader sees it; what does not print is shown as its escape."""
    found = Inspection(
        "a\x1b.h5",
        1234567,
        "5a",
        "d5",
        "Keras HDF5 (.h5), weights only",
        {"keras_version": "2.1.6", "backend": "tensor\nflow"},
        "resnet50 with top, network keras",
        {"name": "ResNet-50", "blocks": (3, 4, 6, 3), "epsilon": 1e-3},
        [
            {"name": "conv1_conv", "weights": {"kernel": [7, 7, 3, 64], "bias": [64]}, "parameters": 9472},
            {"name": "fc", "weights": {"kernel": [2, 600]}, "parameters": 1200, "original": "my\nhead"},
        ],
        ["conv1_bn/beta"],
        ["fc/a", "fc/b"],
        ["fc/kernel (2, 600) (expected (2, 500))"],
        converts=False,
        reason="a reason",
        notes=["a note"],
        preprocessing="unit: divide 255",
        assumed=["input_size"],
        class_names=[f"class{i}" for i in range(9)],
        tensors_sha256="7e",
        findings=[{"kind": "member", "where": "evil.pkl", "what": "3 bytes"}],
    )
    assert describe(found) == "\n".join(
        [
            r"a\x1b.h5",
            "  format        Keras HDF5 (.h5), weights only",
            "  keras_version  2.1.6",
            r"  backend       tensor\nflow",
            "  size          1,234,567 bytes",
            "  SHA-256       5a",
            "  MD5           d5",
            "  official      resnet50 with top, network keras",
            "  architecture  ResNet-50: blocks (3, 4, 6, 3), epsilon 0.001",
            "  layers        2 with weights, 10,672 parameters",
            "    conv1_conv                      9,472  kernel (7, 7, 3, 64)  bias (64,)",
            r"    fc                              1,200  kernel (2, 600)  (is my\nhead in the file)",
            "  preprocessing unit: divide 255",
            "  class names   9: class0, class1, class2, class3, class4, class5, class6, class7, ...",
            "  tensors       SHA-256 7e",
            "  assumed       input_size",
            "  missing       conv1_bn/beta",
            "  extra         fc/a",
            "  extra         fc/b",
            "  misshapen     fc/kernel (2, 600) (expected (2, 500))",
            "  notes         a note",
            "  finding       member: evil.pkl: 3 bytes",
            "  converts      no: a reason",
        ]
    )
    few = describe(Inspection("b", converts=True)).split("\n")
    assert few[1:3] == ["  format        not HDF5", "  size          0 bytes"]
    assert few[-2:] == ["  layers        0 with weights, 0 parameters", "  converts      yes"]
    assert len(few) == 7


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


def test_command(folder, tmp_path, capsys):
    """`npcam inspect`, in words and as JSON, on good files and bad ones, with the status of each."""
    path = str(folder / "model.keras")
    assert main(["inspect", path]) == 0
    assert capsys.readouterr().out == describe(inspect(path)) + "\n"
    assert main(["inspect", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(inspect(path).to_json()))
    assert found["converts"] is True
    assert found["architecture"]["activation"] == "softmax"
    assert main(["inspect", str(folder / "npcam.h5")]) == 1
    assert "converts      no: npcam's own already\n" in capsys.readouterr().out
    for name in ("model.keras", "whole.h5", "npcam.h5"):  # cut short, there is nothing to look into
        (tmp_path / name).write_bytes((folder / name).read_bytes()[:5000])
        assert main(["inspect", str(tmp_path / name)]) == 2
        assert f"converts      no: {tmp_path / name}: " in capsys.readouterr().out

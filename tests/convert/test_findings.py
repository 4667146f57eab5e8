"""What else is in a Keras file is named: stowaways, optimizer states, code, numbers that look wrong."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from npcam.cli.commands import main
from npcam.convert.findings import in_configuration, in_values
from npcam.convert.inspection import describe, inspect
from npcam.resnet import Architecture
from npcam.weights.random import random_weights

CASES = Path(__file__).parents[1] / "cases"


def findings(path):
    return {(f["kind"], f["where"]) for f in inspect(path).findings}


def test_a_plain_file_has_none():
    """A model and nothing else; what was assumed, its preprocessing and its hash are told."""
    found = inspect(CASES / "windows.keras")
    assert found.converts
    assert found.findings == []
    assert found.assumed == ["preprocessing"]
    assert found.preprocessing.startswith("caffe: channels 2, 1, 0")
    assert len(found.tensors_sha256) == 64


def test_stowaways_in_a_zip(tmp_path):
    """Every member that is not one of the model's three, and a comment; pickles are called dangerous."""
    path = tmp_path / "a.keras"
    shutil.copy(CASES / "windows.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/payload.pkl", b"x")
        archive.writestr("assets/words.txt", b"cat")
        archive.comment = b"hello"
    assert findings(path) == {
        ("member", "assets/payload.pkl"),
        ("member", "assets/words.txt"),
        ("member", "the zip's comment"),
    }
    text = describe(inspect(path))
    assert (
        "finding       member: assets/payload.pkl: 1 bytes, not part of the model, and loading it may run"
        in text
    )


def test_stowaways_in_hdf5(tmp_path):
    """Groups beside the model's, the optimizer's state, and how it was trained."""
    path = tmp_path / "a.h5"
    shutil.copy(CASES / "softmax_v2.h5", path)
    with h5py.File(path, "a") as file:
        file["optimizer_weights/m"] = np.zeros(3)
        file["payload/x"] = np.zeros(5)
        file["model_weights/not_listed/kernel"] = np.zeros(5)
        file.attrs["training_config"] = "{}"
    assert findings(path) == {
        ("optimizer", "optimizer_weights"),
        ("group", "payload"),
        ("group", "model_weights/not_listed"),
        ("compile", "training_config"),
    }
    assert inspect(path).converts


def test_bytes_before_a_zip(tmp_path):
    """A program, say, that a zip was put behind: the model is read all the same, and they are told."""
    path = tmp_path / "a.keras"
    path.write_bytes(b"PK\x03\x04" + bytes(96) + (CASES / "windows.keras").read_bytes())
    found = inspect(path)
    assert ("member", "before the zip") in findings(path)
    assert [f["what"] for f in found.findings if f["where"] == "before the zip"] == [
        "100 bytes, which npcam does not read"
    ]


def test_groups_of_every_kind_beside_a_model(tmp_path):
    """Links to elsewhere are not followed; arrays within reach of plain links are counted, not read."""
    path = tmp_path / "a.h5"
    shutil.copy(CASES / "softmax_v2.h5", path)
    with h5py.File(path, "a") as file:
        file["away"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["deep/er/x"] = np.zeros((2, 3))
        file["deep/y"] = np.zeros(4)
        file["deep/link"] = h5py.SoftLink("/model_weights")
        file["empty"] = np.zeros((0, 3))
    beside = "not part of the model; npcam does not read it"
    assert {f["where"]: f["what"] for f in inspect(path).findings if f["kind"] == "group"} == {
        "away": f"a link to elsewhere, {beside}",
        "deep": f"3 arrays, 10 values, {beside}",
        "empty": f"1 arrays, 0 values, {beside}",
    }
    assert inspect(path).converts


def test_groups_in_circles(tmp_path):
    """Hard links that lead back, one or two at each turn, and more members than are counted: no hang."""
    path = tmp_path / "a.h5"
    shutil.copy(CASES / "softmax_v2.h5", path)
    with h5py.File(path, "a") as file:
        for name, links in (("one", 1), ("two", 2)):
            group = file.create_group(name)
            for number in range(links):
                group[f"again{number}"] = group
        for number in range(10_001):
            file.create_group(f"many/{number}")
        file["/".join(["deep"] * 33) + "/x"] = np.zeros(3)
    found = inspect(path)
    endless = (
        "groups of more members than any weights file has, not part of the model; npcam does not read it"
    )
    for where, what in {
        "one": endless,
        "two": endless,
        "many": endless,
        "deep": f"1 arrays, 3 values, {endless.split(', ')[1]}",
    }.items():
        assert {"kind": "group", "where": where, "what": what} in found.findings
    assert found.converts


def test_long_settings_of_training_are_cut():
    """Two hundred characters of them are shown, escaped."""
    (finding,) = in_configuration({"compile_config": {"loss": "\x1b" * 300}})
    assert finding.kind == "compile"
    assert finding.what.isprintable()
    assert finding.what.endswith("...")
    assert len(finding.what) == 203


def test_configurations_that_name_code():
    """Own classes, foreign modules and lambdas, wherever they stand; Keras's own are not named."""
    config = {
        "class_name": "Functional",
        "module": "keras.src.models.functional",
        "config": {
            "layers": [
                {"class_name": "Lambda", "module": "keras.layers"},
                {"class_name": "A", "module": "os"},
            ]
        },
        "compile_config": {
            "loss": {"class_name": "function", "module": "builtins", "registered_name": "mine>loss"}
        },
        "registered_name": "Functional",
    }
    found = {(f.kind, f.where) for f in in_configuration(config)}
    assert found == {
        ("compile", "config.json: compile_config"),
        ("code", "config.json/compile_config/loss"),
        ("code", "config.json/config/layers/0"),
        ("code", "config.json/config/layers/1"),
    }


def test_numbers_that_look_wrong():
    """Each kind planted in turn in a network that has none."""
    arch = Architecture(blocks=(1,), strides=(1,))
    good = {layer: dict(a) for layer, a in random_weights(arch, 4, 3).tensors.items()}
    assert list(in_values(good)) == []
    for layer, name, change, what in (
        ("conv1_conv", "kernel", lambda a: a * 0, "all zero"),
        ("conv1_conv", "kernel", lambda a: a * 0 + 2, "all 2"),
        ("conv1_bn", "gamma", lambda a: a * 0, "all zero"),
        ("predictions", "bias", lambda a: a + 1e9, "up to 1e\\+09"),
        ("predictions", "kernel", lambda a: a * np.float32(1e-39), "48 of 48 numbers are denormal"),
        ("conv1_bn", "moving_variance", lambda a: a - 1.4, "a negative variance"),
    ):
        changed = good | {layer: good[layer] | {name: change(good[layer][name])}}
        (finding,) = in_values(changed)
        assert finding.where == f"{layer}/{name}"
        assert finding.what.startswith(what.split("\\")[0])
    norm = {"moving_mean": np.zeros(4, np.float32), "moving_variance": np.ones(4, np.float32)}
    (finding,) = in_values(good | {"conv1_bn": good["conv1_bn"] | norm})
    assert finding.what.startswith("mean 0 and variance 1 in 1 batch norms")


def test_original_names():
    """The head that npcam calls `predictions` is shown with its own name."""
    layer = inspect(CASES / "two_outputs.keras").layers[-1]
    assert layer["name"] == "predictions"
    assert layer["original"].startswith("dense")


@pytest.mark.parametrize(
    ("name", "status"), [("windows.keras", 0), ("custom_conv.keras", 1), ("../reference/narrow.h5", 1)]
)
def test_exit_status(capsys, name, status):
    """0: it converts; 1: it does not, and why not; records are called records."""
    assert main(["inspect", str(CASES / name), "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert found["converts"] == (status == 0)
    assert (found["reason"] is None) == (status == 0)
    if "reference" in name:
        assert found["format"].startswith("npcam record")


def test_unreadable(tmp_path, capsys):
    """2: nothing that could be looked into."""
    (tmp_path / "a").write_bytes(b"hello")
    assert main(["inspect", str(tmp_path / "a")]) == 2
    assert main(["inspect", str(tmp_path / "none")]) == 2
    capsys.readouterr()

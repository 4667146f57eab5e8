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

LAMBDA = {"value": ["4wEAAAAA", None, None]}  # as Keras writes one
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


def test_long_settings_of_training_are_cut():
    """Two hundred characters of them are shown, escaped."""
    (finding,) = in_configuration({"compile_config": {"loss": "\x1b" * 300}})
    assert finding.kind == "compile"
    assert finding.what.isprintable()
    assert finding.what.endswith("...")
    assert len(finding.what) == 203


def test_bytes_that_are_in_no_member(tmp_path):
    """Between a zip's members and behind it, and before HDF5."""
    path = tmp_path / "a.keras"
    data = (CASES / "linear_head.keras").read_bytes()
    path.write_bytes(data + b"x" * 9)
    (behind,) = inspect(path).findings
    assert (behind["where"], behind["what"]) == ("after the zip", "9 bytes, which npcam does not read")
    with zipfile.ZipFile(path, "w") as archive, zipfile.ZipFile(CASES / "linear_head.keras") as source:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
            archive.fp.write(b"hidden")
            archive.start_dir = archive.fp.tell()
    assert findings(path) == {("member", "between the zip's members")}
    assert inspect(path).findings[0]["what"] == "18 bytes, which npcam does not read"
    block = tmp_path / "a.h5"
    with h5py.File(block, "w", userblock_size=512) as target, h5py.File(CASES / "softmax_v2.h5") as whole:
        for name in whole:
            whole.copy(name, target)
        target.attrs.update(whole.attrs)
    assert findings(block) == {("bytes", "before the HDF5")}
    assert inspect(block).converts


class Pipe:
    """A file that cannot be gone back in, so that a zip has each member's sizes behind it."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


def test_zips_that_are_written_otherwise(tmp_path):
    """Extra fields, sizes behind the data, a comment: every byte is of something, and one more is found."""
    path = tmp_path / "a.keras"
    for hidden in (b"", b"x"):
        with (
            path.open("wb") as file,
            zipfile.ZipFile(Pipe(file), "w") as archive,
            zipfile.ZipFile(CASES / "linear_head.keras") as source,
        ):
            for name in source.namelist():
                member = zipfile.ZipInfo(name)
                member.extra = b"\xfe\xca\x03\x00abc"
                archive.writestr(member, source.read(name))
            archive.fp.write(hidden)
            archive.start_dir = archive.fp.tell()
            archive.comment = b"z" * 7
        expected = [("the zip's comment", "7 bytes")]
        if hidden:
            expected.append(("between the zip's members", "1 bytes, which npcam does not read"))
        assert [(f["where"], f["what"]) for f in inspect(path).findings] == expected


def test_zips_that_are_unreadable(tmp_path):
    """A zip cut short and no HDF5 end with 2; a whole zip of something else is read, and ends with 1."""
    for name, data in (("a.keras", (CASES / "linear_head.keras").read_bytes()[:9999]), ("b.h5", b"hello")):
        (tmp_path / name).write_bytes(data)
        assert main(["inspect", str(tmp_path / name)]) == 2
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as archive:
        archive.writestr("c/data.pkl", b"x")
    assert main(["inspect", str(tmp_path / "c.pt")]) == 1


def test_configurations_that_name_code():
    """Own classes, foreign modules and lambdas, wherever they stand; Keras's own are not named."""
    config = {
        "class_name": "Functional",
        "module": "keras.src.models.functional",
        "config": {
            "layers": [
                {"class_name": "Lambda", "module": "keras.layers"},
                {"class_name": "A", "module": "os"},
                {"class_name": "Dense", "module": "keras.layers", "config": {"activation": "mine>relu"}},
                {"class_name": "Dense", "module": "keras.layers", "config": {"activation": LAMBDA}},
                {"class_name": "function", "module": "keras.src.utils.file_utils", "config": "get_file"},
                {"class_name": "function", "module": "keras.src.losses.losses", "config": "mse"},
                {"class_name": "function", "module": "builtins", "config": "own"},
                {"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}},
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
        ("code", "config.json/config/layers/2/config/activation"),
        ("code", "config.json/config/layers/3/config/activation"),
        ("code", "config.json/config/layers/4"),
        ("code", "config.json/config/layers/6"),
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
        assert (finding.kind, finding.where) == ("values", f"{layer}/{name}")
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


def test_a_function_that_is_not_in_the_file():
    """One of no module, by its name alone, as Keras writes a person's own."""
    function = {
        "class_name": "function",
        "module": "builtins",
        "config": "mine",
        "registered_name": "function",
    }
    (finding,) = in_configuration({"config": {"activation": function}})
    assert finding.where == "config.json/config/activation"
    assert finding.what == "names the function mine, whose code is not in the file"

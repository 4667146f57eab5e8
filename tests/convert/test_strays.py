"""What an HDF5 file of Keras's holds besides the model is named: arrays, groups, links, attributes."""

import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from npcam.cli.commands import main
from npcam.convert.inspection import inspect

CASES = Path(__file__).parents[1] / "cases"


def findings(path):
    return {(f["kind"], f["where"]) for f in inspect(path).findings}


def test_stowaways_in_hdf5(tmp_path):
    """Groups beside the model's, the optimizer's state, and how it was trained."""
    path = tmp_path / "a.h5"
    shutil.copy(CASES / "softmax_v2.h5", path)
    with h5py.File(path, "a") as file:
        file["optimizer_weights/m"] = np.zeros(3)
        file["payload/x"] = np.zeros(5)
        file["model_weights/not_listed/kernel"] = np.zeros(5)
        file["array"] = np.zeros(4)
        file["model_weights/conv1_conv/conv1_conv/array"] = np.zeros(4)
        file.attrs["training_config"] = '{"loss": "mine>loss"}'
        file.attrs["payload"] = "x"
        file["model_weights/conv1_conv"].attrs["payload"] = [1, 2]
    with path.open("ab") as raw:
        raw.write(b"x" * 7)
    assert findings(path) == {
        ("optimizer", "optimizer_weights"),
        ("group", "payload"),
        ("array", "array"),
        ("group", "model_weights/not_listed"),
        ("array", "model_weights/conv1_conv/conv1_conv/array"),
        ("attribute", "the file"),
        ("attribute", "model_weights/conv1_conv"),
        ("bytes", "after the HDF5"),
        ("compile", "training_config"),
        ("code", "training_config/loss"),
    }
    assert inspect(path).converts


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
    assert {f["where"]: f["what"] for f in inspect(path).findings} == {
        "away": "a link to elsewhere, which npcam does not follow",
        "deep": f"2 arrays, 10 values, {beside}",
        "empty": f"1 array, 0 values, {beside}",
    }
    assert inspect(path).converts


DEEP = "groups in groups, more than 32 deep"


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (lambda f: circle(f, 1), "one", DEEP),
        (lambda f: circle(f, 2), "one", DEEP),
        (lambda f: circle(f, 2), "/", "more than 10,000 members"),
        (
            lambda f: f.__setitem__("deep/" * 33 + "x", np.zeros(3)),
            "deep",
            "groups in groups, more than 32 deep",
        ),
        (lambda f: f.__setitem__("deep/" * 31 + "x", np.zeros(3)), "deep", "1 array, 3 values"),
    ],
)
def test_groups_without_end(tmp_path, change, where, what):
    """Hard links that lead back, once or twice at each turn, and groups in groups: no hang, and named."""
    path = tmp_path / "a.h5"
    shutil.copy(CASES / "softmax_v2.h5", path)
    with h5py.File(path, "a") as file:
        change(file)
    found = inspect(path)
    assert [f for f in found.findings if f["where"].partition("/")[0] in (where, "") and what in f["what"]]
    assert found.converts


def circle(file, links):
    """A group that holds itself, so many times."""
    group = file.create_group("one")
    for number in range(links):
        group[f"again{number}"] = group


def changed(path, change):
    """A copy of a `.keras` file whose HDF5 a function changes; returns its path."""
    with zipfile.ZipFile(CASES / "linear_head.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "model.weights.h5":
                inner = path.with_suffix(".h5")
                inner.write_bytes(data)
                with h5py.File(inner, "a") as file:
                    change(file)
                data = inner.read_bytes()
            target.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("change", "found", "converts"),
    [
        (lambda f: f.__setitem__("payload/x", np.zeros(3)), ("group", "payload"), False),
        (lambda f: f.__setitem__("x", np.zeros(3)), ("array", "x"), False),
        (lambda f: f.__setitem__("x", "import os"), ("array", "x"), False),
        (
            lambda f: f.__setitem__("layers/dense/vars/x", np.zeros(3)),
            ("array", "layers/dense/vars/x"),
            False,
        ),
        (lambda f: f.__setitem__("layers/dense/x/y", np.zeros(3)), ("group", "layers/dense/x"), False),
        (lambda f: f.__setitem__("layers/dense_7/vars/0", np.zeros(3)), ("group", "layers/dense_7"), True),
        (
            lambda f: f.__setitem__("layers/dense/inner/vars/0", np.zeros(3)),
            ("group", "layers/dense/inner"),
            True,
        ),
        (lambda f: f.__setitem__("x", h5py.SoftLink("/layers")), ("link", "x"), False),
        (lambda f: f.__setitem__("x", h5py.ExternalLink("a.h5", "/b")), ("link", "x"), False),
        (lambda f: f.attrs.__setitem__("x", 1), ("attribute", "the file"), True),
        (lambda f: f.__setitem__("optimizer/vars/0", np.zeros(3)), ("optimizer", "optimizer"), True),
        (lambda f: f.__setitem__("metrics/vars/0", np.zeros(3)), ("optimizer", "metrics"), True),
        (lambda f: f.__setitem__("layers/dropout/seed_generator/vars/0", np.zeros(2)), None, True),
    ],
)
def test_stowaways_in_the_newer_layout(tmp_path, change, found, converts):
    """Named, wherever they lie, whether the file converts or is refused for them; the status says that."""
    path = changed(tmp_path / "a.keras", change)
    assert findings(path) == ({found} if found else set())
    assert inspect(path).converts == converts
    assert main(["inspect", str(path)]) == (0 if converts else 1)


def test_attributes_that_cannot_be_read(tmp_path):
    """Of a group with more attributes than any of Keras's, that is told."""
    path = tmp_path / "a.h5"
    shutil.copy(CASES / "softmax_v2.h5", path)
    with h5py.File(path, "a", libver="latest") as file:
        group = file.create_group("beside")
        group["x"] = np.zeros(2)
        for number in range(2000):
            group.attrs[f"a{number}"] = number
    told = [f for f in inspect(path).findings if f["kind"] == "attribute"]
    assert told
    assert {f["where"] for f in told} == {"beside"}

"""Looking into files: every layout, npcam's own, any other HDF5, and what is damaged."""

import json
import shutil

import h5py
import numpy as np
import pytest
from helpers.keras_models import keras, randomise, resnet, save_legacy

from npcam.cli.commands import main
from npcam.convert.conversion import convert
from npcam.convert.inspection import describe, inspect


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One small model in each layout."""
    folder = tmp_path_factory.mktemp("files")
    model = randomise(resnet(blocks=(1, 1), width=4, classes=3))
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    save_legacy(model, folder / "whole.h5")
    save_legacy(model, folder / "weights.h5", whole=False)
    convert(folder / "model.keras", folder / "npcam.h5")
    return folder, model.count_params()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("model.keras", "Keras .keras"),
        ("model.weights.h5", "Keras .weights.h5"),
        ("whole.h5", "Keras HDF5 (.h5), whole model"),
        ("weights.h5", "Keras HDF5 (.h5), weights only"),
        ("npcam.h5", "npcam weights, version 1"),
    ],
)
def test_layouts(folder, name, form):
    """The layout, the architecture, and as many parameters as Keras counts."""
    folder, count = folder
    found = inspect(folder / name)
    assert found.format == form
    assert found.parameters == count
    assert found.architecture["blocks"] == (1, 1)
    assert found.converts == (name != "npcam.h5")
    assert len(found.layers) == 19  # nine convolutions with their batch norms, and the Dense layer
    if form.startswith("Keras") and name != "model.weights.h5":
        assert found.metadata["keras_version"] == keras.__version__
    assert "conv1_conv" in describe(found)


def test_what_is_missing(folder, tmp_path):
    """Missing, extra and misshapen tensors are listed, all of them."""
    path = tmp_path / "bad.h5"
    shutil.copy(folder[0] / "weights.h5", path)
    with h5py.File(path, "a") as file:
        for name in ("conv1_conv", "conv2_block1_1_bn"):
            file[name].attrs["weight_names"] = file[name].attrs["weight_names"][1:]
        file["conv2_block1_2_conv"].attrs["weight_names"] = np.array([b"k/kernel", b"k/bias"])
        file["conv2_block1_2_conv/k/kernel"] = np.ones((3, 3, 5, 4), "f4")
        file["conv2_block1_2_conv/k/bias"] = np.ones(4, "f4")
    found = inspect(path)
    assert not found.converts
    assert set(found.missing) == {"conv1_conv/kernel", "conv2_block1_1_bn/gamma"}
    assert found.misshapen == ["conv2_block1_2_conv/kernel (3, 3, 5, 4) (expected (3, 3, 4, 4))"]


def test_any_hdf5(tmp_path):
    """An HDF5 file of something else: its arrays, and that it does not convert."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["some/where/data"] = np.ones((2, 3))
        file["link"] = h5py.ExternalLink("/nowhere", "/x")
    found = inspect(tmp_path / "a.h5")
    assert found.layers == [{"name": "/some/where", "weights": {"data": [2, 3]}, "parameters": 6}]
    assert (found.format, found.converts) == ("HDF5, not Keras's", False)


def test_command(folder, tmp_path, capsys):
    """`npcam inspect`, in words and as JSON, on good files and bad ones."""
    path = str(folder[0] / "model.keras")
    assert main(["inspect", path]) == 0
    assert "converts      yes" in capsys.readouterr().out
    assert main(["inspect", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["converts"] is True
    assert found["architecture"]["activation"] == "softmax"
    (tmp_path / "bad.keras").write_bytes((folder[0] / "model.keras").read_bytes()[:5000])
    assert main(["inspect", str(tmp_path / "bad.keras")]) == 0
    assert "converts      no" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "none.h5")]) == 2

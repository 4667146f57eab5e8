"""A file of any of Keras's layouts, opened: its layers, its configuration, what it says of itself."""

import json

import h5py
import numpy as np
import pytest
from helpers.handmade_keras import (
    config_of,
    tensors_of,
    write_h5,
    write_keras,
    write_weights_h5,
    write_zip,
)

from npcam import InputError
from npcam.keras_files import open_keras

CONFIG, TENSORS = config_of(), tensors_of()


def test_a_zip(tmp_path):
    """The configuration, the metadata, and layers by class and number."""
    with open_keras(write_keras(tmp_path / "a.keras", CONFIG, TENSORS)) as file:
        assert file.layout == "numbered"
        assert file.config == CONFIG
        assert file.metadata == {"keras_version": "3.12.0", "date_saved": "2026-01-02@03:04:05"}
        found = next(layer for layer in file.saved if layer.path == ("conv1_conv",))
        assert found.slot == ("conv2d",)
        np.testing.assert_array_equal(found.arrays[0].dataset.read(), TENSORS["conv1_conv"]["kernel"])


@pytest.mark.parametrize("whole", [True, False])
def test_the_older_layout(tmp_path, whole):
    """Layers by name; version and backend stand beside the list of layers."""
    with open_keras(write_h5(tmp_path / "a.h5", CONFIG, TENSORS, whole=whole)) as file:
        assert file.layout == "named"
        assert file.config == (CONFIG if whole else None)
        assert file.metadata == {"keras_version": "2.1.6", "backend": "tensorflow"}
        assert [layer.path[0] for layer in file.saved] == [e["name"] for e in CONFIG["config"]["layers"]]


def test_the_newer_layout_alone(tmp_path):
    """A `.weights.h5` has neither configuration nor metadata."""
    with open_keras(write_weights_h5(tmp_path / "a.weights.h5", CONFIG, TENSORS)) as file:
        assert (file.layout, file.config, file.metadata) == ("numbered", None, {})


def test_an_empty_configuration(tmp_path):
    """A text that is there is parsed, whatever it says."""
    path = write_h5(tmp_path / "a.h5", CONFIG, TENSORS)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "null"
    with open_keras(path) as file:
        assert file.config is None
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = ""
    with pytest.raises(InputError, match=r"a\.h5: model_config: damaged JSON"), open_keras(path):
        pass


def test_metadata_of_any_kind(tmp_path):
    """What is no dictionary is none; values become text; what HDF5 says of the version stands first."""
    path = tmp_path / "a.keras"
    weights = write_weights_h5(tmp_path / "w.h5", CONFIG, TENSORS)
    for metadata, expected in (
        (b"[1]", {}),
        (b'{"a": 1, "keras_version": null}', {"a": "1", "keras_version": "None"}),
    ):
        members = ("config.json", json.dumps(CONFIG)), ("metadata.json", metadata)
        with open_keras(write_zip(path, *members, ("model.weights.h5", weights.read_bytes()))) as file:
            assert file.metadata == expected
    with h5py.File(weights, "a") as file:
        file.attrs["keras_version"] = "3.0"
    for metadata, expected in (
        (b"[1]", {"keras_version": "3.0"}),
        (b'{"a": 1}', {"keras_version": "3.0", "a": "1"}),
    ):
        members = ("config.json", json.dumps(CONFIG)), ("metadata.json", metadata)
        with open_keras(write_zip(path, *members, ("model.weights.h5", weights.read_bytes()))) as file:
            assert file.metadata == expected


def test_damaged_texts_are_named(tmp_path):
    """Which of a zip's texts it is stands in the message."""
    path = tmp_path / "a.keras"
    weights = ("model.weights.h5", write_weights_h5(tmp_path / "w.h5", CONFIG, TENSORS).read_bytes())
    for config, metadata, name in ((b"{", b"{}", "config.json"), (b"{}", b"{", "metadata.json")):
        write_zip(path, ("config.json", config), ("metadata.json", metadata), weights)
        with pytest.raises(InputError) as error, open_keras(path):
            pass
        assert str(error.value).startswith(f"{path}: {name}: damaged JSON (")


def test_what_is_none_of_keras(tmp_path):
    """Other HDF5, other files, no file, weights in a zip that are no HDF5."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1.0
    cases = {
        path: "HDF5, but not Keras's: it has neither layer_names nor layers; `npcam inspect` shows "
        "what it has",
        tmp_path / "none": "no such file; give the path of a weights file",
        tmp_path: "is a directory; give the path of a weights file",
        write_zip(tmp_path / "b.keras", ("config.json", b"{}"), ("model.weights.h5", b"x")): (
            "not an HDF5 file, or a truncated one; get it again or convert it anew"
        ),
    }
    for where, reason in cases.items():
        with pytest.raises(InputError) as error, open_keras(where):
            pass
        assert str(error.value) == f"{where}: {reason}"


def test_the_file_is_closed(tmp_path):
    """After the block it can be written to."""
    path = write_h5(tmp_path / "a.h5", CONFIG, TENSORS)
    with open_keras(path):
        pass
    with h5py.File(path, "a") as file:
        file["new"] = 1.0

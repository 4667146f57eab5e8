"""`npcam.record`: the same run as `npcam record` writes, from whatever a photograph is given as."""

import numpy as np
import pytest
from helpers.networks import small_file
from PIL import Image

import npcam
from npcam.cli.commands import main
from npcam.layers import layers
from npcam.verify.record import read_record


@pytest.fixture
def small(tmp_path):
    """A small model's file, and a photograph."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    return small_file(tmp_path / "small.h5"), tmp_path / "cat.png", pixels


def same(a, b):
    """Whether two runs hold the same activations."""
    return list(a) == list(b) and all(np.array_equal(a[name], b[name]) for name in a)


def test_it_writes_what_the_command_writes(small, tmp_path):
    """The same activations, hashes and words, byte for byte; and the run in memory is that of the file."""
    weights, photo, _ = small
    run = npcam.record(npcam.load_model(weights), photo, tmp_path / "a.h5")
    assert main(["record", str(photo), "--weights", weights, "-o", str(tmp_path / "b.h5")]) == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    found = read_record(tmp_path / "a.h5")
    assert same(run.activations, found.activations)
    assert run.provenance["input"] == found.provenance["input"] == "cat.png"


def test_a_photograph_in_any_form(small, tmp_path):
    """A path, pixels, a picture, a prepared batch and its file: one run, of the reference's bits."""
    weights, photo, pixels = small
    model = npcam.load_model(weights)
    first = npcam.record(model, photo).activations
    np.save(tmp_path / "x.npy", first["input_layer"])
    for other in (str(photo), pixels, Image.fromarray(pixels), first["input_layer"], tmp_path / "x.npy"):
        assert same(npcam.record(model, other).activations, first)
    names = [layer.name for layer in layers(model.weights.architecture)]
    assert list(first) == [*names, "logits"]
    double = npcam.record(npcam.load_model(weights, dtype=np.float64), photo).activations
    assert {a.dtype for a in double.values()} == {np.dtype(np.float64)}
    for name in names:  # a hundred roundings of float32, of the largest value
        assert np.abs(double[name] - first[name]).max() <= 100 * 2**-24 * np.abs(double[name]).max()


def test_some_layers(small):
    """Those that are named, with the input; another name is refused."""
    model = npcam.load_model(small[0])
    assert list(npcam.record(model, small[2], layers=["avg_pool"]).activations) == ["input_layer", "avg_pool"]
    with pytest.raises(npcam.InputError, match="no layer 'conv9' was recorded"):
        npcam.record(model, small[2], layers=["conv9"])


def test_what_is_no_photograph(small, tmp_path):
    """One line, and no file."""
    model = npcam.load_model(small[0])
    with pytest.raises(npcam.InputError, match=r"got shape \(3, 4\)"):
        npcam.record(model, np.zeros((3, 4)), tmp_path / "a.h5")
    with pytest.raises(npcam.InputError, match=r"none\.png: no such file"):
        npcam.record(model, tmp_path / "none.png", tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()

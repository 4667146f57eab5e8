"""The run to compare with, found by a word or a file's path: the right program runs the right network."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors
from PIL import Image

from npcam.common.errors import InputError
from npcam.images.preprocess import load_image, preprocess_input
from npcam.resnet import Architecture
from npcam.verify.against import Source, other_run, run_keras_file
from npcam.verify.live_keras import build_keras_model
from npcam.verify.record import write_record
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, write_weights

ARCH = Architecture(blocks=(1,), strides=(1,))


@pytest.fixture(scope="module")
def weights():
    """A narrow network of one block, for photographs of 32x40."""
    return Weights(ARCH, random_tensors(ARCH, width=4, classes=3), input_size=(32, 40))


@pytest.fixture
def source(weights, tmp_path):
    """A saved batch of another size, and the network."""
    x = np.random.default_rng(1).uniform(-120, 150, (2, 32, 32, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    return Source(str(tmp_path / "x.npy"), x, weights)


@pytest.fixture
def photograph(tmp_path):
    """The path of a photograph, and the batch that npcam makes of it at 32x40."""
    pixels = np.random.default_rng(2).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    return str(tmp_path / "p.png"), preprocess_input(load_image(tmp_path / "p.png", (32, 40)))[None]


def same(a, b):
    """Whether two runs have the same layers with the same bits."""
    assert list(a.activations) == list(b.activations)
    return all(np.array_equal(a.activations[name], b.activations[name]) for name in b.activations)


def close(a, b):
    """Whether two float32 runs agree layer by layer, far below what a mistake would make."""
    assert list(a.activations) == list(b.activations)
    pairs = ((a.activations[name], b.activations[name]) for name in b.activations)
    return all(np.abs(x - y).max() <= 1e-5 * np.abs(y).max() for x, y in pairs)


def test_words_for_npcams_engines(source):
    """In float64, and fast."""
    assert same(other_run("reference", source), run_npcam(source.weights, source.x, dtype=np.float64))
    assert same(other_run("fast", source), run_npcam(source.weights, source.x, "fast"))


def test_files_of_npcams(source, tmp_path):
    """A record is read as it is; other weights are run on the same batch, by the reference engine."""
    record = replace(run_npcam(source.weights, source.x + 1), provenance={"made_by": "somebody"})
    write_record(tmp_path / "run.h5", record)
    found = other_run(str(tmp_path / "run.h5"), source)
    assert same(found, record)
    assert found.provenance == {"made_by": "somebody"}
    other = Weights(ARCH, random_tensors(ARCH, width=4, seed=9), source="another")
    write_weights(tmp_path / "w.h5", other)
    found = other_run(str(tmp_path / "w.h5"), source)
    assert same(found, run_npcam(other, source.x))
    assert found.provenance["model"] == "another"
    assert found.provenance["engine"].startswith("reference float32")


def test_keras_from_npcams_weights(keras, source, photograph):
    """A saved batch as it is, and a photograph as Keras itself prepares it."""
    run = other_run("keras", source, keras.backend.backend())
    assert run.provenance["made_by"].startswith("keras ")
    assert run.provenance["model"] == ""
    assert close(run, run_npcam(source.weights, source.x))
    path, batch = photograph
    run = other_run("keras", Source(path, source.x, source.weights))
    assert np.array_equal(run.activations["input_layer"], batch)


def test_files_of_keras(keras, source, tmp_path):
    """A whole model in either format, and weights alone, which npcam reads."""
    model = build_keras_model(keras, source.weights)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    from helpers.keras_models import save_legacy

    save_legacy(model, tmp_path / "whole.h5")
    save_legacy(model, tmp_path / "alone.h5", whole=False)
    own = run_npcam(source.weights, source.x)
    for name in ("m.keras", "m.weights.h5", "whole.h5", "alone.h5"):
        for run in (
            other_run(str(tmp_path / name), source),
            run_keras_file(str(tmp_path / name), source.path, None),
        ):
            assert close(run, own), name
            assert run.provenance["model"] == name
            assert run.tensors == own.tensors


def test_photographs_have_the_size_that_the_network_expects(keras, source, photograph, tmp_path):
    """The one that npcam's weights say, or, without them, the model's own."""
    path, batch = photograph
    model = build_keras_model(keras, source.weights)
    model.save(tmp_path / "any.keras")
    run = run_keras_file(str(tmp_path / "any.keras"), path, None, source.weights)
    assert np.array_equal(run.activations["input_layer"], batch)
    entry = keras.Input((32, 40, 3))
    keras.Model(entry, model(entry)).save(tmp_path / "fixed.keras")
    run = run_keras_file(str(tmp_path / "fixed.keras"), path, None)
    assert np.array_equal(run.activations["input_layer"], batch)


@pytest.mark.parametrize("top", ["gap", None])
def test_a_network_that_npcam_cannot_run_goes_by_its_names(keras, source, tmp_path, top):
    """With another activation in it: its blocks, and whether it has a top, are told by Keras's names."""
    from helpers.keras_models import resnet

    model = resnet((1, 2), 4, 3, None, top=top)
    changed = keras.models.clone_model(
        model,
        clone_function=lambda layer: (
            keras.layers.Activation("elu", name=layer.name)
            if layer.name == "conv3_block1_1_relu"
            else type(layer).from_config(layer.get_config())
        ),
    )
    changed.save(tmp_path / "elu.keras")
    run = run_keras_file(str(tmp_path / "elu.keras"), source.path, None)
    names = {layer.name for layer in model.layers[1:]} | {"input_layer"}
    assert set(run.activations) == (names | {"logits"} if top else names)
    # a stride of 1 or 2 decides how large a stage's maps are, not what they are called
    assert run.activations["conv3_block2_out"].shape == (2, 4, 4, 32)


def test_what_is_no_network_is_refused_in_one_line(keras, source, tmp_path):
    """A Keras model with no block in it, and files of other kinds."""
    entry = keras.Input((32, 40, 3))
    keras.Model(entry, keras.layers.Flatten()(entry)).save(tmp_path / "flat.keras")
    with h5py.File(tmp_path / "strange.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "text.h5").write_text("none of these")
    for name in ("flat.keras", "strange.h5", "text.h5", "missing.keras", "."):
        with pytest.raises(InputError) as caught:
            run_keras_file(str(tmp_path / name), source.path, None)
        assert "\n" not in str(caught.value)
    for name in ("strange.h5", "text.h5", "missing.keras", "."):
        with pytest.raises(InputError) as caught:
            other_run(str(tmp_path / name), source)
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_said_to_be_that(source):
    """With what would do instead."""
    with pytest.raises(InputError) as caught:
        other_run("missing.h5", source)
    known = "reference, fast, keras, a Keras model, a record, a weights file, an .npz or a folder of .npy"
    assert str(caught.value) == f"missing.h5: no such file; --against takes {known}"
    with pytest.raises(InputError) as caught:
        run_keras_file("missing.h5", source.path, None)
    assert str(caught.value) == "missing.h5: no such file; give the path of a Keras model"


def test_what_holds_no_network_is_told_before_keras_is_imported(source, tmp_path, monkeypatch):
    """Keras takes seconds to import, and has nothing to do with it."""

    def imported(_):
        raise AssertionError

    monkeypatch.setattr("npcam.verify.against.import_keras", imported)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1.0]
    (tmp_path / "b.h5").write_bytes(b"none")
    for name in ("a.h5", "b.h5"):
        with pytest.raises(InputError, match=name):
            other_run(str(tmp_path / name), source)
        with pytest.raises(InputError, match=name):
            run_keras_file(str(tmp_path / name), source.path, None)

"""What Keras writes, converted and held against the Keras that wrote it."""

import keras
import numpy as np
import pytest
from helpers.keras_models import (
    PROBABILITY,
    RELATIVE,
    outputs,
    photographs,
    predictions,
    randomise,
    resnet,
    save_legacy,
)

from npcam.keras_files import read_keras
from npcam.resnet import RESNET50, RESNET101, RESNET152


def save(model, path):
    """Save in the layout that the name asks for."""
    if path.name == "legacy_whole.h5":
        return save_legacy(model, path)
    if path.name == "legacy_weights.h5":
        return save_legacy(model, path, whole=False)
    if path.suffix == ".keras":
        model.save(path)
    else:
        model.save_weights(path)
    return path


LAYOUTS = ("model.keras", "model.weights.h5", "legacy_whole.h5", "legacy_weights.h5")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout(tmp_path, layout):
    """The four layouts of one model give Keras's probabilities."""
    model = randomise(resnet())
    weights = read_keras(save(model, tmp_path / layout))
    x = photographs()
    _, _, probabilities = outputs(weights, x)
    expected = predictions(model, x)
    assert np.abs(probabilities - expected).max() < PROBABILITY
    assert 0.01 < expected.max() < 0.999  # so that the comparison says something
    assert weights.architecture.blocks == (1, 2, 1, 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("arch", [RESNET50, RESNET101, RESNET152], ids=["50", "101", "152"])
def test_depths(tmp_path, arch, layout):
    """ResNet-50, -101 and -152 are told apart, and every tensor is the one that Keras has."""
    model = randomise(resnet(blocks=arch.blocks, width=2))
    weights = read_keras(save(model, tmp_path / layout))
    assert weights.architecture == arch
    assert {f"{layer}/{name}" for layer, arrays in weights.tensors.items() for name in arrays} == {
        weight.path for weight in model.weights
    }
    for weight in model.weights:
        layer, name = weight.path.split("/")
        np.testing.assert_array_equal(weights.tensors[layer][name], np.asarray(weight))


def test_full_size(tmp_path):
    """keras.applications' own ResNet50, at full width, with random statistics in its batch norms."""
    model = randomise(keras.applications.ResNet50(weights=None))
    model.save(tmp_path / "full.keras")
    weights = read_keras(tmp_path / "full.keras")
    x = photographs(size=224, n=1)
    maps, _, probabilities = outputs(weights, x)
    both = keras.Model(model.input, [model.get_layer("conv5_block3_out").output, model.output])
    expected_maps, expected = both.predict(x, verbose=0)
    assert np.abs(probabilities - expected).max() < PROBABILITY
    assert np.abs(maps - expected_maps).max() < RELATIVE * np.abs(expected_maps).max()
    assert weights.architecture == RESNET50
    assert weights.input_size == (224, 224)

"""The whole network against live Keras, layer by layer, in float32.

`helpers.agreement` says how far they may be apart, and why.
"""

import re

import numpy as np
import pytest
from helpers.agreement import PROBABILITY, assert_agree, photographs
from helpers.networks import random_tensors

from npcam import load_model
from npcam.layers import layers
from npcam.model import Model
from npcam.resnet import RESNET50, RESNET101, RESNET152
from npcam.weights import Weights


def assert_same(found, expected):
    """Every activation is there, and agrees."""
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert_agree(found[name], np.asarray(array), name)


@pytest.fixture(scope="module")
def full(keras):
    """Full-size ResNet-50, random weights and statistics, and its twin in Keras."""
    weights = Weights(RESNET50, random_tensors(RESNET50, width=64, classes=1000))
    from helpers.keras_models import keras_twin

    return weights, keras_twin(keras, weights)


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize("shape", [(1, 224, 224), (2, 160, 96)], ids=["photograph", "batch, not square"])
def test_every_layer_of_resnet50(full, engine, shape):
    """All 176 computed activations of full-size ResNet-50, for one photograph and for a batch."""
    weights, twin = full
    x = photographs(*shape, patch=8)
    names = [layer.name for layer in layers(RESNET50)][1:]
    found = Model(weights, engine=engine).activations(x, names)
    assert len(found) == 176
    assert_same(found, twin(x))


def test_fast_features_and_probabilities_of_resnet50(full):
    """What the fast engine gives when nothing in between is asked for: the numbers an explanation uses."""
    weights, twin = full
    x = photographs(2, 224, 224, patch=8)
    model = Model(weights)
    names = ["conv5_block3_out", "avg_pool", "predictions"]
    found = model.activations(x, names)
    expected = twin(x)
    assert_same(found, {name: expected[name] for name in names})
    assert np.abs(model.predict(x) - np.asarray(expected["predictions"])).max() <= PROBABILITY


def test_every_layer_of_the_bundled_model(keras):
    """The same for the trained weights that come with npcam."""
    model = load_model(engine="reference")
    from helpers.keras_models import keras_twin

    twin = keras_twin(keras, model.weights)
    x = photographs(2, 224, 224, patch=8)
    assert_same(model.activations(x, [layer.name for layer in layers(RESNET50)][1:]), twin(x))


@pytest.mark.parametrize("arch", [RESNET101, RESNET152], ids=["101", "152"])
def test_deeper_networks(keras, arch):
    """ResNet-101 and -152, with an eighth of the filters: every layer."""
    weights = Weights(arch, random_tensors(arch, width=8))
    x = photographs(1, 64, 64, patch=8)
    found = Model(weights, engine="reference").activations(x)
    del found["input_layer"]
    from helpers.keras_models import keras_twin

    assert_same(found, keras_twin(keras, weights)(x))


@pytest.mark.parametrize("name", ["ResNet50", "ResNet101", "ResNet152"])
def test_the_summary_is_keras_table(keras, name):
    """Same layers in the same order, same connections, output shapes, parameter counts and totals."""
    arch = {"ResNet50": RESNET50, "ResNet101": RESNET101, "ResNet152": RESNET152}[name]
    model = getattr(keras.applications, name)(weights=None)
    weights = Weights(arch, random_tensors(arch, width=64, classes=1000))
    lines = Model(weights, engine="reference").summary().splitlines()
    rows = [line.split("  ") for line in lines[2:-4]]
    found = [tuple(cell.strip() for cell in row if cell.strip()) for row in rows]
    expected = [_keras_row(layer) for layer in model.layers]
    assert found == expected
    printed: list[str] = []
    model.summary(print_fn=lambda text, **_: printed.append(text))
    totals = "\n".join(printed)
    for line in lines[-3:]:
        assert line in totals


def _keras_row(layer):
    """One layer of a Keras model, in the cells of our table."""
    inputs = [] if layer.__class__.__name__ == "InputLayer" else layer.input
    inputs = inputs if isinstance(inputs, list) else [inputs]
    shape = tuple(layer.output.shape)
    kind = layer.__class__.__name__
    connected = ", ".join(tensor._keras_history.operation.name for tensor in inputs) or "-"
    row = (f"{layer.name} ({kind})", str(shape), f"{layer.count_params():,}", connected)
    return tuple(re.sub(r"^input_layer_\d+", "input_layer", cell) for cell in row)  # Keras numbers them

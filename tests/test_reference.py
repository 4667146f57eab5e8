"""What Keras gave once, recorded in tests/reference/: no Keras is needed here.

`python tools/record_keras_reference.py` makes the files. Two float32 programs that add in different
orders differ by a few units of rounding per layer, 6e-8 of the largest value each; through 50 layers
that came to 1e-6 of a layer's largest value. The promise made to users, and held here, is 1e-5 for
activations and 1e-6 for probabilities.
"""

from pathlib import Path

import numpy as np
import pytest
from helpers.agreement import assert_agree

import npcam
from npcam.layers import layers
from npcam.model import Model
from npcam.verify.record import array_sha256, read_record
from npcam.weights import read_weights, tensors_sha256

REFERENCE = Path(__file__).parent / "reference"
CHELSEA = Path(__file__).parents[1] / "examples" / "chelsea.png"
ENGINES = [("fast", np.float32), ("reference", np.float32), ("reference", np.float64)]


@pytest.fixture(scope="module")
def narrow():
    """A ResNet-50 of 4 filters with random statistics, and what Keras made of two pictures."""
    return read_weights(REFERENCE / "narrow_weights.h5"), read_record(REFERENCE / "narrow.h5")


@pytest.fixture(scope="module")
def chelsea():
    """What Keras made of chelsea.png with the bundled model's weights."""
    return read_record(REFERENCE / "chelsea.h5")


@pytest.mark.parametrize(("engine", "dtype"), ENGINES)
def test_every_layer_of_a_narrow_resnet50(narrow, engine, dtype):
    """All 177 layers, two pictures of 33x41 pixels."""
    weights, record = narrow
    model = Model(weights, dtype, engine)
    found = model.activations(record.activations["input_layer"])
    assert list(found) == [layer.name for layer in layers(weights.architecture)]
    for name, value in found.items():
        assert_agree(value, record.activations[name], name)


@pytest.mark.parametrize(("engine", "dtype"), ENGINES)
@pytest.mark.parametrize("which", ["narrow", "chelsea"])
def test_outputs(request, which, engine, dtype):
    """Last activation, logits and probabilities, from the pass that leaves all others out."""
    record = request.getfixturevalue(which)
    weights, record = record if which == "narrow" else (npcam.load_model().weights, record)
    model = Model(weights, dtype, engine)
    outputs = model.run(record.activations["input_layer"], [model.last_activation])
    found = outputs.activations | {
        "logits": outputs.logits,
        "predictions": outputs.probabilities,
    }
    for name, value in found.items():
        assert_agree(value, record.activations[name], name)


@pytest.mark.parametrize(("engine", "dtype"), ENGINES)
def test_stages_of_the_bundled_model(chelsea, engine, dtype):
    """The last activation of each stage, for a photograph."""
    names = [name for name in chelsea.activations if name != "logits"]
    found = npcam.load_model(dtype=dtype, engine=engine).activations(
        chelsea.activations["input_layer"], names
    )
    for name in names:
        assert_agree(found[name], chelsea.activations[name], name)


def test_the_input_is_keras_s_bit_for_bit(chelsea):
    """npcam reads, resizes and preprocesses the photograph to the very bits that Keras made."""
    x = npcam.preprocess_input(npcam.load_image(CHELSEA))[None]
    assert x.dtype == np.float32
    assert np.array_equal(x, chelsea.activations["input_layer"])


def test_the_references_are_of_these_weights(narrow, chelsea):
    """The hashes in the records are those of the weights and inputs that the tests use."""
    weights, record = narrow
    assert record.provenance["weights_sha256"] == tensors_sha256(weights.tensors)
    assert chelsea.provenance["weights_sha256"] == tensors_sha256(npcam.load_model().weights.tensors)
    for each in (record, chelsea):
        assert each.provenance["input_sha256"] == array_sha256(each.activations["input_layer"])
        assert each.provenance["made_by"].startswith("keras ")

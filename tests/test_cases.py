"""Files of kinds that people have: Keras's recorded numbers, or a true reason why not."""

import json
from pathlib import Path

import numpy as np
import pytest

import npcam
from npcam import InputError
from npcam.keras_files import read_keras
from npcam.model import Model

CASES = Path(__file__).parent / "cases"
CHELSEA = Path(__file__).parents[1] / "examples" / "chelsea.png"
EXPECTED = json.loads((CASES / "expected.json").read_text())
REFUSED = {
    "custom_conv.keras": r"conv1_conv \(Conv2D\) is of a class of its author's own, bit>Conv2D",
    "two_dense_head_weights.h5": "layers dense, dense_1 besides the ResNet's",
    "max_pool_weights.h5": "max_pool is global max pooling",
    "one_class_weights.h5": "a softmax of one class is always 100 %.*--activation sigmoid",
    "int8.keras": "quantised .int8.",
    "normalization.weights.h5": "normalization stands in the file.*--preprocessing",
    "head_only.h5": "a head without its backbone",
    "theano_order.h5": "in Theano's order .out, in, height, width.",
}
SAID = {"small_input.weights.h5": {"input_size": (64, 64)}, "one_class_weights.h5": {"activation": "sigmoid"}}
RIGHT = [name for name in EXPECTED if name not in (*REFUSED, "icon.ico")]


@pytest.mark.parametrize("name", [*RIGHT, "one_class_weights.h5"])
@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_keras_numbers(name, engine):
    """What Keras said of the photograph, to 1e-6; of plain values, to 1e-6 of the largest."""
    model = Model(read_keras(CASES / name, **SAID.get(name, {})), engine=engine)
    e = npcam.explain(model, CHELSEA)
    expected = np.array(EXPECTED[name]["output"])
    assert np.abs(e.probabilities - expected).max() <= 1e-6 * max(1, np.abs(expected).max())
    # a sum of as many products as there are channels and positions, and one rounding of the bias
    assert abs(e.completeness) <= 1e-6 * max(1, np.abs(e.cam).max())


@pytest.mark.parametrize("name", REFUSED)
def test_true_reasons(name):
    """What npcam cannot know or run, it says by name."""
    with pytest.raises(InputError, match=REFUSED[name]) as error:
        read_keras(CASES / name)
    assert str(error.value).startswith(str(CASES / name))


def test_every_case_is_tested():
    """No file lies here that nothing is said of."""
    files = {path.name for path in CASES.iterdir() if path.suffix in (".keras", ".h5")}
    fuzzed = {
        "lone_surrogate.keras",
        "npcam_attribute_inf.h5",
        "npcam_attribute_inf_2.h5",
        "record_tensors_number.h5",
    }
    assert files - fuzzed == {name for name in EXPECTED if not name.endswith(".ico")}


@pytest.mark.parametrize("name", ["small_input.weights.h5", "softmax_v2.h5"])
def test_what_is_assumed_is_said(name):
    """Nothing tells the preprocessing; of weights alone, neither the input's size nor the function."""
    weights = read_keras(CASES / name)
    said = " ".join(weights.assumptions)
    assert "preprocessing caffe" in said
    assert ("input size 224x224" in said) == ("weights" in name)
    assert ("activation softmax" in said) == ("weights" in name)
    assert ("network of epsilon 1.001e-05 and strides in 1x1 convolutions" in said) == ("weights" in name)


def test_an_icon_is_a_photograph():
    """ICO files are read: TGA, which has no signature, is tried last."""
    e = npcam.explain(npcam.load_model(), CASES / "icon.ico")
    assert e.photo.size[0] > 0


@pytest.mark.parametrize("name", ["npcam_attribute_inf.h5", "npcam_attribute_inf_2.h5"])
def test_attributes_that_are_no_numbers(name):
    """Infinity where a whole number belongs is one line."""
    with pytest.raises(InputError, match=r"damaged|which npcam cannot run"):
        npcam.load_model(CASES / name)

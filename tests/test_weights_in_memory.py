"""Weights in memory are what runs: nobody edits them, and a model goes wherever its weights go."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

from npcam import InputError, load_model
from npcam.model import Model
from npcam.resnet import Architecture
from npcam.weights import Weights
from npcam.weights.random import random_weights

SMALL = Architecture(blocks=(1, 1), strides=(1, 2))
X = np.random.default_rng(0).uniform(-120, 150, (2, 40, 33, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def weights():
    return random_weights(SMALL, width=4, classes=3)


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_edit_fails(weights, engine, dtype):
    """Arrays, layers and the tensors as a whole can't be written to, with either engine."""
    model = Model(weights, dtype, engine)
    kernel, bias = model.class_weights(1)[0], model.weights.tensors["conv1_conv"]["bias"]
    for array in (kernel, bias):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(TypeError, match="does not support item assignment"):
        model.weights.tensors["conv1_conv"]["bias"] = bias
    with pytest.raises(TypeError, match="does not support item assignment"):
        model.weights.tensors["conv1_conv"] = {}


def test_what_is_read_is_read_only():
    """A file's arrays are read-only, and so is the memory that they lie in."""
    for arrays in load_model().weights.tensors.values():
        for array in arrays.values():
            assert not array.flags.writeable
            assert array.base is None or not array.base.flags.writeable


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_the_makers_own_array_stays_his(weights, engine):
    """Whoever made an array may go on changing it; the model has its own, through views of it too."""
    tensors = {layer: dict(arrays) for layer, arrays in weights.tensors.items()}
    mine = np.array(tensors["predictions"]["kernel"])
    view = mine[:]
    view.flags.writeable = False
    for given in (mine, view):
        tensors["predictions"]["kernel"] = given
        model = Model(Weights(SMALL, tensors), engine=engine)
        before = model.logits(X)
        mine += 1
        assert np.array_equal(model.logits(X), before)
        mine -= 1


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_with_weights(weights, engine):
    """Some are replaced in the new model, none in the old one; both are what they say."""
    model = Model(weights, engine=engine)
    before = model.logits(X)
    kernel = -weights.tensors["predictions"]["kernel"]
    other = model.with_weights({"predictions": {"kernel": kernel}})
    bias = weights.tensors["predictions"]["bias"]
    assert np.array_equal(model.logits(X), before)
    # the same sum with its sign turned, and the bias added: two roundings of numbers as large as these
    assert np.abs(other.logits(X) - bias + (before - bias)).max() <= 4 * 2.0**-24 * np.abs(before).max()
    assert other.engine == engine
    untouched = other.weights.tensors["conv1_conv"]["kernel"]
    assert np.shares_memory(untouched, model.weights.tensors["conv1_conv"]["kernel"])


def test_with_weights_that_do_not_fit(weights):
    """No such layer or weight, another shape, NaN: one line that names it."""
    model = Model(weights)
    bias = weights.tensors["predictions"]["bias"]
    for changed, words in (
        ({"predictions": {"scale": bias}}, "no predictions/scale"),
        ({"fc1000": {"bias": bias}}, "no fc1000/bias"),
        ({"conv1_bn": {"gamma": bias}}, r"conv1_bn/gamma \(3,\) \(expected \(4,\)\)"),
        ({"predictions": {"bias": bias * np.nan}}, "predictions/bias holds NaN"),
    ):
        with pytest.raises(InputError, match=words):
            model.with_weights(changed)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_copies(weights, engine):
    """Pickled, copied, copied deeply: the same numbers, and the arrays are read-only there, too."""
    model = Model(weights, engine=engine)
    for twin in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert np.array_equal(twin.logits(X), model.logits(X))
        assert twin.engine == engine
        assert not twin.weights.tensors["conv1_conv"]["kernel"].flags.writeable


@pytest.mark.slow
def test_a_process_pool(weights):
    """A model is sent to another process, which starts anew, and works there."""
    model = Model(weights)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(model.logits, (X,)), model.logits(X))

"""The stages of a network: what each puts out, and what it multiplies."""

from dataclasses import replace

import numpy as np
import pytest

from npcam import ops
from npcam.model import Model
from npcam.resnet import RESNET50, Architecture
from npcam.stages import multiplications, stages
from npcam.weights.random import random_weights

ARCH = Architecture(blocks=(1, 2), strides=(1, 2))


@pytest.fixture
def model():
    """A narrow network of two stages."""
    return Model(random_weights(ARCH, width=4, classes=5))


def batch(*size):
    return np.random.default_rng(0).normal(0, 50, (1, *size, 3)).astype(np.float32)


def test_multiplications_are_the_products_that_the_convolutions_sum(model, monkeypatch):
    """Counted from the arrays that really go into each convolution: places x window x channels x kernels."""
    seen = []
    conv2d = ops.conv2d

    def counted(x, kernel, *rest, **options):
        y = conv2d(x, kernel, *rest, **options)
        seen.append(y.shape[1] * y.shape[2] * kernel.size)
        return y

    monkeypatch.setattr(ops, "conv2d", counted)
    Model(model.weights, engine="reference").predict(batch(72, 56))
    counts = multiplications(model.weights, (72, 56))
    dense = model.weights.tensors["predictions"]["kernel"].size
    assert counts.pop("predictions") == dense
    assert sorted(counts.values()) == sorted(seen)


def test_those_of_resnet50():
    """Of the 3.8 billion that He et al. 2015 give in table 1, with the stride in the first 1x1."""
    weights = random_weights(RESNET50)
    counts = multiplications(weights, (224, 224))
    assert sum(counts.values()) == pytest.approx(3.8e9, rel=0.02)
    v15 = multiplications(replace(weights, architecture=replace(RESNET50, stride_in=2)), (224, 224))
    assert sum(v15.values()) > sum(counts.values())  # v1.5 computes its first 1x1 on larger maps


def test_each_stage_puts_out_what_its_last_layer_does(model):
    """The values are the reference engine's own activations; the sums of the stages are the network's."""
    x = batch(64, 64)
    found = stages(model, x)
    assert [stage.name for stage in found] == ["conv1", "pool1", "conv2", "conv3", "avg_pool", "predictions"]
    own = Model(model.weights, engine="reference").activations(x, [stage.layer for stage in found])
    for stage in found:
        np.testing.assert_array_equal(stage.value, own[stage.layer][0])
        assert stage.seconds > 0
    whole = multiplications(model.weights, (64, 64))
    assert sum(stage.multiplications for stage in found) == sum(whole.values())
    by_name = {stage.name: stage for stage in found}
    assert by_name["pool1"].multiplications == by_name["avg_pool"].multiplications == 0
    assert by_name["conv3"].about == "2 blocks, 7 convolutions"
    assert by_name["conv3"].multiplications == sum(n for k, n in whole.items() if k.startswith("conv3_"))


def test_a_network_without_a_top(model):
    """It ends with its last stage."""
    weights = model.weights
    tensors = {name: arrays for name, arrays in weights.tensors.items() if name != "predictions"}
    bare = Model(replace(weights, tensors=tensors, architecture=replace(ARCH, activation=None)))
    assert [stage.name for stage in stages(bare, batch(64, 64))] == ["conv1", "pool1", "conv2", "conv3"]


@pytest.mark.parametrize("shape", [(2, 64, 64, 3), (64, 64, 3)])
def test_refuses_what_is_not_one_photograph(model, shape):
    """Several, or none in a batch."""
    with pytest.raises(ValueError, match="expected a batch of one photograph"):
        stages(model, np.zeros(shape, np.float32))

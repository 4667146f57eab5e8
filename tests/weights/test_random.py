"""Random networks: Keras's shapes, He's scale, and activations that neither vanish nor blow up."""

import numpy as np
import pytest

from npcam import resnet
from npcam.layers import weight_shapes
from npcam.resnet import RESNET50, Architecture
from npcam.weights import check
from npcam.weights.random import filters, random_weights


@pytest.fixture(scope="module")
def whole():
    """A network of Keras's size."""
    return random_weights()


@pytest.mark.parametrize("width", [64, 2])
def test_filters(width):
    """Keras's own at 64: 64 to 512 within the blocks, four times as many at their ends."""
    found = filters(RESNET50, width, classes=7)
    assert found["conv1_conv"] == width
    assert found["predictions"] == 7
    for stage in (2, 3, 4, 5):
        inner = width * 2 ** (stage - 2)
        for part, expected in (("0", 4 * inner), ("1", inner), ("2", inner), ("3", 4 * inner)):
            assert found[f"conv{stage}_block1_{part}_conv"] == expected
    assert len(found) == 54  # 53 convolutions and a Dense layer


def test_a_network_of_keras_size(whole):
    """By default it is ResNet-50 with 1,000 classes, in float32."""
    assert whole.architecture == RESNET50
    assert sum(a.size for arrays in whole.tensors.values() for a in arrays.values()) == 25_636_712
    assert {a.dtype for arrays in whole.tensors.values() for a in arrays.values()} == {np.dtype("f4")}
    assert whole.source == "random, seed 0"
    check(whole, "x")


def test_the_seed():
    """The same one gives the same numbers, another one others, in whatever float type."""
    arch = Architecture(blocks=(1,), strides=(1,))
    first, same, other = (random_weights(arch, 2, 3, seed).tensors for seed in (5, 5, 6))
    doubles = random_weights(arch, 2, 3, 5, np.float64)
    assert doubles.source == "random, seed 5"
    for layer, arrays in weight_shapes(arch, filters(arch, 2, 3)).items():
        for name, shape in arrays.items():
            assert first[layer][name].shape == shape
            np.testing.assert_array_equal(first[layer][name], same[layer][name])
            assert not np.array_equal(first[layer][name], other[layer][name])
            np.testing.assert_array_equal(doubles.tensors[layer][name].astype("f4"), first[layer][name])


def test_the_scale_of_each_kind(whole):
    """Standard deviations are within a twentieth of what they should be, ten times what chance does."""
    tensors = whole.tensors
    for layer, gain in (
        ("conv1_conv", 2 / 60**2),  # pixels have a standard deviation of about 60
        ("conv3_block2_2_conv", 2.0),
        ("conv5_block3_3_conv", 2.0),
        ("predictions", 0.05),
    ):
        kernel = tensors[layer]["kernel"]
        expected = np.sqrt(gain / np.prod(kernel.shape[:-1]))  # He et al. 2015, equation 10
        assert abs(kernel.std() / expected - 1) < 0.05
        assert abs(kernel.mean()) < 0.05 * expected
    for layer, arrays in tensors.items():
        if layer.endswith("_bn") and layer.startswith("conv5"):
            low, high = (0.1, 0.5) if layer.endswith("_3_bn") else (0.6, 1.4)
            assert low <= arrays["gamma"].min() < low + 0.05
            assert high - 0.05 < arrays["gamma"].max() <= high
            assert 0.5 <= arrays["moving_variance"].min() < 0.55
            assert 1.95 < arrays["moving_variance"].max() <= 2.0
            for name in ("beta", "moving_mean"):
                assert abs(arrays[name].std() / 0.2 - 1) < 0.15


def test_activations_stay_alive():
    """Through all of ResNet-50 maps keep a size near 1, and no class takes all."""
    weights = random_weights(width=16, classes=10)
    x = np.random.default_rng(0).normal(scale=60, size=(1, 64, 64, 3)).astype(np.float32)
    maps = resnet.features(x, weights.tensors, weights.architecture)
    assert 0.1 < maps.std() < 10
    _, probabilities = resnet.head(maps, weights.tensors, weights.architecture)
    assert 0.01 < probabilities.max() < 0.9

"""The expected error against what float32 really does."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import resnet
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.rounding import estimates, roundoff_variance
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, cast

SMALL = Architecture(blocks=(1, 2, 1, 1))
F32 = roundoff_variance(np.float32)


@pytest.fixture(scope="module")
def network():
    """A small network and a batch; 64-bit tensors beside."""
    weights = Weights(SMALL, random_tensors(SMALL))
    x = np.random.default_rng(1).uniform(-120, 150, (2, 48, 64, 3)).astype(np.float32)
    return weights, cast(weights.tensors, np.float64), x


def test_values_are_the_networks_own_in_float64(network):
    """Layer by layer, the estimates' values are those of the readable forward pass."""
    _, w, x = network
    names = [layer.name for layer in layers(SMALL)]
    expected = resnet.run(x.astype(np.float64), w, SMALL, names).activations
    found = {layer.name: estimate.value for layer, estimate in estimates(x, w, SMALL, F32)}
    assert list(found) == names
    for name in names:  # the kernel's taps are added one after the other here: float64's own rounding
        np.testing.assert_allclose(
            found[name], expected[name], rtol=0, atol=1e-13 * np.abs(expected[name]).max()
        )


def test_each_layers_own_rounding_is_as_expected(network):
    """Alone, the error's root mean square is 0.1 to 1 of the estimate: no more, and not by orders less."""
    weights, w, x = network
    run = run_npcam(weights, x).activations
    for layer, estimate in estimates(x, w, SMALL, F32, run):
        error = run[layer.name] - estimate.value
        if layer.kind in ("Activation", "ZeroPadding2D", "MaxPooling2D", "InputLayer"):
            assert not error.any(), layer.name  # nothing to round
            assert not estimate.variance.any(), layer.name
        else:
            ratio = np.sqrt(np.mean(error**2) / np.mean(estimate.variance))
            assert 0.05 < ratio < 1.2, (layer.name, ratio)


def test_errors_in_the_flow_are_as_expected(network):
    """Of all layers together, the error's root mean square is 0.1 to 3 of the estimate."""
    weights, w, x = network
    run = run_npcam(weights, x).activations
    for layer, estimate in estimates(x, w, SMALL, F32):
        variance = np.mean(estimate.variance)
        if variance > 0:
            ratio = np.sqrt(np.mean((run[layer.name] - estimate.value) ** 2) / variance)
            assert 0.05 < ratio < 3, (layer.name, ratio)


def test_variance_goes_through_layers_as_noise_does(network):
    """Noise put into every layer grows as the variances say, here a thousand times float32's."""
    _, w, x = network
    rng = np.random.default_rng(2)
    unit = 1e6 * F32
    plain = {layer.name: estimate for layer, estimate in estimates(x, w, SMALL, unit)}
    exact = {name: estimate.value for name, estimate in plain.items()}
    alone = {layer.name: e.variance for layer, e in estimates(x, w, SMALL, unit, exact)}

    def keep(name, value):
        noisy[name] = value + rng.normal(size=value.shape) * np.sqrt(alone[name])
        return noisy[name]

    noisy = {}
    resnet.features(x.astype(np.float64), w, SMALL, keep)
    for name, value in noisy.items():
        variance = np.mean(plain[name].variance)
        if variance > 0:
            ratio = np.mean((value - exact[name]) ** 2) / variance
            assert 0.3 < ratio < 2, (name, ratio)  # a maximum, and a ReLU, hand on less than all


def test_flat_pictures_round_as_expected():
    """Where a picture is flat and a kernel an edge, partial sums are far larger than the result."""
    tensors = random_tensors(SMALL)
    edge = np.repeat([1.0, 1, 1, 0, -1, -1, -1], 7).reshape(7, 7, 1, 1) / 3
    kernel = np.broadcast_to(edge, tensors["conv1_conv"]["kernel"].shape)
    tensors["conv1_conv"]["kernel"] = (kernel * (1 + 1e-3 * tensors["conv1_conv"]["kernel"])).astype(
        np.float32
    )
    x = np.full((1, 40, 40, 3), 117.3, np.float32)
    run = run_npcam(Weights(SMALL, tensors), x).activations
    for layer, estimate in estimates(x, cast(tensors, np.float64), SMALL, F32, run):
        if layer.name == "conv1_conv":
            error = np.abs(run[layer.name] - estimate.value)
            assert (error <= 8 * np.sqrt(estimate.variance)).all()


def test_inputs_that_do_not_fit_give_no_estimate(network):
    """A layer whose given input has another number of channels is left out, not crashed on."""
    _, w, x = network
    given = {"conv1_relu": np.zeros((2, 24, 32, 5))}
    found = {layer.name: e for layer, e in estimates(x, w, SMALL, F32, given)}
    assert found["pool1_pool"] is not None
    assert found["conv2_block1_1_conv"] is None
    assert found["predictions"] is None


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_every_top(network, activation):
    """Probabilities of each kind of top, with an error that covers the real one."""
    weights, w, x = network
    arch = replace(SMALL, activation=activation)
    run = run_npcam(Weights(arch, weights.tensors), x).activations
    *_, (layer, estimate) = estimates(x, w, arch, F32, run)
    assert layer.name == "predictions"
    error = np.abs(run["predictions"] - estimate.value)
    assert (error <= 6 * np.sqrt(estimate.variance)).all()

"""The expected error against what float32 really does, and each layer's formula by independent ways.

A layer's own variance is linear in the variance of one rounding. So with a unit of 1 the estimate
counts roundings, each weighted with the square of what it is proportional to, and can be checked by
hand, by all orders in which a sum may be added up, and by putting one rounding in at a time.
"""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import naive, resnet
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.rounding import Estimate, estimates, roundoff_variance
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, cast

SMALL = Architecture(blocks=(1, 2, 1, 1))
TINY = Architecture(blocks=(1,), strides=(1,))
F32 = roundoff_variance(np.float32)
PART = "conv2_block1"


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
    """Alone, the error's root mean square is 0.05 to 1.2 of the estimate: no more, and not by orders less."""
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
    """Of all layers together, the error's root mean square is 0.05 to 3 of the estimate."""
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
    kernel = (kernel * (1 + 1e-3 * tensors["conv1_conv"]["kernel"])).astype(np.float32)
    tensors = {**tensors, "conv1_conv": {**tensors["conv1_conv"], "kernel": kernel}}
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


def alone(name, inputs, weights=None, unit=1.0, arch=TINY):
    """The estimate of one layer that is given exact inputs, for as many roundings as a unit of 1 counts."""
    x, w = np.zeros((1, 32, 32, 3)), cast(random_tensors(arch, width=4), np.float64)
    table = estimates(x, {**w, name: weights or {}}, arch, unit, inputs)
    return next(estimate for layer, estimate in table if layer.name == name)


def noise(*shape, seed=3):
    """Random numbers of both signs."""
    return np.random.default_rng(seed).normal(size=shape)


def mean_square(terms, start=0.0):
    """S^2 of (..., n) terms: the mean of the squared partial sums, both ends too, over all n! orders."""
    ends = np.full((*terms.shape[:-1], 1), 1.0) * np.asarray(start)[..., None]
    orders = permutations(range(terms.shape[-1]))
    sums = (np.append(ends, ends + np.cumsum(terms[..., order], axis=-1), axis=-1) for order in orders)
    return np.mean([np.mean(partial**2, axis=-1) for partial in sums], axis=0)


def one_by_one(compute):
    """The sum of the squares of what each rounding r in `compute(r)` does by itself, per unit."""
    step, count = 1e-6, 0

    def counted(x):
        nonlocal count
        count += 1
        return x

    exact, total = compute(counted), 0.0
    for k in range(count):
        left = iter(range(count))
        changed = compute(lambda x, left=left, k=k: x * (1 + step * (next(left) == k)))
        total = total + ((changed - exact) / step) ** 2
    return total


def test_the_variance_of_one_rounding():
    """u^2 / 3 is the variance of a number that is uniform in -u to u; several types add up."""
    assert roundoff_variance(np.float16) == (2.0**-11) ** 2 / 3
    assert roundoff_variance(np.float32, np.float64) == 2.0**-48 / 3 + 2.0**-106 / 3
    uniform = np.random.default_rng(0).uniform(-(2.0**-11), 2.0**-11, 10**6)
    # the fourth moment of a uniform number makes the mean of 10^6 squares known to 0.09 %; five of these
    assert np.mean(uniform**2) == pytest.approx(roundoff_variance(np.float16), rel=0.0045)


def test_a_1x1_convolution_rounds_as_a_sum_does():
    """n S^2 over all 120 orders, the products, and the bias, which is added last."""
    x, kernel, bias = noise(1, 2, 3, 5), noise(1, 1, 5, 4, seed=4), noise(4, seed=5)
    found = alone(f"{PART}_1_conv", {"pool1_pool": x}, {"kernel": kernel, "bias": bias})
    terms = x[..., None, :] * kernel[0, 0].T  # (1, 2, 3, K, C)
    result = terms.sum(axis=-1) + bias
    np.testing.assert_allclose(found.value, result, rtol=0, atol=1e-14 * np.abs(terms).sum(axis=-1).max())
    expected = 6 * mean_square(terms) + np.sum(terms**2, axis=-1) + result**2 + bias**2
    np.testing.assert_allclose(found.variance, expected, rtol=1e-12)  # float64's own rounding


@pytest.mark.parametrize(("stride_in", "stride"), [(1, 1), (2, 2)])
def test_a_convolution_rounds_tap_by_tap(stride_in, stride):
    """A 3x3 with padding "same": the partial sum after each tap is known, in between are all orders."""
    arch = Architecture(blocks=(1, 1), strides=(1, 2), stride_in=stride_in)
    x, kernel, bias = noise(1, 5, 6, 4), noise(3, 3, 4, 2, seed=4), noise(2, seed=5)
    weights = {"kernel": kernel, "bias": bias}
    found = alone("conv3_block1_2_conv", {"conv3_block1_1_relu": x}, weights, arch=arch)
    value = naive.conv2d(x, kernel, bias, strides=stride, padding="same")
    np.testing.assert_allclose(found.value, value, rtol=0, atol=1e-13 * np.abs(value).max())
    left = 2 - stride  # of 6 columns, every second needs one zero, which is at the right
    padded = np.pad(x[0], ((1, 1), (left, 1), (0, 0)))
    for i, j, k in np.ndindex(value.shape[1:]):
        taps = [padded[i * stride + a, j * stride + b] * kernel[a, b, :, k] for a, b in np.ndindex(3, 3)]
        starts = np.cumsum([0, *(np.sum(terms) for terms in taps)])
        s2 = np.mean([mean_square(terms, start) for terms, start in zip(taps, starts, strict=False)])
        rest = np.sum(np.square(taps)) + value[0, i, j, k] ** 2 + bias[k] ** 2
        assert found.variance[0, i, j, k] == pytest.approx((9 * 4 + 1) * s2 + rest, rel=1e-12)


def test_few_channels_may_be_added_one_after_the_other():
    """Three channels that cancel: the partial sums after each channel are the larger ones, and count.

    Where the taps cancel instead, and the channels do not, those after each tap count, as with many.
    The mean of the squares in between is the formula of the module, which the tests above hold to all orders.
    """
    x, signs = np.abs(noise(1, 5, 6, 3)), np.array([1.0, -2.0, 1.0])
    flat = np.abs(noise(3, 3, 3, 2, seed=4)) + 1
    edge = flat * np.array([-1.0, 0.0, 1.0])[:, None, None, None]
    bias, larger = noise(2, seed=5), []
    for kernel in (flat * signs[:, None], edge):
        weights = {"kernel": kernel, "bias": bias}
        arch = Architecture(blocks=(1, 1), strides=(1, 2))
        found = alone("conv3_block1_2_conv", {"conv3_block1_1_relu": x}, weights, arch=arch)
        padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))
        for i, j, k in np.ndindex(5, 6, 2):
            terms = padded[i : i + 3, j : j + 3] * kernel[..., k]  # (3, 3, C)
            orders = []
            for groups in (terms.reshape(9, 3), terms.transpose(2, 0, 1).reshape(3, 9)):
                ends = np.cumsum([0, *groups.sum(axis=1)])  # in between all orders, as `mean_square` has them
                a, b, squares = ends[:-1], ends[1:], np.sum(groups**2, axis=1)
                orders.append(np.mean((a * a + a * b + b * b) / 3 + squares / 6))
            larger.append(int(np.argmax(orders)))
            rest = np.sum(terms**2) + (terms.sum() + bias[k]) ** 2 + bias[k] ** 2
            assert found.variance[0, i, j, k] == pytest.approx((9 * 3 + 1) * max(orders) + rest, rel=1e-11)
    assert set(larger) == {0, 1}


def test_a_sum_of_roundings_drawn_at_random():
    """20,000 sums with every rounding drawn anew, in float64: their variance is what is expected.

    The variance of 20,000 numbers is known to sqrt(2 / 20,000) = 1 %; five of these, and a 16th for
    the orders' partial sums, of which the estimate counts 17 for 16 channels.
    """
    rng, u, samples = np.random.default_rng(6), 2.0**-12, 20_000
    x, kernel, bias = noise(1, 3, 3, 16), noise(3, 3, 16, 1, seed=4), np.array([0.5])
    found = alone(
        f"{PART}_2_conv",
        {f"{PART}_1_relu": x},
        {"kernel": kernel, "bias": bias},
        roundoff_variance(np.float32),
    )

    def rounded(numbers):
        return numbers * (1 + u * rng.uniform(-1, 1, samples))

    total = np.zeros(samples)
    for terms in (x[0, :, :, :] * kernel[..., 0]).reshape(9, 16):
        shuffled = rng.permuted(np.broadcast_to(terms, (samples, 16)), axis=1)
        for term in shuffled.T:
            total = rounded(total + rounded(term))
    total = rounded(total + bias)
    expected = found.variance[0, 1, 1, 0] * (u / 2.0**-24) ** 2
    assert np.var(total) == pytest.approx(expected, rel=0.05 + 1 / 16)


def dense(x, kernel, bias, activation="linear", unit=1.0):
    """The estimate of `predictions`."""
    weights = {"kernel": np.array(kernel), "bias": np.array(bias)}
    arch = replace(TINY, activation=activation)
    return alone("predictions", {"avg_pool": np.array(x)}, weights, unit, arch)


def test_a_dense_layer_rounds_as_a_sum_does():
    """n S^2 over all orders of the products and the bias, which is one of the terms, and the products."""
    x, kernel, bias = noise(2, 4), noise(4, 3, seed=4), noise(3, seed=5)
    terms = np.append(x[:, None, :] * kernel.T, np.broadcast_to(bias[:, None], (2, 3, 1)), axis=-1)
    found = dense(x, kernel, bias)
    np.testing.assert_allclose(found.value, terms.sum(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(found.variance, 5 * mean_square(terms) + np.sum(terms**2, axis=-1), rtol=1e-12)
    # by hand: 2 * 3 + 1 = 7; S^2 = (0 + 0 + 36 + 1 + 49 + 49) / 6, and the squares of the terms are 37
    assert dense([[2.0]], [[3.0]], [1.0]).variance == pytest.approx(2 * 135 / 6 + 37)


def test_an_average_rounds_as_a_sum_and_a_division():
    """n S^2 over all orders of x / n, their squares, and one rounding of the result."""
    x = noise(2, 2, 3, 4)
    found = alone("avg_pool", {f"{PART}_out": x})
    terms = x.reshape(2, 6, 4).transpose(0, 2, 1) / 6  # (N, C, H W)
    expected = 6 * mean_square(terms) + np.sum(terms**2, axis=-1) + terms.sum(axis=-1) ** 2
    np.testing.assert_allclose(found.value, terms.sum(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(found.variance, expected, rtol=1e-12)


def test_a_softmax_rounds_as_worked_out_by_hand():
    """Logits 0 and ln 3 make 1/4 and 3/4; each share adds to the variance of the logits what is said here.

    A relative error of softmax is the absolute one of z - max, which is rounded (ln 3 and 0), of exp,
    which is off by four roundings at most (4^2 = 16), and of the sum of the classes, whose partial
    sums grow evenly (one third of a rounding for each class).
    """
    x, kernel, bias = [[0.0]], [[0.0, 0.0]], [0.0, math.log(3)]
    z = math.log(3)
    of_logits = np.array([0, (2 / 3 + 1 + 2 / 6) * z * z])  # n S^2 and the square, with n = 2
    p = np.array([1 / 4, 3 / 4])
    common = (3 / 4) ** 2 * of_logits[1]
    own = np.array([z * z + 16 + 2 / 3, 16 + 2 / 3])
    found = dense(x, kernel, bias, "softmax")
    np.testing.assert_allclose(found.value, [p], rtol=1e-15)
    np.testing.assert_allclose(found.variance, [p * p * (of_logits + common + own)], rtol=1e-13)


def test_a_sigmoid_rounds_as_worked_out_by_hand():
    """Logits 0 and ln 3 make 1/2 and 3/4, with slopes of 1/4 and 3/16.

    Four roundings of the result at most are exp's, one of 1 is that of 1 + exp(-z) near 1.
    """
    z = math.log(3)
    found = dense([[0.0]], [[0.0, 0.0]], [0.0, z], "sigmoid")
    np.testing.assert_allclose(found.value, [[1 / 2, 3 / 4]], rtol=1e-15)
    expected = [16 / 4 + 1, (3 / 16) ** 2 * 2 * z * z + 16 * 9 / 16 + 1]
    np.testing.assert_allclose(found.variance, [expected], rtol=1e-13)


def test_probabilities_may_be_flushed_to_zero():
    """Without any rounding, what is left is float32's smallest normal number, as a deviation."""
    for activation in ("softmax", "sigmoid", "linear"):
        found = dense([[0.0]], [[1.0, 2.0]], [0.0, 0.0], activation, unit=0.0)
        assert np.array_equal(np.sqrt(found.variance), np.full((1, 2), np.finfo(np.float32).tiny))


def test_a_batch_norm_rounds_as_frameworks_compute_it():
    """x s + (beta - mean s), each rounding put in by itself: what is expected is that, and a little more.

    The rounding of variance + epsilon counts whole, of which the root leaves half: 3/4 of (x s - mean s)^2.
    """
    x = noise(1, 2, 3, 4) * [1, 1, 30, 1]
    gamma, beta, mean = noise(4, seed=4), noise(4, seed=5) * [1, 30, 1, 1], noise(4, seed=6) * [1, 1, 1, 30]
    variance, epsilon = np.array([0.5, 1, 2, 1e-5]), 1.001e-5
    weights = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    found = alone(f"{PART}_1_bn", {f"{PART}_1_conv": x}, weights)

    def computed(r):
        scale = r(gamma * r(1 / r(np.sqrt(r(variance + epsilon)))))
        return r(r(x * scale) + r(beta - r(mean * scale)))

    scaled = (x - mean) * gamma / np.sqrt(variance + epsilon)
    np.testing.assert_allclose(found.value, scaled + beta, rtol=1e-12)
    # finite differences: the step of 1e-6 leaves as much relative error, 2^-53 / 1e-6 is less
    np.testing.assert_allclose(found.variance, one_by_one(computed) + 0.75 * scaled**2, rtol=1e-5)


def test_an_addition_is_rounded_once():
    """2 + 3 is 5, off by one rounding of 5; shapes that do not fit give no estimate."""
    a, b = np.full((1, 1, 1, 4), 2.0), np.full((1, 1, 1, 4), 3.0)
    found = alone(f"{PART}_add", {f"{PART}_0_bn": a, f"{PART}_3_bn": b})
    assert (found.value == 5).all()
    assert (found.variance == 25).all()
    assert alone(f"{PART}_add", {f"{PART}_0_bn": a, f"{PART}_3_bn": b[..., :1]}) is None


def passed_on(names, unit, arch=TINY, **settings):
    """{layer: (its estimate, the part of its variance that comes from its inputs, theirs)}.

    Each named layer is estimated twice: from exact inputs, and from those inputs as the layers before
    them make them, with a variance of their own.
    """
    w, x = cast(random_tensors(arch, width=4, **settings), np.float64), 60 * noise(2, 33, 40, 3)
    exact = {layer.name: e.value for layer, e in estimates(x, w, arch, 0.0)}
    own = {layer.name: e for layer, e in estimates(x, w, arch, unit, exact)}
    found = {}
    for layer in layers(arch):
        if layer.name in names:
            given = {name: value for name, value in exact.items() if name not in layer.inputs}
            both = {other.name: e for other, e in estimates(x, w, arch, unit, given)}[layer.name]
            passed = both.variance - own[layer.name].variance
            found[layer.name] = both, passed, [own[name] for name in layer.inputs]
    return found, w


def test_variance_goes_through_each_layer_as_it_is_linear():
    """With w^2 for a weight w, through a maximum as it is, and averaged as deviations."""
    names = [f"{PART}_{n}" for n in ("0_conv", "1_bn", "1_relu", "2_conv", "add")]
    found, w = passed_on(["pool1_pad", "pool1_pool", "avg_pool", *names], unit=1e-6)
    scale = w[f"{PART}_1_bn"]["gamma"] ** 2 / (w[f"{PART}_1_bn"]["moving_variance"] + TINY.epsilon)
    expected = {
        "pool1_pad": lambda v: naive.zero_pad2d(v, 1),
        "pool1_pool": lambda v: naive.max_pool2d(v, 3, 2),
        f"{PART}_0_conv": lambda v: naive.conv2d(v, w[f"{PART}_0_conv"]["kernel"] ** 2),
        f"{PART}_1_bn": lambda v: v * scale,
        f"{PART}_2_conv": lambda v: naive.conv2d(v, w[f"{PART}_2_conv"]["kernel"] ** 2, padding="same"),
        f"{PART}_add": lambda a, b: a + b,
        "avg_pool": lambda v: np.mean(np.sqrt(v), axis=(1, 2)) ** 2,
    }
    for name, through in expected.items():
        both, passed, inputs = found[name]
        # the difference of two variances, each of which has float64's rounding
        np.testing.assert_allclose(
            passed, through(*(e.variance for e in inputs)), rtol=0, atol=1e-13 * both.variance.max()
        )
    _, passed, (before,) = found[f"{PART}_1_relu"]
    on = before.value > -64 * np.sqrt(before.variance)
    assert on.any()
    assert not on.all()
    assert np.array_equal(passed, np.where(on, before.variance, 0))


@pytest.mark.parametrize(("deviations", "passes"), [(63.9, True), (64.1, False)])
def test_a_relu_is_off_beyond_64_deviations(deviations, passes):
    """-1 with a deviation of 1 / 64: whatever else is allowed for, it stays below 0."""
    arch, unit = replace(TINY, epsilon=0.0), 1 / 6 / deviations**2
    x, w = np.zeros((1, 32, 32, 3)), cast(random_tensors(arch, width=4), np.float64)
    one = np.ones(4)
    w["conv1_bn"] = {"gamma": one, "beta": 0 * one, "moving_mean": 0 * one, "moving_variance": one}
    given = {"conv1_conv": np.full((1, 16, 16, 4), -1.0)}
    found = {layer.name: e for layer, e in estimates(x, w, arch, unit, given)}
    assert np.sqrt(found["conv1_bn"].variance) == pytest.approx(1 / deviations, rel=1e-15)  # 6 roundings
    assert (found["conv1_relu"].variance > 0).all() == passes


@pytest.mark.parametrize("activation", ["linear", "softmax", "sigmoid"])
def test_variance_goes_through_every_top(activation):
    """The logits' is that of a sum; an activation's Jacobian, by finite differences, hands it on.

    What a softmax takes of a class from itself is left out of its estimate: 2 p^3 of the logit's
    variance. The differences are central with a step of 1e-5, off by 1e-10 and 2^-53 / 1e-5.
    """
    found, w = passed_on(["predictions"], 1e-6, replace(TINY, activation="linear"))
    logits, passed, (pooled,) = found["predictions"]
    of_logits = naive.dense(pooled.variance, w["predictions"]["kernel"] ** 2)
    np.testing.assert_allclose(passed, of_logits, rtol=0, atol=1e-13 * logits.variance.max())
    found, _ = passed_on(["predictions"], 1e-6, replace(TINY, activation=activation))
    top, passed, _ = found["predictions"]
    function = {"linear": lambda z: z, "softmax": naive.softmax, "sigmoid": naive.sigmoid}[activation]
    steps = 1e-5 * np.eye(5)
    jacobian = np.array([(function(logits.value + h) - function(logits.value - h)) / 2e-5 for h in steps])
    expected = np.einsum("inj,ni->nj", jacobian**2, of_logits)  # i: the logit that is changed
    if activation == "softmax":
        expected += 2 * top.value**3 * of_logits
    np.testing.assert_allclose(passed, expected, rtol=1e-8)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300])
def test_another_programs_infinities_come_in_quietly(network, number):
    """Numbers that are none, or overflow, in any layer's input give an estimate, and no warning."""
    weights, w, x = network
    run = run_npcam(weights, x[:1]).activations
    given = {name: np.full_like(a, number, np.float64) for name, a in run.items()}
    for layer, estimate in estimates(x[:1], w, SMALL, F32, given):
        assert estimate.value.shape == run[layer.name].shape


def test_inputs_of_another_shape_give_no_estimate(network):
    """Whichever layer it is for; what is not given is estimated as before."""
    _, w, x = network
    shapes = {layer.name: e.value.shape for layer, e in estimates(x[:1], w, SMALL, F32)}
    for layer in layers(SMALL):
        if layer.kind in ("Conv2D", "BatchNormalization", "Add", "Dense"):
            last = layer.inputs[-1]
            given = {last: np.zeros((*shapes[last][:-1], shapes[last][-1] + 1))}
            found = {other.name: e for other, e in estimates(x[:1], w, SMALL, F32, given)}
            assert found[layer.name] is None
            assert found[last].value.shape == shapes[last]


def test_an_error_of_the_input_goes_on(network):
    """The variance given for the input is the input's, and the first convolution's is larger for it."""
    _, w, x = network
    rough = np.full(x.shape, 1e-6)
    plain = {layer.name: e for layer, e in estimates(x, w, SMALL, F32)}
    given = {layer.name: e for layer, e in estimates(Estimate(x.astype(np.float64), rough), w, SMALL, F32)}
    assert (given["input_layer"].variance == rough).all()
    more = given["conv1_conv"].variance - plain["conv1_conv"].variance
    expected = np.square(w["conv1_conv"]["kernel"]).sum(axis=(0, 1, 2)) * 1e-6
    np.testing.assert_allclose(more[:, 4:-4, 4:-4], np.broadcast_to(expected, more[:, 4:-4, 4:-4].shape))
    np.testing.assert_array_equal(given["conv1_conv"].value, plain["conv1_conv"].value)

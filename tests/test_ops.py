"""The layers against three other ways to the same numbers: loops, SciPy and Keras's own layers."""

from functools import partial

import numpy as np
import pytest
import scipy.special
from helpers.rounding import assert_within_rounding
from scipy.signal import correlate

from npcam import naive, ops

RNG = np.random.default_rng(7)

# (input, kernel, strides, padding): every convolution of the network in small, and what it never does.
CONVOLUTIONS = [
    ((2, 9, 9, 3), (7, 7, 3, 4), 2, "valid"),
    ((1, 8, 8, 4), (1, 1, 4, 5), 1, "valid"),
    ((1, 8, 7, 4), (1, 1, 4, 5), 2, "valid"),
    ((2, 6, 6, 3), (3, 3, 3, 4), 1, "same"),
    ((2, 6, 7, 3), (3, 3, 3, 4), 2, "same"),
    ((1, 7, 6, 2), (2, 4, 2, 3), 1, "same"),
    ((1, 7, 9, 2), (3, 2, 2, 3), (2, 3), "same"),
    ((1, 7, 9, 2), (3, 2, 2, 3), (3, 1), "valid"),
    ((1, 5, 4, 1), (5, 4, 1, 1), 1, "valid"),
    ((1, 2, 2, 1), (3, 3, 1, 1), 1, "same"),
    ((1, 5, 5, 2), (1, 1, 2, 2), 3, "same"),
    ((0, 5, 5, 2), (3, 3, 2, 2), 1, "valid"),
]
POOLS = [((2, 9, 9, 3), 3, 2), ((1, 8, 6, 2), 2, 2), ((1, 7, 6, 2), (3, 2), (1, 2)), ((1, 5, 5, 1), 2, None)]


def draw(*shape, dtype=np.float32):
    """Normal random numbers."""
    return RNG.normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("image", "kernel", "strides", "padding"), CONVOLUTIONS)
def test_conv2d_equals_its_definition(image, kernel, strides, padding, dtype):
    """Im2col and a matmul give what the explicit sum over the window gives."""
    x, w, b = draw(*image, dtype=dtype), draw(*kernel, dtype=dtype), draw(kernel[3], dtype=dtype)
    expected = naive.conv2d(x, w, b, strides, padding)
    size = naive.conv2d(np.abs(x), np.abs(w), np.abs(b), strides, padding)
    assert_within_rounding(
        ops.conv2d(x, w, b, strides, padding), expected, size, terms=w[..., 0].size + 1, dtype=dtype
    )


@pytest.mark.parametrize("kernel", [(3, 3, 2, 4), (2, 5, 2, 1), (1, 1, 2, 3)])
def test_conv2d_equals_scipys_correlation(kernel):
    """A valid convolution is SciPy's cross-correlation, summed over the channels."""
    x, w = draw(1, 8, 9, 2, dtype=np.float64), draw(*kernel, dtype=np.float64)
    expected = np.stack([correlate(x[0], w[..., k], mode="valid")[..., 0] for k in range(kernel[3])], axis=-1)
    assert_within_rounding(
        ops.conv2d(x, w)[0], expected, np.abs(expected).max() + 10, terms=w[..., 0].size, dtype=np.float64
    )


@pytest.mark.parametrize(("image", "kernel", "strides", "padding"), [c for c in CONVOLUTIONS if c[0][0]])
def test_conv2d_equals_keras(keras, image, kernel, strides, padding):
    """Keras's Conv2D, its rule for padding="same" included, gives the same numbers."""
    x, w, b = draw(*image), draw(*kernel), draw(kernel[3])
    layer = keras.layers.Conv2D(kernel[3], kernel[:2], strides=strides, padding=padding)
    layer.build(image)
    layer.set_weights([w, b])
    size = naive.conv2d(np.abs(x), np.abs(w), np.abs(b), strides, padding)
    expected = np.asarray(layer(x))
    assert_within_rounding(
        ops.conv2d(x, w, b, strides, padding), expected, 2 * size, terms=w[..., 0].size + 1
    )


def test_im2col_equals_its_definition():
    """The strided view lists exactly the windows that the loops visit, in the kernel's order."""
    x = draw(2, 7, 8, 3)
    for kernel, strides in [(1, 1), (3, 2), ((2, 4), (3, 1)), ((7, 8), 1)]:
        assert np.array_equal(ops.im2col(x, kernel, strides), naive.im2col(x, kernel, strides))


PADDINGS = [0, 3, (1, 2), ((0, 1), (2, 3))]


@pytest.mark.parametrize("padding", PADDINGS)
def test_zero_pad2d_equals_its_definition(padding):
    """All of Keras's ways to say a padding put zeros where the loops put them."""
    x = draw(2, 3, 4, 2)
    assert np.array_equal(ops.zero_pad2d(x, padding), naive.zero_pad2d(x, padding))


@pytest.mark.parametrize("padding", PADDINGS)
def test_zero_pad2d_equals_keras(keras, padding):
    """Keras's ZeroPadding2D puts the same zeros in the same places."""
    x = draw(2, 3, 4, 2)
    assert np.array_equal(ops.zero_pad2d(x, padding), np.asarray(keras.layers.ZeroPadding2D(padding)(x)))


@pytest.mark.parametrize(("image", "pool", "strides"), POOLS)
def test_max_pool2d_equals_its_definition(image, pool, strides):
    """The largest value of each window, also where all values are negative: no rounding at all."""
    x = -np.abs(draw(*image))
    assert np.array_equal(ops.max_pool2d(x, pool, strides), naive.max_pool2d(x, pool, strides))


@pytest.mark.parametrize(("image", "pool", "strides"), POOLS)
def test_max_pool2d_equals_keras(keras, image, pool, strides):
    """Keras's MaxPooling2D finds the same largest values."""
    x = -np.abs(draw(*image))
    assert np.array_equal(
        ops.max_pool2d(x, pool, strides), np.asarray(keras.layers.MaxPooling2D(pool, strides)(x))
    )


def batch_norm_case(epsilon):
    """A batch; gamma, beta, mean and variance, so small that epsilon counts; the size of the terms."""
    x, gamma, beta, mean = draw(2, 3, 4, 5), draw(5), draw(5), draw(5)
    variance = np.array([1e-6, 1e-5, 1e-3, 1, 100], np.float32)
    size = np.abs(gamma) * (np.abs(x) + np.abs(mean)) / np.sqrt(variance + epsilon) + np.abs(beta)
    return x, [gamma, beta, mean, variance], size


@pytest.mark.parametrize("epsilon", [1.001e-5, 1e-3])
def test_batch_norm_equals_its_definition(epsilon):
    """The inference formula, one number at a time."""
    x, statistics, size = batch_norm_case(epsilon)
    expected = naive.batch_norm(x, *statistics, epsilon)
    assert_within_rounding(ops.batch_norm(x, *statistics, epsilon), expected, size, terms=6)


@pytest.mark.parametrize("epsilon", [1.001e-5, 1e-3])
def test_batch_norm_equals_keras(keras, epsilon):
    """Keras's BatchNormalization at inference, its weights in Keras's order."""
    x, statistics, size = batch_norm_case(epsilon)
    layer = keras.layers.BatchNormalization(epsilon=epsilon)
    layer.build(x.shape)
    layer.set_weights(statistics)
    expected = np.asarray(layer(x, training=False))
    assert_within_rounding(ops.batch_norm(x, *statistics, epsilon), expected, 2 * size, terms=6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dense_pool_and_relu_equal_their_definitions(dtype):
    """The small layers against their loops, in every float type."""
    x, w, b = draw(3, 20, dtype=dtype), draw(20, 4, dtype=dtype), draw(4, dtype=dtype)
    size = naive.dense(np.abs(x), np.abs(w), np.abs(b))
    assert_within_rounding(ops.dense(x, w, b), naive.dense(x, w, b), size, terms=21, dtype=dtype)
    images = draw(2, 7, 5, 3, dtype=dtype)
    pooled, size = naive.global_average_pool2d(images), naive.global_average_pool2d(np.abs(images))
    assert_within_rounding(ops.global_average_pool2d(images), pooled, size, terms=36, dtype=dtype)
    assert np.array_equal(ops.relu(images), naive.relu(images).astype(dtype))


# exp makes of half an ulp of 88 in a logit a relative error, and sums add a few: 8 roundings of 1.
LOGITS = np.array([[0, 1, -2, 3], [1000, 999, -1000, 0], [-88, -87, -86, -85]], np.float32)


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_probabilities_equal_their_definitions(name):
    """Softmax and sigmoid, and their loops, without overflow for huge logits; SciPy has them too."""
    found = getattr(ops, name)(LOGITS)
    theirs = {"softmax": partial(scipy.special.softmax, axis=-1), "sigmoid": scipy.special.expit}[name]
    for expected in (getattr(naive, name)(LOGITS), theirs(LOGITS.astype(np.float64))):
        assert_within_rounding(found, expected, np.ones_like(LOGITS), terms=8)


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_probabilities_equal_keras(keras, name):
    """Keras's activations of the same names."""
    expected = np.asarray(getattr(keras.activations, name)(LOGITS))
    assert_within_rounding(getattr(ops, name)(LOGITS), expected, np.ones_like(LOGITS), terms=8)


def test_softmax_sums_to_one():
    """Whatever the logits."""
    assert np.allclose(ops.softmax(LOGITS).sum(axis=-1), 1, rtol=0, atol=4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_and_arguments_are_left_alone(dtype):
    """Every layer answers in the dtype it was given, and writes on none of its arguments."""
    x, w, b = draw(1, 6, 6, 3, dtype=dtype), draw(3, 3, 3, 2, dtype=dtype), draw(2, dtype=dtype)
    statistics = [draw(3, dtype=dtype), draw(3, dtype=dtype), draw(3, dtype=dtype), np.ones(3, dtype)]
    before = x.copy(), w.copy(), b.copy()
    x.flags.writeable = w.flags.writeable = b.flags.writeable = False
    outputs = [
        *(ops.zero_pad2d(x, 1), ops.im2col(x, 3, 1), ops.max_pool2d(x, 3, 2), ops.global_average_pool2d(x)),
        *(ops.conv2d(x, w, b, 2, "same"), ops.dense(x, w[0, 0], b), ops.batch_norm(x, *statistics)),
        *(ops.relu(x), ops.softmax(x), ops.sigmoid(x)),
    ]
    assert {y.dtype for y in outputs} == {np.dtype(dtype)}
    assert all(np.array_equal(a, b) for a, b in zip(before, (x, w, b), strict=True))


def test_nan_is_not_hidden():
    """A NaN that goes in comes out, so that a broken tensor shows."""
    x = np.full((1, 3, 3, 1), np.nan)
    assert np.isnan(ops.relu(x)).all()
    assert np.isnan(ops.max_pool2d(x, 3, 1)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.conv2d(np.zeros((4, 4, 3)), np.zeros((3, 3, 3, 1))),
            r"array \(N, H, W, C\)",
        ),
        (
            lambda: ops.conv2d(np.zeros((1, 4, 4, 3)), np.zeros((3, 3, 2, 1))),
            r"kernel \(KH, KW, 3, K\)",
        ),
        (
            lambda: ops.conv2d(np.zeros((1, 4, 4, 3)), np.zeros((3, 3, 3, 1)), np.zeros(2)),
            r"^conv2d: kernel \(3, 3, 3, 1\) needs a bias \(1,\)",
        ),
        (
            lambda: ops.conv2d(np.zeros((1, 4, 4, 3)), np.zeros((3, 3, 3, 1)), padding="full"),
            '"valid" or "same"',
        ),
        (
            lambda: ops.conv2d(np.zeros((1, 2, 4, 3)), np.zeros((3, 3, 3, 1))),
            "3x3 window does not fit into 2x4",
        ),
        (lambda: ops.max_pool2d(np.zeros((1, 2, 2, 1)), 3, 1), "does not fit"),
        (lambda: ops.im2col(np.zeros((1, 2, 2, 1)), 1, 0), "must be positive"),
        (lambda: ops.zero_pad2d(np.zeros((1, 2, 2, 1)), -1), "must not be negative"),
        (lambda: ops.zero_pad2d(np.zeros((1, 2, 2, 1)), ((0, 1), (2, -1))), "must not be negative"),
        (lambda: ops.zero_pad2d(np.zeros((2, 2, 1)), 1), "zero_pad2d"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, message):
    """Wrong shapes raise ValueError with both sides of the mismatch, not garbage."""
    with pytest.raises(ValueError, match=message):
        call()

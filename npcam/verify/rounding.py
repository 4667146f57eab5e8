"""What rounding may do: every layer in float64, with the variance of the error that rounding makes.

The model is that of Higham & Mary 2019 ("A new approach to probabilistic rounding error analysis",
SIAM J. Sci. Comput. 41(5), A2815): an operation returns the exact result times 1 + d, and the d of
different operations are independent, with mean 0. Then variances add. The size of d is at most the unit
roundoff u (2^-24 in float32); a number that is uniform between -u and u has the variance u^2 / 3.

A sum of n terms goes through n partial sums, and each is rounded, in proportion to its own size
(Higham 2002, Accuracy and Stability of Numerical Algorithms, section 4.2). Where two partial sums are
known, a and b, the terms between them may come in any order: on average over all orders, the mean of
the squares of the partial sums from a to b is (a^2 + ab + b^2) / 3 + T^2 / 6, with T^2 the sum of the
squares of those terms. With S^2 the mean of the squares of all partial sums, and t the products,
each of them rounded once,

    variance = u^2/3 (n S^2 + sum of t^2).

For a convolution the partial sums after each of the kernel's KH*KW taps are computed: where the
picture is flat and the kernel is an edge, they are far larger than the result. A program whose arrays
are NCHW adds channel after channel. Of many channels that makes no difference; of the three of a
picture it does, where a kernel compares colours. So for few channels the partial sums after each
channel are computed, too, and the larger variance counts. The model overestimates the error of the
blocked sums that real libraries make, which round less often.

Where a precision below float32 is stated (`precision`), both factors of a product are rounded to it
first, each by itself, and what a layer stores is rounded once more; sums stay in float32. Weights are
rounded like activations; the roundings of a weight are the same at all positions, which is one more
reason for the room that the flow has. TF32's factors may be cut off: then all products are smaller, by
the same share on average, and so is their sum; that share of the sum counts as one deviation.

An error of variance v that comes into a layer goes through it as the layer is linear: a convolution
makes it the sum of w^2 v; a maximum, and a ReLU that is on, hand it on as it is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from npcam import ops
from npcam.layers import Layer, layers
from npcam.resnet import ACTIVATIONS, Architecture, Tensors
from npcam.shapes import Array, check_conv, pad_amounts, same_padding
from npcam.verify.precision import FLOAT32, Precision

# Numbers below float32's normal range may be flushed to 0, with a result of this size.
UNDERFLOW = 2.0**-126
FEW_CHANNELS = 3  # a picture's, of which each may be added by itself, with partial sums of its own
RELU_OFF = 64.0  # standard deviations below 0 where a ReLU is certainly off, whatever is allowed elsewhere


class Estimate(NamedTuple):
    """A layer's output, and how it may be rounded.

    Attributes:
        value: the output in float64.
        variance: the variance of the error with which a program computes it, of the same shape.
    """

    value: Array
    variance: Array


def roundoff_variance(*dtypes: Any) -> float:
    """The variance of one rounding, relative to its result: u^2 / 3, summed over the float types given.

    >>> roundoff_variance(np.float32) == 2.0**-48 / 3
    True
    """
    return sum((float(np.finfo(d).eps) / 2) ** 2 / 3 for d in dtypes)


def estimates(
    x: Array | Estimate,
    w: Tensors,
    arch: Architecture,
    unit: float,
    given: Mapping[str, Array] | None = None,
    precision: Precision = FLOAT32,
) -> Iterator[tuple[Layer, Estimate | None]]:
    """Run a network in float64, layer by layer, with the variance that rounding adds.

    Args:
        x: the preprocessed batch, (N, H, W, 3), as it is or with the variance of its own error.
        w: the weights in float64.
        arch: the architecture.
        unit: the variance of one rounding, from `roundoff_variance`.
        given: activations to go on with in place of the computed ones, as exact numbers, so that
            each layer is computed from what another program gave it.
        precision: what is multiplied and stored in fewer bits than `unit` is of.

    Yields:
        Each layer with its estimate; None where a given input does not fit the layer.
    """
    table = layers(arch)
    last_use = {name: i for i, layer in enumerate(table) for name in layer.inputs}
    known: dict[str, Estimate | None] = {}
    for i, layer in enumerate(table):
        inputs = [known[name] for name in layer.inputs]
        found: Estimate | None = None
        if layer.kind == "InputLayer":
            found = stored(as_input(x), precision)
        elif all(estimate is not None for estimate in inputs):
            try:
                with np.errstate(all="ignore"):  # another program's infinities and NaN may come in
                    found = estimate_layer(
                        layer, [e for e in inputs if e is not None], w, arch, unit, precision
                    )
            except ValueError:  # shapes that do not fit
                found = None
        yield layer, found
        known[layer.name] = exact(given[layer.name]) if given and layer.name in given else found
        for name in layer.inputs:
            if last_use[name] == i:
                del known[name]


def logits(
    pooled: Estimate, weights: Mapping[str, Array], unit: float, precision: Precision = FLOAT32
) -> Estimate:
    """What the Dense layer puts out before its activation.

    Args:
        pooled: the average pool, (N, C).
        weights: its kernel (C, classes) and bias (classes,), float64.
        unit: the variance of one rounding relative to its result, from `roundoff_variance`.
        precision: what is multiplied and stored in fewer bits.

    Raises:
        ValueError: the shapes do not fit.
    """
    return _dense(pooled, weights["kernel"], weights["bias"], "linear", unit, precision)


def exact(x: Array) -> Estimate:
    """An array as an estimate that nothing has rounded."""
    value = x.astype(np.float64)
    return Estimate(value, np.zeros_like(value))


def as_input(x: Array | Estimate) -> Estimate:
    """A network's input as an estimate: exact, unless it comes with the variance of its own error."""
    return x if isinstance(x, Estimate) else exact(x)


def stored(e: Estimate, precision: Precision) -> Estimate:
    """The same after it was stored: rounded once, where the precision stores fewer bits."""
    if not precision.stored:
        return e
    return Estimate(
        e.value, e.variance + (precision.variance_of_stored * e.value * e.value + precision.floor)
    )


def estimate_layer(
    layer: Layer,
    inputs: list[Estimate],
    w: Tensors,
    arch: Architecture,
    unit: float,
    precision: Precision = FLOAT32,
) -> Estimate:
    """One layer in float64, with the variance that rounding adds.

    Args:
        layer: of the table in `layers`, but not its input.
        inputs: what it reads.
        w: the weights in float64, this layer's among them.
        arch: for the epsilon and the activation.
        unit: the variance of one rounding; 0, with inputs that nothing has rounded, for the value alone.
        precision: what is multiplied and stored in fewer bits than `unit` is of.

    Raises:
        ValueError: the inputs do not fit it.
    """
    x, weights = inputs[0], w.get(layer.name, {})
    match layer.kind:
        case "Conv2D":
            found = _conv(x, layer, weights["kernel"], weights["bias"], unit, precision)
        case "BatchNormalization":
            found = _batch_norm(x, weights, arch.epsilon, unit, precision)
        case "Activation":
            found = _relu(x)
        case "ZeroPadding2D":
            assert isinstance(layer.padding, int)
            found = Estimate(*(ops.zero_pad2d(part, layer.padding) for part in x))
        case "MaxPooling2D":  # the maxima of two windows differ by no more than their worst elements do
            found = Estimate(*(ops.max_pool2d(part, layer.window, layer.stride) for part in x))
        case "Add":
            found = _add(x, inputs[1], unit)
        case "GlobalAveragePooling2D":
            found = _average(x, unit)
        case _:
            found = _dense(
                x, weights["kernel"], weights["bias"], arch.activation or "linear", unit, precision
            )
    return stored(found, precision)


def _conv(
    e: Estimate, layer: Layer, kernel: Array, bias: Array, unit: float, precision: Precision
) -> Estimate:
    """A sum of KH*KW*C products, and a bias."""
    x, v = e
    if not unit and precision is FLOAT32 and not v.any():  # nothing is rounded: the value alone, quickly
        y = ops.conv2d(x, kernel, bias, layer.stride, str(layer.padding or "valid"))
        return Estimate(y, np.zeros_like(y))
    kh, kw, c, k = kernel.shape
    amounts = pad_amounts(0)
    if layer.padding == "same":
        amounts = same_padding(x.shape[1:3], (kh, kw), (layer.stride,) * 2)
    x, v = ops.zero_pad2d(x, amounts), ops.zero_pad2d(v, amounts)
    check_conv(x, kernel, bias, "valid")
    taps, n = kh * kw, kh * kw * c + 1
    factors, floor = 2 * precision.variance_of_factors, precision.floor
    oh, ow = (x.shape[1] - kh) // layer.stride + 1, (x.shape[2] - kw) // layer.stride + 1
    y = np.zeros((len(x), oh, ow, k))
    squares, variance = np.zeros_like(y), np.zeros_like(y)
    for i, j in np.ndindex(kh, kw):
        window = np.s_[:, i : i + oh * layer.stride : layer.stride, j : j + ow * layer.stride : layer.stride]
        before = y
        y = before + x[window] @ kernel[i, j]  # (N, OH, OW, C) @ (C, K)
        squares += (before * before + before * y + y * y) / (3 * taps)
        square = kernel[i, j] ** 2
        terms = x[window] ** 2 * (unit * (1 + n / taps / 6) + factors) + (v[window] + floor)
        variance += terms @ square
        if floor:  # of the kernel's
            variance += floor * np.sum(x[window] ** 2, axis=-1, keepdims=True)
    if c <= FEW_CHANNELS:
        squares = np.maximum(squares, _channel_by_channel(x, kernel, layer.stride))
    variance += (precision.variance_of_stored * bias**2 + floor) if precision.stored else 0.0
    variance += unit * (n * squares + (y + bias) ** 2 + bias**2) + (precision.shrink * y) ** 2
    return Estimate(y + bias, variance)


def _channel_by_channel(x: Array, kernel: Array, stride: int) -> Array:
    """The mean of the squares of a convolution's partial sums where one channel is added after the other.

    Less what `_conv` counts besides it: the spread of sums in random order between those after two
    taps, where here it is that between two channels.
    """
    kh, kw, c, _ = kernel.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))[:, ::stride, ::stride]
    y = np.zeros((*windows.shape[:3], kernel.shape[3]))
    squares, products = np.zeros_like(y), np.zeros_like(y)
    for channel in range(c):
        before, taken = y, windows[:, :, :, channel]  # (N, OH, OW, KH, KW)
        y = before + np.tensordot(taken, kernel[:, :, channel], 2)
        squares += (before * before + before * y + y * y) / (3 * c)
        products += np.tensordot(taken * taken, kernel[:, :, channel] ** 2, 2)
    found: Array = squares + products * (1 / c - 1 / (kh * kw)) / 6
    return found


def _dense(
    e: Estimate, kernel: Array, bias: Array, activation: str, unit: float, precision: Precision
) -> Estimate:
    """A sum of C products and a bias; then what the activation makes of the logits and their errors."""
    x, v = e
    logits, n = ops.dense(x, kernel, bias), kernel.shape[0] + 1  # (N, classes)
    own, floor = _sum_weight(n, unit), precision.floor
    terms = (own + 2 * precision.variance_of_factors) * x * x + (v + floor)
    variance = ops.dense(terms, kernel * kernel, (own + precision.variance_of_stored) * bias * bias)
    variance += unit * n / 3 * logits * logits + (precision.shrink * (logits - bias)) ** 2
    variance += floor * np.sum(x * x, axis=-1, keepdims=True)
    if activation != "linear":  # the logits are stored in between
        variance, unit = stored(Estimate(logits, variance), precision).variance, _lower(unit, precision)
    y = ACTIVATIONS[activation](logits)
    if activation == "softmax":
        # dp_j = p_j (dz_j - sum_i p_i dz_i). An error of z - max is a relative one of exp, which is
        # itself off by 4 roundings at most (16); a third of one a class is that of the classes' sum.
        shift = logits - logits.max(axis=-1, keepdims=True)
        common = np.sum(y * y * variance, axis=-1, keepdims=True)
        relative = variance + common + unit * (shift * shift + 16 + logits.shape[-1] / 3)
        variance = y * y * relative
    elif activation == "sigmoid":
        slope = y * (1 - y)
        variance = slope * slope * variance + unit * (16 * y * y + 1)  # 0.5 + 0.5 tanh rounds near 1
    return Estimate(y, variance + UNDERFLOW**2)


def _batch_norm(
    e: Estimate, p: Mapping[str, Array], epsilon: float, unit: float, precision: Precision
) -> Estimate:
    """A scale and a shift as frameworks compute them: x s + (beta - mean s).

    The scale s takes four roundings (adding epsilon, the root, its inverse, gamma), which x and the
    mean share; then two products, a difference and a sum are rounded. In a lower precision these may be
    rounded to it, as the four weights are; two of them, the mean and the shift, are in the terms below.
    """
    x, v = e
    unit = _lower(unit, precision)
    root = np.sqrt(p["moving_variance"] + epsilon)
    scale = p["gamma"] / root
    y = ops.batch_norm(x, **p, epsilon=epsilon)
    shift = p["moving_mean"] * scale
    rounded = 4 * (y - p["beta"]) ** 2 + (x * scale) ** 2 + shift**2 + (p["beta"] - shift) ** 2 + y * y
    variance = scale * scale * v + unit * rounded
    if precision.floor:  # of gamma, of the variance, of beta and of the mean
        centred = x - p["moving_mean"]
        slopes = (centred / root) ** 2 + (centred * scale / (2 * root * root)) ** 2 + 1 + scale * scale
        variance += precision.floor * slopes
    return Estimate(y, variance)


def _relu(e: Estimate) -> Estimate:
    """Nothing is rounded; an error is handed on unless the ReLU is certainly off."""
    x, v = e
    return Estimate(ops.relu(x), np.where(x > -RELU_OFF * np.sqrt(v), v, 0.0))


def _add(a: Estimate, b: Estimate, unit: float) -> Estimate:
    """A sum that is rounded once."""
    if a.value.shape != b.value.shape:
        msg = f"cannot add {a.value.shape} and {b.value.shape}"
        raise ValueError(msg)
    y = a.value + b.value
    return Estimate(y, a.variance + b.variance + unit * y * y)


def _average(e: Estimate, unit: float) -> Estimate:
    """A sum and a division. A channel's errors may be the same at all positions: averaging does not help."""
    x, v = e
    y, n = ops.global_average_pool2d(x), x.shape[1] * x.shape[2]
    squares = ops.global_average_pool2d(x * x) / n  # the sum of the squares of x / n
    variance = ops.global_average_pool2d(np.sqrt(v)) ** 2
    return Estimate(y, variance + _sum_weight(n, unit) * squares + unit * (n / 3 + 1) * y * y)


def _lower(unit: float, precision: Precision) -> float:
    """The variance of one rounding of what is computed element by element, in the lower of two types."""
    return max(unit, precision.variance_of_stored)


def _sum_weight(n: int, unit: float) -> float:
    """What each squared term of a sum of n adds to the variance of the sum."""
    return unit * (1 + n / 6)

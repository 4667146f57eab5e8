"""The layers of `npcam.ops` as their definitions: explicit loops, one number at a time, in float64.

Slow on purpose. Nothing here is shared with `ops` but the padding rule's arithmetic, so that where
both give the same numbers, both are right. Signatures and shapes are those of `ops`.
"""

from itertools import product
from math import exp, sqrt

import numpy as np

from npcam.shapes import Array, Padding2D, Size2D, pad_amounts, pair, same_padding


def zero_pad2d(x: Array, padding: Padding2D) -> Array:
    """y[i + top, j + left] = x[i, j]; 0 elsewhere.

    >>> zero_pad2d(np.ones((1, 1, 1, 1)), ((0, 1), (1, 0)))[0, :, :, 0]
    array([[0., 1.],
           [0., 0.]])
    """
    n, h, w, c = x.shape
    (top, bottom), (left, right) = pad_amounts(padding)
    y = np.zeros((n, top + h + bottom, left + w + right, c))
    for m, i, j, k in np.ndindex(n, h, w, c):
        y[m, top + i, left + j, k] = x[m, i, j, k]
    return y


def im2col(x: Array, kernel_size: Size2D, strides: Size2D) -> Array:
    """Row (i, j) holds x[i*rows + a, j*columns + b, c] at place (a*KW + b)*C + c.

    >>> im2col(np.arange(4.0).reshape(1, 2, 2, 1), 2, 1).tolist()
    [[[[0.0, 1.0, 2.0, 3.0]]]]
    """
    (kh, kw), (sh, sw) = pair(kernel_size), pair(strides)
    n, oh, ow, c = _output_shape(x, (kh, kw), (sh, sw))
    y = np.zeros((n, oh, ow, kh * kw * c))
    for m, i, j in np.ndindex(n, oh, ow):
        for a, b, k in np.ndindex(kh, kw, c):
            y[m, i, j, (a * kw + b) * c + k] = x[m, i * sh + a, j * sw + b, k]
    return y


def conv2d(
    x: Array, kernel: Array, bias: Array | None = None, strides: Size2D = 1, padding: str = "valid"
) -> Array:
    """y[i, j, k] = bias[k] + sum over a, b, c of x[i*rows + a, j*columns + b, c] kernel[a, b, c, k].

    >>> conv2d(np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1)), bias=np.array([0.5])).tolist()
    [[[[4.5]]]]
    """
    kh, kw, c, channels = kernel.shape
    sh, sw = pair(strides)
    if padding == "same":
        x = zero_pad2d(x, same_padding(x.shape[1:3], (kh, kw), (sh, sw)))
    n, oh, ow, _ = _output_shape(x, (kh, kw), (sh, sw))
    y = np.zeros((n, oh, ow, channels))
    for m, i, j, k in np.ndindex(n, oh, ow, channels):
        total = 0.0 if bias is None else float(bias[k])
        for a, b, q in np.ndindex(kh, kw, c):
            total += float(x[m, i * sh + a, j * sw + b, q]) * float(kernel[a, b, q, k])
        y[m, i, j, k] = total
    return y


def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    moving_mean: Array,
    moving_variance: Array,
    epsilon: float = 1.001e-5,
) -> Array:
    """y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, channel by channel.

    >>> one = np.ones(1)
    >>> batch_norm(np.array([3.0]), 2 * one, one, one, 4 * one, epsilon=0)
    array([3.])
    """
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        k = index[-1]
        deviation = sqrt(float(moving_variance[k]) + epsilon)
        y[index] = float(gamma[k]) * (float(x[index]) - float(moving_mean[k])) / deviation + float(beta[k])
    return y


def relu(x: Array) -> Array:
    """y = x where x is positive, else 0.

    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        y[index] = 0.0 if x[index] <= 0 else x[index]
    return y


def max_pool2d(x: Array, pool_size: Size2D, strides: Size2D | None = None) -> Array:
    """y[i, j, c] = the largest of x[i*rows + a, j*columns + b, c].

    >>> max_pool2d(np.arange(4.0).reshape(1, 2, 2, 1), 2, 2).tolist()
    [[[[3.0]]]]
    """
    (ph, pw), (sh, sw) = pair(pool_size), pair(pool_size if strides is None else strides)
    y = np.zeros(_output_shape(x, (ph, pw), (sh, sw)))
    for m, i, j, k in np.ndindex(y.shape):
        y[m, i, j, k] = max(x[m, i * sh + a, j * sw + b, k] for a, b in product(range(ph), range(pw)))
    return y


def global_average_pool2d(x: Array) -> Array:
    """y[c] = the sum of x[i, j, c] over all i, j, divided by their number.

    >>> global_average_pool2d(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[1.5]])
    """
    n, h, w, c = x.shape
    y = np.zeros((n, c))
    for m, k in np.ndindex(n, c):
        y[m, k] = sum(float(x[m, i, j, k]) for i, j in np.ndindex(h, w)) / (h * w)
    return y


def dense(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """y[k] = bias[k] + sum over c of x[c] kernel[c, k].

    >>> dense(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    channels_in, channels_out = kernel.shape
    y = np.zeros((*x.shape[:-1], channels_out))
    for *lead, k in np.ndindex(y.shape):
        total = 0.0 if bias is None else float(bias[k])
        for c in range(channels_in):
            total += float(x[(*lead, c)]) * float(kernel[c, k])
        y[(*lead, k)] = total
    return y


def softmax(x: Array) -> Array:
    """y_i = exp(x_i - max x) / sum_j exp(x_j - max x), row by row.

    >>> softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    y = np.zeros(x.shape)
    for row in np.ndindex(x.shape[:-1]):
        largest = max(float(v) for v in x[row])
        exponentials = [exp(float(v) - largest) for v in x[row]]
        y[row] = [e / sum(exponentials) for e in exponentials]
    return y


def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + exp(-x)), written with exp of negative numbers only.

    >>> sigmoid(np.array([0.0]))
    array([0.5])
    """
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        v = float(x[index])
        y[index] = 1 / (1 + exp(-v)) if v >= 0 else exp(v) / (1 + exp(v))
    return y


def _output_shape(x: Array, window: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int, int, int]:
    """How often a window fits: (N, H, W, C) -> (N, OH, OW, C)."""
    n, h, w, c = x.shape
    return n, (h - window[0]) // strides[0] + 1, (w - window[1]) // strides[1] + 1, c

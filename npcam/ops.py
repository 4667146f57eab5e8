"""The layers of a ResNet: one function each, arrays in, arrays out.

Activations are NHWC (batch, height, width, channels), convolution kernels HWIO (height, width,
in, out), dense kernels (in, out): the layouts in which Keras keeps them. Every function takes any
float dtype, returns the same one, and leaves its arguments as they are. In the shape comments N is
the batch, H and W the height and width, C the channels going in, K the channels coming out.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npcam.shapes import Array, Padding2D, Size2D, check_conv, check_images, pad_amounts, pair, same_padding


def zero_pad2d(x: Array, padding: Padding2D) -> Array:
    """Surround every image with zeros (Keras `ZeroPadding2D`).

    Args:
        x: images, (N, H, W, C).
        padding: rows and columns to add: one int for all four sides, (rows, columns), or
            ((top, bottom), (left, right)).

    Returns:
        (N, top + H + bottom, left + W + right, C).

    Raises:
        ValueError: `x` has no 4 axes, or `padding` is negative or of another form.

    >>> zero_pad2d(np.ones((1, 2, 2, 1)), 1)[0, :, :, 0]
    array([[0., 0., 0., 0.],
           [0., 1., 1., 0.],
           [0., 1., 1., 0.],
           [0., 0., 0., 0.]])
    """
    check_images("zero_pad2d", x)
    rows, columns = pad_amounts(padding)
    return np.pad(x, ((0, 0), rows, columns, (0, 0)))  # (N, H, W, C) -> (N, H+, W+, C)


def im2col(x: Array, kernel_size: Size2D, strides: Size2D) -> Array:
    """Lay the patch under each position of a sliding window out as one row.

    A convolution is then a single matmul with the kernel's (KH*KW*C, K) matrix. The windows are a
    strided view of `x`; the copy into rows is the only one made, and a 1x1 window at stride 1
    needs none.

    Args:
        x: images, (N, H, W, C).
        kernel_size: the window, an int or (KH, KW).
        strides: steps between windows, an int or (rows, columns).

    Returns:
        (N, OH, OW, KH*KW*C), with OH = (H - KH) // rows + 1 and OW likewise. The order within a
        row is the kernel's: height, width, channel.

    Raises:
        ValueError: `x` has no 4 axes, or the window does not fit into the image.

    >>> im2col(np.arange(9.0).reshape(1, 3, 3, 1), kernel_size=2, strides=1)[0]
    array([[[0., 1., 3., 4.],
            [1., 2., 4., 5.]],
    <BLANKLINE>
           [[3., 4., 6., 7.],
            [4., 5., 7., 8.]]])
    """
    patches = _windows("im2col", x, kernel_size, strides)  # (N, OH, OW, KH, KW, C), a view
    n, oh, ow, kh, kw, c = patches.shape
    return patches.reshape(n, oh, ow, kh * kw * c)


def conv2d(
    x: Array, kernel: Array, bias: Array | None = None, strides: Size2D = 1, padding: str = "valid"
) -> Array:
    """Convolve images with a bank of kernels (Keras `Conv2D`, channels last).

    As in every deep-learning framework this is a cross-correlation (the kernel is not flipped):
    y[n, i, j, k] = bias[k] + sum over a, b, c of x[n, i*s + a, j*s + b, c] kernel[a, b, c, k].

    Args:
        x: images, (N, H, W, C).
        kernel: (KH, KW, C, K).
        bias: (K,), or None.
        strides: an int or (rows, columns).
        padding: "valid" (none), or "same": zeros so that OH = ceil(H / rows), the odd one at the
            bottom and right, as Keras and TensorFlow place it.

    Returns:
        (N, OH, OW, K).

    Raises:
        ValueError: shapes that do not fit together, or an unknown `padding`.

    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d(x, np.ones((2, 2, 1, 1)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    check_conv(x, kernel, bias, padding)
    kh, kw, _, k = kernel.shape
    if padding == "same":
        x = zero_pad2d(x, same_padding(x.shape[1:3], (kh, kw), pair(strides)))
    columns = im2col(x, (kh, kw), strides)  # (N, OH, OW, KH*KW*C)
    n, oh, ow, patch = columns.shape
    y = columns.reshape(n * oh * ow, patch) @ kernel.reshape(patch, k)  # (N*OH*OW, K)
    if bias is not None:
        y += bias  # (N*OH*OW, K) + (K,)
    return y.reshape(n, oh, ow, k)


def batch_norm(
    x: Array,
    gamma: Array,
    beta: Array,
    moving_mean: Array,
    moving_variance: Array,
    epsilon: float = 1.001e-5,
) -> Array:
    """Normalise each channel with the statistics kept from training (Keras `BatchNormalization`).

    y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, the inference form of
    Ioffe & Szegedy 2015 (arXiv:1502.03167), algorithm 2.

    Args:
        x: (..., C); the channels are the last axis.
        gamma, beta, moving_mean, moving_variance: (C,) each.
        epsilon: keeps the square root away from 0. Keras's ResNets use 1.001e-5.

    Returns:
        (..., C).

    >>> batch_norm(np.array([[1.0, 5.0]]), gamma=np.ones(2), beta=np.zeros(2),
    ...            moving_mean=np.array([1.0, 1.0]), moving_variance=np.array([4.0, 4.0]), epsilon=0)
    array([[0., 2.]])
    """
    scale = gamma / np.sqrt(moving_variance + epsilon)  # (C,)
    y = x - moving_mean  # (..., C) - (C,); subtracting first keeps what nearly cancels exact
    y *= scale
    y += beta
    return y


def relu(x: Array) -> Array:
    """Set what is negative to 0 (Keras `ReLU`). NaN stays NaN.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


def max_pool2d(x: Array, pool_size: Size2D, strides: Size2D | None = None) -> Array:
    """Take the largest value under each window, channel by channel (Keras `MaxPooling2D`, "valid").

    Args:
        x: images, (N, H, W, C).
        pool_size: the window, an int or (PH, PW).
        strides: an int, (rows, columns), or None for `pool_size`, as in Keras.

    Returns:
        (N, OH, OW, C), with OH = (H - PH) // rows + 1 and OW likewise.

    Raises:
        ValueError: `x` has no 4 axes, or the window does not fit into the image.

    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), pool_size=2, strides=2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    patches = _windows("max_pool2d", x, pool_size, pool_size if strides is None else strides)
    y = patches[:, :, :, 0, 0].copy()  # (N, OH, OW, C)
    for i, j in list(np.ndindex(patches.shape[3:5]))[1:]:  # PH*PW passes beat one strided .max()
        np.maximum(y, patches[:, :, :, i, j], out=y)
    return y


def global_average_pool2d(x: Array) -> Array:
    """Average every channel over all positions (Keras `GlobalAveragePooling2D`).

    (N, H, W, C) -> (N, C). Raises ValueError where `x` has no 4 axes.

    >>> global_average_pool2d(np.arange(4.0).reshape(1, 2, 2, 1))
    array([[1.5]])
    """
    check_images("global_average_pool2d", x)
    y: Array = np.mean(x, axis=(1, 2))  # (N, H, W, C) -> (N, C)
    return y


def dense(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """Multiply with a matrix and add a bias (Keras `Dense` without its activation).

    Args:
        x: (..., C).
        kernel: (C, K).
        bias: (K,), or None.

    Returns:
        (..., K).

    >>> dense(np.array([[1.0, 2.0]]), kernel=np.array([[3.0], [4.0]]), bias=np.array([0.5]))
    array([[11.5]])
    """
    y: Array = x @ kernel  # (..., C) @ (C, K) -> (..., K)
    return y if bias is None else y + bias


def softmax(x: Array) -> Array:
    """Turn logits into probabilities along the last axis (Keras `softmax`).

    softmax(x)_i = exp(x_i - max x) / sum_j exp(x_j - max x); taking the maximum off changes
    nothing but keeps exp from overflowing.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    y: Array = np.exp(x - np.max(x, axis=-1, keepdims=True))  # (..., classes)
    y /= np.sum(y, axis=-1, keepdims=True)
    return y


def sigmoid(x: Array) -> Array:
    """Squash each logit into (0, 1) on its own: 1 / (1 + exp(-x)) (Keras `sigmoid`).

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # the same function, and no exp to overflow


def _windows(name: str, x: Array, size: Size2D, strides: Size2D) -> Array:
    """A strided view of every window: (N, H, W, C) -> (N, OH, OW, KH, KW, C)."""
    (kh, kw), (sh, sw) = pair(size), pair(strides)
    check_images(name, x, (kh, kw))
    windows = sliding_window_view(x, (kh, kw), axis=(1, 2))  # (N, H-KH+1, W-KW+1, C, KH, KW)
    return windows[:, ::sh, ::sw].transpose(0, 1, 2, 4, 5, 3)

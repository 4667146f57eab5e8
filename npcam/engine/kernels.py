"""The engine's layers: like those of `ops`, but into buffers that are reused."""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from npcam.engine.fold import Folded
from npcam.shapes import Array, same_padding


class Workspace:
    """Named scratch arrays that live from run to run; an array asked for again is not allocated again.

    >>> workspace = Workspace(np.float32)
    >>> workspace.take("x", (2, 3)).base is workspace.take("x", (1, 6)).base
    True
    """

    def __init__(self, dtype: type) -> None:
        self._dtype = dtype
        self._flat: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Array:
        """An array of that shape, its content undefined, valid until the name is taken again."""
        size = int(np.prod(shape))
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size, self._dtype)
        return self._flat[name][:size].reshape(shape)


def conv1x1(x: Array, conv: Folded, stride: int, out: Workspace, name: str) -> Array:
    """A 1x1 convolution as one matmul: (N, H, W, C) -> (N, H/s, W/s, K), no columns to lay out."""
    x = x[:, ::stride, ::stride]  # (N, OH, OW, C)
    n, h, w, c = x.shape
    k = conv.kernel.shape[3]
    y = out.take(name, (n, h, w, k))
    if not x.flags.c_contiguous:
        packed = out.take("columns", x.shape)
        np.copyto(packed, x)
        x = packed
    np.matmul(x.reshape(n * h * w, c), conv.kernel.reshape(c, k), out=y.reshape(n * h * w, k))
    y += conv.bias
    return y


def padded(x: Array, amounts: tuple[tuple[int, int], tuple[int, int]], out: Workspace) -> Array:
    """Surround images with zeros, (N, H, W, C) -> (N, H+, W+, C)."""
    (top, bottom), (left, right) = amounts
    n, h, w, c = x.shape
    y = out.take("padded", (n, h + top + bottom, w + left + right, c))
    y[:, :top], y[:, top + h :], y[:, :, :left], y[:, :, left + w :] = 0, 0, 0, 0
    y[:, top : top + h, left : left + w] = x
    return y


def conv2d(x: Array, conv: Folded, stride: int, out: Workspace, name: str) -> Array:
    """A "valid" convolution: (N, H, W, C) -> (N, OH, OW, K).

    The KW*C numbers of a window's row lie side by side in `x`, so im2col copies KH such runs per
    window instead of KH*KW single pixels.
    """
    kh, kw, c, k = conv.kernel.shape
    n, h, w, _ = x.shape
    oh, ow = (h - kh) // stride + 1, (w - kw) // stride + 1
    columns = out.take("columns", (n, oh, ow, kh, kw * c))
    sn, sh, sw, sc = x.strides
    strides = (sn, stride * sh, stride * sw, sh, sc)
    np.copyto(columns, as_strided(x, columns.shape, strides, writeable=False))
    y = out.take(name, (n, oh, ow, k))
    np.matmul(columns.reshape(-1, kh * kw * c), conv.kernel.reshape(-1, k), out=y.reshape(-1, k))
    y += conv.bias
    return y


def conv3x3_same(x: Array, conv: Folded, stride: int, out: Workspace, name: str) -> Array:
    """A 3x3 convolution with Keras's padding "same"."""
    amounts = same_padding(x.shape[1:3], (3, 3), (stride, stride))
    return conv2d(padded(x, amounts, out), conv, stride, out, name)


def max_pool3x3(x: Array, out: Workspace, name: str) -> Array:
    """Keras's `pool1_pool`: 3x3, stride 2, "valid". The columns first, then the rows: 4 passes, not 8."""
    n, h, w, c = x.shape
    oh, ow = (h - 3) // 2 + 1, (w - 3) // 2 + 1
    rows = out.take("columns", (n, h, ow, c))
    np.maximum(x[:, :, 0 : 2 * ow : 2], x[:, :, 1 : 2 * ow : 2], out=rows)
    np.maximum(rows, x[:, :, 2 : 2 * ow + 1 : 2], out=rows)
    y = out.take(name, (n, oh, ow, c))
    np.maximum(rows[:, 0 : 2 * oh : 2], rows[:, 1 : 2 * oh : 2], out=y)
    np.maximum(y, rows[:, 2 : 2 * oh + 1 : 2], out=y)
    return y

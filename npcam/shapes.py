"""Sizes, strides and paddings: the arithmetic that `ops` and `naive` share, and its complaints."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Size2D = int | tuple[int, int]
Padding2D = int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def pair(size: Size2D) -> tuple[int, int]:
    """One positive int for both axes, or (rows, columns).

    >>> pair(3), pair((2, 1))
    ((3, 3), (2, 1))
    """
    rows, columns = (size, size) if isinstance(size, (int, np.integer)) else size
    if rows < 1 or columns < 1:
        msg = f"a size or stride must be positive: got {size}"
        raise ValueError(msg)
    return int(rows), int(columns)


def pad_amounts(padding: Padding2D) -> tuple[tuple[int, int], tuple[int, int]]:
    """Keras's three ways to say a padding, as ((top, bottom), (left, right)).

    >>> pad_amounts(3), pad_amounts((1, 2)), pad_amounts(((0, 1), (2, 3)))
    (((3, 3), (3, 3)), ((1, 1), (2, 2)), ((0, 1), (2, 3)))
    """
    sides = (padding, padding) if isinstance(padding, (int, np.integer)) else padding
    (top, bottom), (left, right) = ((s, s) if isinstance(s, (int, np.integer)) else s for s in sides)
    if min(top, bottom, left, right) < 0:
        msg = f"a padding must not be negative: got {padding}"
        raise ValueError(msg)
    return (int(top), int(bottom)), (int(left), int(right))


def same_padding(
    image: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The zeros that Keras's padding="same" adds: ((top, bottom), (left, right)).

    The output has ceil(size / stride) positions; what is missing for the last window is shared
    between both sides, and an odd zero goes to the bottom or right (TensorFlow's rule).

    >>> same_padding((4, 5), kernel=(3, 3), strides=(2, 2))
    ((0, 1), (1, 1))
    """
    missing = [
        max((-(-size // stride) - 1) * stride + window - size, 0)
        for size, window, stride in zip(image, kernel, strides, strict=True)
    ]
    rows, columns = ((total // 2, total - total // 2) for total in missing)
    return rows, columns


def check_images(name: str, x: Array, window: tuple[int, int] = (1, 1)) -> None:
    """Raise ValueError unless `x` is (N, H, W, C) and a window of that size fits into it."""
    if x.ndim != 4:
        msg = f"{name}: expected an array (N, H, W, C), got shape {x.shape}"
        raise ValueError(msg)
    if x.shape[1] < window[0] or x.shape[2] < window[1]:
        msg = f"{name}: a {window[0]}x{window[1]} window does not fit into {x.shape[1]}x{x.shape[2]}"
        raise ValueError(msg)


def check_conv(x: Array, kernel: Array, bias: Array | None, padding: str) -> None:
    """Raise ValueError unless images, kernel, bias and padding mode make a convolution."""
    check_images("conv2d", x)
    if kernel.ndim != 4 or kernel.shape[2] != x.shape[3]:
        msg = f"conv2d: images {x.shape} need a kernel (KH, KW, {x.shape[3]}, K), got {kernel.shape}"
        raise ValueError(msg)
    if bias is not None and bias.shape != kernel.shape[3:]:
        msg = f"conv2d: kernel {kernel.shape} needs a bias {kernel.shape[3:]}, got {bias.shape}"
        raise ValueError(msg)
    if padding not in ("valid", "same"):
        msg = f'conv2d: padding must be "valid" or "same", got {padding!r}'
        raise ValueError(msg)

"""Weights with fewer bits: the usual ways to make integers of them, and the short float types."""

from collections.abc import Iterator

import numpy as np

from npcam.shapes import Array
from npcam.verify.precision import PRECISIONS, rounded

SCALES = {True: "one scale for each channel", False: "one scale for all channels"}
BITS = (8, 4, 7, 6, 5, 3, 2, 10, 12, 16)

COMMON = [  # ways of which one is used for a whole network
    *(f"{bits} bits, {scales}" for bits in BITS[:2] for scales in SCALES.values()),
    *(f"8 bits, from the smallest to the largest, {scales}" for scales in SCALES.values()),
    "bfloat16",
    "float16",
]


def quantised(array: Array, bits: int, *, per_channel: bool, affine: bool, narrow: bool = True) -> Array:
    """Round weights to as many levels as bits tell apart.

    Args:
        array: (..., channels), float64.
        bits: 2 or more.
        per_channel: whether each of the last axis's channels has a scale of its own.
        affine: whether the levels go from the smallest to the largest weight, with 0 among them; else
            they lie evenly around 0.
        narrow: of even levels, whether there are as many on both sides of 0 (127 and -127 for 8 bits).

    Returns:
        The same weights, rounded.

    >>> quantised(np.array([[-1.0], [0.3], [0.9]]), 2, per_channel=True, affine=False).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """
    axes = tuple(range(array.ndim - 1)) if per_channel else None
    if affine:
        low = np.minimum(array.min(axis=axes, keepdims=True), 0)
        high = np.maximum(array.max(axis=axes, keepdims=True), 0)
        scale = (high - low) / (2**bits - 1)
        scale = np.where(scale > 0, scale, 1)
        zero = np.rint(-low / scale)
        return np.asarray((np.clip(np.rint(array / scale) + zero, 0, 2**bits - 1) - zero) * scale)
    most = 2 ** (bits - 1) - 1
    largest = np.abs(array).max(axis=axes, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / (most if narrow else most + 0.5)
    return np.asarray(np.clip(np.rint(array / scale), -most - (not narrow), most) * scale)


def ways(array: Array) -> Iterator[tuple[str, Array]]:
    """A layer's weights with fewer bits, each way with its name in words.

    >>> [words for words, _ in ways(np.ones((2, 2)))][:2]
    ['8 bits, one scale for each channel', '8 bits, one scale for all channels']
    """
    for bits in BITS:
        for per_channel, scales in SCALES.items():
            yield f"{bits} bits, {scales}", quantised(array, bits, per_channel=per_channel, affine=False)
        for per_channel, scales in SCALES.items():
            words = f"{bits} bits, from the smallest to the largest, {scales}"
            yield words, quantised(array, bits, per_channel=per_channel, affine=True)
            if bits > 2:
                words = f"{bits} bits, with one level more below 0, {scales}"
                yield words, quantised(array, bits, per_channel=per_channel, affine=False, narrow=False)
    for name in ("bfloat16", "float16"):
        yield name, rounded(array, PRECISIONS[name])

"""What rounding may do: the one tolerance of the tests."""

import numpy as np


def assert_within_rounding(found, expected, size, terms, dtype=np.float32):
    """`found` is the sum that `expected` holds, up to what rounding in `dtype` can do to it.

    A sum of n products, in whatever order, is off by at most gamma_n = n u / (1 - n u) times the
    sum of the products' absolute values (Higham 2002, Accuracy and Stability of Numerical
    Algorithms, equations 3.4 and 3.5), u being half the distance from 1 to the next number; storing
    the result costs one rounding more.

    Args:
        found, expected: arrays of the same shape.
        size: the sum of the absolute values of what was added, element by element.
        terms: how many numbers were added and multiplied on the way.
        dtype: the float type that `found` was computed in.
    """
    u = float(np.finfo(dtype).eps) / 2
    gamma = (terms + 1) * u / (1 - (terms + 1) * u)
    tiny = (terms + 1) * float(np.finfo(dtype).smallest_subnormal)  # what underflow may add
    assert found.dtype == dtype
    assert found.shape == expected.shape
    error = np.abs(found.astype(np.float64) - np.asarray(expected, np.float64))
    assert (error <= gamma * size + tiny).all(), (
        f"off by up to {(error / np.maximum(gamma * size, tiny)).max():.3g} times the bound"
    )

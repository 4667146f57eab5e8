"""How far two float32 programs may be apart, and made-up photographs to run both of them on.

Two float32 programs that add the same numbers in different orders differ by rounding: a sum of n
products is off by about sqrt(n) u of its size (u = 2**-24; Higham & Mary 2019, "A New Approach to
Probabilistic Rounding Error Analysis"), n being up to 4608 here, and the errors of some fifty
convolutions add up like random steps, held down by batch norm: sqrt(50 * 4608) u = 2.9e-5 where
every term is as large as the largest. Measured against a layer's largest value, which few
positions reach, a third of that is asked for: 1e-5. Probabilities are at most 1, and 1e-6 is the
promise made to users.
"""

import numpy as np

RELATIVE = 1e-5
PROBABILITY = 1e-6


def assert_agree(found, expected, name):
    """An activation is within 1e-5 of its layer's largest value, probabilities are within 1e-6."""
    assert found.shape == expected.shape, name
    error = np.abs(found - expected).max()
    limit = PROBABILITY if name == "predictions" else RELATIVE * np.abs(expected).max()
    assert error <= limit, f"{name}: off by {error:.3g}, at most {limit:.3g} expected"


def photographs(n=2, height=64, width=64, seed=1, dtype=np.float32, patch=1):
    """Noise over the range that `preprocess_input` gives, -120 to 150: (n, height, width, 3).

    `patch` is the side in pixels of squares of one colour, which are as smooth as photographs are.
    """
    shape = (n, -(-height // patch), -(-width // patch), 3)
    noise = np.random.default_rng(seed).uniform(-120, 150, shape)
    return noise.repeat(patch, axis=1).repeat(patch, axis=2)[:, :height, :width].astype(dtype)

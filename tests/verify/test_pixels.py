"""What rounding may do to a network's input: enough for any order of the same arithmetic, and no more."""

import numpy as np
import pytest

from npcam.preprocessing import MODES, Preprocessing, Step, preprocess
from npcam.verify.pixels import prepared
from npcam.verify.rounding import roundoff_variance

DIVIDE, CHANNELS = Step("divide", (255.0,)), Step("channels", (0, 0, 0))
GREY = Preprocessing("grey", (DIVIDE, CHANNELS, Step("subtract", (0.5, 0.4, 0.3))), grey=True)
LARGER = Preprocessing("larger", (Step("enlarge", (2.0, 3.0)), Step("multiply", (0.5,)), Step("add", (1.0,))))


@pytest.mark.parametrize("how", [*MODES.values(), GREY, LARGER], ids=lambda p: p.name)
def test_the_variance_is_that_of_each_step(how):
    """Carried forwards, step by step, with the constants and the results rounded: the same numbers."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 1 if how.grey else 3)).astype(np.float64)
    unit, x, variance = roundoff_variance(np.float32), pixels, np.zeros_like(pixels)
    for step in how.steps:
        one = Preprocessing("one", (step,), grey=x.shape[-1] == 1)
        y, slope = preprocess(x, one), preprocess(x + 1, one) - preprocess(x, one)
        if step.operation in ("channels", "enlarge"):
            variance = preprocess(variance, one)
        else:
            constant = np.array(step.values) if step.operation in ("add", "subtract") else y
            variance = variance * slope**2 + unit * (constant**2 + y**2)
        x = y
    found = prepared(x, how, unit)
    assert np.array_equal(found.value, x)
    assert np.allclose(found.variance, variance, rtol=1e-9, atol=1e-30)


def test_nothing_is_allowed_where_nothing_is_computed():
    """Pixels as they are must be the same."""
    assert not prepared(np.ones((1, 2, 2, 3)), MODES["none"], 1.0).variance.any()

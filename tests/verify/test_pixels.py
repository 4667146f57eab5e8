"""What rounding may do to a network's input: enough for any order of the same arithmetic, and no more."""

from dataclasses import replace

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


STEPS = {name: MODES[name].steps for name in ("caffe", "tf", "torch", "unit")} | {
    "mixed": (
        Step("channels", (2, 0, 1)),
        Step("add", (3.3, -1.7, 0.1)),
        Step("multiply", (0.1, 0.2, 0.3)),
        Step("divide", (0.7,)),
        Step("subtract", (11.1,)),
        Step("enlarge", (2, 1)),
    )
}


@pytest.mark.parametrize("name", STEPS)
def test_pixels_that_a_model_preprocesses(name):
    """In float32, by division or by products with the inverse: within the tolerance, and near it.

    The numbers of the steps are float32's in both, so that all of the difference is rounding.
    """
    steps = [replace(s, values=tuple(float(np.float32(v)) for v in s.values)) for s in STEPS[name]]
    inverse = [
        Step("multiply", tuple(float(np.float32(1 / np.float32(v))) for v in s.values))
        if s.operation == "divide"
        else s
        for s in steps
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3)).astype(np.float32)
    exact64 = preprocess(pixels.astype(np.float64), Preprocessing("model", tuple(steps)))
    found = prepared(exact64, Preprocessing("model", tuple(steps)), roundoff_variance(np.float32))
    deviation = np.sqrt(found.variance)
    worst = 0.0
    for made in (steps, inverse):
        error = np.abs(preprocess(pixels, Preprocessing("model", tuple(made))) - exact64)
        assert (error <= 4 * deviation).all()  # of a few roundings, each uniform within sqrt(3) deviations
        worst = max(worst, float((error / np.maximum(deviation, 1e-30)).max()))
    assert worst > 0.5

"""What rounding may do to a network's input, before its first layer.

npcam prepares a photograph with Keras's operations, one after the other. A port may do the same
arithmetic in another order, with constants of another float type, or in one multiplication and one
addition. So two roundings are allowed for each step: that of its constant and that of its result.
"""

import numpy as np

from npcam.preprocessing import Preprocessing
from npcam.shapes import Array
from npcam.verify.rounding import Estimate


def prepared(x: Array, preprocessing: Preprocessing, unit: float) -> Estimate:
    """A prepared batch, and the variance of what two programs' preparations may differ by.

    Args:
        x: the batch as npcam prepared it, (N, H, W, 3).
        preprocessing: how.
        unit: the variance of one rounding, from `rounding.roundoff_variance`.

    >>> from npcam.preprocessing import MODES
    >>> x = np.full((1, 1, 1, 3), 0.5)
    >>> prepared(x, MODES["unit"], 1.0).variance.tolist(), prepared(x, MODES["none"], 1.0).variance.tolist()
    ([[[[0.5, 0.5, 0.5]]]], [[[[0.0, 0.0, 0.0]]]])
    """
    value = x.astype(np.float64)
    after, variance, gain = value.copy(), np.zeros_like(value), np.ones(x.shape[-1])
    order = np.arange(x.shape[-1])  # of the channels before each step, as `x` has them
    for step in reversed(preprocessing.steps):
        if step.operation == "channels":
            order = np.array([int(i) for i in step.values])[order]
            continue
        if step.operation == "enlarge":
            continue
        constants = np.array(step.values, np.float64)
        constants = constants[order] if len(constants) > 1 else constants
        match step.operation:
            case "add" | "subtract":
                variance += unit * gain**2 * (constants**2 + after**2)
                after = after - constants if step.operation == "add" else after + constants
            case "multiply" | "divide":
                variance += unit * gain**2 * 2 * after**2
                factor = constants if step.operation == "multiply" else 1 / constants
                after, gain = after / factor, gain * factor
    return Estimate(value, variance)

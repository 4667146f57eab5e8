"""Probabilities that mean what they say: one temperature for the logits, found on validation photographs."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The T for which softmax(logits / T) gives the true classes the highest likelihood.

    Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599), section 4.2. The
    order of the classes stays what it was.

    Args:
        probabilities: a softmax's, (N, classes); their logarithm is as good as the logits.
        labels: the true classes, (N,).

    Returns:
        T in 0.05..20; below 1 where the probabilities were too low.

    >>> rng = np.random.default_rng(0)
    >>> sure = rng.random(10_000)[:, None] < [0.9]  # right nine times of ten, but says 0.7
    >>> round(temperature(np.where(sure, [0.7, 0.3], [0.3, 0.7]), np.zeros(10_000, int)), 1)
    0.4
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30))

    def loss(log_t: float) -> float:
        scaled = logits / np.exp(log_t)
        scaled -= scaled.max(1, keepdims=True)
        chosen = scaled[np.arange(len(labels)), labels]
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - chosen))

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))

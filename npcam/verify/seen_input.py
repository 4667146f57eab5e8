"""What must the network have been given? Worked out from what its first convolution put out.

A run that does not tell its input can have been given any photograph. The first convolution puts out
more numbers than it reads (in ResNet-50 64 for every 12), so not every output is one of some input: if
there is an input that makes this output to within rounding, the layer is right and the input is another.
It is found by least squares (Paige & Saunders 1982, LSQR), on a part in the middle, away from padding.
"""

from typing import NamedTuple

import numpy as np

from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array

SIDE = 12  # outputs along each side of the part that is looked at, at most
MORE = 1.3  # equations for each unknown, at least: with fewer, something always fits
STEPS = 2000  # of the iteration, at most


class Seen(NamedTuple):
    """An input, as far as it can be told.

    Attributes:
        x: the input around the middle, (1, H, W, 3).
        top, left: where its first row and column lie in the padded input.
        rest: the root mean square of what it leaves over of the output.
    """

    x: Array
    top: int
    left: int
    rest: float


def seen_input(value: Array, name: str, w: Tensors, arch: Architecture) -> Seen | None:
    """Work out the input of a network from the output of its first convolution.

    Args:
        value: the output of the layer `name`, of one photograph: (1, OH, OW, K).
        name: `conv1_conv`, `conv1_bn` or `conv1_relu`; of the last, what is not positive says nothing.
        w: the weights in float64.
        arch: the architecture.

    Returns:
        The input; None where too little is known to tell it.
    """
    from scipy.sparse.linalg import LinearOperator, lsqr

    kernel, bias = w["conv1_conv"]["kernel"], w["conv1_conv"]["bias"]
    if name != "conv1_conv":
        p = w["conv1_bn"]
        scale = p["gamma"] / np.sqrt(p["moving_variance"] + arch.epsilon)
        kernel, bias = kernel * scale, (bias - p["moving_mean"]) * scale + p["beta"]
    size, stride = kernel.shape[0], 2
    rows, columns = (min(SIDE, n - 4) for n in value.shape[1:3])  # what the padding reaches is left out
    if min(rows, columns) < 1 or not np.isfinite(value).all():
        return None
    top, left = ((n - m) // 2 for n, m in zip(value.shape[1:3], (rows, columns), strict=True))
    part = value[0, top : top + rows, left : left + columns]  # (OH, OW, K)
    known = part > 0 if name == "conv1_relu" else np.full(part.shape, fill_value=True)
    y = (part - bias) * known
    shape = ((rows - 1) * stride + size, (columns - 1) * stride + size, kernel.shape[2])
    if known.sum() < MORE * np.prod(shape):
        return None
    taps = list(np.ndindex(size, size))
    windows = [np.s_[i : i + stride * rows : stride, j : j + stride * columns : stride] for i, j in taps]

    def forward(flat: Array) -> Array:
        x = flat.reshape(shape)
        sums = np.sum([x[s] @ kernel[t] for s, t in zip(windows, taps, strict=True)], axis=0)
        return np.ravel(sums * known)

    def backward(flat: Array) -> Array:
        x, back = np.zeros(shape), flat.reshape(y.shape) * known
        for s, t in zip(windows, taps, strict=True):
            x[s] += back @ kernel[t].T
        return x.ravel()

    both = LinearOperator((y.size, int(np.prod(shape))), matvec=forward, rmatvec=backward, dtype=np.float64)
    found, *_ = lsqr(both, y.ravel(), atol=1e-12, btol=1e-12, iter_lim=STEPS)
    over = forward(found) - y.ravel()
    rest = float(np.sqrt(np.sum(over**2) / known.sum()))
    return Seen(found.reshape(1, *shape), stride * top, stride * left, rest)

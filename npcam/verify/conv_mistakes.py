"""The usual mistakes of convolutions and paddings: the kernel's order, bias, stride, zeros, fewer bits."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from npcam import ops
from npcam.layers import Layer
from npcam.shapes import Array, same_padding
from npcam.verify.part import Arithmetic, Step
from npcam.verify.precision import PRECISIONS, rounded
from npcam.verify.quantise import ways
from npcam.verify.rounding import Estimate
from npcam.verify.steps import RELU_TOO_MANY, Found, Network, hand_on, other_layers, padded, then, usual


def reordered(kernel: Array) -> Iterator[tuple[str, Array]]:
    """A convolution's kernel with its numbers in other places, each way with its name in words.

    Args:
        kernel: (KH, KW, C, K), which is HWIO.

    >>> kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    >>> dict(reordered(kernel))["kernel flipped by 180 degrees"][0, :, 0, 0].tolist()
    [8.0, 7.0, 6.0]
    """
    shape, seen = kernel.shape, [kernel]

    def new(found: Array) -> bool:
        """Whether this order of the numbers has not been tried yet."""
        if found.shape != shape or any(np.array_equal(found, other) for other in seen):
            return False
        if len(seen) < 4:  # the plain ways; a list of all would take memory
            seen.append(found)
        return True

    turned, inward = kernel[::-1, ::-1], "kernel transposed (inputs and outputs)"
    if shape[:2] == (1, 1):
        inward += ": it lies as OIHW and is read as HWIO"
    plain = [
        ("kernel transposed (height and width)", kernel.transpose(1, 0, 2, 3)),
        ("kernel flipped by 180 degrees", turned),
        ("kernel's input channels reversed (BGR)", kernel[:, :, ::-1]),
        (inward, kernel.transpose(0, 1, 3, 2)),
        ("kernel transposed (height and width) and flipped by 180 degrees", turned.swapaxes(0, 1)),
        ("kernel transposed (all axes)", kernel.transpose(1, 0, 3, 2)),
        ("kernel flipped upside down", kernel[::-1]),
        ("kernel mirrored left to right", kernel[:, ::-1]),
        ("kernel's output channels reversed", kernel[..., ::-1]),
    ]
    for words, found in plain:
        if new(found):
            yield words, found
    axes = dict(zip("HWIO", shape, strict=True))
    orders = ["OIHW", *("".join(p) for p in permutations("HWIO"))]
    for lies, read in [
        *((order, "HWIO") for order in orders),
        *(("HWIO", order) for order in orders),
        *((order, "OIHW") for order in orders),
    ]:
        buffer = kernel.transpose(["HWIO".index(axis) for axis in lies])
        again = buffer.reshape([axes[axis] for axis in read])
        found = again.transpose([read.index(axis) for axis in "HWIO"])
        if lies != read and new(found):
            yield f"kernel in another order: it lies as {lies} and is read as {read}", found


def convolution(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a convolution: its kernel, bias, stride, padding, weights, and how they are rounded."""
    own = network.w[layer.name]
    kernel, bias = own["kernel"], own["bias"]
    yield "bias missing", usual(layer, network, {"kernel": kernel, "bias": np.zeros_like(bias)})
    for words, found in reordered(kernel):
        yield words, usual(layer, network, {"kernel": found, "bias": bias})
    yield "bias added twice", usual(layer, network, {"kernel": kernel, "bias": 2 * bias})
    yield "bias subtracted", usual(layer, network, {"kernel": kernel, "bias": -bias})
    if layer.padding == "same":
        yield from _paddings(layer, network, layer.window, layer.stride, layer.window // 2)
        yield "padding of 1 on each side, not SAME", padded(layer, network, ((1, 1), (1, 1)))
    for stride in (1, 2, 3):
        if stride != layer.stride:
            words = f"stride {stride}, not {layer.stride}"
            yield words, usual(layer._replace(stride=stride), network)
    yield "no convolution: it hands on what it reads", hand_on
    for name in other_layers(layer, network, layer.kind):
        yield f"weights of another layer, {name}", usual(layer, network, network.w[name])
        yield (
            f"kernel of another layer, {name}",
            usual(layer, network, {"kernel": network.w[name]["kernel"], "bias": bias}),
        )
        yield (
            f"bias of another layer, {name}",
            usual(layer, network, {"kernel": kernel, "bias": network.w[name]["bias"]}),
        )
    for words, found in ways(kernel):
        yield f"weights quantised to {words}", usual(layer, network, {"kernel": found, "bias": bias})
    yield from short_factors(layer, network)
    yield (
        RELU_TOO_MANY,
        then(usual(layer, network), ops.relu),
    )


def _paddings(layer: Layer, network: Network, window: int, stride: int, right: int) -> Iterator[Found]:
    """Other amounts of zeros on the four sides; `right` is that of the layer on each."""
    if right:
        yield "padding missing", padded(layer, network, ((0, 0), (0, 0)))

    def same(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        shape = inputs[0].value.shape
        amounts = same_padding(shape[1:3], (window, window), (stride, stride))
        return padded(layer, network, amounts)(inputs, how)

    odd = "the odd zero is on the other side, at the bottom and right"
    side = f"SAME padding (TensorFlow's): {odd}, not {right} all around"
    if layer.padding != "same" or stride > 1:
        yield side, same
    for top, left in np.ndindex(2 * right + 1, 2 * right + 1):
        for rows in (2 * right, 2 * right - 1):
            columns = rows
            bottom, after = rows - top, columns - left
            if min(bottom, after) < 0 or (top, bottom, left, after) == (right,) * 4:
                continue
            where = f"{top} at the top, {bottom} at the bottom, {left} at the left, {after} at the right"
            words = f"padding with zeros on the other side: {where}, not {right} all around"
            yield words, padded(layer, network, ((top, bottom), (left, after)))
    for amount in range(2 * right + 1):
        if amount not in (0, right):
            words = f"padding of {amount} on each side, not {right}"
            yield words, padded(layer, network, ((amount, amount),) * 2)


def padding(layer: Layer, network: Network) -> Iterator[Found]:
    """Of `conv1_pad` and `pool1_pad`: missing, elsewhere, or of other numbers than 0."""
    right = int(layer.padding)
    pool = layer.name.startswith("pool")
    both = ((right, right), (right, right))
    window, stride = (3, 2) if pool else (7, 2)
    for words, step in _paddings(layer, network, window, stride, right):
        yield (f"pool {words}" if pool and words.startswith("padding") else words), step
    for value, words in (
        (-np.inf, "-inf"),
        (float(np.finfo(np.float32).min), "float32's smallest number, for -inf"),
        (-65504.0, "float16's smallest number, for -inf"),
    ):
        yield (
            f"{'pool padding' if pool else 'padding'} with {words} in place of zeros",
            padded(layer, network, both, value),
        )
    yield "padding with copies of the border, not zeros", padded(layer, network, both, mode="edge")
    yield "padding that mirrors the border, not zeros", padded(layer, network, both, mode="reflect")


def short_factors(layer: Layer, network: Network) -> Iterator[Found]:
    """Products of factors that are rounded to fewer bits than float32's."""
    for name in ("tf32", "bfloat16", "float16"):
        p = PRECISIONS[name]
        weights = {**network.w[layer.name], "kernel": rounded(network.w[layer.name]["kernel"], p)}
        plain = usual(layer, network, weights)

        def step(inputs: list[Estimate], how: Arithmetic, plain: Step = plain, name: str = name) -> Estimate:
            first = Estimate(rounded(inputs[0].value, PRECISIONS[name]), inputs[0].variance)
            return plain([first], how)

        yield f"products of {name}; if that is meant, --precision {name} allows for it", step

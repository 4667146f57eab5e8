"""The usual mistakes, layer by layer: each one a name in words and the layers as they are computed with it.

The order within a list is that of preference: where two mistakes do the same to the numbers at hand,
the first one is named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from npcam import ops
from npcam.layers import Layer, layers
from npcam.resnet import Architecture, Tensors, residual_blocks
from npcam.shapes import Array, same_padding
from npcam.verify.part import Arithmetic, Step
from npcam.verify.precision import PRECISIONS, rounded
from npcam.verify.quantise import ways
from npcam.verify.rounding import Estimate, estimate_layer, stored

EPSILONS = (1e-3, 1e-5, 1.001e-5, 1e-4, 1e-6, 2e-5, 1e-8, 0.0)
REVERSED = np.s_[..., ::-1]
Found = tuple[str, Step]  # a mistake within one layer: its words, and the layer with it


class Mistake(NamedTuple):
    """One mistake.

    Attributes:
        words: what it is, as a person would say it, without the layer.
        layer: the name of the layer that it is in.
        steps: {layer name: that layer with the mistake}.
        seen_at: a layer after it that must agree with the mistake, too, where it is given.
    """

    words: str
    layer: str
    steps: Mapping[str, Step]
    seen_at: str | None = None


class Network(NamedTuple):
    """The network as it is meant to be: its weights in float64, and its architecture."""

    w: Tensors
    arch: Architecture


def mistakes(parts: list[Layer], network: Network) -> Iterator[Mistake]:
    """The usual mistakes of some layers, the input's excepted.

    Args:
        parts: layers in the network's order; the last is the one whose output is looked at.
        network: the network.
    """
    names = {layer.name for layer in parts}
    yield from _strides_moved(names, network)
    for layer in parts:
        for words, step in _of_kind(layer, network):
            yield Mistake(words, layer.name, {layer.name: step})
    yield from _folded(parts, network)
    if parts[-1].kind != "InputLayer":
        for words, step in _output(parts[-1], network):
            yield Mistake(words, parts[-1].name, {parts[-1].name: step})


def _of_kind(layer: Layer, network: Network) -> Iterator[Found]:
    """The mistakes of one layer."""
    kinds: dict[str, Callable[[Layer, Network], Iterator[Found]]] = {
        "ZeroPadding2D": _padding,
        "Conv2D": _convolution,
        "BatchNormalization": _batch_norm,
        "Activation": _activation,
        "MaxPooling2D": _pooling,
        "Add": _addition,
        "GlobalAveragePooling2D": _average,
        "Dense": _dense,
    }
    if layer.kind in kinds:
        yield from kinds[layer.kind](layer, network)


def usual(layer: Layer, network: Network, weights: Mapping[str, Array] | None = None, **changed: Any) -> Step:
    """A layer as it is meant to be, but with other weights, another stride or other settings.

    Args:
        layer: as in the network's table, or with another stride, window or padding.
        network: the network.
        weights: in place of the layer's own.
        changed: fields of the architecture, such as `epsilon`.
    """
    arch = replace(network.arch, **changed)
    w = network.w if weights is None else {layer.name: weights}

    def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        return estimate_layer(layer, inputs, w, arch, *how)

    return step


def then(step: Step, change: Callable[[Array], Array], slope: float = 0.0) -> Step:
    """A step whose output is changed: rearranged, or, with a slope, put through a function.

    Args:
        step: what comes first.
        change: what is done to its output.
        slope: of a function, the steepest; 0 for what only moves numbers.
    """

    def after(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        value, variance = step(inputs, how)
        y = change(value)
        if not slope:
            return stored(Estimate(y, change(variance)), how.precision)
        return stored(Estimate(y, slope**2 * variance + 16 * how.unit * y * y), how.precision)

    return after


def _first(inputs: list[Estimate], how: Arithmetic) -> Estimate:
    """A layer that hands on what it reads."""
    return stored(inputs[0], how.precision)


def _padded(layer: Layer, network: Network, amounts: Any, value: float = 0.0, mode: str = "") -> Step:
    """A padding, alone or before a convolution, with other amounts or other numbers."""
    plain = None if layer.kind == "ZeroPadding2D" else usual(layer._replace(padding=0), network)

    def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        x, v = inputs[0]
        widths = ((0, 0), *amounts, (0, 0))
        if mode:
            found = Estimate(np.pad(x, widths, mode=mode), np.pad(v, widths, mode=mode))  # type: ignore[call-overload]
        else:
            found = Estimate(np.pad(x, widths, constant_values=value), np.pad(v, widths))
        return found if plain is None else plain([found], how)

    return step


def _paddings(layer: Layer, network: Network, window: int, stride: int, right: int) -> Iterator[Found]:
    """Other amounts of zeros on the four sides; `right` is that of the layer on each."""
    if right:
        yield "padding missing", _padded(layer, network, ((0, 0), (0, 0)))

    def same(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        shape = inputs[0].value.shape
        amounts = same_padding(shape[1:3], (window, window), (stride, stride))
        return _padded(layer, network, amounts)(inputs, how)

    side = "SAME padding, whose odd zero is at the bottom and right (TensorFlow's), on the other side here"
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
            yield words, _padded(layer, network, ((top, bottom), (left, after)))
    for amount in range(2 * right + 1):
        if amount not in (0, right):
            words = f"padding of {amount} on each side, not {right}"
            yield words, _padded(layer, network, ((amount, amount),) * 2)


def _padding(layer: Layer, network: Network) -> Iterator[Found]:
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
        yield f"{'pool padding' if pool else 'padding'} with {words} in place of zeros", _padded(
            layer, network, both, value
        )
    yield "padding with copies of the border, not zeros", _padded(layer, network, both, mode="edge")
    yield "padding that mirrors the border, not zeros", _padded(layer, network, both, mode="reflect")


def _strides_moved(names: set[str], network: Network) -> Iterator[Mistake]:
    """The stride in the 3x3 and not in the first 1x1 (v1.5), or the reverse."""
    table = {layer.name: layer for layer in layers(network.arch)}
    for block in residual_blocks(network.arch):
        one, three = f"{block.name}_1_conv", f"{block.name}_2_conv"
        if block.stride == 1 or not names & {one, three}:
            continue
        ahead = network.arch.stride_in == 2
        first = table[one]._replace(stride=block.stride if ahead else 1)
        second = table[three]._replace(stride=1 if ahead else block.stride)
        words = "stride in the first 1x1 (v1), not in the 3x3" if ahead else "stride in the 3x3 (v1.5)"
        around = ((1, 1), (1, 1))
        for padded in (_padded(second, network, around), usual(second, network)):
            steps = {one: usual(first, network), three: padded}
            yield Mistake(words, one if one in names else three, steps, three)


def _other_layers(layer: Layer, network: Network, kind: str) -> Iterator[str]:
    """The names of layers of the same class whose weights have the same shapes."""
    shapes = {name: array.shape for name, array in network.w[layer.name].items()}
    for other in layers(network.arch):
        if other.kind == kind and other.name != layer.name and other.name in network.w:
            if {name: array.shape for name, array in network.w[other.name].items()} == shapes:
                yield other.name


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

    plain = [
        ("kernel transposed (height and width)", kernel.transpose(1, 0, 2, 3)),
        ("kernel flipped by 180 degrees", kernel[::-1, ::-1]),
        ("kernel's input channels reversed (BGR)", kernel[:, :, ::-1]),
        ("kernel transposed (inputs and outputs)", kernel.transpose(0, 1, 3, 2)),
        ("kernel transposed (height and width) and flipped by 180 degrees", kernel[::-1, ::-1].swapaxes(0, 1)),
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


def _convolution(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a convolution: its kernel, bias, stride, padding, weights, and how they are rounded."""
    own = network.w[layer.name]
    kernel, bias = own["kernel"], own["bias"]
    for words, found in reordered(kernel):
        yield words, usual(layer, network, {"kernel": found, "bias": bias})
    yield "bias missing", usual(layer, network, {"kernel": kernel, "bias": np.zeros_like(bias)})
    yield "bias added twice", usual(layer, network, {"kernel": kernel, "bias": 2 * bias})
    yield "bias subtracted", usual(layer, network, {"kernel": kernel, "bias": -bias})
    if layer.padding == "same":
        yield from _paddings(layer, network, layer.window, layer.stride, layer.window // 2)
        yield "padding of 1 on each side, not SAME", _padded(layer, network, ((1, 1), (1, 1)))
    for stride in (1, 2, 3):
        if stride != layer.stride:
            words = f"stride {stride}, not {layer.stride}"
            yield words, usual(layer._replace(stride=stride), network)
    yield "no convolution: it hands on what it reads", _first
    for name in _other_layers(layer, network, layer.kind):
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
    yield from _short_factors(layer, network)
    yield "a ReLU where none belongs", then(usual(layer, network), ops.relu)


def _short_factors(layer: Layer, network: Network) -> Iterator[Found]:
    """Products of factors that are rounded to fewer bits than float32's."""
    for name in ("tf32", "bfloat16", "float16"):
        p = PRECISIONS[name]
        weights = network.w[layer.name] | {"kernel": rounded(network.w[layer.name]["kernel"], p)}
        plain = usual(layer, network, weights)

        def step(inputs: list[Estimate], how: Arithmetic, plain: Step = plain, name: str = name) -> Estimate:
            first = Estimate(rounded(inputs[0].value, PRECISIONS[name]), inputs[0].variance)
            return plain([first], how)

        yield f"products of {name}; if that is meant, --precision {name} allows for it", step


def _batch_norm(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a batch norm: what became of its four weights and its epsilon."""
    own, epsilon = network.w[layer.name], network.arch.epsilon
    gamma, beta, mean, variance = (
        own[n] for n in ("gamma", "beta", "moving_mean", "moving_variance")
    )

    def changed(**weights: Array) -> Step:
        return usual(layer, network, {**own, **weights})

    with np.errstate(all="ignore"):
        yield "variance taken for deviation", changed(moving_variance=variance**2)
        yield "variance taken for deviation, to which epsilon is added", changed(
            moving_variance=(variance + epsilon) ** 2 - epsilon
        )
        yield "variance taken for deviation, without epsilon", changed(moving_variance=variance**2 - epsilon)
        yield "deviation taken for variance", changed(moving_variance=np.sqrt(variance))
        yield "epsilon added to the deviation, not to the variance", changed(
            moving_variance=(np.sqrt(variance) + epsilon) ** 2 - epsilon
        )
    for other in EPSILONS:
        if other != epsilon:
            yield f"another epsilon, {other:g}, not {epsilon:g}", usual(layer, network, epsilon=other)
    yield "gamma missing", changed(gamma=np.ones_like(gamma))
    yield "beta missing", changed(beta=np.zeros_like(beta))
    yield "mean missing", changed(moving_mean=np.zeros_like(mean))
    yield "variance missing", changed(moving_variance=np.ones_like(variance) - epsilon)
    yield "gamma and beta swapped", changed(gamma=beta, beta=gamma)
    yield "mean and variance swapped", changed(moving_mean=variance, moving_variance=mean)
    yield "beta and mean swapped", changed(beta=mean, moving_mean=beta)
    yield "mean added, not subtracted", changed(moving_mean=-mean)
    yield "beta subtracted, not added", changed(beta=-beta)

    def training(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        x = inputs[0].value
        now = {"moving_mean": np.mean(x, axis=(0, 1, 2)), "moving_variance": np.var(x, axis=(0, 1, 2))}
        return usual(layer, network, {**own, **now})(inputs, how)

    yield "mean and variance of the photographs at hand (training mode)", training
    yield "batch norm missing", _first
    for name in _other_layers(layer, network, layer.kind):
        yield f"weights of another layer, {name}", usual(layer, network, network.w[name])
        for weight in own:
            yield f"{weight} of another layer, {name}", changed(**{weight: network.w[name][weight]})
    yield "a ReLU where none belongs", then(usual(layer, network), ops.relu)


def _gelu(x: Array) -> Array:
    """x times the normal distribution's share below x."""
    from scipy.special import ndtr

    return np.asarray(x * ndtr(x))


def _activation(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a ReLU: missing, or another function."""
    yield "ReLU missing", _first
    for slope in (0.01, 0.1, 0.2, 0.3):
        words = f"leaky ReLU with a slope of {slope}, not ReLU"
        yield words, then(_first, lambda x, s=slope: np.where(x < 0, s * x, x), 1.0)  # type: ignore[misc]
    functions: dict[str, Callable[[Array], Array]] = {
        "ReLU6": lambda x: np.clip(x, 0, 6),
        "ReLU of the negative": lambda x: np.maximum(-x, 0),
        "the absolute value": np.abs,
        "GELU": _gelu,
        "GELU by its tanh formula": lambda x: 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        "SiLU": lambda x: x * ops.sigmoid(x),
        "ELU": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
        "sigmoid": ops.sigmoid,
        "tanh": np.tanh,
    }
    for name, function in functions.items():
        yield f"{name}, not ReLU", then(_first, function, 1.2)


def _pooling(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a maximum: an average, another window or another stride."""

    def average(padded: bool) -> Step:
        def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
            x, v = inputs[0]
            k, s, c = layer.window, layer.stride, x.shape[3]
            kernel = np.zeros((k, k, c, c))
            kernel[:, :, range(c), range(c)] = 1.0
            count = np.full((k, k, 1, 1), 1.0)
            inside = np.zeros((1, *x.shape[1:3], 1))
            edge = int(network.arch.pool_padding) if padded else 0
            inside[:, edge : x.shape[1] - edge, edge : x.shape[2] - edge] = 1
            n = ops.conv2d(inside, count, strides=s)
            y, variance = (ops.conv2d(part, kernel, strides=s) for part in (x, v))
            more = how.unit * (k * k) * (y / n) ** 2
            return stored(Estimate(y / n, variance / n**2 + more), how.precision)

        return step

    yield "average pooling, not maximum", average(False)
    yield "average pooling, not maximum, without the padding's zeros", average(True)
    for window in (2, 3):
        for stride in (1, 2, 3):
            if (window, stride) != (layer.window, layer.stride):
                words = f"window {window} and stride {stride}, not {layer.window} and {layer.stride}"
                yield words, usual(layer._replace(window=window, stride=stride), network)


def _addition(layer: Layer, network: Network) -> Iterator[Found]:
    """Of the sum of a block: one side of it missing, or something done to it."""

    def of(combine: Callable[[Array, Array], Array]) -> Step:
        def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
            (a, va), (b, vb) = inputs
            y = combine(a, b)
            return stored(Estimate(y, va + vb + how.unit * (y * y + a * a + b * b)), how.precision)

        return step

    yield "shortcut missing", of(lambda a, b: b)
    yield "only the shortcut, the block itself missing", of(lambda a, b: a)
    yield "shortcut subtracted, not added", of(lambda a, b: b - a)
    yield "block subtracted, not added", of(lambda a, b: a - b)
    yield "shortcut added twice", of(lambda a, b: a + a + b)
    yield "block added twice", of(lambda a, b: a + b + b)
    yield "shortcut and block multiplied, not added", of(lambda a, b: a * b)
    yield "the larger of shortcut and block, not their sum", of(np.maximum)
    yield "ReLU before the sum, not after it", of(lambda a, b: a + ops.relu(b))
    yield "ReLU on both sides before the sum", of(lambda a, b: ops.relu(a) + ops.relu(b))
    yield "ReLU on the shortcut before the sum", of(lambda a, b: ops.relu(a) + b)
    yield "a ReLU where none belongs", then(usual(layer, network), ops.relu)


def _average(layer: Layer, network: Network) -> Iterator[Found]:
    """Of the average over all positions: a maximum, a sum, or another divisor."""

    def of(combine: Callable[[Array], Array]) -> Step:
        def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
            x, v = inputs[0]
            y, n = combine(x), x.shape[1] * x.shape[2]
            variance = n * np.sum(v, axis=(1, 2)) + how.unit * (n + 2) * y * y
            return stored(Estimate(y, variance), how.precision)

        return step

    yield "maximum over all positions, not the average", of(lambda x: x.max(axis=(1, 2)))
    yield "sum over all positions, not the average", of(lambda x: x.sum(axis=(1, 2)))
    yield "only the place in the middle, not the average", of(
        lambda x: x[:, x.shape[1] // 2, x.shape[2] // 2]
    )
    yield "only the first place, not the average", of(lambda x: x[:, 0, 0])


def _dense(layer: Layer, network: Network) -> Iterator[Found]:
    """Of the last layer: its activation, kernel, bias and classes."""
    own, activation = network.w[layer.name], network.arch.activation
    kernel, bias = own["kernel"], own["bias"]
    plain, linear = usual(layer, network), usual(layer, network, activation="linear")
    if activation == "softmax":
        yield "softmax missing", linear
        yield "softmax twice", then(plain, ops.softmax, 1.0)
        yield "sigmoid, not softmax", usual(layer, network, activation="sigmoid")
        yield "logarithm of the softmax", then(
            linear, lambda z: z - z.max(axis=-1, keepdims=True) - _log_sum(z), 2.0
        )
        yield "softmax over the photographs, not the classes", then(linear, lambda z: ops.softmax(z.T).T, 1.0)
    elif activation == "sigmoid":
        yield "sigmoid missing", linear
        yield "sigmoid twice", then(plain, ops.sigmoid, 1.0)
        yield "softmax, not sigmoid", usual(layer, network, activation="softmax")
    else:
        yield "a softmax where none belongs", usual(layer, network, activation="softmax")
        yield "a sigmoid where none belongs", usual(layer, network, activation="sigmoid")
    if activation != "linear":
        yield "a ReLU on the logits", then(linear, ops.relu)
    changed = {
        "bias missing": (kernel, np.zeros_like(bias)),
        "bias added twice": (kernel, 2 * bias),
        "bias subtracted": (kernel, -bias),
        "kernel transposed: it lies as (out, in) and is read as (in, out)": (kernel.T.reshape(kernel.shape), bias),
        "kernel transposed: it lies as (in, out) and is read as (out, in)": (
            kernel.reshape(kernel.shape[::-1]).T,
            bias,
        ),
        "classes in the reversed order": (kernel[:, ::-1], bias[::-1]),
        "kernel's classes reversed, its bias's not": (kernel[:, ::-1], bias),
        "kernel's inputs reversed": (kernel[::-1], bias),
    }
    for words, (k, b) in changed.items():
        yield words, usual(layer, network, {"kernel": k, "bias": b})
    yield "classes moved by one, up", then(plain, lambda p: np.roll(p, 1, axis=-1))
    yield "classes moved by one, down", then(plain, lambda p: np.roll(p, -1, axis=-1))
    for words, found in ways(kernel):
        yield f"weights quantised to {words}", usual(layer, network, {"kernel": found, "bias": bias})
    yield from _short_factors(layer, network)


def _log_sum(z: Array) -> Array:
    """The logarithm of the sum of exp(z - the largest z), along the last axis."""
    return np.asarray(np.log(np.sum(np.exp(z - z.max(axis=-1, keepdims=True)), axis=-1, keepdims=True)))


def _folded(parts: list[Layer], network: Network) -> Iterator[Mistake]:
    """Of a convolution into which its batch norm is folded: what is done to the kernel that this makes."""
    by_input = {layer.inputs[0]: layer for layer in parts if layer.kind == "BatchNormalization"}
    for layer in parts:
        norm = by_input.get(layer.name)
        if layer.kind != "Conv2D" or norm is None:
            continue
        own, p = network.w[layer.name], network.w[norm.name]
        scale = p["gamma"] / np.sqrt(p["moving_variance"] + network.arch.epsilon)
        kernel = own["kernel"] * scale
        bias = (own["bias"] - p["moving_mean"]) * scale + p["beta"]
        for words, found in ways(kernel):
            steps = {layer.name: usual(layer, network, {"kernel": found, "bias": bias}), norm.name: _first}
            yield Mistake(f"weights quantised, after its batch norm was folded in, to {words}", layer.name, steps)
        without = {
            "bias missing, in the folding of its batch norm": (p["beta"] - p["moving_mean"] * scale),
            "mean missing, in the folding of its batch norm": own["bias"] * scale + p["beta"],
            "beta missing, in the folding of its batch norm": (own["bias"] - p["moving_mean"]) * scale,
            "bias missing once its batch norm was folded in": np.zeros_like(bias),
            "bias not scaled, in the folding of its batch norm": own["bias"]
            + p["beta"]
            - p["moving_mean"] * scale,
        }
        for words, other in without.items():
            steps = {layer.name: usual(layer, network, {"kernel": kernel, "bias": other}), norm.name: _first}
            yield Mistake(words, layer.name, steps)


def _output(layer: Layer, network: Network) -> Iterator[Found]:
    """What is right but lies in another order, or is too large for a short float type."""
    own = usual(layer, network)

    def to_nhwc(y: Array) -> Array:
        return y.transpose(0, 3, 1, 2).reshape(y.shape) if y.ndim == 4 else y

    def to_nchw(y: Array) -> Array:
        n, h, w, c = y.shape if y.ndim == 4 else (*y.shape, 1, 1)[:4]
        return y.reshape(n, c, h, w).transpose(0, 2, 3, 1) if y.ndim == 4 else y

    def overflown(y: Array) -> Array:
        return np.where(np.abs(y) > PRECISIONS["float16"].largest, np.copysign(np.inf, y), y)

    yield "NCHW read as NHWC: its numbers lie as channels, height, width", then(own, to_nhwc)
    yield "NHWC read as NCHW: its numbers lie as height, width, channels", then(own, to_nchw)
    if layer.kind != "Dense":
        yield "height and width swapped", then(own, lambda y: y.swapaxes(1, 2) if y.ndim == 4 else y)
        yield "channels in the reversed order", then(own, lambda y: y[REVERSED])
    yield "overflow of float16: numbers beyond 65504 became infinite", then(own, overflown, 1.0)
    limit = PRECISIONS["float16"].largest
    yield "overflow of float16: numbers beyond 65504 were cut off there", then(
        own, lambda y: np.clip(y, -limit, limit), 1.0
    )

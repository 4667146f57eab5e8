"""The usual mistakes of batch norms, activations, pooling, sums, averages and the dense layer."""

from collections.abc import Callable, Iterator

import numpy as np

from npcam import ops
from npcam.layers import Layer
from npcam.shapes import Array
from npcam.verify.conv_mistakes import short_factors
from npcam.verify.part import Arithmetic, Step
from npcam.verify.quantise import ways
from npcam.verify.rounding import Estimate, stored
from npcam.verify.steps import RELU_TOO_MANY, Found, Network, hand_on, other_layers, then, usual

EPSILONS = (1e-3, 1e-5, 1.001e-5, 1e-4, 1e-6, 2e-5, 1e-8, 0.0)


def batch_norm(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a batch norm: what became of its four weights and its epsilon."""
    own, epsilon = network.w[layer.name], network.arch.epsilon
    gamma, beta, mean, variance = (own[n] for n in ("gamma", "beta", "moving_mean", "moving_variance"))

    def changed(**weights: Array) -> Step:
        return usual(layer, network, {**own, **weights})

    with np.errstate(all="ignore"):
        yield "variance taken for deviation", changed(moving_variance=variance**2)
        yield (
            "variance taken for deviation, to which epsilon is added",
            changed(moving_variance=(variance + epsilon) ** 2 - epsilon),
        )
        yield "variance taken for deviation, without epsilon", changed(moving_variance=variance**2 - epsilon)
        yield "deviation taken for variance", changed(moving_variance=np.sqrt(variance))
        yield (
            "epsilon added to the deviation, not to the variance",
            changed(moving_variance=(np.sqrt(variance) + epsilon) ** 2 - epsilon),
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
    yield "batch norm missing", hand_on
    for name in other_layers(layer, network, layer.kind):
        yield f"weights of another layer, {name}", usual(layer, network, network.w[name])
        for weight in own:
            yield f"{weight} of another layer, {name}", changed(**{weight: network.w[name][weight]})
    yield (
        RELU_TOO_MANY,
        then(usual(layer, network), ops.relu),
    )


def _gelu(x: Array) -> Array:
    """x times the normal distribution's share below x."""
    from scipy.special import ndtr

    return np.asarray(x * ndtr(x))


def activation() -> Iterator[Found]:
    """Of a ReLU: missing, or another function."""
    yield "ReLU missing", hand_on
    for slope in (0.01, 0.1, 0.2, 0.3):
        words = f"leaky ReLU with a slope of {slope}, not ReLU"
        yield words, then(hand_on, lambda x, s=slope: np.where(x < 0, s * x, x), 1.0)  # type: ignore[misc]
    functions: dict[str, Callable[[Array], Array]] = {
        "ReLU6": lambda x: np.clip(x, 0, 6),
        "ReLU of the negative": lambda x: np.maximum(-x, 0),
        "the absolute value": np.abs,
        "GELU": _gelu,
        "GELU by its tanh formula": lambda x: x * ops.sigmoid((8 / np.pi) ** 0.5 * (x + 0.044715 * x**3)),
        "SiLU": lambda x: x * ops.sigmoid(x),
        "ELU": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
        "sigmoid": ops.sigmoid,
        "tanh": np.tanh,
    }
    for name, function in functions.items():
        yield f"{name}, not ReLU", then(hand_on, function, 1.2)


def pooling(layer: Layer, network: Network) -> Iterator[Found]:
    """Of a maximum: an average, another window or another stride."""

    def mean(padded: bool) -> Step:
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

    yield "average pooling, not maximum", mean(False)
    yield "average pooling, not maximum, without the padding's zeros", mean(True)
    for window in (2, 3):
        for stride in (1, 2, 3):
            if (window, stride) != (layer.window, layer.stride):
                words = f"window {window} and stride {stride}, not {layer.window} and {layer.stride}"
                yield words, usual(layer._replace(window=window, stride=stride), network)


def addition(layer: Layer, network: Network) -> Iterator[Found]:
    """Of the sum of a block: one side of it missing, or something done to it."""

    def of(combine: Callable[[Array, Array], Array]) -> Step:
        def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
            (a, va), (b, vb) = inputs
            y = combine(a, b)
            return stored(Estimate(y, va + vb + how.unit * (y * y + a * a + b * b)), how.precision)

        return step

    yield "shortcut missing", of(lambda _, b: b)
    yield "only the shortcut, the block itself missing", of(lambda a, _: a)
    yield "shortcut subtracted, not added", of(lambda a, b: b - a)
    yield "block subtracted, not added", of(lambda a, b: a - b)
    yield "shortcut added twice", of(lambda a, b: a + a + b)
    yield "block added twice", of(lambda a, b: a + b + b)
    yield "shortcut and block multiplied, not added", of(lambda a, b: a * b)
    yield "the larger of shortcut and block, not their sum", of(np.maximum)
    yield "ReLU before the sum, not after it", of(lambda a, b: a + ops.relu(b))
    yield "ReLU on both sides before the sum", of(lambda a, b: ops.relu(a) + ops.relu(b))
    yield "ReLU on the shortcut before the sum", of(lambda a, b: ops.relu(a) + b)
    yield (
        RELU_TOO_MANY,
        then(usual(layer, network), ops.relu),
    )


def average() -> Iterator[Found]:
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
    yield (
        "only the place in the middle, not the average",
        of(lambda x: x[:, x.shape[1] // 2, x.shape[2] // 2]),
    )
    yield "only the first place, not the average", of(lambda x: x[:, 0, 0])


def dense(layer: Layer, network: Network) -> Iterator[Found]:
    """Of the last layer: its activation, kernel, bias and classes."""
    own, activation = network.w[layer.name], network.arch.activation
    kernel, bias = own["kernel"], own["bias"]
    plain, linear = usual(layer, network), usual(layer, network, activation="linear")
    if activation == "softmax":
        yield "softmax missing", linear
        yield "softmax twice", then(plain, ops.softmax, 1.0)
        yield "sigmoid, not softmax", usual(layer, network, activation="sigmoid")
        yield (
            "logarithm of the softmax",
            then(linear, lambda z: z - z.max(axis=-1, keepdims=True) - _log_sum(z), 2.0),
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
        "kernel transposed: it lies as (out, in) and is read as (in, out)": (
            kernel.T.reshape(kernel.shape),
            bias,
        ),
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
    yield from short_factors(layer, network)


def _log_sum(z: Array) -> Array:
    """The logarithm of the sum of exp(z - the largest z), along the last axis."""
    return np.asarray(np.log(np.sum(np.exp(z - z.max(axis=-1, keepdims=True)), axis=-1, keepdims=True)))

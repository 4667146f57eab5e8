"""What a layer or an operation does, under one name for it in every version of Keras.

Keras 3 writes an operation such as `x / 255` as one of its own classes (`TrueDivide`), Keras 2 as a layer
that names a function of TensorFlow's (`TFOpLambda`, "math.truediv"). Much of what people put before and
after a ResNet treats each channel by itself: it adds, subtracts, multiplies by or divides by numbers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.keras_files.calls import constant, tensors_in
from npcam.keras_files.graph import Node
from npcam.keras_files.settings import check_bn
from npcam.preprocessing import Step
from npcam.shapes import Array

Read = Callable[[Node], Mapping[str, Array]]  # a layer's arrays by the names of its weights

# TensorFlow's functions, as Keras 2 names them, by Keras 3's names of the same operations.
_FUNCTIONS = {
    "__operators__.add": "Add",
    "__operators__.getitem": "GetItem",
    "cast": "Cast",
    "compat.v1.gather": "Take",
    "compat.v1.squeeze": "Squeeze",
    "compat.v1.transpose": "Transpose",
    "concat": "Concatenate",
    "expand_dims": "ExpandDims",
    "gather": "Take",
    "identity": "Identity",
    "image.grayscale_to_rgb": "GrayscaleToRGB",
    "math.add": "Add",
    "math.divide": "TrueDivide",
    "math.multiply": "Multiply",
    "math.negative": "Negative",
    "math.reduce_mean": "Mean",
    "math.reduce_sum": "Sum",
    "math.sigmoid": "Sigmoid",
    "math.subtract": "Subtract",
    "math.truediv": "TrueDivide",
    "nn.bias_add": "Add",
    "nn.relu": "Relu",
    "nn.sigmoid": "Sigmoid",
    "nn.softmax": "Softmax",
    "repeat": "Repeat",
    "reshape": "Reshape",
    "reverse": "Flip",
    "split": "Split",
    "squeeze": "Squeeze",
    "stack": "Stack",
    "stop_gradient": "StopGradient",
    "tile": "Tile",
    "unstack": "Unstack",
}
_ARITHMETIC = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "TrueDivide": "divide",
    "Divide": "divide",
}
_NEUTRAL = {"add": 0.0, "subtract": 0.0, "multiply": 1.0, "divide": 1.0}
_SMALLEST_DEVIATION = 1e-7  # Keras's epsilon: Normalization divides by no less


def operation(node: Node) -> str:
    """Keras 3's name of what a node does: its class, or that of the function that it calls."""
    if node.kind in ("TFOpLambda", "SlicingOpLambda"):
        function = str(node.config.get("function"))
        return _FUNCTIONS.get(function, f"tf.{function}")
    return node.kind


def argument(node: Node, position: int | None, *names: str, default: Any = None) -> Any:
    """An argument of an operation: of its call, or, where it stands in Keras 3's settings, of these."""
    found = node.call.get(position, *names, default=default)
    if found is default:
        return next((constant(node.config[name]) for name in names if name in node.config), default)
    return found


def pointwise(node: Node, channels: int, read: Read, where: str, rank: int = 4) -> tuple[Step, ...] | None:
    """What a layer does to each channel by itself, in Keras's own order of arithmetic.

    Args:
        node: a layer or operation.
        channels: how many channels it is given.
        read: reads a layer's arrays.
        where: the file's name, for messages.
        rank: how many axes it is given, the batch and the channels among them.

    Returns:
        The steps, those left out that change nothing; None where it does something else.

    Raises:
        InputError: its numbers are not one for all, or one for each channel.
    """
    kind = operation(node)
    if kind == "Rescaling":
        found = [
            ("multiply", constant(node.config.get("scale", 1.0))),
            ("add", constant(node.config.get("offset", 0.0))),
        ]
    elif kind == "Normalization":
        found = _normalization(node, read, where, rank)
    elif kind == "BatchNormalization":
        found = _batch_norm(node, read, where, rank)
    elif kind == "Negative":
        found = [("multiply", -1.0)]
    elif kind in _ARITHMETIC:
        arithmetic = _arithmetic(node, _ARITHMETIC[kind])
        if arithmetic is None:
            return None
        found = arithmetic
    else:
        return None
    steps = [Step(name, _per_channel(value, name, channels, node, where, rank)) for name, value in found]
    return tuple(
        step
        for step in steps
        if len(step.values) > channels or any(value != _NEUTRAL[step.operation] for value in step.values)
    )


def _arithmetic(node: Node, name: str) -> list[tuple[str, Any]] | None:
    """An operation between a tensor and a constant; None between tensors, or where it divides by one."""
    a, b = argument(node, 0, "x1", "x", "value"), argument(node, 1, "x2", "y", "bias")
    layout = node.call.get(None, "data_format")
    if len(list(tensors_in([a, b]))) != 1 or layout not in (None, "NHWC"):
        return None
    if not any(tensors_in(a)):  # constant - x is (x * -1) + constant, bit for bit
        return {
            "add": [("add", a)],
            "multiply": [("multiply", a)],
            "subtract": [("multiply", -1.0), ("add", a)],
        }.get(name)
    return [(name, b)]


def _normalization(node: Node, read: Read, where: str, rank: int) -> list[tuple[str, Any]]:
    """Keras's Normalization: minus the mean, divided by the root of the variance."""
    mean, variance = (constant(node.config.get(name)) for name in ("mean", "variance"))
    if mean is None:
        arrays = read(node)
        mean, variance = arrays["mean"], arrays["variance"]
    mean, variance = np.asarray(mean, np.float32), np.asarray(variance, np.float32)
    axis = node.config.get("axis", -1)
    last = axis in (-1, rank - 1, [-1], [rank - 1])
    if not last and max(mean.size, variance.size) > 1:
        reason = f"normalises axis {axis}, each with numbers of its own; only the last one, or none, can be"
        raise InputError(f"{where}: {node.label} {reason}")
    if not (variance >= 0).all():
        raise InputError(f"{where}: {node.label} has a variance below 0, or none")
    deviation = np.maximum(np.sqrt(variance), np.float32(_SMALLEST_DEVIATION))
    if node.config.get("invert"):
        return [("multiply", deviation), ("add", mean)]
    return [("subtract", mean), ("divide", deviation)]


def _batch_norm(node: Node, read: Read, where: str, rank: int) -> list[tuple[str, Any]]:
    """A batch norm outside of training: one factor and one addend for each channel."""
    epsilon = check_bn(node, where, rank)
    arrays = {name: np.asarray(array, np.float64) for name, array in read(node).items()}
    variance = arrays["moving_variance"] + epsilon
    if not (variance > 0).all():
        raise InputError(f"{where}: {node.label} has a variance below -epsilon; its root is no number")
    factor = arrays.get("gamma", 1.0) / np.sqrt(variance)
    return [("subtract", arrays["moving_mean"]), ("multiply", factor), ("add", arrays.get("beta", 0.0))]


def _per_channel(
    value: Any, name: str, channels: int, node: Node, where: str, rank: int
) -> tuple[float, ...]:
    """One number for all channels, or one for each, out of an array that says no more.

    One channel may be given several numbers: it becomes several, as arrays of one column do.
    """
    numbers = np.asarray(value, np.float64)
    last = numbers.shape[-1] if numbers.ndim else 1
    fits = numbers.ndim <= rank and numbers.size == last and (last == 1 or channels in (1, last))
    if not fits or not last:
        reason = f"has numbers of shape {numbers.shape}, not one for each of {channels} channels"
        raise InputError(f"{where}: {node.label} {reason}")
    if not np.isfinite(numbers).all() or (name == "divide" and not numbers.all()):
        raise InputError(f"{where}: {node.label} has 0 as a divisor, NaN or infinity in its numbers")
    return tuple(float(number) for number in numbers.ravel())

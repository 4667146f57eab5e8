"""Arithmetic of Keras's layers, and of operations of Keras 3 and TensorFlow: against NumPy's."""

import numpy as np
import pytest
from helpers.handmade_graphs import Handmade, Ref

from npcam import InputError
from npcam.keras_files.graph import Call, Node, Tensor
from npcam.keras_files.operations import argument, operation, pointwise

X = np.random.default_rng(0).normal(0, 5, (2, 3, 2, 3))  # (N, H, W, C)
THREE = [0.5, -2.0, 3.0]
ARRAYS = {
    "norm": {
        "gamma": np.array([1.0, 2, 3]),
        "beta": np.array([0.5, 0.25, 0]),
        "moving_mean": np.array([1.0, 2, -3]),
        "moving_variance": np.array([0.75, 2, 3.75]),
    },
    "bare": {"moving_mean": np.array([1.0, 2, -3]), "moving_variance": np.array([0.75, 2, 3.75])},
    "adapted": {"mean": np.array(THREE, "f4"), "variance": np.array([4, 9, 16], "f4"), "count": 7},
    "negative": {"moving_mean": np.zeros(3), "moving_variance": np.array([1, 1, -0.25])},
}


def last(build, *, shape=(3, 2, 3)):
    """The layer that `build` adds to an input."""
    model = Handmade(shape)
    ref = build(model, model.input)
    return model.walk(ref).graph.nodes[(ref.name,)]


def steps(build, channels=3, rank=4):
    return pointwise(last(build), channels, lambda node: ARRAYS[node.path[-1]], "x.h5", rank)


def computed(found, x):
    """Steps of arithmetic, done one after the other."""
    for step in found:
        operator = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}
        x = operator[step.operation](x, np.array(step.values))
    return x


def norm(m, x, name="norm", **settings):
    return m.layer("BatchNormalization", x, name=name, epsilon=0.25, **settings)


COMPUTED = {
    "Rescaling": (lambda m, x: m.layer("Rescaling", x, scale=2.5, offset=THREE), X * 2.5 + THREE),
    "Rescaling, no offset": (lambda m, x: m.layer("Rescaling", x, scale=THREE), X * THREE),
    "Rescaling, no scale": (lambda m, x: m.layer("Rescaling", x, offset=3.0), X + 3),
    "Negative": (lambda m, x: m.op("Negative", x), -X),
    "Add": (lambda m, x: m.op("Add", x, 2.0), X + 2),
    "Add to": (lambda m, x: m.op("Add", THREE, x), X + THREE),
    "Subtract": (lambda m, x: m.op("Subtract", x, ("numpy", [[[THREE]]])), X - THREE),
    "Subtract from": (lambda m, x: m.op("Subtract", 2.0, x), 2 - X),
    "Multiply": (lambda m, x: m.op("Multiply", x, ("tensor", [THREE])), X * THREE),
    "Multiply by": (lambda m, x: m.op("Multiply", 3.0, x), 3 * X),
    "Divide": (lambda m, x: m.op("Divide", x, THREE), X / THREE),
    "TrueDivide": (lambda m, x: m.op("TrueDivide", x, 4), X / 4),
    "one number in a list": (lambda m, x: m.op("Add", x, [[7.0]]), X + 7),
    "TensorFlow's add": (lambda m, x: m.tf("math.add", x, y=2.0), X + 2),
    "batch norm": (
        norm,
        (X - [1, 2, -3]) / np.sqrt([1, 2.25, 4]) * [1, 2, 3] + [0.5, 0.25, 0],
    ),
    "batch norm, bare": (
        lambda m, x: norm(m, x, "bare", scale=False, center=False),
        (X - [1, 2, -3]) / [1, 1.5, 2],
    ),
    "Normalization": (
        lambda m, x: m.layer("Normalization", x, mean=THREE, variance=[4, 9, 16], axis=[-1]),
        (X - THREE) / [2, 3, 4],
    ),
    "Normalization, adapted": (
        lambda m, x: m.layer("Normalization", x, name="adapted", axis=3),
        (X - THREE) / [2, 3, 4],
    ),
    "Normalization of all": (
        lambda m, x: m.layer("Normalization", x, mean=3.0, variance=4.0, axis=None),
        (X - 3) / 2,
    ),
    "Normalization, inverted": (
        lambda m, x: m.layer("Normalization", x, mean=THREE, variance=[4, 9, 16], axis=[3], invert=True),
        X * [2, 3, 4] + THREE,
    ),
    "Normalization of nothing": (
        lambda m, x: m.layer("Normalization", x, mean=0.0, variance=[0.0, 1e-12, 1.0]),
        X / [np.float32(1e-7), np.float32(1e-6), 1],
    ),
    "TensorFlow's +": (lambda m, x: m.tf("__operators__.add", x, y=2.0), X + 2),
    "TensorFlow's subtract": (lambda m, x: m.tf("math.subtract", x, y=2.0), X - 2),
    "TensorFlow's subtract from": (lambda m, x: m.tf("math.subtract", 2.0, y=x), 2 - X),
    "TensorFlow's multiply": (lambda m, x: m.tf("math.multiply", x, y=2.0), X * 2),
    "TensorFlow's divide": (lambda m, x: m.tf("math.divide", x, y=4.0), X / 4),
    "TensorFlow's truediv": (lambda m, x: m.tf("math.truediv", x, y=4.0), X / 4),
    "TensorFlow's negative": (lambda m, x: m.tf("math.negative", x), -X),
    "TensorFlow's bias": (lambda m, x: m.tf("nn.bias_add", x, bias=THREE, data_format="NHWC"), X + THREE),
    "TensorFlow's bias, no format": (lambda m, x: m.tf("nn.bias_add", x, bias=THREE), X + THREE),
}


@pytest.mark.parametrize("case", COMPUTED)
def test_arithmetic(case):
    """Each channel's own numbers, or one for all; a root of float32 is good to 2**-24 of itself."""
    build, expected = COMPUTED[case]
    np.testing.assert_allclose(computed(steps(build), X), expected, rtol=1e-7, atol=1e-12)


NONE = [
    lambda m, x: m.op("Add", x, x),
    lambda m, x: m.op("TrueDivide", 1.0, x),
    lambda m, x: m.tf("nn.bias_add", x, bias=THREE, data_format="NCHW"),
    lambda m, x: m.tf("math.tanh", x),
    lambda m, x: m.layer("Dense", x),
    lambda m, x: m.op("Tanh", x),
]


@pytest.mark.parametrize("build", NONE)
def test_what_is_no_arithmetic_with_constants(build):
    """Two tensors, a number divided by a tensor, channels first, other functions."""
    assert steps(build) is None


def test_steps_that_change_nothing():
    """They are left out, each by its own neutral number; those that make channels stay."""
    for build, kept in (
        (lambda m, x: m.layer("Rescaling", x), ()),
        (lambda m, x: m.layer("Rescaling", x, scale=1.0, offset=[0.0, 0.0, 0.0]), ()),
        (lambda m, x: m.layer("Rescaling", x, scale=1.0, offset=1.0), ("add",)),
        (lambda m, x: m.layer("Rescaling", x, scale=0.0), ("multiply",)),
        (lambda m, x: m.op("Subtract", x, 0.0), ()),
        (lambda m, x: m.op("Divide", x, [1.0, 1.0, 1.0]), ()),
        (lambda m, x: m.op("Divide", x, [1.0, 1.0, 2.0]), ("divide",)),
    ):
        assert tuple(step.operation for step in steps(build)) == kept
    (step,) = steps(lambda m, x: m.op("Add", x, [0.0, 0.0]), channels=1)
    assert step.values == (0, 0)
    assert steps(lambda m, x: m.op("Add", x, [0.0]), channels=1) == ()


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (
            lambda m, x: m.op("Add", x, [1.0, 2.0]),
            "has numbers of shape (2,), not one for each of 3 channels",
        ),
        (lambda m, x: m.op("Add", x, []), "has numbers of shape (0,), not one for each of 3 channels"),
        (
            lambda m, x: m.op("Add", x, [[1.0], [2.0], [3.0]]),
            "has numbers of shape (3, 1), not one for each of 3 channels",
        ),
        (
            lambda m, x: m.op("Add", x, [[[[[1.0]]]]]),
            "has numbers of shape (1, 1, 1, 1, 1), not one for each of 3 channels",
        ),
        (
            lambda m, x: m.op("Divide", x, [1.0, 0.0, 1.0]),
            "has 0 as a divisor, NaN or infinity in its numbers",
        ),
        (lambda m, x: m.op("Add", x, float("inf")), "has 0 as a divisor, NaN or infinity in its numbers"),
        (lambda m, x: norm(m, x, "negative"), "has a variance below -epsilon; its root is no number"),
        (lambda m, x: norm(m, x, axis=1), "normalises axis 1; the last one expected"),
        (
            lambda m, x: m.layer("Normalization", x, mean=[0.0], variance=[-1e-9]),
            "has a variance below 0, or none",
        ),
        (
            lambda m, x: m.layer("Normalization", x, mean=[0.0], variance=[float("nan")]),
            "has a variance below 0, or none",
        ),
        (
            lambda m, x: m.layer("Normalization", x, mean=0.0, variance=[1.0, 2.0, 3.0], axis=[1]),
            "normalises axis [1], each with numbers of its own; only the last one, or none, can be",
        ),
        (
            lambda m, x: m.layer("Normalization", x, mean=[1.0, 2.0, 3.0], variance=1.0, axis=2),
            "normalises axis 2, each with numbers of its own; only the last one, or none, can be",
        ),
    ],
)
def test_numbers_that_do_not_fit(build, reason):
    """They are refused in one line, with the layer's name."""
    with pytest.raises(InputError) as error:
        steps(build)
    label = last(build).label
    assert str(error.value) == f"x.h5: {label} {reason}"


def test_fewer_axes():
    """After the average there are two: the last has another number, and arrays have fewer axes."""
    assert steps(lambda m, x: m.op("Add", x, [[[1.0]]]), rank=3)
    assert steps(lambda m, x: norm(m, x, axis=1), rank=2)
    settings = {"mean": THREE, "variance": [1.0, 2.0, 3.0]}
    for axis in (1, [1], -1):
        assert steps(lambda m, x, axis=axis: m.layer("Normalization", x, axis=axis, **settings), rank=2)
    for build in (
        lambda m, x: m.op("Add", x, [[[1.0]]]),
        lambda m, x: norm(m, x, axis=3),
        lambda m, x: m.layer("Normalization", x, axis=3, **settings),
    ):
        with pytest.raises(InputError):
            steps(build, rank=2)


def test_one_name_for_each_operation():
    """Keras 3's, also for TensorFlow's functions; those that nobody knows keep their own."""
    for function, name in {
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
        "math.reduce_mean": "Mean",
        "math.reduce_sum": "Sum",
        "math.sigmoid": "Sigmoid",
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
        "math.erf": "tf.math.erf",
    }.items():
        assert operation(last(lambda m, x, function=function: m.tf(function, x))) == name
    assert operation(last(lambda m, x: m.slice(x, ..., 0))) == "GetItem"
    assert operation(last(lambda m, x: m.layer("Dense", x))) == "Dense"


def test_arguments():
    """By position, by name, else out of Keras 3's settings, unpacked; else the default."""
    settings = {"axis": {"class_name": "__numpy__", "config": {"value": [1, 2]}}, "other": 3}
    node = Node(("a",), ("a",), "Mean", settings, (), Call((Ref("x"), 7), (("keepdims", True),)), True)
    assert argument(node, 1, "axis") == 7
    assert argument(node, None, "axis") == argument(node, 2, "nothing", "axis") == [1, 2]
    assert argument(node, 2, "keepdims", "axis") is True
    assert argument(node, 2, "nothing") is None
    assert argument(node, None, "nothing", default=5) == 5
    assert argument(node, None, "other", default=5) == 3


@pytest.mark.parametrize(("first", "second"), [("x1", "x2"), ("x", "y"), ("value", "bias")])
def test_arguments_by_name(first, second):
    """Whoever calls an operation may name its arguments, in Keras 3's words or TensorFlow's."""
    call = Call((), ((first, 2.0), (second, Tensor(("input_layer",)))))
    node = Node(("a",), ("a",), "Subtract", {}, (("input_layer",),), call, True)
    np.testing.assert_array_equal(computed(pointwise(node, 3, ARRAYS.get, "x.h5"), X), 2 - X)

"""What a layer's settings say, as each version of Keras writes them down."""

import pytest

from npcam import InputError
from npcam.keras_files.graph import Call, Node
from npcam.keras_files.settings import (
    activation,
    channels_last,
    check_bn,
    check_conv,
    check_floats,
    dtype_of,
    pads,
    sides,
    trains_always,
    weight_names,
)


def node(kind, call=None, **config):
    """A layer `a` of that class and those settings."""
    return Node(("a",), ("a",), kind, config, (), call or Call(), True)


def refused(check, *args):
    """The reason why a layer is refused, after the file's name."""
    with pytest.raises(InputError) as error:
        check(*args, "x.h5")
    assert str(error.value).startswith("x.h5: a (")
    return str(error.value).removeprefix("x.h5: ")


def function(config, class_name="function"):
    """A function as Keras 3 describes it."""
    return {"class_name": class_name, "config": config}


ACTIVATIONS = [
    (node("Activation", activation="relu"), "relu"),
    (node("Conv2D", activation="linear"), "linear"),
    (node("Conv2D"), "linear"),
    (node("Conv2D", activation=None), "linear"),
    (node("Dense", activation=function("softmax")), "softmax"),
    (node("Activation", activation=function(function("sigmoid"))), "sigmoid"),
    (node("Dense", activation=function({"name": "s"}, "Softmax")), "softmax"),
    (node("Activation", activation=function({"max_value": None}, "ReLU")), "relu"),
    (node("Activation", activation={"class_name": "ReLU"}), "relu"),
    (node("Activation", activation=function({"max_value": 6.0}, "ReLU")), "relu with settings"),
    (node("Activation", activation=function({"negative_slope": 0.1}, "ReLU")), "relu with settings"),
    (node("Activation", activation=function({"threshold": 1.0}, "ReLU")), "relu with settings"),
    (node("Activation", activation=function({"alpha": 0.1}, "LeakyReLU")), "leakyrelu with settings"),
    (node("Activation", activation=function({"axis": -1}, "Softmax")), "softmax"),
    (node("Activation", activation=function({"axis": [-1]}, "Softmax")), "softmax"),
    (node("Activation", activation=function({"axis": 1}, "Softmax")), "softmax with settings"),
    (node("Dense", activation="softmax_v2"), "softmax"),
    (node("Dense", activation=function("softmax_v2")), "softmax"),
    (node("ReLU"), "relu"),
    (node("ReLU", max_value=None, negative_slope=0.0, threshold=0.0), "relu"),
    (node("ReLU", max_value=[None], negative_slope=[0], threshold=[0]), "relu"),
    (node("ReLU", max_value=6.0), "relu with max_value"),
    (node("ReLU", negative_slope=0.1), "relu with negative_slope"),
    (node("ReLU", threshold=1.0), "relu with threshold"),
    (node("ReLU", max_value=6, threshold=1), "relu with max_value, threshold"),
    (node("Softmax"), "softmax"),
    (node("Softmax", axis=-1), "softmax"),
    (node("Softmax", axis=[-1]), "softmax"),
    (node("Softmax", axis=1), "softmax"),
    (node("Softmax", axis=0), "softmax over another axis"),
    (node("Softmax", axis=2), "softmax over another axis"),
]


@pytest.mark.parametrize(("layer", "expected"), ACTIVATIONS)
def test_activations(layer, expected):
    """A name, a description around a name, a layer as a function, a layer of its own."""
    assert activation(layer, "x.h5") == expected


def test_activations_that_are_code():
    """A lambda's bytes, as Keras 3 and Keras 2 write them, are never run."""
    for code in (
        {"value": ["4wEAAAAA", None, None]},
        {"class_name": "__lambda__", "config": {"value": "4wEA"}},
    ):
        assert refused(activation, node("Dense", activation=code)) == (
            "a (Dense) has an activation that is Python code kept in the file, which npcam never runs"
        )


def test_activations_that_are_none():
    """A number, or descriptions in descriptions without end."""
    for wrong in (1, [1], function(function(function(function(function("relu")))))):
        assert refused(activation, node("Dense", activation=wrong)) == (
            "a (Dense) has an activation that is no function of Keras's"
        )


def test_activations_of_somebodys_own():
    """Registered under a name of a package, or from a module that is not Keras's."""
    for own, name in (
        ("bit>relu", "bit>relu"),
        (function("bit>relu"), "bit>relu"),
        ({"class_name": "function", "module": "mine", "config": "relu"}, "mine>relu"),
        ({"class_name": "ReLU", "module": "mine", "config": {}}, "mine>ReLU"),
        (function({"class_name": "ReLU", "module": "mine", "config": {}}), "mine>ReLU"),
    ):
        assert refused(activation, node("Dense", activation=own)) == (
            f"a (Dense) has an activation of its author's own, {name}; npcam knows Keras's own functions"
        )


def test_sides():
    """Both axes by one number or two, or by default."""
    layer = node("MaxPooling2D", pool_size=3, strides=[2, 4], nothing=None)
    assert sides(layer, "pool_size", 9) == (3, 3)
    assert sides(layer, "strides", 9) == (2, 4)
    assert sides(layer, "nothing", 9) == (9, 9)
    assert sides(layer, "missing", (1, 2)) == (1, 2)


def test_paddings():
    """One number, one for each axis, one for each side; all sides must be the same."""
    for value in (3, [3, 3], [[3, 3], [3, 3]], [[3, 3], 3]):
        assert pads(node("ZeroPadding2D", padding=value), "x.h5") == 3
    assert pads(node("ZeroPadding2D"), "x.h5") == 1
    for value in ([3, 2], [[3, 3], [2, 3]], [[0, 1], [0, 1]], [[1, 1]], [1, 1, 1]):
        reason = f"a (ZeroPadding2D) pads {value}; the same on all sides expected"
        assert refused(pads, node("ZeroPadding2D", padding=value)) == reason
    assert "channels_first" in refused(pads, node("ZeroPadding2D", data_format="channels_first"))


def test_channels_last():
    """Keras's word, Keras 1's words, and none at all; channels first are refused."""
    for config in (
        {},
        {"data_format": "channels_last"},
        {"dim_ordering": "tf"},
        {"dim_ordering": "default"},
        {"data_format": None},
    ):
        channels_last(node("Conv2D", **config), "x.h5")
    for config in ({"data_format": "channels_first"}, {"dim_ordering": "th"}):
        (value,) = config.values()
        assert refused(channels_last, node("Conv2D", **config)) == (
            f"a (Conv2D) has {value}; npcam reads channels_last models only"
        )


CONV = {
    "kernel_size": [3, 3],
    "strides": [1, 1],
    "padding": "same",
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "groups": 1,
    "activation": "linear",
}


def test_convolutions():
    """The stride of one that a ResNet has, as Keras 3, 2 and 1 write it."""
    assert check_conv(node("Conv2D", **CONV), 3, "x.h5") == 1
    assert check_conv(node("Conv2D", **CONV | {"strides": [2, 2]}), 3, "x.h5") == 2
    assert check_conv(node("Conv2D", kernel_size=7, strides=2, padding="valid"), 7, "x.h5") == 2
    old = {"nb_row": 3, "nb_col": 3, "subsample": [2, 2], "border_mode": "same", "dim_ordering": "tf"}
    assert check_conv(node("Conv2D", **old), 3, "x.h5") == 2
    assert check_conv(node("Conv2D", nb_row=1, nb_col=1), 1, "x.h5") == 1
    for padding in ("valid", "same", "SAME"):
        assert check_conv(node("Conv2D", kernel_size=1, strides=2, padding=padding), 1, "x.h5") == 2


WRONG = [
    (3, {"kernel_size": [5, 5]}, "kernel (5, 5)"),
    (3, {"kernel_size": [3, 1]}, "kernel (3, 1)"),
    (3, {"kernel_size": [1, 3]}, "kernel (1, 3)"),
    (3, {"strides": [1, 2]}, "strides (1, 2)"),
    (3, {"padding": "valid"}, "padding 'valid'"),
    (7, {"kernel_size": [7, 7]}, "padding 'same'"),
    (1, {"kernel_size": [1, 1], "padding": "causal"}, "padding 'causal'"),
    (3, {"groups": 2}, "groups 2"),
    (3, {"dilation_rate": [2, 2]}, "dilation [2, 2]"),
    (3, {"dilation_rate": [1, 2]}, "dilation [1, 2]"),
    (3, {"activation": "relu"}, "activation relu"),
    (3, {"groups": 2, "activation": "elu"}, "groups 2, activation elu"),
]


@pytest.mark.parametrize(("kernel", "settings", "what"), WRONG)
def test_other_convolutions(kernel, settings, what):
    """What is different is named, all of it."""
    reason = f"a (Conv2D) has {what}; a plain {kernel}x{kernel} convolution expected"
    assert refused(check_conv, node("Conv2D", **CONV | settings), kernel) == reason


def test_convolutions_with_channels_first():
    """They are refused before anything else."""
    assert "channels_first" in refused(
        check_conv, node("Conv2D", **CONV | {"data_format": "channels_first"}), 3
    )


def test_batch_norms():
    """Epsilon, whichever way the last axis is written."""
    for axis in (
        -1,
        3,
        [3],
        [-1],
        {"class_name": "__tuple__", "items": [3]},
        {"class_name": "x", "config": [-1]},
    ):
        assert check_bn(node("BatchNormalization", axis=axis, epsilon=1.001e-5), "x.h5") == 1.001e-5
    assert check_bn(node("BatchNormalization"), "x.h5") == 1e-3
    for epsilon in (0, 1):
        assert check_bn(node("BatchNormalization", epsilon=epsilon, mode=0, renorm=False), "x.h5") == epsilon
    cases = [
        ({"axis": 1}, "normalises axis 1; the last one expected"),
        ({"axis": [1]}, "normalises axis [1]; the last one expected"),
        ({"axis": [-1, 3]}, "normalises axis [-1, 3]; the last one expected"),
        ({"mode": 1}, "has a mode or renorm; a plain batch norm expected"),
        ({"renorm": True}, "has a mode or renorm; a plain batch norm expected"),
        ({"epsilon": -1e-9}, "has epsilon -1e-09; between 0 and 1 expected"),
        ({"epsilon": 1.001}, "has epsilon 1.001; between 0 and 1 expected"),
        ({"epsilon": float("nan")}, "has epsilon nan; between 0 and 1 expected"),
    ]
    for settings, reason in cases:
        assert refused(check_bn, node("BatchNormalization", **settings)) == f"a (BatchNormalization) {reason}"


def test_batch_norms_of_fewer_axes():
    """The last one has another number there."""
    for axis in (-1, 1, [-1], [1]):
        assert check_bn(node("BatchNormalization", axis=axis), "x.h5", 2) == 1e-3
    for axis in (0, 2, 3, [3]):
        with pytest.raises(InputError, match="normalises axis"):
            check_bn(node("BatchNormalization", axis=axis), "x.h5", 2)


def test_batch_norms_that_always_train():
    """Called with training=True they take each batch's own statistics."""
    for call in (Call((), (("training", True),)), Call(("x",), (("mask", None), ("training", 1)))):
        assert trains_always(node("BatchNormalization", call))
        assert refused(check_bn, node("BatchNormalization", call)) == (
            "a (BatchNormalization) was called with training=True, so it takes each batch's own statistics; "
            "npcam can't"
        )
    for call in (
        Call(),
        Call((), (("training", False),)),
        Call((), (("mask", True),)),
        Call(("training", True)),
    ):
        assert not trains_always(node("BatchNormalization", call))
        assert check_bn(node("BatchNormalization", call), "x.h5") == 1e-3


def test_dtypes():
    """A name, or the policy that Keras 3 writes; float32 where nothing is said."""
    assert dtype_of(node("Conv2D")) == "float32"
    assert dtype_of(node("Conv2D", dtype="float16")) == "float16"
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    assert dtype_of(node("Conv2D", dtype=policy)) == "mixed_float16"
    for empty in ({"config": {}}, {"config": None}, {}):
        assert dtype_of(node("Conv2D", dtype=empty)) == "float32"


QUANTISED = [
    ({"dtype": {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}}, "int8"),
    ({"dtype": {"class_name": "X", "config": {"name": "int4_from_float32", "mode": None}}}, "int4"),
    ({"dtype": "float8_from_mixed_bfloat16"}, "float8"),
    ({"quantization_config": {"class_name": "Int8QuantizationConfig"}}, "Int8"),
]


@pytest.mark.parametrize(("config", "name"), QUANTISED)
def test_quantised_layers(config, name):
    """Integers, or floats of 8 bits, are refused by their name, whichever way that is written."""
    reason = f"a (Dense) is quantised ({name}); npcam runs floats: save the model unquantised"
    assert refused(check_floats, node("Dense", **config)) == reason


def test_layers_of_floats():
    """Every other policy is one of floats."""
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    for config in ({}, {"dtype": "float32"}, {"dtype": policy}, {"dtype": {}}, {"quantization_config": None}):
        check_floats(node("Dense", **config), "x.h5")


def test_weights_in_the_order_in_which_keras_saves_them():
    """With and without what a layer can be built without, in the words of Keras 1, too."""
    for kind in ("Conv2D", "Convolution2D", "Dense"):
        assert weight_names(node(kind)) == ("kernel", "bias")
        assert weight_names(node(kind, use_bias=True, bias=False)) == ("kernel", "bias")
        assert weight_names(node(kind, use_bias=False)) == ("kernel",)
        assert weight_names(node(kind, bias=False)) == ("kernel",)
    moving = ("moving_mean", "moving_variance")
    assert weight_names(node("BatchNormalization")) == ("gamma", "beta", *moving)
    assert weight_names(node("BatchNormalization", scale=False)) == ("beta", *moving)
    assert weight_names(node("BatchNormalization", center=False)) == ("gamma", *moving)
    assert weight_names(node("BatchNormalization", center=False, scale=False)) == moving
    assert weight_names(node("Activation")) == ()
    adapted = ("mean", "variance", "count")
    assert weight_names(node("Normalization")) == weight_names(node("Normalization", mean=None)) == adapted
    assert weight_names(node("Normalization", mean=[1.0])) == ()

"""Which array belongs to which layer: by names, by numbers, by order, nested or not."""

import pytest
from helpers.handmade_keras import entry, functional, sequential

from npcam import InputError
from npcam.keras_files import read_graph
from npcam.keras_files.arrays import SavedArray, SavedLayer
from npcam.keras_files.assign import assign, by_weight

INPUT = entry("InputLayer", "input_layer", batch_shape=[None, 8, 8, 3])


def array(name, layer="", weight=""):
    """An array that is only a name, so that it is seen where it goes."""
    return SavedArray(layer, weight, name)


def test_one_layers_arrays_by_name_or_by_order():
    """All names known and different: by them, even if some are missing. Else by order, if the number fits."""
    known = ("kernel", "bias")
    k, b, x = array("K", weight="kernel"), array("B", weight="bias"), array("X")
    assert by_weight([b, k], known, known) == {"bias": "B", "kernel": "K"}
    assert by_weight([b], known, known) == {"bias": "B"}
    assert by_weight([], known, known) == {}
    assert by_weight([x, b], known, known) == {"kernel": "X", "bias": "B"}
    assert by_weight([k, k], known, known) == {"kernel": "K", "bias": "K"}
    gamma = array("G", weight="gamma")
    assert by_weight([gamma, b], known, known) == {"kernel": "G", "bias": "B"}
    assert by_weight([x], known, known) is None
    assert by_weight([k, b, x], known, known) is None
    assert by_weight([x], known, ["kernel"]) == {"kernel": "X"}


def flat():
    """A convolution and a batch norm in one model."""
    layers = [
        INPUT,
        entry("Conv2D", "conv", "input_layer"),
        entry("BatchNormalization", "bn", "conv", scale=False),
    ]
    return read_graph(functional("m", layers, "bn"), "x")


def find(graph, saved, *paths):
    """The arrays of these layers."""
    return assign({"/".join(path): graph.nodes[path] for path in paths}, graph, saved, "x.h5")


def test_the_older_layout():
    """A layer by its name; its arrays by theirs, or by their order."""
    saved = [
        SavedLayer(("bn",), (), tuple(array(n) for n in "bmv")),
        SavedLayer(("conv",), (), (array("K", "conv", "kernel"), array("B", "conv", "bias"))),
    ]
    assert find(flat(), saved, ("conv",), ("bn",)) == {
        "conv": {"kernel": "K", "bias": "B"},
        "bn": {"beta": "b", "moving_mean": "m", "moving_variance": "v"},
    }
    assert find(flat(), saved[1:], ("bn",)) == {"bn": {}}


def test_the_newer_layout():
    """A layer by class and number; where the name beside it is another's, by name."""
    conv, bn = (array("K"), array("B")), tuple(array(n) for n in "bmv")
    by_slot = [SavedLayer((), ("conv2d",), conv), SavedLayer((), ("batch_normalization",), bn)]
    expected = {
        "conv": {"kernel": "K", "bias": "B"},
        "bn": {"beta": "b", "moving_mean": "m", "moving_variance": "v"},
    }
    assert find(flat(), by_slot, ("conv",), ("bn",)) == expected
    named = [SavedLayer(("conv",), ("conv2d_7",), conv), SavedLayer(("bn",), ("batch_normalization",), bn)]
    assert find(flat(), named, ("conv",), ("bn",)) == expected
    swapped = [SavedLayer(("other",), ("conv2d",), (array("X"), array("Y"))), *named]
    assert find(flat(), swapped, ("conv",), ("bn",)) == expected
    # A name that nobody in the file has leaves what the number says.
    other = [SavedLayer(("other",), ("conv2d",), conv), by_slot[1]]
    assert find(flat(), other, ("conv",), ("bn",)) == expected
    # A path of another depth says nothing: the models around it have no names.
    deeper = [
        SavedLayer(("a", "conv"), ("conv2d",), conv),
        SavedLayer(("conv",), ("x",), (array("X"),)),
        by_slot[1],
    ]
    assert find(flat(), deeper, ("conv",)) == {"conv": expected["conv"]}
    assert find(flat(), by_slot[1:], ("conv",)) == {"conv": {}}


def test_arrays_that_do_not_fit():
    """As many as the configuration says, or names."""
    saved = [SavedLayer(("conv",), (), tuple(array(n) for n in "abc"))]
    with pytest.raises(InputError) as error:
        find(flat(), saved, ("conv",))
    assert str(error.value) == "x.h5: conv (Conv2D) has 3 arrays, expected kernel, bias"


def nested(frozen=()):
    """A model of two convolutions and a batch norm within a model, some of them frozen."""
    layers = [
        entry("Conv2D", "c1", trainable="c1" not in frozen),
        entry("BatchNormalization", "bn", trainable="bn" not in frozen),
        entry("Conv2D", "c2", use_bias=False, trainable="c2" not in frozen),
    ]
    inner = sequential("inner", layers) | {"name": "inner"}
    other = sequential("other", [entry("Conv2D", "o")]) | {"name": "other"}
    return read_graph(sequential("m", [INPUT, other, inner, entry("Dense", "d")]), "x")


PATHS = [("inner", "c1"), ("inner", "bn"), ("inner", "c2")]


def test_a_nested_model_by_names():
    """In the older layout it is one layer, whose arrays say which of its layers they belong to."""
    arrays = [
        array("c2k", "c2", "kernel"),
        array("mean", "bn", "moving_mean"),
        array("var", "bn", "moving_variance"),
        array("beta", "bn", "beta"),
        array("gamma", "bn", "gamma"),
        array("c1b", "c1", "bias"),
        array("c1k", "c1", "kernel"),
    ]
    assert find(nested(), [SavedLayer(("inner",), (), tuple(arrays))], *PATHS) == {
        "inner/c1": {"bias": "c1b", "kernel": "c1k"},
        "inner/bn": {"moving_mean": "mean", "moving_variance": "var", "beta": "beta", "gamma": "gamma"},
        "inner/c2": {"kernel": "c2k"},
    }


def test_a_model_in_a_nested_model():
    """Its layers, too, are told by the last part of their path."""
    deep = sequential("deep", [entry("Conv2D", "c", use_bias=False)]) | {"name": "deep"}
    inner = sequential("inner", [deep, entry("Conv2D", "d", use_bias=False)]) | {"name": "inner"}
    graph = read_graph(sequential("m", [INPUT, inner]), "x")
    saved = [SavedLayer(("inner",), (), (array("D", "d", "kernel"), array("C", "c", "kernel")))]
    assert find(graph, saved, ("inner", "deep", "c"), ("inner", "d")) == {
        "inner/deep/c": {"kernel": "C"},
        "inner/d": {"kernel": "D"},
    }


@pytest.mark.parametrize(
    ("frozen", "order"),
    [
        ((), "c1/kernel c1/bias bn/gamma bn/beta c2/kernel bn/moving_mean bn/moving_variance"),
        (("c1",), "bn/gamma bn/beta c2/kernel c1/kernel c1/bias bn/moving_mean bn/moving_variance"),
        (("bn",), "c1/kernel c1/bias c2/kernel bn/gamma bn/beta bn/moving_mean bn/moving_variance"),
        (
            ("c1", "bn", "c2"),
            "c1/kernel c1/bias bn/gamma bn/beta bn/moving_mean bn/moving_variance c2/kernel",
        ),
    ],
)
def test_a_nested_model_by_order(frozen, order):
    """Without names: what is trained in the model's order, then what is not, as Keras lists `weights`."""
    names = order.split()
    saved = [SavedLayer(("inner",), (), tuple(array(name) for name in names))]
    found = find(nested(frozen), saved, *PATHS)
    assert found == {
        f"inner/{layer}": {name.split("/")[1]: name for name in names if name.startswith(layer)}
        for layer in ("c1", "bn", "c2")
    }


def test_a_nested_model_of_another_number_of_arrays():
    """Then order tells nothing."""
    saved = [SavedLayer(("inner",), (), tuple(array(n) for n in "abcdef"))]
    with pytest.raises(InputError) as error:
        find(nested(), saved, ("inner", "c1"))
    assert str(error.value) == "x.h5: inner holds 6 arrays, its configuration names 7"

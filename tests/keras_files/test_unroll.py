"""Configurations of every Keras as one flat graph: what reads what, nests unrolled, contradiction refused."""

import copy

import pytest
from helpers.handmade_keras import SMALL, changed, config_of, entry, functional, sequential, snake_case

from npcam import InputError
from npcam.common.limits import MAX_KERAS_LAYERS, MAX_KERAS_NESTING
from npcam.keras_files import read_graph
from npcam.keras_files.graph import Call, Tensor
from npcam.layers import layers


def graph_of(config):
    return read_graph(config, "x.keras")


def inputs_of(graph):
    """What each layer reads, by paths as text."""
    return {"/".join(path): ["/".join(i) for i in node.inputs] for path, node in graph.nodes.items()}


def refused(config, reason):
    """The configuration is refused in one line that begins so."""
    with pytest.raises(InputError) as error:
        graph_of(config)
    message = str(error.value)
    assert message == f"x.keras: {reason}" or (
        reason.endswith("(") and message.startswith(f"x.keras: {reason}")
    )


def test_a_whole_resnet():
    """Every layer reads what the network's table says, and keeps its class and its settings."""
    graph = graph_of(config_of())
    assert inputs_of(graph) == {layer.name: list(layer.inputs) for layer in layers(SMALL)}
    assert graph.outputs == (("predictions",),)
    for layer in layers(SMALL):
        node = graph.nodes[(layer.name,)]
        assert (node.path, node.kind, node.trainable) == ((layer.name,), layer.kind, True)
        assert node.config["name"] == layer.name
    numbers = {}
    for node in graph.nodes.values():  # as they are numbered in a `.weights.h5`
        number = numbers[node.kind] = numbers.get(node.kind, -1) + 1
        assert node.slot == (snake_case(node.kind) + (f"_{number}" if number else ""),)


def keras_2(entry):
    """A layer as Keras 2 wrote it: a list of [name, node, tensor, keywords] for each call."""

    def sources(call):
        if isinstance(call, dict) and "keras_history" in call:
            return [call["keras_history"][0]]
        parts = call.values() if isinstance(call, dict) else call if isinstance(call, list) else ()
        return [name for part in parts for name in sources(part)]

    calls = [[[name, 0, 0, {}] for name in sources(call)] for call in entry["inbound_nodes"]]
    return {key: entry[key] for key in ("class_name", "config", "name")} | {"inbound_nodes": calls}


def older(config, class_name, keywords=True):
    """A Functional model as Keras 2 wrote it, or Keras 1, which left out the keywords."""
    config = copy.deepcopy(config)
    config["class_name"] = class_name
    config["config"]["layers"] = [keras_2(e) for e in config["config"]["layers"]]
    if not keywords:
        for e in config["config"]["layers"]:
            e["inbound_nodes"] = [[source[:3] for source in call] for call in e["inbound_nodes"]]
            if e["class_name"] == "Conv2D":
                e["class_name"] = "Convolution2D"
    ends = config["config"]["output_layers"]
    config["config"]["output_layers"] = [ends]
    return config


@pytest.mark.parametrize(
    ("class_name", "keywords"), [("Functional", True), ("Model", True), ("Model", False)]
)
def test_older_keras(class_name, keywords):
    """The same graph comes out of Keras 2's and Keras 1's configurations."""
    found, expected = graph_of(older(config_of(), class_name, keywords)), graph_of(config_of())
    assert inputs_of(found) == inputs_of(expected)
    assert found.outputs == expected.outputs
    assert [node.kind for node in found.nodes.values()] == [node.kind for node in expected.nodes.values()]
    assert [node.slot for node in found.nodes.values()] == [node.slot for node in expected.nodes.values()]


INPUT = entry("InputLayer", "input_layer", batch_shape=[None, 8, 8, 3])


def test_keras_1s_layers():
    """Convolution2D is today's Conv2D, and is counted as one."""
    graph = graph_of(sequential("s", [INPUT, entry("Convolution2D", "a"), entry("Conv2D", "b")]))
    assert [(node.kind, node.slot) for node in graph.nodes.values()][1:] == [
        ("Conv2D", ("conv2d",)),
        ("Conv2D", ("conv2d_1",)),
    ]


def test_inputs_and_outputs_as_dictionaries():
    """Keras 3 writes them so where a model was built with names."""
    config = functional("m", [INPUT, entry("Dense", "a", "input_layer"), entry("Dense", "b", "a")], "b")
    config["config"]["input_layers"] = {"x": ["input_layer", 0, 0]}
    config["config"]["output_layers"] = {"first": ["a", 0, 0], "second": ["b", 0, 0]}
    assert graph_of(config).outputs == (("a",), ("b",))


def test_calls():
    """What a layer was called with, by Keras 3, 2 and 1; Keras 3 overrules what it notes of training."""
    x = Tensor(("input_layer",))
    new = entry("Add", "sum", "input_layer", "input_layer")
    new["inbound_nodes"][0]["args"] += [2.5, {"class_name": "other"}]
    new["inbound_nodes"][0]["kwargs"] = {"training": True}
    old = {
        **entry("Add", "sum"),
        "inbound_nodes": [[["input_layer", 0, 0, {"training": True}], ["input_layer", 0, 0, {}]]],
    }
    one = {**entry("Add", "sum"), "inbound_nodes": [["input_layer", 0, 0, {"y": 1}]]}
    for last, call, count in (
        (new, Call(([x, x], 2.5, {"class_name": "other"})), 2),
        (old, Call(([x, x],), (("training", True),)), 2),
        (one, Call((x,), (("y", 1),)), 1),
    ):
        node = graph_of(functional("m", [INPUT, last], "sum")).nodes[("sum",)]
        assert node.inputs == (("input_layer",),) * count
        assert node.call == call


def test_what_is_no_tensor():
    """Lists that only look like one: too short, too long, a name that is none, numbers that are none."""
    for fake in (
        ["input_layer", 0],
        ["input_layer", 0, 0, {}, 1],
        [1, 0, 0],
        ["input_layer", "0", 0],
        ["input_layer", 0, "0"],
    ):
        last = {**entry("Dense", "a"), "inbound_nodes": [[["input_layer", 0, 0, {}], fake]]}
        graph = graph_of(functional("m", [INPUT, last], "a"))
        assert graph.nodes[("a",)].inputs == (("input_layer",),)


def test_tensors_in_keywords():
    """Keras 3's layers may be called by keyword."""
    last = entry("Dense", "a", "input_layer")
    last["inbound_nodes"] = [{"args": [], "kwargs": {"inputs": last["inbound_nodes"][0]["args"][0]}}]
    assert graph_of(functional("m", [INPUT, last], "a")).nodes[("a",)].inputs == (("input_layer",),)


def test_sequential():
    """Its layers follow each other, whether the input is among them or only its shape is."""
    for config, shape in (
        (sequential("s", [INPUT, entry("Dense", "a"), entry("Dense", "b")]), [None, 8, 8, 3]),
        (sequential("s", [entry("Dense", "a", batch_input_shape=[None, 4]), entry("Dense", "b")]), [None, 4]),
        (sequential("s", [entry("Dense", "a"), entry("Dense", "b")]), None),
    ):
        graph = graph_of(config)
        first = next(node for node in graph.nodes.values() if node.kind == "InputLayer")
        assert first.config["batch_shape"] == shape
        assert first.inputs == ()
        assert graph.nodes[("a",)].inputs == (first.path,)
        assert graph.nodes[("b",)].inputs == (("a",),)
        assert graph.outputs == (("b",),)
        assert [node.slot for node in graph.nodes.values() if node.kind == "Dense"] == [
            ("dense",),
            ("dense_1",),
        ]
    built = sequential("s", [entry("Dense", "a")])
    built["config"]["build_input_shape"] = [None, 5]
    assert graph_of(built).nodes[("input",)].config["batch_shape"] == [None, 5]
    assert graph_of(built).nodes[("input",)].slot == ("input",)


@pytest.mark.parametrize("kind", ["Sequential", "Pipeline"])
def test_layers_in_a_row_within_a_model(kind):
    """A Sequential, or Keras 3's Pipeline, among a model's layers."""
    row = sequential("row", [entry("Rescaling", "a"), entry("Rescaling", "b")])
    row |= {
        "class_name": kind,
        "name": "row",
        "inbound_nodes": entry("x", "x", "input_layer")["inbound_nodes"],
    }
    graph = graph_of(functional("m", [INPUT, row, entry("Dense", "end", "row")], "end"))
    assert graph.nodes[("row", "b")].inputs == (("row", "a"),)
    assert graph.nodes[("end",)].inputs == (("row", "b"),)


def test_keras_1s_sequential():
    """Its layers stand in a bare list, and names only in their settings, or nowhere."""
    bare = {"class_name": "Dense", "config": {}}
    named = {"class_name": "Dense", "config": {"name": "b"}}
    graph = graph_of({"class_name": "Sequential", "config": [bare, named]})
    assert list(graph.nodes) == [("layer_0",), ("b",), ("input",)]
    assert graph.nodes[("b",)].inputs == (("layer_0",),)


def nest():
    """A Functional in a Sequential in a Functional, with layers around each."""
    first = {**INPUT, "name": "i", "config": {"name": "i"}}
    layers = [first, entry("Conv2D", "c", "i"), entry("Conv2D", "d", "c")]
    inner = functional("inner", layers, "d", inputs=("i",))
    inner = {**inner, "name": "inner"}
    middle = {
        **sequential("middle", [entry("Dropout", "drop"), inner, entry("Dense", "e")]),
        "name": "middle",
    }
    middle["inbound_nodes"] = entry("x", "x", "stem")["inbound_nodes"]
    return functional(
        "outer",
        [INPUT, entry("Conv2D", "stem", "input_layer"), middle, entry("Dense", "end", "middle")],
        "end",
    )


def test_nested_models():
    """What reads a model reads its last layer; what begins a model reads what the model is called with."""
    graph = graph_of(nest())
    assert inputs_of(graph) == {
        "input_layer": [],
        "stem": ["input_layer"],
        "middle/drop": ["stem"],
        "middle/inner/i": [],
        "middle/inner/c": ["middle/drop"],
        "middle/inner/d": ["middle/inner/c"],
        "middle/e": ["middle/inner/d"],
        "middle/input": [],
        "end": ["middle/e"],
    }
    assert graph.nodes[("middle", "inner", "d")].slot == ("sequential", "functional", "conv2d_1")
    assert graph.outputs == (("end",),)


def test_a_model_that_ends_with_a_model():
    """Its output is that of the inner one, by its number where there are several."""
    inner = functional(
        "inner",
        [{**INPUT, "name": "i"}, entry("Dense", "a", "i"), entry("Dense", "b", "a")],
        "b",
        "a",
        inputs=("i",),
    )
    inner = {**inner, "name": "inner", "inbound_nodes": entry("x", "x", "input_layer")["inbound_nodes"]}
    config = functional("outer", [INPUT, inner], "inner")
    assert graph_of(config).outputs == (("inner", "b"),)
    config["config"]["output_layers"] = ["inner", 0, 1]
    assert graph_of(config).outputs == (("inner", "a"),)
    read = entry("Dense", "end", "inner")
    read["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["inner", 0, 1]
    graph = graph_of(functional("outer", [INPUT, inner, read], "end"))
    assert graph.nodes[("end",)].inputs == (("inner", "a"),)
    config["config"]["output_layers"] = ["inner", 0, 2]
    refused(config, "the model's configuration is not one that Keras writes (")


def test_a_model_of_two_inputs():
    """Each input is that tensor which the model is called with in its place."""
    inputs = [entry("InputLayer", "p"), entry("InputLayer", "q")]
    inner = functional(
        "inner", [*inputs, entry("Dense", "a", "p"), entry("Dense", "b", "q")], "a", "b", inputs=("p", "q")
    )
    inner = {**inner, "name": "inner", "inbound_nodes": entry("x", "x", "one", "two")["inbound_nodes"]}
    config = functional(
        "outer", [INPUT, entry("Dense", "one", "input_layer"), entry("Dense", "two", "one"), inner], "inner"
    )
    graph = graph_of(config)
    assert graph.nodes[("inner", "a")].inputs == (("one",),)
    assert graph.nodes[("inner", "b")].inputs == (("two",),)


def test_frozen_layers():
    """A layer is trained unless it, or a model that it is in, was frozen."""

    def trained(config):
        return {
            "/".join(path): node.trainable
            for path, node in graph_of(config).nodes.items()
            if node.kind != "InputLayer"
        }

    everything = trained(nest())
    assert all(everything.values())
    alone = changed(nest(), "stem", trainable=False)
    assert trained(alone) == everything | {"stem": False}
    outer = nest()
    outer["config"]["trainable"] = False
    assert not any(trained(outer).values())
    middle = changed(nest(), "middle", trainable=False)
    assert trained(middle) == {name: "/" not in name for name in everything}
    inner = nest()
    inner["config"]["layers"][2]["config"]["layers"][1]["config"]["trainable"] = False
    assert trained(inner) == {name: "inner" not in name for name in everything}


def deep(levels):
    """Sequential models in each other."""
    config = sequential("s", [INPUT, entry("Dense", "a")])
    for _ in range(levels):
        config = sequential("s", [config | {"name": "m"}])
    return config


def test_how_deep_models_may_be_nested():
    """Eight models within the model, and not nine."""
    graph = graph_of(deep(MAX_KERAS_NESTING))
    assert graph.outputs == (("m",) * MAX_KERAS_NESTING + ("a",),)
    refused(deep(MAX_KERAS_NESTING + 1), f"models nested more than {MAX_KERAS_NESTING} deep; unpack them")


def test_how_many_layers_there_may_be():
    """5,000 in all models together, and not one more."""

    def config(count):
        inner = sequential("s", [entry("Dense", f"b{i}") for i in range(10)])
        return sequential("s", [*(entry("Dense", f"a{i}") for i in range(count - 11)), inner | {"name": "m"}])

    assert len(graph_of(config(MAX_KERAS_LAYERS)).nodes) >= MAX_KERAS_LAYERS - 1
    refused(config(MAX_KERAS_LAYERS + 1), f"more than {MAX_KERAS_LAYERS} layers; no ResNet has as many")


def test_what_is_no_model():
    """Classes of which the configuration does not say what they compute, and models without layers."""
    reason = "npcam reads Functional and Sequential models, whose configuration says what they compute"
    for wrong, name in (
        ({"class_name": "Evil", "config": {"layers": []}}, "'Evil'"),
        ({"class_name": "Functional", "config": {}}, "'Functional'"),
        ({"config": {"layers": []}}, "None"),
    ):
        refused(wrong, f"the model is of class {name}; {reason}")
        inner = {"class_name": "Evil", "config": {"layers": []}, "name": "inner"}
    refused(sequential("s", [INPUT, inner]), f"inner is of class 'Evil'; {reason}")
    refused(sequential("s", []), "the model has no layers")
    refused(sequential("s", [INPUT, sequential("m", []) | {"name": "m"}]), "m has no layers")
    for wrong in (None, [], "Functional", 1, {"class_name": "Functional", "config": {"layers": 1}}):
        refused(wrong, "the model's configuration is not one that Keras writes (")


def test_lambdas_are_named():
    """A Lambda holds code, which is not looked at."""
    config = sequential("s", [INPUT, entry("Lambda", "divide", function={"code": "x"}), entry("Dense", "a")])
    reason = "is Python code kept in the file, which npcam never runs; take it out of the model"
    refused(config, f"layer divide (Lambda) {reason}")


def test_layers_of_one_name():
    """Two layers of one model are told apart by their names; of two models they need not be."""
    twice = [INPUT, entry("Dense", "a"), entry("Dense", "a")]
    refused(sequential("s", twice), "two layers of the model are named a; rename one")
    refused(
        sequential("s", [INPUT, sequential("m", twice) | {"name": "m"}]),
        "two layers of m are named a; rename one",
    )
    assert graph_of(sequential("s", [sequential("m", twice[:2]) | {"name": "m"}, entry("Dense", "a")]))


def test_layers_that_are_used_twice():
    """Each call would be another place in the network."""
    twice = entry("Dense", "a", "input_layer")
    twice["inbound_nodes"] *= 2
    refused(functional("m", [INPUT, twice], "a"), "layer a is used 2 times; a ResNet uses each once")
    inner = functional("inner", [{**INPUT, "name": "i"}, twice], "a") | {"name": "inner"}
    inner["inbound_nodes"] = entry("x", "x", "input_layer")["inbound_nodes"]
    refused(
        functional("m", [INPUT, inner], "inner"), "layer inner/a is used 2 times; a ResNet uses each once"
    )


def test_layers_that_are_not_there():
    """A layer, or the model's end, that refers to nothing."""
    gone = "which is not there"
    refused(functional("m", [INPUT, entry("Dense", "a", "b")], "a"), f"a layer reads b, {gone}")
    refused(functional("m", [INPUT], "end"), f"a layer reads end, {gone}")
    inner = functional("inner", [INPUT, entry("Dense", "a", "b")], "a") | {"name": "inner"}
    refused(functional("m", [INPUT, inner], "input_layer"), f"a layer reads inner/b, {gone}")


def test_layers_in_a_circle():
    """A layer that reads itself, at once or by way of others; models that are each other's ends."""
    circle = "reads itself, by way of others"
    refused(functional("m", [INPUT, entry("Dense", "a", "a")], "a"), f"layer a {circle}")
    three = [entry("Dense", "c", "b"), entry("Dense", "a", "c"), entry("Dense", "b", "a")]
    refused(functional("m", [INPUT, *three], "a"), f"layer a {circle}")
    below = [*three, entry("Dense", "z", "b"), entry("Dense", "good", "input_layer")]
    refused(functional("m", [INPUT, *below], "good"), f"layer a {circle}")
    inner = functional("inner", [], "inner", inputs=()) | {"name": "inner"}
    inner["config"]["layers"] = [functional("inner", [INPUT], "i", inputs=()) | {"name": "i"}]
    inner["config"]["layers"][0]["config"]["output_layers"] = ["i", 0, 0]
    refused(functional("m", [INPUT, inner], "inner"), "a layer reads inner/inner, which is not there")


def test_models_in_a_circle():
    """A model that is called with its own output is followed for a while, not forever."""
    inner = functional("inner", [{**INPUT, "name": "i"}, entry("Dense", "a", "i")], "i", inputs=("i",)) | {
        "name": "inner"
    }
    inner["inbound_nodes"] = entry("x", "x", "inner")["inbound_nodes"]
    refused(functional("m", [INPUT, inner, entry("Dense", "b", "inner")], "b"), "models nested in a circle")

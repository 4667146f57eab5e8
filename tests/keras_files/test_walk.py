"""A graph walked backwards: past what does nothing, and never past what does something."""

import pytest

from npcam import InputError
from npcam.keras_files.graph import Call, Graph, Node, Tensor
from npcam.keras_files.walk import Walk

# Keras's layers that do nothing outside of training.
IDENTITIES = (
    *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("ActivityRegularization", "Identity", "StopGradient", "AugMix", "CutMix", "MixUp", "RandAugment"),
    *("RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast"),
    *("RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale"),
    *("RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization"),
    *("RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation"),
    *("RandomWidth", "RandomZoom"),
)


def walk(outputs, **layers):
    """A graph of layers, each given as (class, layers that it reads, settings, keywords of the call)."""
    nodes = {}
    for name, (kind, inputs, *more) in layers.items():
        config = more[0] if more else {}
        call = Call(tuple(Tensor((i,)) for i in inputs), tuple(more[1].items()) if len(more) > 1 else ())
        nodes[(name,)] = Node((name,), (name,), kind, config, tuple((i,) for i in inputs), call, True)
    return Walk(Graph(nodes, tuple((o,) for o in outputs)), "x.h5")


def names(nodes):
    return [node.path[-1] for node in nodes]


def refused(reason, step):
    """The step is refused for exactly that reason."""
    with pytest.raises(InputError) as error:
        step()
    assert str(error.value) == f"x.h5: {reason}"


def test_what_does_nothing_is_skipped():
    """Dropout and the like, and linear activations, one after another."""
    layers = {"first": ("Conv2D", [])}
    below = "first"
    for kind in IDENTITIES:
        layers[kind] = (kind, [below])
        below = kind
    layers["linear"] = ("Activation", [below], {"activation": "linear"})
    layers["end"] = ("Dense", ["linear"])
    w = walk(["end"], **layers)
    end = w.graph.nodes[("end",)]
    assert w.before(end).path == ("first",)
    assert w.skip(w.graph.nodes[("linear",)]).path == ("first",)
    assert w.skip(end) is end
    assert names(w.sources(end)) == ["first"]
    assert w.skip(Node(("x",), (), "LayerNormalization", {}, (("first",),), Call(), True)).path == ("x",)
    relu = Node(("r",), (), "Activation", {"activation": "relu"}, (("first",),), Call(), True)
    assert w.skip(relu) is relu


def test_casts():
    """To floats that hold what npcam computes with; a cast to anything else does something."""
    for dtype, does_nothing in (("float32", True), ("float64", True), ("float16", False), ("uint8", False)):
        for more in (({"dtype": dtype},), ({}, {"dtype": dtype})):
            w = walk(["cast"], first=("Conv2D", []), cast=("Cast", ["first"], *more))
            assert w.passes(w.graph.nodes[("cast",)]) == does_nothing
    w = walk(["cast"], first=("Conv2D", []), cast=("Cast", ["first"]))
    assert not w.passes(w.graph.nodes[("cast",)])


def test_in_order():
    """Each layer stands after those that it reads, once; what lies below an end is left out."""
    w = walk(
        ["d"],
        d=("D", ["b", "c"]),
        c=("C", ["a", "b"]),
        b=("B", ["a"]),
        a=("A", ["z"]),
        z=("Z", []),
        other=("O", ["a"]),
    )
    assert names(w.in_order(("d",))) == ["z", "a", "b", "c", "d"]
    assert names(w.in_order(("d",), [("a",)])) == ["a", "b", "c", "d"]
    assert names(w.in_order(("d",), {("b",), ("c",)})) in (["b", "c", "d"], ["c", "b", "d"])
    assert names(w.in_order(("d",), {("d",)})) == ["d"]


def test_dropout_that_always_drops():
    """Called with training=True it gives other numbers each time."""
    w = walk(["drop"], first=("Conv2D", []), drop=("Dropout", ["first"], {}, {"training": True}))
    refused("drop (Dropout) was called with training=True: no two runs give the same numbers", w.output)


def test_layers_that_read_several():
    """Where one layer is expected, two or none are refused; a sum has its sources in order."""
    w = walk(
        ["sum"],
        a=("Conv2D", []),
        b=("Conv2D", ["a"]),
        drop=("Dropout", ["b"]),
        sum=("Add", ["drop", "a"]),
        odd=("Dropout", ["a", "b"]),
    )
    nodes = w.graph.nodes
    assert names(w.sources(nodes[("sum",)])) == ["b", "a"]
    refused("sum (Add) reads 2 layers; 1 expected", lambda: w.before(nodes[("sum",)]))
    refused("a (Conv2D) reads 0 layers; 1 expected", lambda: w.before(nodes[("a",)]))
    refused("odd (Dropout) reads 2 layers; 1 expected", lambda: w.skip(nodes[("odd",)]))


def test_ancestors():
    """A layer itself and all below it, by whatever way."""
    w = walk(["d"], a=("A", []), b=("B", ["a"]), c=("C", ["a"]), d=("D", ["b", "c"]), e=("E", ["d"]))
    assert w.ancestors(("d",)) == {("a",), ("b",), ("c",), ("d",)}
    assert w.ancestors(("a",)) == {("a",)}


def test_the_output_is_the_last():
    """Of several outputs, the one that all others lead to; past what does nothing."""
    layers = {"a": ("A", []), "b": ("B", ["a"]), "c": ("Dropout", ["b"]), "z": ("Z", ["a"])}
    assert walk(["c"], **layers).output().path == ("b",)
    assert walk(["c", "a", "b"], **layers).output().path == ("b",)
    assert walk(["a"], **layers).output().path == ("a",)
    reason = "do not lie on one path; npcam runs one classifier"
    refused(f"outputs c, z {reason}", lambda: walk(["z", "c"], **layers).output())
    refused(f"outputs b, c, z {reason}", lambda: walk(["z", "c", "b"], **layers).output())


def test_what_is_expected():
    """A layer of that class; a plain ReLU, however it is written."""
    w = walk([], a=("Conv2D", []))
    a = w.graph.nodes[("a",)]
    assert w.expect(a, "Conv2D") is a
    refused("a (Conv2D) where a ResNet has a Dense", lambda: w.expect(a, "Dense"))
    tensorflow = ("TFOpLambda", {"function": "nn.relu"})
    for kind, config in (("ReLU", {}), ("Relu", {}), ("Activation", {"activation": "relu"}), tensorflow):
        relu = a._replace(kind=kind, config=config)
        assert w.expect_relu(relu) is relu
        assert w.is_relu(relu)
    assert not w.is_relu(a._replace(config={"activation": "relu"}))
    refused(
        "a (Conv2D) where a ResNet has a ReLU",
        lambda: w.expect_relu(a._replace(config={"activation": "relu"})),
    )
    elu = a._replace(kind="Activation", config={"activation": "elu"})
    refused("a (Activation) of function elu where a ResNet has a plain ReLU", lambda: w.expect_relu(elu))
    capped = a._replace(kind="ReLU", config={"max_value": 6})
    refused(
        "a (ReLU) of function relu with max_value where a ResNet has a plain ReLU",
        lambda: w.expect_relu(capped),
    )

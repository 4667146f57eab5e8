"""Models as people build them: nested, cut, with other tops; what converts, and what is refused by name."""

import numpy as np
import pytest
from helpers.agreement import PROBABILITY, RELATIVE, photographs
from helpers.keras_models import keras, layers, outputs, predictions, randomise, resnet

from npcam import InputError
from npcam.keras_files import read_keras

X = photographs()


def backbone(**options):
    """A narrow ResNet without its Dense layer."""
    return resnet(blocks=(1, 1), width=8, **({"top": None} | options))


def topped(*top, **options):
    """A backbone with these layers on top, in one flat model."""
    body = backbone(**options)
    y = body.output
    for layer in top:
        y = layer(y)
    return keras.Model(body.input, y)


def nested_sequential():
    inner = keras.Sequential([layers.Input((64, 64, 3)), backbone(), layers.GlobalAveragePooling2D()])
    return keras.Sequential(
        [layers.Input((64, 64, 3)), inner, layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )


def nested_functional():
    body = backbone(top="pooled")
    body.trainable = False
    source = layers.Input((64, 64, 3))
    y = layers.RandomFlip()(source)
    y = body(y, training=False)
    return keras.Model(source, layers.Dense(3, activation="sigmoid")(layers.Dropout(0.2)(y)))


def head_as_model():
    head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(3)])
    source = layers.Input((64, 64, 3))
    return keras.Model(source, head(backbone()(source)))


def with_outputs():
    body = backbone(top="gap")
    return keras.Model(body.input, [body.get_layer("conv3_block1_out").output, body.output])


def built_later():
    model = keras.Sequential([backbone(top="pooled"), layers.Dense(3, activation="softmax")])
    model.build((None, 64, 64, 3))
    return model


def cloned(change):
    """A model with every layer's settings changed by a function."""

    def clone(layer):
        return change(layer, layer.get_config())

    return keras.models.clone_model(backbone(top="gap"), clone_function=clone)


def plain_relus(layer, config):
    return layers.ReLU(name=layer.name) if layer.name.endswith("relu") else type(layer).from_config(config)


def no_scale(layer, config):
    if isinstance(layer, layers.BatchNormalization):
        config |= {"scale": False, "center": not layer.name.endswith("1_bn")}
    return type(layer).from_config(config)


def no_bias(layer, config):
    change = {"use_bias": False} if isinstance(layer, layers.Conv2D) else {}
    return type(layer).from_config(config | change)


def above(build):
    """A backbone with whatever `build` makes of its maps."""
    body = backbone()
    return keras.Model(body.input, build(body.output))


def side_by_side(maps):
    """Maps and a convolution of them, joined before the average is taken."""
    y = layers.Concatenate()([maps, layers.Conv2D(3, 1)(maps)])
    return layers.Dense(4, activation="softmax")(GAP()(y))


def gated(maps):
    """Maps that are multiplied by what a layer makes of their average."""
    gate = layers.Dense(64, activation="sigmoid")(GAP(keepdims=True)(maps))
    return layers.Dense(3)(GAP()(layers.Multiply(name="gated")([maps, gate])))


def averaged_predictions(maps):
    """Two heads, each with a softmax, averaged."""
    heads = [layers.Dense(3, activation="softmax", name=f"head_{i}")(GAP()(maps)) for i in (0, 1)]
    return layers.Average()(heads)


def of_two_stages():
    """Averages of two stages side by side."""
    body = backbone()
    ends = [body.get_layer(f"conv{stage}_block1_out").output for stage in (2, 3)]
    return keras.Model(body.input, layers.Dense(3)(layers.Concatenate()([GAP()(x) for x in ends])))


def two_inputs():
    """A network that is given a photograph and four numbers."""
    body = backbone(top="pooled")
    numbers = layers.Input((4,), name="numbers")
    y = layers.Dense(3)(layers.Concatenate()([body.output, numbers]))
    return keras.Model([body.input, numbers], y)


def with_operations(layer, config):
    """Whoever writes a network as functions gets operations where others have layers."""
    if layer.name.endswith(("relu", "_out")):
        return keras.ops.relu
    return (lambda x: x[0] + x[1]) if layer.name.endswith("add") else type(layer).from_config(config)


def of_operations():
    """A ResNet whose ReLUs and additions are operations."""
    made = {}

    def call(layer, x, **options):
        made.setdefault(layer.name, with_operations(layer, layer.get_config()))
        return made[layer.name](x, **({} if "relu" in layer.name or "_add" in layer.name else options))

    body = backbone(top="gap")
    return keras.models.clone_model(body, clone_function=lambda layer: layer, call_function=call)


GAP = layers.GlobalAveragePooling2D
ACCEPTED = {
    "flattened": lambda: topped(GAP(), layers.Dropout(0.5), layers.Dense(4, activation="softmax")),
    "dropout before": lambda: topped(layers.SpatialDropout2D(0.1), GAP(), layers.Dense(4, "softmax")),
    "keepdims": lambda: topped(GAP(keepdims=True), layers.Flatten(), layers.Dense(4, use_bias=False)),
    "two linear Dense": lambda: topped(GAP(), layers.Dense(4), layers.Dense(3, activation="softmax")),
    "softmax layer": lambda: topped(GAP(), layers.Dense(4), layers.Softmax()),
    "sigmoid activation": lambda: topped(GAP(), layers.Dense(4), layers.Activation("sigmoid")),
    "average 2017": lambda: topped(layers.AveragePooling2D(8), layers.Flatten(), layers.Dense(4)),
    "no bias": lambda: cloned(no_bias),
    "stride in 3x3": lambda: resnet(blocks=(1, 1), stride_in=2),
    "any size": lambda: resnet(blocks=(1, 1), size=None),
    "nested sequential": nested_sequential,
    "nested functional": nested_functional,
    "head as model": head_as_model,
    "maps side by side": lambda: above(side_by_side),
    "several outputs": with_outputs,
    "built later": built_later,
    "relu layers": lambda: cloned(plain_relus),
    "no scale": lambda: cloned(no_scale),
    "operations": of_operations,
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(tmp_path, case):
    """However it is built, and in whichever layout, it gives Keras's numbers."""
    model = randomise(ACCEPTED[case]())
    expected = predictions(model, X)
    expected = expected[-1] if isinstance(expected, list) else expected
    for layout in ("a.keras", "a.h5"):
        model.save(tmp_path / layout)
        _, _, found = outputs(read_keras(tmp_path / layout), X)
        assert np.abs(found - expected).max() < PROBABILITY * max(1, np.abs(expected).max())


@pytest.mark.parametrize("top", [None, "pooled"])
def test_backbones(tmp_path, top):
    """Without a Dense layer the maps are there, and no classes."""
    model = randomise(backbone(top=top))
    model.save(tmp_path / "a.keras")
    weights = read_keras(tmp_path / "a.keras")
    assert weights.architecture.activation is None
    maps, _, _ = outputs(weights, X)
    expected = predictions(model, X)
    maps = maps.mean(axis=(1, 2)) if top else maps
    assert np.abs(maps - expected).max() < RELATIVE * np.abs(expected).max()


def test_front_is_reported(tmp_path):
    """Layers in front of the ResNet are listed: those that do nothing, and those that preprocess."""
    source = layers.Input((64, 72, 3))
    y = layers.RandomFlip(name="flip")(source)
    y = layers.Rescaling(1 / 255.0, name="rescale")(y)
    model = keras.Model(source, resnet(blocks=(1,), size=(64, 72))(y))
    model.save(tmp_path / "a.keras")
    weights = read_keras(tmp_path / "a.keras")
    assert weights.notes == (
        "in front of the ResNet, not run by npcam: flip (RandomFlip)",
        "in front of the ResNet, part of the preprocessing now: rescale (Rescaling)",
        "the model preprocesses by itself, so it is given RGB 0 to 255",
    )
    assert weights.input_size == (64, 72)


def twice():
    body = backbone(top="pooled")
    source = layers.Input((64, 64, 3))
    return keras.Model(source, layers.Dense(2)(layers.Add()([body(source), body(source)])))


def basic_blocks():
    """The block of ResNet-18: two 3x3 convolutions."""
    source = layers.Input((64, 64, 3))
    y = layers.BatchNormalization()(layers.Conv2D(4, 7, strides=2)(layers.ZeroPadding2D(3)(source)))
    x = y = layers.MaxPooling2D(3, strides=2)(layers.ReLU()(y))
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y)))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
    y = layers.ReLU(name="end")(layers.Add(name="sum")([x, y]))
    return keras.Model(source, layers.Dense(2)(GAP()(y)))


def changed(name, **settings):
    """A ResNet in which one layer has other settings."""

    def change(layer, config):
        return type(layer).from_config(config | settings if layer.name == name else config)

    return lambda: cloned(change)


REFUSED = {
    "two Dense": (
        lambda: topped(GAP(), layers.Dense(4, activation="relu", name="first"), layers.Dense(3)),
        "the top: first .Dense. has the activation relu, and more layers follow",
    ),
    "Flatten": (lambda: topped(layers.Flatten(name="flat"), layers.Dense(3)), "flat .Flatten. where global"),
    "max pooling": (lambda: topped(layers.GlobalMaxPooling2D(), layers.Dense(3)), "takes the maximum"),
    "max pooling alone": (lambda: topped(layers.GlobalMaxPooling2D()), "takes the maximum"),
    "part of the map": (
        lambda: topped(layers.AveragePooling2D(4), layers.Flatten(), layers.Dense(3)),
        r"averages \(4, 4\) of a map of \(8, 8\)",
    ),
    "other activation": (lambda: topped(GAP(), layers.Dense(3, activation="relu")), "activation relu"),
    "two activations": (
        lambda: topped(GAP(), layers.Dense(3, activation="softmax"), layers.Activation("sigmoid")),
        "two activations",
    ),
    "convolution with a function": (
        lambda: topped(layers.Conv2D(3, 1, activation="relu", name="c"), GAP(), layers.Softmax()),
        "the top: c .Conv2D. has the activation relu, and more layers follow",
    ),
    "predictions at each position": (
        lambda: topped(layers.Dense(3, activation="softmax", name="d"), GAP()),
        "the top: d .Dense. has the activation softmax, and more layers follow",
    ),
    "predictions averaged": (
        lambda: above(averaged_predictions),
        "the top: head_[01] .Dense. has the activation softmax",
    ),
    "gated": (lambda: above(gated), "the top: gated .Multiply. is no linear layer"),
    "separable": (
        lambda: topped(layers.SeparableConv2D(3, 1, name="s"), GAP(), layers.Dense(2)),
        "the top: s .SeparableConv2D. is no linear layer",
    ),
    "each position by itself": (
        lambda: topped(
            layers.Reshape((-1, 64)),
            layers.TimeDistributed(layers.Dense(3), name="t"),
            layers.GlobalAveragePooling1D(),
        ),
        "the top: t .TimeDistributed. is no linear layer",
    ),
    "log softmax": (
        lambda: above(lambda maps: keras.ops.log_softmax(layers.Dense(3)(GAP()(maps)))),
        "the top: log_softmax.* .LogSoftmax. is no linear layer",
    ),
    "embedding": (
        lambda: topped(GAP(), layers.Dense(3), layers.UnitNormalization(name="u")),
        "the top: u .UnitNormalization. is no linear layer",
    ),
    "Dense with a function": (
        lambda: topped(GAP(), layers.Dense(4, "relu", name="first"), layers.Dense(3, "softmax")),
        "the top: first .Dense. has the activation relu, and more layers follow",
    ),
    "maps of several layers": (
        of_two_stages,
        "made of the maps of several layers, conv[23]_block1_out, conv.*; a ResNet's are of one ReLU",
    ),
    "average of unit length": (
        lambda: topped(GAP(), layers.UnitNormalization(name="u")),
        "the top: u .UnitNormalization. is no linear layer",
    ),
    "two inputs": (two_inputs, "numbers .InputLayer. is a second input of the top"),
    "V2": (lambda: keras.applications.ResNet50V2(weights=None, input_shape=(64, 64, 3)), "post_bn .*V2"),
    "basic blocks": (basic_blocks, "sum .Add. adds what is no bottleneck"),
    "used twice": (twice, "resnet50 is used 2 times"),
    "dilated": (changed("conv2_block1_2_conv", dilation_rate=(2, 2)), "conv2_block1_2_conv .* dilation"),
    "groups": (changed("conv2_block1_2_conv", groups=2), "conv2_block1_2_conv .* groups 2"),
    "fused relu": (changed("conv3_block1_3_conv", activation="relu"), "3_conv .* activation relu"),
    "elu": (changed("conv3_block1_1_relu", activation="elu"), "conv3_block1_1_relu .*elu"),
    "padding": (changed("pool1_pool", padding="same"), "pool1_pool .* padding"),
    "uneven padding": (changed("conv1_pad", padding=((3, 3), (2, 4))), "conv1_pad .* pads"),
    "two epsilons": (changed("conv2_block1_1_bn", epsilon=1e-3), "different epsilon"),
    "another axis": (changed("conv2_block1_2_bn", axis=1), "conv2_block1_2_bn .* axis 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    """What is not a ResNet that npcam runs, or has no class activation map, is refused by name."""
    make, reason = REFUSED[case]
    make().save(tmp_path / "a.keras")
    with pytest.raises(InputError, match=reason):
        read_keras(tmp_path / "a.keras")

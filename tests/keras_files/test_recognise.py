"""A graph held against a ResNet: which one it is, who plays which part, and what differs."""

import pytest
from helpers.handmade_keras import SMALL, changed, config_of, entry, tensors_of
from hypothesis import given, settings
from hypothesis import strategies as st

from npcam import InputError
from npcam.keras_files import read_graph, recognise
from npcam.keras_files.graph import Tensor
from npcam.layers import layers
from npcam.resnet import RESNET50, RESNET101, RESNET152, Architecture, last_activation

ARCHITECTURES = [
    SMALL,
    RESNET50,
    RESNET101,
    RESNET152,
    Architecture(blocks=(1,), strides=(1,)),
    Architecture(blocks=(2, 1, 3), strides=(2, 1, 3), stride_in=2),
    Architecture(blocks=(1, 1), strides=(1, 2), pool_padding=0, epsilon=1e-3),
    Architecture(blocks=(1, 1), strides=(1, 2), activation="sigmoid"),
    Architecture(blocks=(1, 1), strides=(1, 2), activation="linear"),
    Architecture(blocks=(1, 1), strides=(1, 2), activation=None),
]


def found(config):
    return recognise(read_graph(config, "x.h5"), "x.h5")


def refused(config, reason):
    """The configuration is refused for exactly that reason."""
    with pytest.raises(InputError) as error:
        found(config)
    assert str(error.value) == f"x.h5: {reason}"


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_architectures(arch):
    """The architecture comes back, and each of Keras's names is the layer of that name."""
    network = found(config_of(arch))
    assert network.architecture == arch
    assert {name: node.path for name, node in network.parts.items()} == {
        layer.name: (layer.name,)
        for layer in layers(arch)
        if layer.kind in ("Conv2D", "BatchNormalization", "Dense")
    }
    assert network.entry == Tensor(("input_layer",))
    assert network.head.end.path == (last_activation(arch),)


def test_names_do_not_matter():
    """The layers are found by what they do."""
    config = config_of()
    new = {e["name"]: f"layer{i}" for i, e in enumerate(reversed(config["config"]["layers"]))}
    text = repr(config)
    for name in sorted(new, key=len, reverse=True):
        text = text.replace(f"'{name}'", f"'{new[name]}'")
    network = found(eval(text))
    assert network.architecture == SMALL
    assert {name: node.path for name, node in network.parts.items()} == {n: (new[n],) for n in tensors_of()}


def block(config, name, **settings_by_part):
    """A configuration in which convolutions of a block have other strides."""
    for part, stride in settings_by_part.items():
        config = changed(config, f"{name}_{part[1:]}_conv", strides=[stride, stride])
    return config


def test_strides_of_stages():
    """All stages stride in the same convolution; a stride needs a convolution in the shortcut."""
    arch = Architecture(blocks=(1, 1, 1), strides=(1, 2, 2))
    mixed = block(config_of(arch), "conv3_block1", _1=1, _2=2)
    refused(mixed, "some stages stride in their 1x1, some in their 3x3 convolution")
    assert found(block(mixed, "conv4_block1", _1=1, _2=2)).architecture.stride_in == 2
    assert found(config_of(Architecture(blocks=(1, 1), strides=(1, 1)))).architecture.stride_in == 1


def test_the_first_block_projects():
    """Without a convolution in its shortcut the maps have no channels to begin with."""
    config = config_of()
    add = next(e for e in config["config"]["layers"] if e["name"] == "conv2_block1_add")
    add["inbound_nodes"] = entry("x", "x", "pool1_pool", "conv2_block1_3_bn")["inbound_nodes"]
    refused(config, "the first residual block has no convolution in its shortcut")
    none = config_of()
    gap = next(e for e in none["config"]["layers"] if e["name"] == "avg_pool")
    gap["inbound_nodes"] = entry("x", "x", "pool1_pool")["inbound_nodes"]
    refused(none, "pool1_pool (MaxPooling2D) where a ResNet has a ReLU")


@pytest.mark.parametrize("layer", ["conv1_bn", "conv2_block1_0_bn", "conv3_block2_3_bn"])
def test_one_epsilon(layer):
    """Any batch norm that has another is one too many."""
    refused(
        changed(config_of(), layer, epsilon=1e-3),
        "batch norms of different epsilon [1.001e-05, 0.001]; one expected",
    )


def test_batch_norms_are_looked_at():
    """What npcam does not run is refused by the layer's name."""
    refused(
        changed(config_of(), "conv3_block1_2_bn", axis=1),
        "conv3_block1_2_bn (BatchNormalization) normalises axis 1; the last one expected",
    )


def test_settings_of_other_types():
    """A setting that is no number, where a number should be, is one line, too."""
    for layer, wrong in (
        ("conv2_block1_2_conv", {"kernel_size": "3x3"}),
        ("conv1_bn", {"epsilon": "small"}),
        ("pool1_pool", {"strides": {}}),
    ):
        with pytest.raises(InputError) as error:
            found(changed(config_of(), layer, **wrong))
        start = "x.h5: the model's configuration is not one that Keras writes ("
        assert str(error.value).startswith(start)


KEYS = ["class_name", "config", "layers", "name", "inbound_nodes", "input_layers", "output_layers", "args"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
)


@settings(max_examples=100, deadline=10_000)
@given(JSON)
def test_any_configuration(config):
    """Whatever the JSON, it is a graph or a line."""
    functional = {"class_name": "Functional", "config": config}
    sequential = {"class_name": "Sequential", "config": {"layers": config}}
    for whole in (config, functional, sequential):
        try:
            found(whole)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017, either outcome is right

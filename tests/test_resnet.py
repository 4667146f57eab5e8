"""The forward pass against the definitions, and the architecture's data against the weights' names."""

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import naive, resnet
from npcam.layers import layers, output_shapes, weight_shapes
from npcam.resnet import RESNET50, RESNET101, RESNET152, Architecture

TINY = Architecture(blocks=(1, 1), strides=(1, 2))
VARIANTS = [
    RESNET50,
    Architecture(blocks=(1, 2), strides=(1, 2), stride_in=2),
    Architecture(blocks=(2, 1), strides=(1, 1), pool_padding=0, epsilon=1e-3),
    Architecture(blocks=(1, 1, 2), strides=(1, 2, 2), activation="sigmoid"),
    Architecture(blocks=(1,), strides=(1,), activation="linear"),
]


def trace(arch, tensors, x):
    """Every activation by name."""
    found = {"input_layer": x}
    maps = resnet.features(x, tensors, arch, found.setdefault)
    resnet.head(maps, tensors, arch, found.setdefault)
    return found


@pytest.mark.parametrize("arch", VARIANTS)
@pytest.mark.parametrize("size", [(32, 32), (47, 33)])
def test_the_layers_table_lists_what_the_forward_pass_makes(arch, size):
    """Names and output shapes of the table are those of the activations, for odd sizes too."""
    tensors = random_tensors(arch, width=2)
    found = trace(arch, tensors, np.zeros((3, *size, 3), np.float32))
    filters = {name: arrays["kernel"].shape[-1] for name, arrays in tensors.items() if "kernel" in arrays}
    expected = output_shapes(arch, filters, size)
    assert {name: (None, *value.shape[1:]) for name, value in found.items()} == expected
    assert [layer.name for layer in layers(arch)] == list(expected)


def test_the_forward_pass_equals_the_definitions(monkeypatch):
    """The same network run on plain loops: float64 throughout, so only the order of sums differs."""
    tensors = random_tensors(TINY, width=2, dtype=np.float64)
    x = np.random.default_rng(0).uniform(-120, 150, (1, 32, 33, 3))
    fast = trace(TINY, tensors, x)
    monkeypatch.setattr(resnet, "ops", naive)
    slow = trace(TINY, tensors, x)
    for name in fast:
        # sums of up to 147 products through 8 convolutions
        bound = 8 * 147 * np.finfo(np.float64).eps * np.abs(slow[name]).max()
        assert np.abs(fast[name] - slow[name]).max() <= bound, name


@pytest.mark.parametrize(
    ("arch", "parameters", "count"),
    [(RESNET50, 25_636_712, 177), (RESNET101, 44_707_176, 347), (RESNET152, 60_419_944, 517)],
)
def test_the_parameters_are_those_that_keras_publishes(arch, parameters, count):
    """Shapes of all weights add up to the published counts of ResNet-50, -101 and -152."""
    filters = {"conv1_conv": 64, "predictions": 1000}
    for layer in layers(arch):
        stage, _, place = layer.name.removesuffix("_conv").partition("_block")
        if place and layer.name.endswith("_conv"):
            f = 64 * 2 ** (int(stage.removeprefix("conv")) - 2)
            filters[layer.name] = f if place.endswith(("_1", "_2")) else 4 * f
    shapes = weight_shapes(arch, filters)
    assert sum(int(np.prod(s)) for arrays in shapes.values() for s in arrays.values()) == parameters
    assert len(layers(arch)) == count


@pytest.mark.parametrize(("arch", "depth"), [(RESNET50, 50), (RESNET101, 101), (RESNET152, 152)])
def test_the_depth_is_the_names(arch, depth):
    """Three convolutions a block, the stem and the dense layer, as He et al. count; sizes of every stage."""
    assert 3 * sum(arch.blocks) + 2 == depth
    filters = {layer.name: 1 for layer in layers(arch)}
    shapes = output_shapes(arch, filters, (224, 224))
    assert [shapes[f"conv{s}_block1_out"][1:3] for s in (2, 3, 4, 5)] == [
        (56, 56),
        (28, 28),
        (14, 14),
        (7, 7),
    ]
    assert shapes["pool1_pad"][1:3] == (114, 114)


def test_what_keep_returns_flows_on():
    """Putting an activation in another's place changes all that comes after it, and nothing before."""
    tensors = random_tensors(TINY, width=2)
    x = np.random.default_rng(0).uniform(-120, 150, (1, 32, 32, 3)).astype(np.float32)
    before, after = {}, {}

    def plain(name, value):
        return before.setdefault(name, value)

    def halved(name, value):
        return after.setdefault(name, value / 2 if name == "conv2_block1_out" else value)

    resnet.features(x, tensors, TINY, plain)
    resnet.features(x, tensors, TINY, halved)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert changed[0] == "conv2_block1_out"
    assert "conv3_block1_out" in changed


def test_float64_in_float64_out():
    """Any float type runs through unchanged."""
    for dtype in (np.float16, np.float32, np.float64):
        tensors = random_tensors(TINY, width=2, dtype=dtype)
        assert resnet.run(np.zeros((1, 32, 32, 3), dtype), tensors, TINY).logits.dtype == dtype


def test_a_backbone_puts_out_maps_alone():
    """Without a top there are no logits and no probabilities; the maps are those of the whole network."""
    arch = Architecture(blocks=(1, 1), strides=(1, 2), activation=None)
    tensors = random_tensors(TINY, width=2)
    x = np.random.default_rng(0).uniform(-120, 150, (1, 32, 32, 3)).astype(np.float32)
    maps = resnet.last_activation(arch)
    whole = resnet.run(x, tensors, TINY, [maps])
    alone = resnet.run(x, {name: w for name, w in tensors.items() if name != "predictions"}, arch, [maps])
    assert whole.logits is not None
    assert alone.logits is alone.probabilities is None
    np.testing.assert_array_equal(alone.activations[maps], whole.activations[maps])

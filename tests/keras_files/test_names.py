"""Layers told by Keras's names, in both schemes, and by their order and shapes where they have none."""

from types import SimpleNamespace

import pytest
from helpers.handmade_keras import tensors_of

from npcam import InputError
from npcam.keras_files.arrays import SavedArray
from npcam.keras_files.names import WeightLayer, by_order, count_blocks, is_old, is_v2, new_name
from npcam.layers import layers
from npcam.resnet import Architecture

OLD = {
    "conv1": "conv1_conv",
    "bn_conv1": "conv1_bn",
    "res2a_branch1": "conv2_block1_0_conv",
    "res2a_branch2a": "conv2_block1_1_conv",
    "bn2a_branch2b": "conv2_block1_2_bn",
    "bn2c_branch2c": "conv2_block3_3_bn",
    "res4z_branch2a": "conv4_block26_1_conv",
    "res3b1_branch2a": "conv3_block2_1_conv",  # ResNet-101's and -152's: a, b1, b2, ...
    "res4b22_branch2c": "conv4_block23_3_conv",
    "bn3b7_branch2a": "conv3_block8_1_bn",
}
NEW = ("conv1_conv", "conv1_bn", "conv2_block1_0_conv", "conv4_block36_3_bn", "conv9_block999_2_conv")
NEITHER = (
    "conv1_relu",
    "conv2d",
    "fc1000",
    "predictions",
    "conv2_block0_1_conv",
    "conv2_block1_4_conv",
    "conv1_block1_1_conv",
    "xconv1_conv",
    "conv1_convx",
    "res1a_branch2a",
    "res2a_branch2d",
    "res2ab_branch2a",
    "xres2a_branch2a",
    "dense_1",
    "",
)


def test_both_schemes():
    """Every name of 2017's becomes today's, today's stay, and others are none."""
    assert {name: new_name(name) for name in OLD} == OLD
    assert all(is_old(name) for name in OLD)
    assert [new_name(name) for name in NEW] == list(NEW)
    assert not any(is_old(name) for name in NEW)
    assert not any(new_name(name) or is_old(name) for name in NEITHER)


def test_names_of_version_2():
    """Layers that only a ResNetV2 has."""
    for name in ("post_bn", "conv2_block1_preact_bn", "conv5_block36_preact_bn"):
        assert is_v2(name)
    for name in ("conv2_block1_1_bn", "conv1_bn", "my_post_bn", "post_bn_1"):
        assert not is_v2(name)


@pytest.mark.parametrize("blocks", [(1,), (3, 4, 6, 3), (3, 8, 36, 3), (1, 10, 1)])
def test_blocks_are_counted(blocks):
    """From the names of a network's layers, in whatever order they come."""
    arch = Architecture(blocks=blocks, strides=(1,) * len(blocks))
    assert count_blocks({layer.name for layer in layers(arch)}) == blocks


def test_blocks_of_no_network():
    """No blocks are no stages; a stage without layers counts as one block, which then is missing."""
    assert count_blocks({"conv1_conv", "predictions"}) == ()
    assert count_blocks({"conv4_block2_1_conv", "conv1_conv"}) == (1, 1, 2)


def test_a_strangers_numbers_of_blocks():
    """A layer may be called anything: nothing is counted that no ResNet has, and no list grows with it."""
    strange = {"conv999999999_block1_1_conv", f"conv2_block{'9' * 5000}_1_conv", "conv2_block0_1_conv"}
    assert count_blocks(strange | {"conv2_block1_1_conv"}) == (1,)


def layer(*shape):
    """A layer of which only the shape of its kernel is known."""
    return WeightLayer("", "Conv2D", [SavedArray("", "", SimpleNamespace(shape=shape))])


def convolutions(arch, shortcut_last, width=2):
    """Names and layers in the order of a model, the shortcut's convolution before the third or after."""
    shapes = {
        n: arrays["kernel"].shape
        for n, arrays in tensors_of(arch, width).items()
        if "conv" in n and "kernel" in arrays
    }
    names = sorted(
        shapes, key=lambda n: (n[:-6], {"1": 0, "2": 1, "3": 3}.get(n[-6], 4 if shortcut_last else 2))
    )
    names.remove("conv1_conv")
    names = ["conv1_conv", *names]
    return names, [layer(*shapes[n]) for n in names]


@pytest.mark.parametrize("shortcut_last", [False, True])
@pytest.mark.parametrize("blocks", [(1,), (2, 1), (1, 3, 2, 1), (3, 4, 6, 3)])
def test_order(blocks, shortcut_last):
    """Each convolution, and the batch norm at the same place, gets the name that the model gives it."""
    arch = Architecture(blocks=blocks, strides=(1, 2, 2, 2)[: len(blocks)])
    names, convs = convolutions(arch, shortcut_last)
    norms = [layer(i) for i in range(len(convs))]
    found, main_first = by_order(convs, norms, "x")
    assert main_first == (shortcut_last if len(blocks) > 1 else None)
    if len(blocks) > 1 or not shortcut_last:
        assert {name: found[name] for name in names} == dict(zip(names, convs, strict=True))
        assert [found[name.replace("_conv", "_bn")] for name in names] == norms
        assert len(found) == 2 * len(names)


def test_what_no_resnet_has():
    """Numbers that differ, a first kernel that is no 7x7, kernels in another order, odd ends."""
    names, good = convolutions(Architecture(blocks=(1, 2), strides=(1, 2)), False)
    at = {name: i for i, name in enumerate(names)}
    assert by_order(good, good, "x")

    def refused(convs, norms, reason):
        with pytest.raises(InputError) as error:
            by_order(convs, norms, "a.h5")
        assert str(error.value) == f"a.h5: {reason}"

    none = "of other names, are no ResNet's; npcam converts ResNet-50, -101, -152"
    refused(good, good[1:], f"12 convolutions and 11 batch norms, {none}")
    refused([], [], f"0 convolutions and 0 batch norms, {none}")
    refused(good[1:], good[1:], f"11 convolutions and 11 batch norms, {none}")
    kernels = "convolutions of kernels that no bottleneck has; npcam converts ResNet-50 and up"
    refused(good[:1], good[:1], kernels)  # no block at all
    refused(good[:2], good[:2], kernels)
    refused(good[:3], good[:3], kernels)  # ends with a 3x3
    refused([good[0], *good[2:]], good[1:], kernels)  # no 1x1 before the first 3x3
    refused([good[0], *good], [*good, good[0]], kernels)
    end = at["conv2_block1_3_conv"] + 1
    refused([*good[:end], good[end - 1], *good[end:]], [*good, good[0]], kernels)  # four after a 3x3
    refused([*good, good[-1], good[-1]], [*good, *good[:2]], kernels)
    basic = [good[0], layer(1, 1, 2, 2), layer(3, 3, 2, 2), layer(3, 3, 2, 2)]
    refused(basic, basic, kernels)


def test_shortcuts_that_come_in_different_orders():
    """Keras builds all blocks of a network alike."""
    arch = Architecture(blocks=(1, 1, 1), strides=(1, 2, 2))
    (first, a), (_, b) = convolutions(arch, False), convolutions(arch, True)
    at = first.index("conv4_block1_1_conv")
    mixed = [*a[:at], *b[at:]]
    with pytest.raises(InputError) as error:
        by_order(mixed, mixed, "a.h5")
    assert str(error.value) == "a.h5: blocks whose shortcuts come in different orders; no ResNet of Keras's"

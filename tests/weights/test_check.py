"""Do these tensors make this network? Each missing, extra or misshapen one is named, and each odd number."""

import dataclasses
from math import inf, nan

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import InputError
from npcam.common.limits import MAX_INPUT_SIDE, MAX_STAGE_BLOCKS, MAX_STAGES, MAX_STRIDE
from npcam.layers import weight_shapes
from npcam.resnet import RESNET50, Architecture
from npcam.weights import Weights, check, check_shapes, compare_shapes

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))


def tensors(arch=ARCH, width=2, classes=3):
    """A network's tensors, to change."""
    found = random_tensors(arch, width, classes)
    return {layer: {name: array.copy() for name, array in arrays.items()} for layer, arrays in found.items()}


def shapes(changes=None):
    """The shapes of a small network, some of them changed; None takes a tensor out."""
    found = {layer: {n: a.shape for n, a in arrays.items()} for layer, arrays in tensors().items()}
    for name, shape in (changes or {}).items():
        layer, weight = name.split("/")
        if shape is None:
            del found[layer][weight]
        else:
            found.setdefault(layer, {})[weight] = shape
    return found


def refused(found, *reasons, arch=ARCH):
    """The shapes are refused for exactly these reasons."""
    with pytest.raises(InputError) as error:
        check_shapes(arch, found, "x.h5")
    start = f"x.h5: tensors do not fit a ResNet of {arch.blocks} blocks: "
    assert str(error.value) == start + "; ".join(reasons)


def test_shapes_that_fit():
    """A network's own, at any width."""
    check_shapes(ARCH, shapes(), "x.h5")
    filters = {layer: arrays["kernel"].shape[-1] for layer, arrays in tensors().items() if "kernel" in arrays}
    assert compare_shapes(weight_shapes(ARCH, filters), shapes()) == ([], [], [])


def test_missing_tensors():
    """The first four are named, then how many more there are."""
    refused(shapes({"conv1_bn/beta": None}), "1 missing: conv1_bn/beta")
    found = shapes()
    del found["conv1_bn"]
    names = [f"conv1_bn/{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")]
    refused(found, f"4 missing: {', '.join(names)}")
    del found["conv2_block1_1_conv"]["bias"]
    refused(found, f"5 missing: {', '.join(names)} and 1 more")


def test_extra_tensors():
    """Those of the network's layers, those of other layers, and layers without any."""
    refused(shapes({"conv1_conv/scale": (2,)}), "1 not of this network: conv1_conv/scale")
    refused(shapes({"extra/bias": (2,)}), "1 not of this network: extra/bias")
    refused(shapes() | {"extra": {}}, "1 not of this network: extra")


def test_misshapen_tensors():
    """What there is, and what should be."""
    refused(shapes({"conv1_bn/beta": (3,)}), "1 of the wrong shape: conv1_bn/beta (3,) (expected (2,))")
    refused(
        shapes({"predictions/kernel": (15, 3)}),
        "1 of the wrong shape: predictions/kernel (15, 3) (expected (16, 3))",
    )
    # Another number of filters shows in all that follows.
    bn = ", ".join(f"conv2_block1_1_bn/{n} (2,) (expected (5,))" for n in ("gamma", "beta", "moving_mean"))
    refused(
        shapes({"conv2_block1_1_conv/kernel": (1, 1, 2, 5)}),
        f"6 of the wrong shape: conv2_block1_1_conv/bias (2,) (expected (5,)), {bn} and 2 more",
    )


@pytest.mark.parametrize(
    "shape", [(), (2,), (7, 7, 3), (7, 7, 3, 2, 1), (7, 7, 3, 0), (0, 7, 3, 2), (7, 7, 4, 2), (5, 7, 3, 2)]
)
def test_kernels_of_other_shapes(shape):
    """A number, another rank, an empty one: whatever is no kernel is named."""
    with pytest.raises(InputError, match="of the wrong shape: conv1_conv/kernel"):
        check_shapes(ARCH, shapes({"conv1_conv/kernel": shape}), "x.h5")


def test_what_follows_a_missing_kernel():
    """Only the kernel is reported, not that nothing fits behind it; other mistakes behind it still are."""
    refused(shapes({"conv1_conv/kernel": None}), "1 missing: conv1_conv/kernel")
    refused(
        shapes({"conv1_conv/kernel": None, "conv1_conv/bias": (2, 1), "conv1_bn/beta": (0,)}),
        "1 missing: conv1_conv/kernel",
        "2 of the wrong shape: conv1_conv/bias (2, 1) (expected (0,)), conv1_bn/beta (0,) (expected (0,))",
    )


def test_all_kinds_at_once():
    """Missing, extra, misshapen: in this order, in one line."""
    refused(
        shapes({"conv1_bn/beta": None, "conv1_bn/x": (1,), "conv1_bn/gamma": (3,)}),
        "1 missing: conv1_bn/beta",
        "1 not of this network: conv1_bn/x",
        "1 of the wrong shape: conv1_bn/gamma (3,) (expected (2,))",
    )


def test_shortcuts_of_another_width():
    """A block's channels must be those of what they are added to, be it a convolution or the block before."""
    for arch, block in ((ARCH, "conv3_block1"), (Architecture(blocks=(2,), strides=(1,)), "conv2_block2")):
        found = {layer: {n: a.shape for n, a in arrays.items()} for layer, arrays in tensors(arch).items()}
        old = found[f"{block}_3_conv"]["bias"][0]
        for layer in (f"{block}_3_conv", f"{block}_3_bn"):
            found[layer] = {n: (*s[:-1], old + 1) for n, s in found[layer].items()}
        found["predictions"]["kernel"] = (old + 1, 3)
        refused(
            found,
            f"1 of the wrong shape: {block}_3_conv puts out {old + 1} channels, its shortcut {old}",
            arch=arch,
        )
    refused(shapes({"conv3_block1_3_conv/kernel": None}), "1 missing: conv3_block1_3_conv/kernel")
    refused(shapes({"conv3_block1_0_conv/kernel": None}), "1 missing: conv3_block1_0_conv/kernel")


def weights(**changes):
    return dataclasses.replace(Weights(ARCH, tensors(), input_size=(64, 64)), **changes)


def test_a_network_that_runs():
    """Nothing is said of it."""
    check(weights(), "x.h5")
    check(weights(class_names=("a", "b", "c"), wnids=("n1", "n2", "n3")), "x.h5")


@pytest.mark.parametrize("what", ["class_names", "wnids"])
def test_one_name_for_each_class(what):
    """As many as the Dense layer puts out; a backbone has none."""
    words = what.replace("_", " ")
    for names in (("a", "b"), ("a",) * 4):
        with pytest.raises(InputError) as error:
            check(weights(**{what: names}), "x.h5")
        assert str(error.value) == f"x.h5: {len(names)} {words} for 3 classes; give one per class, in order"
    arch = dataclasses.replace(ARCH, activation=None)
    bare = {layer: arrays for layer, arrays in tensors().items() if layer != "predictions"}
    check(weights(architecture=arch, tensors=bare), "x.h5")
    with pytest.raises(InputError, match=f"3 {words} for 0 classes"):
        check(weights(architecture=arch, tensors=bare, **{what: ("a", "b", "c")}), "x.h5")


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("name", ["conv1_conv/kernel", "predictions/bias"])
def test_numbers_that_are_not_finite(name, value):
    """The first tensor that has one is named."""
    layer, weight = name.split("/")
    found = tensors()
    found[layer][weight].flat[-1] = value
    with pytest.raises(InputError) as error:
        check(weights(tensors=found), "x.h5")
    assert str(error.value) == f"x.h5: {name} holds NaN or infinity; weights must be finite"


def test_variances_that_have_no_root():
    """Down to -epsilon there is none; a little above it there is, as large as it makes the others."""
    for value, refused in ((-1.0, True), (-1e-5, True), (-0.9e-5, False), (0.0, False)):
        found = tensors()
        found["conv2_block1_1_bn"]["moving_variance"].flat[1] = value
        arch = dataclasses.replace(ARCH, epsilon=1e-5)
        if refused:
            with pytest.raises(InputError) as error:
                check(weights(architecture=arch, tensors=found), "x.h5")
            said = "conv2_block1_1_bn/moving_variance goes down to -epsilon; its root is no number"
            assert str(error.value) == f"x.h5: {said}"
        else:
            check(weights(architecture=arch, tensors=found), "x.h5")


SANE = [
    {"blocks": (1, MAX_STAGE_BLOCKS)},
    {"blocks": (1,) * MAX_STAGES, "strides": (1,) * MAX_STAGES},
    {"blocks": (1,), "strides": (MAX_STRIDE,)},
    {"stride_in": 2},
    {"pool_padding": 0},
    {"epsilon": 0.0},
    {"epsilon": 1.0},
    {"activation": "sigmoid"},
    {"activation": "linear"},
]
ODD = [
    ({"blocks": (), "strides": ()}, "blocks is ()"),
    ({"blocks": (1, 0)}, "blocks is (1, 0)"),
    ({"blocks": (1, MAX_STAGE_BLOCKS + 1)}, "blocks is (1, 1001)"),
    (
        {"blocks": (1,) * (MAX_STAGES + 1), "strides": (1,) * (MAX_STAGES + 1)},
        "blocks is (1, 1, 1, 1, 1, 1, 1, 1, 1)",
    ),
    ({"strides": (1,)}, "strides is (1,)"),
    ({"strides": (1, 2, 2)}, "strides is (1, 2, 2)"),
    ({"strides": (0, 1)}, "strides is (0, 1)"),
    ({"strides": (1, MAX_STRIDE + 1)}, "strides is (1, 9)"),
    ({"stride_in": 0}, "stride_in is 0"),
    ({"stride_in": 3}, "stride_in is 3"),
    ({"pool_padding": 2}, "pool_padding is 2"),
    ({"pool_padding": -1}, "pool_padding is -1"),
    ({"epsilon": -1e-9}, "epsilon is -1e-09"),
    ({"epsilon": 1.0001}, "epsilon is 1.0001"),
    ({"epsilon": nan}, "epsilon is nan"),
    ({"activation": "relu"}, "activation is relu"),
]


@pytest.mark.parametrize("settings", SANE)
def test_architectures_at_the_limits(settings):
    """They are looked at before the tensors, which here are missing."""
    arch = dataclasses.replace(ARCH, **settings)
    with pytest.raises(InputError, match="tensors do not fit"):
        check(Weights(arch, {}), "x.h5")


@pytest.mark.parametrize(("settings", "what"), ODD)
def test_architectures_beyond_the_limits(settings, what):
    """The attribute and its value are named."""
    with pytest.raises(InputError) as error:
        check(Weights(dataclasses.replace(ARCH, **settings), {}), "x.h5")
    assert str(error.value) == f"x.h5: attribute {what}, which npcam cannot run; convert again"


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((32, 32), True),
        ((MAX_INPUT_SIDE, 32), True),
        ((31, 32), False),
        ((32, 31), False),
        ((64, MAX_INPUT_SIDE + 1), False),
        ((0, 64), False),
    ],
)
def test_input_sizes(size, fits):
    """From what leaves something to convolve to what fits into a machine."""
    if fits:
        check(weights(input_size=size), "x.h5")
    else:
        with pytest.raises(InputError) as error:
            check(weights(input_size=size), "x.h5")
        assert (
            str(error.value) == f"x.h5: attribute input_size is {size}, which npcam cannot run; convert again"
        )


def test_a_deep_network_is_checked_whole():
    """ResNet-50's 320 tensors, the last of them wrong."""
    found = tensors(RESNET50, width=1)
    check(Weights(RESNET50, found), "x.h5")
    found["predictions"]["bias"] = np.zeros(4, np.float32)
    with pytest.raises(InputError, match=r"predictions/bias \(4,\) \(expected \(3,\)\)"):
        check(Weights(RESNET50, found), "x.h5")

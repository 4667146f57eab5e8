"""One mistake after the other, planted in a port that shares nothing with npcam's search for causes.

Each is planted in several layers, and looked for with all tensors at hand, with those of a port that
folds its batch norms and joins its ReLUs, and with the blocks' ends alone. What is claimed must be what
was planted, in words and in place; where two mistakes make the same numbers, either will do.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.ported import ported

from npcam import ops
from npcam.preprocessing import MODES
from npcam.resnet import Architecture
from npcam.verify.blame import with_cause
from npcam.verify.cause import NONE, fewer_bits
from npcam.verify.compare import verify
from npcam.verify.record import Record
from npcam.verify.report import as_json, finding
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights

ARCH = Architecture(blocks=(1, 2, 1, 1))
MEAN = np.array(MODES["caffe"].steps[1].values, np.float32)
CONV3 = ("conv2_block1_2_conv", "conv3_block2_2_conv")  # 3x3
CONV1 = ("conv2_block1_1_conv", "conv3_block2_3_conv", "conv4_block1_0_conv")  # 1x1
STEM = ("conv1_conv",)
NORMS = ("conv1_bn", "conv2_block1_3_bn", "conv3_block1_0_bn", "conv4_block1_1_bn")
RELUS = ("conv1_relu", "conv3_block2_1_relu", "conv2_block1_out")
ADDS = ("conv2_block1_add", "conv3_block2_add", "conv5_block1_add")


@pytest.fixture(scope="module")
def small():
    """A small network of pixels' scale, a photograph's worth of pixels, and npcam's own run."""
    weights = Weights(ARCH, random_tensors(ARCH))
    pixels = np.random.default_rng(3).integers(0, 256, (1, 12, 16, 3)).repeat(4, 1).repeat(4, 2)
    speckle = np.random.default_rng(4).integers(-20, 21, pixels.shape)
    rgb = np.clip(pixels + speckle, 0, 255).astype(np.float32)  # (1, 48, 64, 3)
    x = rgb[..., ::-1] - MEAN
    return weights, np.ascontiguousarray(x), run_npcam(weights, x)


def conv(stride=1, amounts=((0, 0), (0, 0)), kernel=lambda k: k, bias=lambda b: b):
    """A convolution with a mistake in its kernel or bias, its stride or its padding."""

    def layer(x, w):
        x = np.pad(x, ((0, 0), *amounts, (0, 0)))
        return ops.conv2d(x, np.ascontiguousarray(kernel(w["kernel"])), bias(w["bias"]), strides=stride)

    return layer


def normed(epsilon=1.001e-5, **change):
    """A batch norm with mistakes in its weights: {name: function of the weight}."""

    def layer(x, w):
        return ops.batch_norm(x, **{n: change.get(n, lambda a: a)(a) for n, a in w.items()}, epsilon=epsilon)

    return layer


def dense(activation, kernel=lambda k: k, bias=lambda b: b):
    """The top with a mistake."""
    return lambda x, w: activation(ops.dense(x, kernel(w["kernel"]), bias(w["bias"])))


def other(name):
    """The weights of another layer of the small network."""
    return random_tensors(ARCH)[name]


def levels(kernel, bits):
    """Symmetric integers of so many bits with a scale for each output channel."""
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / (2 ** (bits - 1) - 1)
    return (np.round(kernel / scale) * scale).astype(np.float32)


def levels_of_all(kernel, bits=8):
    """Integers from the smallest to the largest weight, one scale for all channels, 0 among them."""
    low, high = min(kernel.min(), 0), max(kernel.max(), 0)
    scale = (high - low) / (2**bits - 1)
    return ((np.clip(np.round(kernel / scale) + np.round(-low / scale), 0, 255) - np.round(-low / scale)) * scale).astype(
        np.float32
    )


def same(layers, what, **options):
    """The same mistake in several layers, with what their convolution is meant to be."""
    strided = {"conv1_conv": 2, "conv4_block1_0_conv": 2, "conv3_block1_1_conv": 2}
    found = {}
    for name in layers:
        around = ((1, 1), (1, 1)) if name in CONV3 else ((0, 0), (0, 0))
        found[name] = what(**{"stride": strided.get(name, 1), "amounts": around} | options)
    return found


def oihw_as_hwio(k):
    """OIHW's numbers in a row, taken for HWIO's."""
    return k.transpose(3, 2, 0, 1).reshape(k.shape)


def hwio_as_oihw(k):
    """HWIO's numbers in a row, taken for OIHW's."""
    h, w, i, o = k.shape
    return k.reshape(o, i, h, w).transpose(2, 3, 1, 0)


def nchw_as_nhwc(x):
    """The numbers of an NCHW array in a row, taken for NHWC's."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(x.shape)


def nhwc_as_nchw(x):
    """The numbers of an NHWC array in a row, taken for NCHW's."""
    n, h, w, c = x.shape
    return np.ascontiguousarray(x.reshape(n, c, h, w).transpose(0, 2, 3, 1))


def pixels(x):
    """RGB, 0 to 255, from the input."""
    return (x + MEAN)[..., ::-1]


SHIFT = ((2, 3), (2, 3))
PLANTED = {  # words: {layer: what is computed there}
    "channels reversed (RGB for BGR)": {"input_layer": lambda x, _: x[..., ::-1]},
    "channels reversed (RGB for BGR), but the mean's not": {"input_layer": lambda x, _: pixels(x) - MEAN},
    "mean not subtracted": {"input_layer": lambda x, _: x + MEAN},
    "mean not subtracted; channels reversed (RGB for BGR)": {"input_layer": lambda x, _: pixels(x)},
    "mean twice subtracted": {"input_layer": lambda x, _: x - MEAN},
    "prepared as tf (divide 127.5; subtract 1)": {"input_layer": lambda x, _: pixels(x) / 127.5 - 1},
    "prepared as unit (divide 255)": {"input_layer": lambda x, _: pixels(x) / 255},
    "prepared as torch": {
        "input_layer": lambda x, _: (pixels(x) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    },
    "NCHW read as NHWC: the input's": {"input_layer": lambda x, _: nchw_as_nhwc(x)},
    "NHWC read as NCHW: the input's": {"input_layer": lambda x, _: nhwc_as_nchw(x)},
    "picture mirrored left to right": {"input_layer": lambda x, _: x[:, :, ::-1]},
    "picture upside down": {"input_layer": lambda x, _: x[:, ::-1]},
    "another photograph": {
        "input_layer": lambda x, _: np.random.default_rng(8).integers(0, 256, x.shape) - MEAN
    },
    "SAME padding": {
        "conv1_pad": lambda x, _: np.pad(x, ((0, 0), *SHIFT, (0, 0))),
        "pool1_pad": lambda x, _: np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))),
    },
    "padding with zeros on the other side": {
        "conv1_pad": lambda x, _: np.pad(x, ((0, 0), (4, 2), (4, 2), (0, 0))),
        **same(CONV3, conv, amounts=((0, 2), (0, 2))),
    },
    "padding missing": {
        "conv1_pad": lambda x, _: x,
        "pool1_pad": lambda x, _: x,
    },
    "padding with copies of the border": {
        "conv1_pad": lambda x, _: np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="edge")
    },
    "pool padding with -inf": {
        "pool1_pad": lambda x, _: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    },
    "kernel transposed (height and width)": same(
        (*CONV3, *STEM), conv, kernel=lambda k: k.transpose(1, 0, 2, 3)
    ),
    "kernel flipped by 180 degrees": same((*CONV3, *STEM), conv, kernel=lambda k: k[::-1, ::-1]),
    "kernel's input channels reversed (BGR)": same(
        (*STEM, *CONV1), conv, kernel=lambda k: k[:, :, ::-1]
    ),
    "kernel transposed (inputs and outputs)": same(CONV3, conv, kernel=lambda k: k.transpose(0, 1, 3, 2)),
    "it lies as OIHW and is read as HWIO": same((*CONV3, *CONV1, *STEM), conv, kernel=oihw_as_hwio),
    "it lies as HWIO and is read as OIHW": same((*CONV3, *STEM), conv, kernel=hwio_as_oihw),
    "bias missing": {
        **same((*CONV3, *CONV1, *STEM), conv, bias=np.zeros_like),
        "predictions": dense(ops.softmax, bias=np.zeros_like),
    },
    "stride 1, not 2": {"conv4_block1_0_conv": conv(stride=1)},
    "weights of another layer, conv3_block1_2_conv": {
        "conv3_block2_2_conv": lambda x, _: ops.conv2d(x, **other("conv3_block1_2_conv"), padding="same")
    },
    "weights of another layer, conv2_block1_2_bn": {
        "conv2_block1_1_bn": lambda x, _: ops.batch_norm(x, **other("conv2_block1_2_bn"))
    },
    "weights quantised to 8 bits, one scale for each channel": same(
        (*CONV3, *CONV1, *STEM), conv, kernel=lambda k: levels(k, 8)
    ),
    "weights quantised to 4 bits, one scale for each channel": same(CONV3, conv, kernel=lambda k: levels(k, 4)),
    "weights quantised to 8 bits, from the smallest to the largest, one scale for all channels": same(
        (*CONV3, *STEM), conv, kernel=levels_of_all
    ),
    "weights quantised to float16": same(CONV3, conv, kernel=lambda k: k.astype(np.float16).astype(np.float32)),
    "another epsilon, 0.001,": {name: normed(1e-3) for name in NORMS},
    "variance taken for deviation": {name: normed(moving_variance=np.square) for name in NORMS},
    "deviation taken for variance": {name: normed(moving_variance=np.sqrt) for name in NORMS},
    "gamma missing": {name: normed(gamma=np.ones_like) for name in NORMS},
    "beta missing": {name: normed(beta=np.zeros_like) for name in NORMS},
    "mean missing": {name: normed(moving_mean=np.zeros_like) for name in NORMS},
    "gamma and beta swapped": {
        name: lambda x, w: ops.batch_norm(x, **{**w, "gamma": w["beta"], "beta": w["gamma"]}) for name in NORMS
    },
    "mean and variance of the photographs at hand (training mode)": {
        name: lambda x, w: ops.batch_norm(
            x, w["gamma"], w["beta"], x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        )
        for name in NORMS
    },
    "batch norm missing": {name: lambda x, _: x for name in NORMS},
    "ReLU missing": {name: lambda x, _: x for name in RELUS},
    "leaky ReLU with a slope of 0.01": {
        name: lambda x, _: np.where(x < 0, np.float32(0.01) * x, x) for name in RELUS
    },
    "ReLU6, not ReLU": {"conv3_block2_out": lambda x, _: np.clip(x, 0, 6)},
    "average pooling, not maximum": {
        "pool1_pool": lambda x, _: np.mean(
            np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2], axis=(4, 5)
        )
    },
    "window 2 and stride 2": {"pool1_pool": lambda x, _: ops.max_pool2d(x, 2, 2)},
    "shortcut missing": {name: lambda a, b, _: b for name in ADDS},
    "shortcut subtracted": {name: lambda a, b, _: b - a for name in ADDS},
    "ReLU before the sum": {name: lambda a, b, _: a + ops.relu(b) for name in ADDS},
    "maximum over all positions": {"avg_pool": lambda x, _: x.max(axis=(1, 2))},
    "sum over all positions": {"avg_pool": lambda x, _: x.sum(axis=(1, 2))},
    "softmax missing": {"predictions": dense(lambda z: z)},
    "softmax twice": {"predictions": dense(lambda z: ops.softmax(ops.softmax(z)))},
    "sigmoid, not softmax": {"predictions": dense(ops.sigmoid)},
    "logarithm of the softmax": {"predictions": dense(lambda z: np.log(ops.softmax(z)))},
    "kernel transposed: it lies as (out, in)": {
        "predictions": dense(ops.softmax, kernel=lambda k: k.T.reshape(k.shape))
    },
    "classes in the reversed order": {"predictions": dense(lambda z: ops.softmax(z)[:, ::-1])},
}
CASES = [(words, layer) for words, layers in PLANTED.items() for layer in layers]
FUSED = ("_relu", "_out", "_pool", "predictions")
GIVEN = {
    "all": lambda name: True,
    "joined": lambda name: name.endswith(FUSED) or name == "input_layer",
    "no input": lambda name: name not in ("input_layer", "conv1_pad", "pool1_pad"),
    "blocks": lambda name: name.endswith(("_out", "predictions", "input_layer", "pool1_pool", "avg_pool")),
}


def judged(small, run, given="all", precision="float32", weights=None):
    """The report on a run, with its cause, from some of its tensors."""
    right, _, own = small
    few = Record({name: a for name, a in run.activations.items() if GIVEN[given](name)})
    report = verify(weights or right, own, few, partial=True)
    return with_cause(report, weights or right, own, few)


def first_given(layer, given):
    """The first layer from one on, along the network's order, that is given; its shortcut's is the add's."""
    from npcam.layers import layers

    seen = set()
    for other_layer in layers(ARCH):
        if other_layer.name == layer or seen.intersection(other_layer.inputs):
            if GIVEN[given](other_layer.name):
                return other_layer.name
            seen.add(other_layer.name)
    return None


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize(("words", "layer"), CASES)
def test_what_was_planted_is_claimed_and_nothing_else(small, words, layer, given):
    """The words and the layer, from whatever tensors there are."""
    weights, x, _ = small
    run = ported(weights, x, instead={layer: PLANTED[words][layer]})
    report = judged(small, run, given)
    blamed = first_given(layer, given)
    if report.first_bad is None:  # -inf around a ReLU's output changes no maximum
        assert (words, given) in {("pool padding with -inf", g) for g in GIVEN if g != "all"}
        return
    assert report.first_bad.name == blamed
    assert report.cause.words != NONE, report.first_bad
    assert words in report.cause.words
    assert report.cause.layer == layer
    assert as_json(report)["cause"] == f"{layer}: {report.cause.words}"
    assert f"  cause: {layer}: {report.cause.words}" in finding(report)

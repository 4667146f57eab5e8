"""The usual mistakes, planted: for each one some layers of a small network, as they are computed with it."""

import numpy as np
from helpers.networks import random_tensors

from npcam import ops
from npcam.preprocessing import MODES
from npcam.resnet import Architecture

ARCH = Architecture(blocks=(1, 2, 1, 1))
MEAN = np.array(MODES["caffe"].steps[1].values, np.float32)
CONV3 = ("conv2_block1_2_conv", "conv3_block2_2_conv")  # 3x3
CONV1 = ("conv2_block1_1_conv", "conv3_block2_3_conv", "conv4_block1_0_conv")  # 1x1
STEM = ("conv1_conv",)
NORMS = ("conv1_bn", "conv2_block1_3_bn", "conv3_block1_0_bn", "conv4_block1_1_bn")
RELUS = ("conv1_relu", "conv3_block2_1_relu", "conv2_block1_out")
ADDS = ("conv2_block1_add", "conv3_block2_add", "conv5_block1_add")


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
    zero = np.round(-low / scale)
    whole = np.clip(np.round(kernel / scale) + zero, 0, 2**bits - 1)
    return ((whole - zero) * scale).astype(np.float32)


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
    "kernel's input channels reversed (BGR)": same((*STEM, *CONV1), conv, kernel=lambda k: k[:, :, ::-1]),
    "kernel transposed (inputs and outputs)": same(CONV3, conv, kernel=lambda k: k.transpose(0, 1, 3, 2)),
    "it lies as OIHW and is read as HWIO": same((*CONV3, *CONV1, *STEM), conv, kernel=oihw_as_hwio),
    "it lies as HWIO and is read as OIHW": same((*CONV3, *STEM), conv, kernel=hwio_as_oihw),
    "bias missing": {
        **same((*CONV3, *CONV1, *STEM), conv, bias=np.zeros_like),
        "predictions": dense(ops.softmax, bias=np.zeros_like),
    },
    "weights of another layer, conv3_block1_2_conv": {
        "conv3_block2_2_conv": lambda x, _: ops.conv2d(x, **other("conv3_block1_2_conv"), padding="same")
    },
    "weights of another layer, conv2_block1_2_bn": {
        "conv2_block1_1_bn": lambda x, _: ops.batch_norm(x, **other("conv2_block1_2_bn"))
    },
    "weights quantised to 8 bits, one scale for each channel": same(
        (*CONV3, *CONV1, *STEM), conv, kernel=lambda k: levels(k, 8)
    ),
    "weights quantised to 4 bits, one scale for each channel": same(
        CONV3, conv, kernel=lambda k: levels(k, 4)
    ),
    "weights quantised to 8 bits, from the smallest to the largest, one scale for all channels": same(
        (*CONV3, *STEM), conv, kernel=levels_of_all
    ),
    "weights quantised to float16": same(
        CONV3, conv, kernel=lambda k: k.astype(np.float16).astype(np.float32)
    ),
    "another epsilon, 0.001,": {name: normed(1e-3) for name in NORMS},
    "variance taken for deviation": {name: normed(moving_variance=np.square) for name in NORMS},
    "deviation taken for variance": {name: normed(moving_variance=np.sqrt) for name in NORMS},
    "gamma missing": {name: normed(gamma=np.ones_like) for name in NORMS},
    "beta missing": {name: normed(beta=np.zeros_like) for name in NORMS},
    "mean missing": {name: normed(moving_mean=np.zeros_like) for name in NORMS},
    "gamma and beta swapped": {
        name: lambda x, w: ops.batch_norm(x, **{**w, "gamma": w["beta"], "beta": w["gamma"]})
        for name in NORMS
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
    "shortcut missing": {name: lambda _, b, __: b for name in ADDS},
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

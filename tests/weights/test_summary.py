"""The table that Keras prints: every row counted by hand, and Keras's own totals of its ResNets."""

import re

import numpy as np
import pytest

from npcam.layers import layers, weight_shapes
from npcam.resnet import RESNET50, RESNET101, RESNET152, Architecture
from npcam.weights import Weights, summary
from npcam.weights.random import filters, random_weights
from npcam.weights.summary import megabytes

SMALL = """\
Layer (type)  Output Shape  Param #  Connected to
input_layer (InputLayer)  (None, 224, 224, 3)  0  -
conv1_pad (ZeroPadding2D)  (None, 230, 230, 3)  0  input_layer
conv1_conv (Conv2D)  (None, 112, 112, 2)  296  conv1_pad
conv1_bn (BatchNormalization)  (None, 112, 112, 2)  8  conv1_conv
conv1_relu (Activation)  (None, 112, 112, 2)  0  conv1_bn
pool1_pad (ZeroPadding2D)  (None, 114, 114, 2)  0  conv1_relu
pool1_pool (MaxPooling2D)  (None, 56, 56, 2)  0  pool1_pad
conv2_block1_1_conv (Conv2D)  (None, 56, 56, 2)  6  pool1_pool
conv2_block1_1_bn (BatchNormalization)  (None, 56, 56, 2)  8  conv2_block1_1_conv
conv2_block1_1_relu (Activation)  (None, 56, 56, 2)  0  conv2_block1_1_bn
conv2_block1_2_conv (Conv2D)  (None, 56, 56, 2)  38  conv2_block1_1_relu
conv2_block1_2_bn (BatchNormalization)  (None, 56, 56, 2)  8  conv2_block1_2_conv
conv2_block1_2_relu (Activation)  (None, 56, 56, 2)  0  conv2_block1_2_bn
conv2_block1_0_conv (Conv2D)  (None, 56, 56, 8)  24  pool1_pool
conv2_block1_3_conv (Conv2D)  (None, 56, 56, 8)  24  conv2_block1_2_relu
conv2_block1_0_bn (BatchNormalization)  (None, 56, 56, 8)  32  conv2_block1_0_conv
conv2_block1_3_bn (BatchNormalization)  (None, 56, 56, 8)  32  conv2_block1_3_conv
conv2_block1_add (Add)  (None, 56, 56, 8)  0  conv2_block1_0_bn, conv2_block1_3_bn
conv2_block1_out (Activation)  (None, 56, 56, 8)  0  conv2_block1_add
avg_pool (GlobalAveragePooling2D)  (None, 8)  0  conv2_block1_out
predictions (Dense)  (None, 3)  27  avg_pool
Total params: 503 (1.96 KB)
Trainable params: 459 (1.79 KB)
Non-trainable params: 44 (176.00 B)"""


def cells(table):
    """A table's lines as lists of cells: how wide a column is does not matter here."""
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines() if not line.startswith("--")]


def test_a_small_network():
    """A stem and one block, counted by hand: kernels and biases, four numbers for each normalised channel."""
    weights = random_weights(Architecture(blocks=(1,), strides=(1,)), width=2, classes=3)
    found = summary(weights)
    assert cells(found) == cells(SMALL)
    lines = found.splitlines()
    assert [i for i, line in enumerate(lines) if set(line) == {"-", " "}] == [1, 23]
    ends = {
        line.rstrip().rfind(count) + len(count) for line, count in ((lines[2], " 0 "), (lines[4], "296 "))
    }
    assert len(ends) == 1  # numbers end below each other


TOTALS = {
    RESNET50: ("25,636,712 (97.80 MB)", "53,120 (207.50 KB)"),
    RESNET101: ("44,707,176 (170.54 MB)", "105,344 (411.50 KB)"),
    RESNET152: ("60,419,944 (230.48 MB)", "151,424 (591.50 KB)"),
}


@pytest.mark.parametrize("arch", TOTALS, ids=["50", "101", "152"])
def test_keras_totals(arch):
    """What Keras's own `summary()` prints of the three."""
    total, fixed = TOTALS[arch]
    shapes = weight_shapes(arch, filters(arch, width=64, classes=1000))
    zero = np.float32(0)
    tensors = {
        layer: {name: np.broadcast_to(zero, shape) for name, shape in arrays.items()}
        for layer, arrays in shapes.items()
    }
    *table, all_of_them, trained, not_trained = summary(Weights(arch, tensors)).splitlines()
    assert all_of_them == f"Total params: {total}"
    assert not_trained == f"Non-trainable params: {fixed}"
    count = int(total.split()[0].replace(",", "")) - int(fixed.split()[0].replace(",", ""))
    assert trained.startswith(f"Trainable params: {count:,} (")
    names = [row[0].split(" ")[0] for row in cells("\n".join(table))[1:]]
    assert names == [layer.name for layer in layers(arch)]


def test_units():
    """Four bytes a number, in units of 1024."""
    assert megabytes(0) == "0.00 B"
    assert megabytes(255) == "1020.00 B"
    assert megabytes(256) == "1.00 KB"
    assert megabytes(2**18 - 1) == "1024.00 KB"
    assert megabytes(2**18) == "1.00 MB"
    assert megabytes(2**28) == "1.00 GB"
    assert megabytes(2**40) == "4096.00 GB"

"""The schedule: what is printed is what runs."""

import numpy as np
from helpers.networks import random_tensors

from npcam import engine
from npcam.engine.passes import record_pass
from npcam.engine.schedule import next_group
from npcam.engine.team import team_of
from npcam.layers import layers, output_shapes
from npcam.resnet import RESNET50


def test_every_convolution_but_the_shortcuts_has_a_step():
    """In order; a shortcut's convolution goes with the last 1x1 of its block."""
    fast = engine.Engine(RESNET50, random_tensors(RESNET50, 4), threads=2)
    names = [la.name for la in layers(RESNET50) if la.kind == "Conv2D" and "_0_conv" not in la.name]
    for photographs in (1, 2, 7, 64):
        assert [step.layer for step in fast.plan(photographs, 224, 224)] == names


def test_products_of_full_size():
    """Without Winograd and skipping, Keras's ResNet-50 takes 3.86 billion; the plan needs 2.4 to 3.1."""
    filters = {"predictions": 1000, "conv1_conv": 64}
    for la in layers(RESNET50):
        if la.kind == "Conv2D" and la.name != "conv1_conv":
            filters[la.name] = 64 * 2 ** (int(la.name[4]) - 2) * (4 if la.name.split("_")[2] in "03" else 1)
    shapes = output_shapes(RESNET50, filters, (224, 224))
    inputs = {la.name: shapes[la.inputs[0]][-1] for la in layers(RESNET50) if la.inputs}
    plain = sum(
        int(np.prod(shapes[la.name][1:])) * la.window**2 * inputs[la.name]
        for la in layers(RESNET50)
        if la.kind == "Conv2D"
    )
    assert round(plain / 1e9, 2) == 3.86
    tensors = random_tensors(RESNET50, 64, 3)
    fast = engine.Engine(RESNET50, tensors, threads=2)
    one, many = (sum(step.products for step in fast.plan(n, 224, 224)) for n in (1, 32))
    assert 2.4e9 < many < 2.45e9 < one < 3.1e9
    last = next(step for step in fast.plan(1, 224, 224) if step.layer == "conv4_block6_2_conv")
    assert last.method == "3x3 by im2col, every 2 positions"
    assert last.output == (7, 7, 256)
    for photographs, size in ((1, 224), (1, 448), (4, 224), (32, 224), (8, 320)):
        group = next_group(photographs, size, size, 2)
        recorded = record_pass(fast._schedule(group, size, size), team_of(2))
        assert recorded.nbytes <= engine.scratch_bytes(group, size, size, 2)


def test_the_table():
    """A line per step, a total, and columns that line up."""
    fast = engine.Engine(RESNET50, random_tensors(RESNET50, 4), threads=2)
    text = engine.format_steps(fast.plan(1, 64, 64)).splitlines()
    assert len(text) == 49 + 4
    assert text[-1].startswith("Total")
    assert len({len(line) for line in text if line.startswith("conv")}) == 1

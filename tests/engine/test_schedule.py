"""The schedule: which blocks are shared how, for how many photographs, and the table of it."""

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.engine import Engine, Step, format_steps, schedule, scratch_bytes, slices
from npcam.engine.filters import fold_network
from npcam.engine.passes import record_pass
from npcam.engine.schedule import list_steps, make_schedule, next_group
from npcam.engine.team import Team
from npcam.layers import layers, output_shapes
from npcam.resnet import RESNET50, Architecture
from npcam.weights.random import filters as channels

SMALL = Architecture(blocks=(2, 1), strides=(1, 2))


def fold(arch, width=2):
    """A small network."""
    return fold_network(random_tensors(arch, width), arch, Team(1))


def names(stretch):
    """The blocks of a stretch, without the common part of their names."""
    return [block.name.removeprefix("conv") for block, _ in stretch.blocks]


@pytest.mark.parametrize(
    ("photographs", "threads", "group"),
    [
        (1, 1, 1),
        (1, 4, 1),
        (2, 1, 2),
        (2, 2, 2),
        (2, 3, 1),
        (3, 2, 2),
        (7, 2, 6),
        (16, 1, 16),
        (17, 1, 16),
        (99, 3, 48),
    ],
)
def test_the_next_group(photographs, threads, group):
    """As many photographs for each thread, 16 at most; fewer photographs than threads go alone."""
    assert next_group(photographs, 32, 32, threads) == group


def test_the_next_group_is_halved_until_its_memory_is_enough(monkeypatch):
    """Up to the limit itself, and down to a single photograph."""
    need = scratch_bytes(8, 100, 200, 2)
    for limit, group in ((need, 8), (need - 1, 4), (scratch_bytes(2, 100, 200, 2), 2), (1, 1)):
        monkeypatch.setattr(schedule, "SCRATCH", limit)
        assert next_group(8, 100, 200, 2) == group
    monkeypatch.undo()
    assert next_group(64, 448, 448, 2) == 16  # 512 MB: 455 by the bound, and 745 for 32
    assert next_group(4, 1500, 1500, 2) == 1


def test_the_bound_of_scratch_memory():
    """The numbers that docs/performance.md gives."""
    assert scratch_bytes(1, 10, 20, 3) == 3 * 12_000_000 + 350 * 200
    assert scratch_bytes(2, 10, 20, 1) == 12_000_000 + 350 * 200 + 2 * (3_300_000 + 74 * 200)
    assert scratch_bytes(6, 10, 20, 3) == 3 * (12_000_000 + 350 * 200) + 6 * (3_300_000 + 74 * 200)


def test_one_photograph(monkeypatch):
    """Rows, then channels from the first block with large kernels on, whatever comes after it."""
    monkeypatch.setattr(schedule, "CHANNELS_ABOVE", 1 << 21)
    network = fold(Architecture(blocks=(2, 2), strides=(1, 2)))
    sizes = [block.size for block in network.blocks]
    assert sizes[2] > sizes[0] > sizes[1]
    for most, rows in ((sizes[2], 4), (sizes[2] - 1, 2), (sizes[0] - 1, 0), (1 << 21, 4)):
        monkeypatch.setattr(slices, "LARGE", most)
        s = make_schedule(network, 1, (64, 96), 2)
        assert (len(s.one_by_one.blocks), len(s.gathered.blocks), len(s.together.blocks)) == (
            rows,
            0,
            4 - rows,
        )
        assert (s.one_by_one.shared, s.together.shared) == ("rows", "channels")
        assert {stretch.at_once for stretch in (s.one_by_one, s.gathered, s.together)} == {1}
        assert (s.one_by_one.shares, s.together.shares) == (2, 2)
        three = make_schedule(network, 1, (64, 96), 3)
        assert (three.one_by_one.shares, three.together.shares) == (3, 6)
        assert (s.each, s.photographs, s.threads, s.size) == (0, 1, 2, (64, 96))
    assert names(s.one_by_one) == ["2_block1", "2_block2", "3_block1", "3_block2"]


def test_one_photographs_rows_are_few(monkeypatch):
    """It is shared by channels from the first block on with many numbers in its kernels per position."""
    network = fold(Architecture(blocks=(2, 2), strides=(1, 2)))
    size, positions = network.blocks[2].size, 8 * 12
    assert max(block.size for block in network.blocks[:2]) < size  # these have 16 x 24, and 8 x 12, positions
    for above, rows in ((size / positions, 4), (size / positions - 1, 2)):
        monkeypatch.setattr(schedule, "CHANNELS_ABOVE", above)
        s = make_schedule(network, 1, (64, 96), 2)
        assert [len(stretch.blocks) for stretch in (s.one_by_one, s.together)] == [rows, 4 - rows]
        assert not make_schedule(network, 2, (64, 96), 2).together.blocks
    monkeypatch.undo()


def test_many_photographs(monkeypatch):
    """Those with 512 positions or more one by one, then a thread's together, then all."""
    network = fold(Architecture(blocks=(2, 2), strides=(1, 2)))
    monkeypatch.setattr(slices, "LARGE", network.blocks[2].size - 1)
    s = make_schedule(network, 6, (64, 128), 2)  # pooled 16 x 32
    assert names(s.one_by_one) == ["2_block1", "2_block2"]
    assert names(s.gathered) == []
    assert names(s.together) == ["3_block1", "3_block2"]
    s = make_schedule(network, 6, (64, 124), 2)  # pooled 16 x 31
    assert names(s.one_by_one) == []
    assert names(s.gathered) == ["2_block1", "2_block2"]
    assert [stretch.at_once for stretch in (s.one_by_one, s.gathered, s.together)] == [1, 3, 6]
    assert [stretch.shared for stretch in (s.one_by_one, s.gathered)] == ["photographs"] * 2
    assert s.together.shared == "channels"
    assert s.each == 3
    monkeypatch.undo()
    s = make_schedule(network, 2, (72, 130), 2)  # pooled 18 x 33, 9 x 17 from conv2_block2 on
    assert names(s.one_by_one) == ["2_block1", "2_block2"]
    assert names(s.gathered) == ["3_block1", "3_block2"]


def test_large_filters():
    """Two million numbers: in ResNet-50's widths all of conv5 but nothing of conv4, which has 1.5 at most."""
    arch = Architecture(blocks=(1, 1, 2, 2))
    s = make_schedule(fold(arch, 64), 4, (224, 224), 2)
    assert names(s.one_by_one) == ["2_block1", "3_block1"]
    assert names(s.gathered) == ["4_block1", "4_block2"]
    assert names(s.together) == ["5_block1", "5_block2"]
    s = make_schedule(fold(arch, 64), 1, (224, 224), 2)
    assert names(s.one_by_one) == ["2_block1"]
    assert names(s.together) == ["3_block1", "4_block1", "4_block2", "5_block1", "5_block2"]


@pytest.mark.parametrize("group", [1, 4])
def test_sizes_lead_from_stretch_to_stretch(group, monkeypatch):
    """Each block's input is the output of the one before it, across the borders, too."""
    arch = Architecture(blocks=(2, 2, 1), strides=(1, 2, 2))
    network = fold(arch)
    monkeypatch.setattr(slices, "LARGE", network.blocks[4].size - 1)
    s = make_schedule(network, group, (96, 96), 2)
    shapes = output_shapes(arch, channels(arch, 2, 5), (96, 96))
    stretches = [s.one_by_one, s.gathered, s.together]
    assert [len(stretch.blocks) for stretch in stretches] == ([4, 0, 1] if group == 1 else [2, 2, 1])
    for stretch in stretches:
        for block, g in stretch.blocks:
            assert (g.h1, g.w1) == shapes[f"{block.name}_1_conv"][1:3]


def test_every_convolution_but_the_shortcuts_has_a_step():
    """In order; a shortcut's convolution goes with the last 1x1 of its block."""
    fast = Engine(RESNET50, random_tensors(RESNET50, 4), threads=2)
    expected = [la.name for la in layers(RESNET50) if la.kind == "Conv2D" and "_0_conv" not in la.name]
    for photographs in (1, 2, 7, 64):
        assert [step.layer for step in fast.plan(photographs, 224, 224)] == expected


@pytest.mark.parametrize("threads", [2, 3])
def test_the_plan_is_that_of_the_next_group(threads):
    """Seven photographs on two threads: the first six, three each."""
    fast = Engine(SMALL, random_tensors(SMALL), threads=threads)
    network = fold_network(random_tensors(SMALL), SMALL, Team(1))
    for photographs in (1, 7):
        group = next_group(photographs, 65, 96, threads)
        assert group == (1 if photographs == 1 else 6)
        assert fast.plan(photographs, 65, 96) == list_steps(make_schedule(network, group, (65, 96), threads))


def test_steps_of_a_small_network():
    """Every number of a step by hand: Winograd's whole tiles, positions left out, the shortcut joined."""
    steps = list_steps(make_schedule(fold(SMALL, 2), 2, (140, 150), 1))
    stem, r = "7x7 by im2col, ReLU after the pool", "photographs"
    assert steps == [
        Step("conv1_conv", stem, (35, 38, 2), r, 1, 70 * 75 * 147 * 2),
        Step("conv2_block1_1_conv", "1x1", (35, 38, 2), r, 1, 35 * 38 * 2 * 2),
        Step("conv2_block1_2_conv", "3x3 by Winograd F(4x4,3x3)", (35, 38, 2), r, 1, 36 * 9 * 10 * 2 * 2),
        Step("conv2_block1_3_conv", "1x1 and shortcut as one", (35, 38, 8), r, 1, 35 * 38 * (2 + 2) * 8),
        Step("conv2_block2_1_conv", "1x1", (35, 38, 2), r, 1, 35 * 38 * 8 * 2),
        Step("conv2_block2_2_conv", "3x3 by im2col, every 2 positions", (18, 19, 2), r, 1, 18 * 19 * 9 * 4),
        Step("conv2_block2_3_conv", "1x1", (18, 19, 8), r, 1, 18 * 19 * 2 * 8),
        Step("conv3_block1_1_conv", "1x1", (18, 19, 4), r, 2, 18 * 19 * 8 * 4),
        Step("conv3_block1_2_conv", "3x3 by Winograd F(4x4,3x3)", (18, 19, 4), r, 2, 36 * 5 * 5 * 4 * 4),
        Step("conv3_block1_3_conv", "1x1 and shortcut as one", (18, 19, 16), r, 2, 18 * 19 * (4 + 8) * 16),
    ]
    strided = Architecture(blocks=(1, 1), strides=(1, 2), stride_in=2)
    step = list_steps(make_schedule(fold(strided, 2), 1, (140, 150), 1))[-2]
    assert step[:4] == ("conv3_block1_2_conv", "3x3 by im2col", (18, 19, 4), "rows")


@pytest.mark.slow
def test_products_of_full_size():
    """Without Winograd and skipping, Keras's ResNet-50 takes 3.86 billion; the plan needs 2.4 to 2.75."""
    widths = {"predictions": 1000, "conv1_conv": 64}
    for la in layers(RESNET50):
        if la.kind == "Conv2D" and la.name != "conv1_conv":
            widths[la.name] = 64 * 2 ** (int(la.name[4]) - 2) * (4 if la.name.split("_")[2] in "03" else 1)
    shapes = output_shapes(RESNET50, widths, (224, 224))
    inputs = {la.name: shapes[la.inputs[0]][-1] for la in layers(RESNET50) if la.inputs}
    plain = sum(
        int(np.prod(shapes[la.name][1:])) * la.window**2 * inputs[la.name]
        for la in layers(RESNET50)
        if la.kind == "Conv2D"
    )
    assert round(plain / 1e9, 2) == 3.86
    fast = Engine(RESNET50, random_tensors(RESNET50, 64, 3), threads=2)
    one, many = (sum(step.products for step in fast.plan(n, 224, 224)) for n in (1, 32))
    assert 2.4e9 < many < 2.45e9 < one < 2.75e9
    last = next(step for step in fast.plan(1, 224, 224) if step.layer == "conv4_block6_2_conv")
    assert last.method == "3x3 by im2col, every 2 positions"
    assert last.output == (7, 7, 256)


def test_the_table():
    """A line per step, a total, and columns that line up, numbers to the right."""
    steps = [
        Step("conv1_conv", "7x7", (8, 16, 64), "photographs", 1, 1_250_000),
        Step("conv2_block1_1_conv", "1x1", (8, 8, 4), "rows", 12, 2_345_678_900),
    ]
    assert format_steps(steps).splitlines() == [
        "Layer                Method  Output   Shared by    At once   Products",
        "-------------------  ------  -------  -----------  -------  ---------",
        "conv1_conv           7x7     8x16x64  photographs        1      1.2 M",
        "conv2_block1_1_conv  1x1     8x8x4    rows              12  2,345.7 M",
        "-------------------  ------  -------  -----------  -------  ---------",
        "Total                                                       2,346.9 M",
    ]


@pytest.mark.parametrize("unpacked", [0, 10**6])
def test_scratch_memory_is_bounded(unpacked):
    """In ResNet-50's widths, however BLAS multiplies; also of 160x160, most of whose tiles hang over."""
    for threads in (1, 4):
        network = fold_network(random_tensors(RESNET50, 64, 3), RESNET50, Team(threads), unpacked)
        for most, size in (
            (1, 224),
            (1, 448),
            (threads, 224),
            (32, 64),
            (32, 128),
            (32, 160),
            (32, 224),
            (8, 320),
        ):
            group = next_group(most, size, size, threads)
            recorded = record_pass(make_schedule(network, group, (size, size), threads), Team(threads))
            assert recorded.nbytes <= scratch_bytes(group, size, size, threads)

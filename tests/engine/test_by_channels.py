"""A stretch of blocks by itself, shared by channels and by rows, against the same blocks of `resnet`."""

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.pieces import small_pieces

from npcam import resnet
from npcam.engine import by_channels, by_rows
from npcam.engine.filters import fold_network
from npcam.engine.geometry import geometry
from npcam.engine.program import Program, Recorder, run_ops
from npcam.engine.schedule import Stretch
from npcam.engine.team import Team
from npcam.resnet import Architecture


def run_stretch(how, blocks, x, threads, unpacked=0):
    """Record blocks after each other, run them, and give what they make, and the program."""
    program = Program([Recorder(np.float32, unpacked) for _ in range(threads)], np.float32)
    sized, (n, h, w, _) = [], x.shape
    for block in blocks:
        sized.append((block, geometry(block, n, h, w)))
        h, w = sized[-1][1].h, sized[-1][1].w
    memory = program.shared.take("input", x.shape)
    y = how.record_stretch(program, Stretch("any", threads, n, tuple(sized)), memory)
    for _ in range(2):
        np.copyto(memory, x)
        for phase in program.phases:
            for ops in phase:
                run_ops(ops)
    return y, program


@pytest.mark.parametrize(
    ("how", "threads", "n"),
    [
        (by_channels, 1, 1),
        (by_channels, 2, 3),
        (by_channels, 5, 2),
        (by_rows, 1, 3),
        (by_rows, 2, 1),
        (by_rows, 5, 1),
    ],
)
@pytest.mark.parametrize("few_tiles", [0, 1000])
@pytest.mark.parametrize("stride_in", [1, 2])
@pytest.mark.parametrize(
    ("width", "large", "unpacked"), [(1, 0, 0), (5, 1 << 21, 0), (6, 0, 0), (5, 0, 1500)]
)
def test_a_stretch_of_blocks(how, threads, n, few_tiles, stride_in, width, large, unpacked, monkeypatch):
    """With fewer channels than threads, too; by Winograd or by sums; strides in either convolution.

    Kernels lie whole, and, where channels are shared or BLAS packs nothing of small matrices, in slices.
    """
    monkeypatch.setattr("npcam.engine.geometry.FEW_TILES", few_tiles)
    monkeypatch.setattr("npcam.engine.slices.LARGE", large if how is by_channels else 1 << 21)
    arch = Architecture(blocks=(2, 3, 1), strides=(1, 2, 3), stride_in=stride_in)
    tensors = random_tensors(arch, width)
    wide = {la: {m: a.astype(np.float64) for m, a in arrays.items()} for la, arrays in tensors.items()}
    found = {}
    photographs = np.random.default_rng(0).uniform(-120, 150, (n, 72, 83, 3))
    resnet.features(photographs, wide, arch, found.setdefault)
    x, expected = found["conv2_block1_out"], found["conv4_block1_out"]
    if unpacked:
        small_pieces(monkeypatch)
    blocks = fold_network(tensors, arch, Team(threads), unpacked).blocks[1:]
    y, program = run_stretch(how, blocks, x.astype(np.float32), threads, unpacked)
    assert not unpacked or max(len(block.kernel_3) for block in blocks) >= 5
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() < 64 * np.finfo(np.float32).eps * expected.max()
    assert len(program.phases) == (5 * 3 if how is by_channels else 5 + 1)
    ops = [op for phase in program.phases for ops in phase for op in ops if op.func is np.matmul]
    assert any(op.args[0].shape[1:2] in ((16,), (36,)) for op in ops) == (few_tiles == 0)


@pytest.mark.parametrize("how", [by_rows, by_channels])
def test_an_empty_stretch(how):
    """No blocks, nothing recorded."""
    x = np.ones((1, 2, 2, 3), np.float32)
    y, program = run_stretch(how, [], x, 2)
    assert np.array_equal(y, x)
    assert not program.phases


def factor(op):
    """What a matmul of a 1x1 multiplies with, (S, C, k): its sums are whole."""
    (kernel,) = op.args[1]
    return kernel[:, 0]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("large", [0, 1 << 21])
def test_each_task_reads_its_own_filters(threads, large, monkeypatch):
    """The parts of a kernel that tasks multiply with are equal in size and together the kernel."""
    monkeypatch.setattr("npcam.engine.slices.LARGE", large)
    arch = Architecture(blocks=(2,), strides=(1,))
    block = fold_network(random_tensors(arch, 6), arch, Team(threads)).blocks[1]
    _, program = run_stretch(by_channels, [block], np.ones((2, 9, 9, 24), np.float32), threads)
    for layer, kernel in (("_1_conv", block.kernel_1), ("_3_conv", block.kernel_3)):
        read = []
        for phase in program.phases:
            for ops in phase:
                read += [factor(op) for op in ops if op.layer.endswith(layer) and op.func is np.matmul]
        assert len(read) == threads
        assert all(np.shares_memory(part, kernel) for part in read)
        channels = len(kernel) * kernel.shape[-1]
        assert {len(part) * part.shape[-1] for part in read} == {channels // threads}
        slices = [piece for part in read for piece in part]
        assert np.array_equal(np.concatenate(slices, axis=1), np.concatenate(list(kernel), axis=1))


def test_rows_of_several_photographs_are_not_shared():
    """They would not lie side by side, so it is refused."""
    arch = Architecture(blocks=(2,), strides=(1,))
    blocks = fold_network(random_tensors(arch, 2), arch, Team(1)).blocks[1:]
    with pytest.raises(ValueError, match="the rows of one photograph can be shared, not of 3 in 2"):
        run_stretch(by_rows, blocks, np.ones((3, 9, 9, 8), np.float32), 2)

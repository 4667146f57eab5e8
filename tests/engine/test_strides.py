"""What the strides leave out, and that it leaves out nothing else."""

import pytest

from npcam.engine.strides import block_strides
from npcam.resnet import RESNET50, Architecture, residual_blocks


def test_the_last_block_of_a_stage_makes_what_the_next_one_reads():
    """In Keras's ResNet-50, three 3x3s take a stride and three stages begin without one."""
    plan = {block.name: block for block in block_strides(RESNET50)}
    for last, first in (("conv2_block3", "conv3_block1"), ("conv3_block4", "conv4_block1")):
        assert (plan[last].stride_2, plan[last].stride_0) == (2, 2)
        assert (plan[first].stride_1, plan[first].stride_0) == (1, 1)
    assert plan["conv5_block3"].stride_2 == 1


@pytest.mark.parametrize(
    "arch",
    [
        RESNET50,
        Architecture(blocks=(1, 1, 1), strides=(2, 3, 2)),
        Architecture(blocks=(2, 2), strides=(1, 2), stride_in=2),
    ],
    ids=str,
)
def test_strides_multiply_to_the_same(arch):
    """Along the branch and along the shortcut, each network shrinks pictures as before."""
    blocks = block_strides(arch)
    assert [b.name for b in blocks] == [b.name for b in residual_blocks(arch)]
    branch = shortcut = expected = 1
    for block, plain in zip(blocks, residual_blocks(arch), strict=True):
        branch *= block.stride_1 * block.stride_2
        shortcut *= block.stride_0
        expected *= plain.stride
        assert branch == shortcut
    assert branch == expected


def test_a_stride_in_the_3x3_skips_nothing():
    """torchvision's networks read every position with the first 1x1."""
    plan = block_strides(Architecture(stride_in=2))
    assert [b.stride_2 for b in plan] == [b.stride for b in residual_blocks(RESNET50)]
    assert {b.stride_1 for b in plan} == {1}


@pytest.mark.parametrize(
    ("strides", "expected"),
    [
        ((2, 3), [(2, 2, 1, 1), (3, 1, 3, 1), (1, 1, 1, 1)]),
        ((1, 2), [(1, 1, 1, 1), (2, 1, 2, 1), (1, 1, 1, 1)]),
        ((2, 1), [(2, 2, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)]),
    ],
)
def test_each_stride(strides, expected):
    """Shortcut, first 1x1, 3x3, and what its padding goes by, for two blocks and one."""
    found = block_strides(Architecture(blocks=(2, 1), strides=strides))
    assert [b[2:] for b in found] == expected
    assert [b.projects for b in found] == [True, False, True]
    plain = block_strides(Architecture(blocks=(2, 1), strides=strides, stride_in=2))
    s, t = strides
    assert [b[2:] for b in plain] == [(s, 1, s, s), (1, 1, 1, 1), (t, 1, t, t)]


def test_a_stage_of_one_block():
    """It takes its own stride and skips for the next."""
    found = block_strides(Architecture(blocks=(1, 1), strides=(2, 3)))
    assert [b[2:] for b in found] == [(6, 2, 3, 1), (1, 1, 1, 1)]

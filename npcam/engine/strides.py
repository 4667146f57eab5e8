"""The strides of `resnet`'s blocks as the engine takes them: positions that nobody reads are left out."""

from typing import NamedTuple

from npcam.resnet import Architecture, residual_blocks


class BlockStrides(NamedTuple):
    """One residual block as the engine runs it.

    Attributes:
        name: Keras's name of the block, `conv2_block1`.
        projects: whether its shortcut is a convolution.
        stride_0: the steps that the shortcut takes over the block's input.
        stride_1: the stride of the first 1x1, over the block's input.
        stride_2: the stride of the 3x3, over what the first 1x1 made.
        same_stride: the stride that Keras's padding "same" of the 3x3 goes by.
    """

    name: str
    projects: bool
    stride_0: int
    stride_1: int
    stride_2: int
    same_stride: int


def block_strides(arch: Architecture) -> list[BlockStrides]:
    """The blocks of an architecture in order, with skipped positions.

    >>> from npcam.resnet import RESNET50
    >>> [(b.stride_0, b.stride_1, b.stride_2) for b in block_strides(RESNET50)][:4]
    [(1, 1, 1), (1, 1, 1), (2, 1, 2), (1, 1, 1)]
    """
    blocks = [
        BlockStrides(b.name, b.projects, b.stride, b.stride_1, b.stride_2, same_stride=b.stride_2)
        for b in residual_blocks(arch)
    ]
    return skip_positions(blocks)


def skip_positions(blocks: list[BlockStrides]) -> list[BlockStrides]:
    """Let the last block of a stage make only the positions that the next stage reads.

    Where the next stage begins with a 1x1 of stride s (Keras's ResNets), it reads every s-th row
    and column: so the 3x3 before it may take that stride, and its own 1x1s then take stride 1.
    A 3x3 of stride 2 at a quarter of the positions is as little work as Winograd's at all of them.

    Reason: a quarter of the last 3x3 and 1x1 suffices in three stages: 10 % of all multiplications.
    """
    blocks = list(blocks)
    for i in range(len(blocks) - 1):
        stride = blocks[i + 1].stride_1
        if stride > 1:
            blocks[i] = blocks[i]._replace(stride_0=blocks[i].stride_0 * stride, stride_2=stride)
            blocks[i + 1] = blocks[i + 1]._replace(stride_0=1, stride_1=1)
    return blocks

"""Is this graph a ResNet, and which? It is read from its output back to its input, layer by layer.

Names do not matter here, only what each layer does: its class, its settings, what it reads. What
comes out is the architecture, and which layer plays which part, by Keras's own names for them.
"""

import itertools
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.keras_files.graph import Graph, Node, Tensor, reading_config
from npcam.keras_files.head import Head, find_head
from npcam.keras_files.parts import FoundBlock, find_block, find_stem
from npcam.keras_files.settings import check_bn
from npcam.keras_files.walk import Walk
from npcam.resnet import Architecture, residual_blocks


class Network(NamedTuple):
    """A ResNet recognised in a Keras model.

    Attributes:
        architecture: which ResNet it is.
        parts: {Keras's name of a layer with weights (`conv2_block1_1_conv`): that layer here}.
            `predictions` is among them where one Dense layer is all of the head.
        head: what lies above the last activation.
        entry: what the ResNet is given: the model's input, or what a layer in front of it puts out.
    """

    architecture: Architecture
    parts: dict[str, Node]
    head: Head
    entry: Tensor


def recognise(graph: Graph, where: str) -> Network:
    """Find the ResNet in a graph.

    Args:
        graph: the layers, from `unroll.read_graph`.
        where: the file's name, for messages.

    Raises:
        InputError: it is not one that npcam runs; the layer where it differs is named.
    """
    walk = Walk(graph, where)
    with reading_config(where):
        head = find_head(walk)
        blocks = [find_block(walk, head.end)]
        while blocks[0].x.kind != "MaxPooling2D":
            blocks.insert(0, find_block(walk, blocks[0].x))
        stem = find_stem(walk, blocks[0].x)
        parts = stem.parts | _name(blocks, where) | ({"predictions": head.dense} if head.dense else {})
        arch = Architecture(
            blocks=_counts(blocks),
            strides=tuple(block.stride for block in blocks if block.projects),
            stride_in=_stride_in(blocks, where),
            pool_padding=stem.pool_padding,
            epsilon=_epsilon(parts, where),
            activation=head.activation,
        )
    return Network(arch, parts, head, stem.entry)


def _counts(blocks: list[FoundBlock]) -> tuple[int, ...]:
    """How many blocks each stage has; the first of a stage projects its shortcut."""
    starts = [i for i, block in enumerate(blocks) if block.projects] + [len(blocks)]
    return tuple(b - a for a, b in itertools.pairwise(starts))


def _name(blocks: list[FoundBlock], where: str) -> dict[str, Node]:
    """Every block's layers by Keras's names of them."""
    if not blocks[0].projects:
        raise InputError(f"{where}: the first residual block has no convolution in its shortcut")
    counts = _counts(blocks)
    names = residual_blocks(Architecture(blocks=counts, strides=(1,) * len(counts)))
    return {
        f"{name.name}_{part}": node
        for name, block in zip(names, blocks, strict=True)
        for part, node in sorted(block.parts.items())
    }


def _stride_in(blocks: list[FoundBlock], where: str) -> int:
    """Which convolution takes the stride, the same one in every stage."""
    found = {block.stride_in for block in blocks if block.stride > 1}
    if len(found) > 1:
        raise InputError(f"{where}: some stages stride in their 1x1, some in their 3x3 convolution")
    return min(found, default=1)


def _epsilon(parts: dict[str, Node], where: str) -> float:
    """The one epsilon of all batch norms."""
    found = {check_bn(node, where) for name, node in parts.items() if name.endswith("_bn")}
    if len(found) != 1:
        raise InputError(f"{where}: batch norms of different epsilon {sorted(found)}; one expected")
    return found.pop()

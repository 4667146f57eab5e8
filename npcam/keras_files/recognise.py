"""Is this graph a ResNet, and which? It is read from its output back to its input, layer by layer.

Names do not matter here, only what each layer does: its class, its settings, what it reads. What
comes out is the architecture, and which layer plays which part, by Keras's own names for them.
"""

import itertools
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.keras_files.graph import Graph, Node, reading_config
from npcam.keras_files.parts import FoundBlock, find_block, find_stem, find_top
from npcam.keras_files.settings import check_bn, sides
from npcam.keras_files.walk import Walk
from npcam.layers import output_shapes
from npcam.resnet import Architecture, last_activation, residual_blocks


class Network(NamedTuple):
    """A ResNet recognised in a Keras model.

    Attributes:
        architecture: which ResNet it is.
        parts: {Keras's name of a layer with weights (`conv2_block1_1_conv`): that layer here}.
        input_size: (height, width), or None where the model takes any.
        front: the layers between the model's input and the ResNet, in order.
    """

    architecture: Architecture
    parts: dict[str, Node]
    input_size: tuple[int, int] | None
    front: tuple[Node, ...]


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
        top = find_top(walk)
        blocks: list[FoundBlock] = []
        x = top.x
        while x.kind != "MaxPooling2D":
            blocks.insert(0, find_block(walk, x))
            x = blocks[0].x
        stem = find_stem(walk, x)
        parts = stem.parts | _name(blocks, where) | ({"predictions": top.dense} if top.dense else {})
        arch = Architecture(
            blocks=_counts(blocks),
            strides=tuple(block.stride for block in blocks if block.projects),
            stride_in=_stride_in(blocks, where),
            pool_padding=stem.pool_padding,
            epsilon=_epsilon(parts, where),
            activation=top.activation,
        )
        front, size = _front(walk, stem.x)
        if top.average is not None:
            _check_average(walk, top.average, arch, size)
    return Network(arch, parts, size, front)


def _counts(blocks: list[FoundBlock]) -> tuple[int, ...]:
    """How many blocks each stage has; the first of a stage projects its shortcut."""
    starts = [i for i, block in enumerate(blocks) if block.projects] + [len(blocks)]
    return tuple(b - a for a, b in itertools.pairwise(starts))


def _name(blocks: list[FoundBlock], where: str) -> dict[str, Node]:
    """Every block's layers by Keras's names of them."""
    if not blocks or not blocks[0].projects:
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
    if any(block.stride > 1 and not block.projects for block in blocks):
        raise InputError(f"{where}: a block has a stride, and its shortcut has no convolution")
    return min(found, default=1)


def _epsilon(parts: dict[str, Node], where: str) -> float:
    """The one epsilon of all batch norms."""
    found = {check_bn(node, where) for name, node in parts.items() if name.endswith("_bn")}
    if len(found) != 1:
        raise InputError(f"{where}: batch norms of different epsilon {sorted(found)}; one expected")
    return found.pop()


def _front(walk: Walk, node: Node) -> tuple[tuple[Node, ...], tuple[int, int] | None]:
    """The layers before the stem, and the (height, width) of what they put out, if the file tells."""
    before = walk.ancestors(node.path)
    layers = [layer for path, layer in walk.graph.nodes.items() if path in before]
    inputs = [layer for layer in layers if layer.kind == "InputLayer"]
    front = tuple(layer for layer in layers if layer.kind != "InputLayer")
    if len(inputs) != 1:
        raise InputError(f"{walk.where}: {len(inputs)} inputs; a ResNet takes one photograph")
    size = _input_size(inputs[0])
    for layer in front:
        if {"height", "width"} <= layer.config.keys():  # Resizing, CenterCrop
            size = (int(layer.config["height"]), int(layer.config["width"]))
        if layer.kind in ("Conv2D", "Dense", "BatchNormalization"):
            raise walk.error(layer, "before the ResNet's padding and 7x7 convolution")
    return front, size


def _input_size(node: Node) -> tuple[int, int] | None:
    """(height, width) that an input layer declares, if any."""
    shape = node.config.get("batch_shape") or node.config.get("batch_input_shape")
    if not isinstance(shape, list) or len(shape) != 4 or not all(isinstance(n, int) for n in shape[1:3]):
        return None
    return shape[1], shape[2]


def _check_average(walk: Walk, node: Node, arch: Architecture, size: tuple[int, int] | None) -> None:
    """Raise InputError unless an average pool covers the whole of the last map, once."""
    window = sides(node, "pool_size", 2)
    map_size = None if size is None else output_shapes(arch, {}, size)[last_activation(arch)][1:3]
    if window != map_size:
        reason = "a class activation map needs one average over all of it"
        raise walk.error(node, f"averages {window} of a map of {map_size}; {reason}")

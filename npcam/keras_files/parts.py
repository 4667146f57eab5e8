"""The parts of a ResNet below its head, recognised from their ends: bottleneck blocks, and the stem."""

from typing import NamedTuple

from npcam.keras_files.calls import tensors_in
from npcam.keras_files.graph import Node, Tensor
from npcam.keras_files.operations import operation
from npcam.keras_files.settings import channels_last, check_conv, pads, sides
from npcam.keras_files.walk import RELUS, Walk

# The main branch from its end: what each layer is, and the part of its name.
BRANCH = (
    ("BatchNormalization", "3_bn"),
    ("Conv2D", "3_conv"),
    ("ReLU", "2_relu"),
    ("BatchNormalization", "2_bn"),
    ("Conv2D", "2_conv"),
    ("ReLU", "1_relu"),
    ("BatchNormalization", "1_bn"),
    ("Conv2D", "1_conv"),
)


class FoundBlock(NamedTuple):
    """One residual block.

    Attributes:
        parts: its convolutions and batch norms, by the ends of Keras's names: `2_conv`, `0_bn`.
        stride: how much smaller its maps are.
        stride_in: the convolution that takes the stride, 1 or 2.
        x: the layer that it reads.
    """

    parts: dict[str, Node]
    stride: int
    stride_in: int
    x: Node

    @property
    def projects(self) -> bool:
        """Whether its shortcut is a convolution."""
        return "0_conv" in self.parts


class Stem(NamedTuple):
    """What comes before the first block.

    Attributes:
        parts: its convolution and batch norm, by Keras's names.
        pool_padding: the zeros around the pool's input.
        entry: what its first layer is given: the input of the ResNet.
    """

    parts: dict[str, Node]
    pool_padding: int
    entry: Tensor


def find_block(walk: Walk, end: Node) -> FoundBlock:
    """The residual block that ends with the activation `end`.

    Raises:
        InputError: it is no bottleneck; the layer that is the reason is named.
    """
    add = walk.before(walk.expect_relu(end))
    if add.kind == "BatchNormalization" and walk.before(add).kind == "Add":
        raise walk.error(add, "normalises after the addition, as ResNetV2 does; npcam runs ResNet (v1)")
    merges = add.kind == "Merge" and add.config.get("mode") == "sum"
    if not (operation(add) == "Add" or merges) or len(add.inputs) != 2:
        raise walk.error(add, "where a residual block's Add was expected; npcam runs ResNet (v1)")
    a, b = walk.sources(add)
    for main, shortcut in ((a, b), (b, a)):
        found = _branches(walk, main, shortcut)
        if found is not None:
            return _checked(walk, *found)
    raise walk.error(
        add,
        "adds what is no bottleneck (convolutions 1x1, 3x3, 1x1, each with batch norm) and its shortcut; "
        "npcam runs ResNet-50, -101 and -152",
    )


def find_stem(walk: Walk, pool: Node) -> Stem:
    """The stem that ends with the pooling layer `pool`: padding, 7x7 convolution, batch norm, ReLU, padding.

    Raises:
        InputError: it is not Keras's; the layer that is the reason is named.
    """
    window = sides(pool, "pool_size", 2)
    if window != (3, 3) or sides(pool, "strides", window) != (2, 2):
        raise walk.error(pool, "is not a 3x3 pool of stride 2")
    if str(pool.config.get("padding", pool.config.get("border_mode", "valid"))).lower() != "valid":
        raise walk.error(pool, 'has padding "same", which Keras\'s ResNets do not have')
    channels_last(pool, walk.where)
    node, pool_padding = _unpad(walk, walk.before(pool))
    if pool_padding not in (0, 1):
        raise walk.error(pool, f"follows a padding of {pool_padding}; 0 or 1 expected")
    bn = walk.expect(walk.before(walk.expect_relu(node)), "BatchNormalization")
    conv = walk.expect(walk.before(bn), "Conv2D")
    if check_conv(conv, 7, walk.where) != 2:
        raise walk.error(conv, "must have stride 2")
    pad = walk.before(conv)
    padding = pads(pad, walk.where) if pad.kind == "ZeroPadding2D" else 0
    if padding != 3:
        raise walk.error(conv, f"follows a padding of {padding}; 3 expected")
    entry = next(tensors_in(pad.call), None)
    if entry is None:
        raise walk.error(pad, "reads nothing")
    return Stem({"conv1_conv": conv, "conv1_bn": bn}, pool_padding, entry)


def _branches(walk: Walk, main: Node, shortcut: Node) -> tuple[dict[str, Node], Node] | None:
    """The layers by part, and the block's input; None if `main` is not the main branch."""
    parts: dict[str, Node] = {}
    x = main
    for kind, name in BRANCH:
        if kind == "ReLU":
            if operation(x) not in RELUS:
                return None
            walk.expect_relu(x)
        elif x.kind != kind:
            return None
        else:
            parts[name] = x
        x = walk.before(x)
    if shortcut.path == x.path:
        return parts, x
    if shortcut.kind != "BatchNormalization":
        return None
    conv = walk.before(shortcut)
    if conv.kind != "Conv2D" or walk.before(conv).path != x.path:
        return None
    return parts | {"0_bn": shortcut, "0_conv": conv}, x


def _checked(walk: Walk, parts: dict[str, Node], x: Node) -> FoundBlock:
    """The block, if its kernels, paddings and strides are a bottleneck's."""
    strides = {
        name: check_conv(node, 3 if name == "2_conv" else 1, walk.where)
        for name, node in parts.items()
        if name.endswith("_conv")
    }
    first, second = strides["1_conv"], strides["2_conv"]
    if strides["3_conv"] != 1 or 1 not in (first, second) or strides.get("0_conv", 1) != first * second:
        raise walk.error(parts["3_conv"], f"ends a block of strides that do not fit together: {strides}")
    return FoundBlock(parts, first * second, 2 if second > 1 else 1, x)


def _unpad(walk: Walk, node: Node) -> tuple[Node, int]:
    """(what lies before a zero padding, its width); a width of 0 where there is none."""
    return (walk.before(node), pads(node, walk.where)) if node.kind == "ZeroPadding2D" else (node, 0)

"""The parts of a ResNet, recognised from their ends: the top, the bottleneck blocks, and the stem."""

from typing import NamedTuple

from npcam.keras_files.graph import Node
from npcam.keras_files.settings import activation, channels_last, check_conv, pads, sides
from npcam.keras_files.walk import Walk
from npcam.resnet import ACTIVATIONS

NEEDS = "a class activation map needs global average pooling followed by exactly one Dense layer"

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


class Top(NamedTuple):
    """The top of a network.

    Attributes:
        dense: the Dense layer, or None in a backbone.
        activation: its function, or None in a backbone.
        x: the last activation, below it.
        average: an AveragePooling2D that has to cover the whole map, which its size decides.
    """

    dense: Node | None
    activation: str | None
    x: Node
    average: Node | None


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
    """What comes before the first block: layers by Keras's names, the pool's padding, and what is read."""

    parts: dict[str, Node]
    pool_padding: int
    x: Node


def find_top(walk: Walk) -> Top:
    """Take the top off a graph, from its output down to the last activation.

    Raises:
        InputError: no class activation map follows from it; the layer that is the reason is named.
    """
    node, function = walk.output(), "linear"
    if node.kind in ("Activation", "Softmax") and (below := walk.before(node)).kind == "Dense":
        function = activation(node, walk.where)
        node = below
    if node.kind != "Dense":
        x, average = _pooled(walk, node, has_dense=False)
        return Top(None, None, x, average)
    own = activation(node, walk.where)
    if "linear" not in (own, function):
        raise walk.error(node, f"has two activations, {own} and {function}; one expected")
    function = function if own == "linear" else own
    if function not in ACTIVATIONS:
        raise walk.error(node, f"has the activation {function}; npcam runs {', '.join(ACTIVATIONS)}")
    below = walk.before(node)
    if below.kind in ("Dense", "BatchNormalization"):
        raise walk.error(below, f"stands before {node.label}; {NEEDS}")
    x, average = _pooled(walk, below, has_dense=True)
    return Top(node, function, x, average)


def find_block(walk: Walk, end: Node) -> FoundBlock:
    """The residual block that ends with the activation `end`.

    Raises:
        InputError: it is no bottleneck; the layer that is the reason is named.
    """
    add = walk.before(walk.expect_relu(end))
    if add.kind == "BatchNormalization":
        raise walk.error(add, "normalises after the addition, as ResNetV2 does; npcam runs ResNet (v1)")
    merges = add.kind == "Merge" and add.config.get("mode") == "sum"
    if not (add.kind == "Add" or merges) or len(add.inputs) != 2:
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
    x, padding = _unpad(walk, walk.before(conv))
    if padding != 3:
        raise walk.error(conv, f"follows a padding of {padding}; 3 expected")
    return Stem({"conv1_conv": conv, "conv1_bn": bn}, pool_padding, x)


def _pooled(walk: Walk, node: Node, has_dense: bool) -> tuple[Node, Node | None]:
    """The last activation, below the pooling (which a backbone may lack), and an average to check, if any."""
    flat = None
    if node.kind == "Flatten" or (node.kind == "Reshape" and len(node.config["target_shape"]) == 1):
        flat, node = node, walk.before(node)
    if node.kind in ("GlobalAveragePooling2D", "AveragePooling2D"):
        channels_last(node, walk.where)
        return walk.before(node), node if node.kind == "AveragePooling2D" else None
    if node.kind == "GlobalMaxPooling2D":
        raise walk.error(node, f"takes the maximum; {NEEDS}")
    if flat is not None or has_dense:
        raise walk.error(flat or node, f"where global average pooling was expected; {NEEDS}")
    return node, None


def _branches(walk: Walk, main: Node, shortcut: Node) -> tuple[dict[str, Node], Node] | None:
    """The layers by part, and the block's input; None if `main` is not the main branch."""
    parts: dict[str, Node] = {}
    x = main
    for kind, name in BRANCH:
        if kind == "ReLU":
            if x.kind not in ("Activation", "ReLU"):
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

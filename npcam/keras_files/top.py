"""What stands on top of a ResNet's last map: pooling, one Dense layer, its activation."""

from typing import NamedTuple

from npcam.keras_files.settings import activation, channels_last
from npcam.keras_files.unroll import Node
from npcam.keras_files.walk import Walk
from npcam.resnet import ACTIVATIONS

NEEDS = "a class activation map needs global average pooling followed by exactly one Dense layer"


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


def find_top(walk: Walk) -> Top:
    """Take the top off a graph, from its output down to the last activation.

    Raises:
        InputError: it is not one from which a class activation map follows; the layer is named.
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


def _pooled(walk: Walk, node: Node, has_dense: bool) -> tuple[Node, Node | None]:
    """The last activation, below the pooling, which a backbone may not have; and an average to check."""
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

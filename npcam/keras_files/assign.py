"""Which array in the file belongs to which layer of the configuration."""

from collections.abc import Collection, Sequence

from npcam.common.errors import InputError
from npcam.hdf5 import Dataset
from npcam.keras_files.arrays import SavedArray, SavedLayer
from npcam.keras_files.graph import Graph, LayerPath, Node
from npcam.keras_files.settings import weight_names

Datasets = dict[str, Dataset]  # of one layer, by the name of the weight


def assign(nodes: dict[str, Node], graph: Graph, saved: list[SavedLayer], where: str) -> dict[str, Datasets]:
    """Find every layer's arrays.

    Args:
        nodes: the layers wanted, by any key.
        graph: the whole configuration.
        saved: the layers in the file.
        where: the file's name, for messages.

    Returns:
        For each key the arrays in the file, by the name of the weight.

    Raises:
        InputError: a layer has arrays that its configuration does not explain. A layer that has none
            at all gets none.
    """
    by_path = {layer.path: layer for layer in saved if layer.path}
    by_slot = {layer.slot: layer for layer in saved if layer.slot}
    found = {}
    for key, node in nodes.items():
        if by_slot:
            layer = by_slot.get(node.slot)
            # Both names and numbers are there in recent files; where they disagree the name is right.
            if layer is None or (len(layer.path) == len(node.path) and layer.path != node.path):
                layer = by_path.get(node.path, layer)
            arrays = layer.arrays if layer else ()
        else:
            layer = by_path.get(node.path[:1])
            arrays = _inner(node, graph, layer, where) if layer else ()
        expected = weight_names(node)
        datasets = by_weight(arrays, expected, expected)
        if datasets is None:
            names = ", ".join(expected)
            raise InputError(f"{where}: {node.label} has {len(arrays)} arrays, expected {names}")
        found[key] = datasets
    return found


def _inner(node: Node, graph: Graph, layer: SavedLayer, where: str) -> tuple[SavedArray, ...]:
    """A layer's arrays among those of the outermost model that it is nested in."""
    if len(node.path) == 1:
        return layer.arrays
    named = tuple(array for array in layer.arrays if array.layer == node.path[-1])
    if named:
        return named
    order = _saved_order(graph, node.path[0])
    if len(order) != len(layer.arrays):
        raise InputError(
            f"{where}: {layer.path[0]} holds {len(layer.arrays)} arrays, its configuration names {len(order)}"
        )
    return tuple(
        array._replace(weight=weight)
        for (path, weight), array in zip(order, layer.arrays, strict=True)
        if path == node.path
    )


def _saved_order(graph: Graph, model: str) -> list[tuple[LayerPath, str]]:
    """The order of a nested model's weights in the older layout: first those that are trained."""
    first: list[tuple[LayerPath, str]] = []
    then: list[tuple[LayerPath, str]] = []
    for path, node in graph.nodes.items():
        if path[0] == model:
            for weight in weight_names(node):
                trained = node.trainable and not weight.startswith("moving_")
                (first if trained else then).append((path, weight))
    return first + then


def by_weight(
    arrays: Sequence[SavedArray], known: Collection[str], in_order: Sequence[str]
) -> Datasets | None:
    """A layer's arrays by the name of the weight: by the names in the file, else by their order.

    Args:
        arrays: the layer's arrays, in the order in which they were saved.
        known: the names that its weights may have. Some may be missing; whoever compares shapes names them.
        in_order: the names of the arrays by their order, where the file's names say nothing.

    Returns:
        The arrays, or None where neither names nor order tell them apart.
    """
    named = {array.weight: array.dataset for array in arrays}
    if len(named) == len(arrays) and named.keys() <= set(known):
        return named
    if len(arrays) != len(in_order):
        return None
    return {name: array.dataset for name, array in zip(in_order, arrays, strict=True)}

"""Weights without a configuration: what network they make, told by names, else by shapes."""

from npcam.errors import InputError
from npcam.keras_arrays import Array, Saved
from npcam.keras_assign import Datasets
from npcam.keras_graph import Network
from npcam.keras_names import count_blocks, is_old, is_v2, new_name
from npcam.resnet import Architecture

WEIGHTS = {2: ("kernel", "bias"), 4: ("gamma", "beta", "moving_mean", "moving_variance")}


def from_names(saved: list[Saved], where: str) -> tuple[Network, dict[str, Datasets]]:
    """Recognise a network by the names of its layers.

    Args:
        saved: the layers in the file.
        where: the file's name, for messages.

    Returns:
        The network, and its arrays by Keras's new names.

    Raises:
        InputError: the names are not those of a ResNet, or there is more than one Dense layer.
    """
    groups = _by_layer(saved)
    parts: dict[str, str] = {}
    dense: list[str] = []
    for name, arrays in groups.items():
        if is_v2(name):
            raise InputError(f"{where}: layer {name} is ResNetV2's; npcam runs ResNet (v1)")
        part = new_name(name)
        if part is not None:
            parts[part] = name
        elif arrays:
            dense.append(name)
    if "conv1_conv" not in parts or len(parts) < 4:
        known = ", ".join(list(groups)[:4]) or "none"
        raise InputError(
            f"{where}: no ResNet by the names of its layers ({known}, ...); npcam converts ResNets"
        )
    if len(dense) > 1:
        msg = (
            f"{where}: layers {', '.join(dense)} besides the ResNet's; a class activation map needs global "
            "average pooling followed by exactly one Dense layer"
        )
        raise InputError(msg)
    if dense:
        parts["predictions"] = dense[0]
    old = any(is_old(name) for name in parts.values())
    listed = {name for layer in saved for name in layer.path}
    blocks = count_blocks(set(parts))
    arch = Architecture(
        blocks=blocks,
        strides=(1, *[2] * (len(blocks) - 1)),
        pool_padding=1 if not old or "pool1_pad" in listed else 0,
        epsilon=1e-3 if old else 1.001e-5,
        activation="softmax" if dense else None,
    )
    found = {part: _by_weight(name, groups[name], where) for part, name in parts.items()}
    return Network(arch, {}, None, ()), found


def _by_layer(saved: list[Saved]) -> dict[str, list[Array]]:
    """The arrays of each layer with weights, by its own name, nested models unpacked."""
    groups: dict[str, list[Array]] = {}
    for layer in saved:
        for array in layer.arrays:
            name = layer.path[-1] if layer.path else layer.slot[-1]
            if not layer.slot and new_name(name) is None and new_name(array.layer) is not None:
                name = array.layer
            groups.setdefault(name, []).append(array)
    return groups


def _by_weight(name: str, arrays: list[Array], where: str) -> Datasets:
    """A layer's arrays by weight name."""
    if all(array.weight for array in arrays):
        return {array.weight: array.dataset for array in arrays}
    expected = WEIGHTS.get(len(arrays))
    if expected is None:
        raise InputError(f"{where}: {name} has {len(arrays)} arrays, 2 or 4 expected")
    return {weight: array.dataset for weight, array in zip(expected, arrays, strict=True)}

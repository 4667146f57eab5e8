"""Where Keras put a model's arrays: the two layouts that it ever had for them in HDF5.

The older one names everything: a root attribute lists the layers, each layer's group lists its
weights (`conv1_conv/kernel:0`), and a nested model is one layer with many weights. The newer one
(`.weights.h5`, and the HDF5 inside a `.keras`) numbers everything: `layers/conv2d_3/vars/0` is the
first weight of the fourth Conv2D; recent versions note the layer's own name beside it.

Both come out as a list of layers with their arrays still in the file.
"""

import re
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_KERAS_LAYERS, MAX_KERAS_NESTING, MAX_LAYER_ARRAYS
from npcam.hdf5 import Dataset, Group
from npcam.keras_files.graph import LayerPath

LAYERS = ("layers", "_layer_checkpoint_dependencies")  # the second is Keras 2.12's and 2.13's

# The endings of the names of weights, those of Keras 1 too. Its running_std holds the variance.
ENDINGS = {
    "kernel": "kernel",
    "W": "kernel",
    "bias": "bias",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "moving_mean",
    "running_mean": "moving_mean",
    "moving_variance": "moving_variance",
    "running_std": "moving_variance",
}
_ENDING = re.compile(rf"^(?:(?P<layer>.*)_)?(?P<ending>{'|'.join(ENDINGS)})(?:_\d+)?(?::\d+)?$")


class SavedArray(NamedTuple):
    """One array in the file, with the layer and the weight that its name tells, `""` where it tells none."""

    layer: str
    weight: str
    dataset: Dataset


class SavedLayer(NamedTuple):
    """One layer in the file, or, in the older layout, one model with all its layers.

    Attributes:
        path: its name, after those of the models it is in; `()` where the file does not tell.
        slot: its class and number, after those of the models it is in; `()` in the older layout.
        arrays: in the order in which they were saved.
    """

    path: LayerPath
    slot: LayerPath
    arrays: tuple[SavedArray, ...]


def has_layers(file: Group) -> str | None:
    """Which layout a group holds: "named" (the older), "numbered", or None."""
    if names(file, "layer_names") is not None:
        return "named"
    return "numbered" if any(name in file for name in LAYERS) else None


def named_layers(group: Group) -> list[SavedLayer]:
    """The layers of the older layout, in the model's order.

    Args:
        group: the root, or `model_weights` of a whole model.

    Raises:
        InputError: a layer or weight that is listed is missing, or is a link to elsewhere.
    """
    listed = names(group, "layer_names") or []
    if len(listed) > MAX_KERAS_LAYERS:
        raise InputError(f"{group.where} lists {len(listed)} layers; no ResNet has as many")
    saved = []
    for name in listed:
        node = group.group(name)
        arrays = []
        for weight in names(node, "weight_names") or []:
            layer, short = split_name(weight)
            arrays.append(SavedArray(layer, short, node.dataset(weight)))
        saved.append(SavedLayer((name,), (), tuple(arrays)))
    return saved


def numbered_layers(file: Group) -> list[SavedLayer]:
    """The layers of the newer layout, sorted by their numbers within each class and model.

    Raises:
        InputError: the groups are more or deeper than any ResNet's, or are links to elsewhere.
    """
    saved: list[SavedLayer] = []
    todo: list[tuple[Group, LayerPath, LayerPath]] = [(file, (), ())]
    while todo:
        group, path, slot = todo.pop()
        container = next((name for name in LAYERS if name in group), None)
        if container is None:
            continue
        members = group.group(container)
        if len(members) + len(saved) > MAX_KERAS_LAYERS or len(slot) > MAX_KERAS_NESTING:
            raise InputError(f"{members.where} holds more than any ResNet has; refused")
        for key in sorted(members, key=_number):
            member = members.group(key)
            variables = member.group("vars") if "vars" in member else None
            name = variables.attribute("name") if variables is not None else None
            inner = (*path, str(name)) if name is not None and len(path) == len(slot) else path
            saved.append(SavedLayer(inner, (*slot, key), () if variables is None else _numbered(variables)))
            todo.append((member, inner, (*slot, key)))
    return saved


def _numbered(variables: Group) -> tuple[SavedArray, ...]:
    """A layer's arrays by their numbers."""
    if len(variables) > MAX_LAYER_ARRAYS:
        raise InputError(f"{variables.where} holds {len(variables)} arrays; no layer of a ResNet does")
    return tuple(SavedArray("", "", variables.dataset(str(number))) for number in range(len(variables)))


def split_name(name: str) -> tuple[str, str]:
    """The layer and the weight that a weight's name tells of.

    >>> split_name("conv1_conv/kernel:0"), split_name("bn_conv1_running_std:0")
    (('conv1_conv', 'kernel'), ('bn_conv1', 'moving_variance'))
    """
    *above, last = name.split("/")
    found = _ENDING.match(last)
    if not found:
        return (above[-1] if above else ""), ""
    layer = found["layer"] or (above[-1] if above else "")
    return layer, ENDINGS[found["ending"]]


def names(group: Group, name: str) -> list[str] | None:
    """A list of names in an attribute, which Keras cuts into `name0`, `name1` where it is long."""
    whole = group.attribute(name)
    if whole is not None:
        return [str(n) for n in (whole if isinstance(whole, list) else [whole])]
    pieces: list[list[str]] = []
    while (piece := group.attribute(f"{name}{len(pieces)}")) is not None:
        pieces.append([str(n) for n in (piece if isinstance(piece, list) else [piece])])
    return [n for piece in pieces for n in piece] if pieces else None


def _number(key: str) -> tuple[str, int]:
    """What sorts conv2d, conv2d_1, ... conv2d_10 by number."""
    stem, _, number = key.rpartition("_")
    if number.isdigit() and len(number) < 10:
        return stem, int(number)
    return ("", int(key)) if key.isdigit() and len(key) < 10 else (key, 0)

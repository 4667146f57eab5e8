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
VARIABLES = "vars"

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
        attribute: whether the last part of its slot is no class's, but an attribute of its author's or
            a part of a layer.
    """

    path: LayerPath
    slot: LayerPath
    arrays: tuple[SavedArray, ...]
    attribute: bool = False


def has_layers(file: Group) -> str | None:
    """Which layout a group holds: "named" (the older), "numbered", or None."""
    if names(file, "layer_names") is not None:
        return "named"
    for name in file:
        if _parts(name)[0] in LAYERS:
            return "numbered"
        member = file.child(name)
        if isinstance(member, Group) and _holds_layers(member, 2):
            return "numbered"  # a subclassed model's, by the names of its attributes
    return None


def _holds_layers(group: Group, depth: int) -> bool:
    """Whether a group is a layer's or a model's, or one of a list of these."""
    if any(inner in group for inner in (*LAYERS, VARIABLES)):
        return True
    if depth == 0 or len(group) > MAX_KERAS_LAYERS:
        return False
    try:
        members = [group.child(name) for name in group]
    except InputError:  # a link to elsewhere, which no file of Keras's has
        return False
    return any(isinstance(member, Group) and _holds_layers(member, depth - 1) for member in members)


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

    Every array comes out, in whatever group it lies; only the optimizer's and the states of random
    numbers, which are no weights, stay behind. Keras 2.12 to 2.14 on Windows made one group for each
    layer, whose name is the whole path with backslashes. A subclassed model's groups are named by its
    attributes.

    Raises:
        InputError: the groups are more or deeper than any ResNet's, or are links to elsewhere,
            or an array lies where a group was expected.
    """
    found: dict[LayerPath, Group | None] = {}
    classes: set[LayerPath] = set()
    todo: list[tuple[Group, LayerPath]] = [(file, ())]
    while todo:
        group, above = todo.pop()
        if len(group) + len(found) > MAX_KERAS_LAYERS or len(above) > 2 * MAX_KERAS_NESTING:
            raise InputError(f"{group.where} holds more than any ResNet has; refused")
        for name in group:
            parts = (*above, *_parts(name))
            slot = tuple(part for part in parts if part not in (*LAYERS, VARIABLES))
            if slot[:1] == ("optimizer",) or (slot and slot[-1].startswith("seed_generator")):
                continue
            member = group.child(name)
            if isinstance(member, Dataset):
                raise InputError(f"{member.where} is an array where a group was expected")
            named = parts[:-1] if parts[-1] == VARIABLES else parts
            if named[-2:-1] and named[-2] in LAYERS:
                classes.add(slot)
            if parts[-1] == VARIABLES:
                found[slot] = member
            else:
                if slot and parts[-1] not in LAYERS:
                    found.setdefault(slot, None)
                todo.append((member, parts))
    saved = []
    labels: dict[LayerPath, LayerPath] = {(): ()}
    for slot in sorted(found, key=lambda slot: (len(slot), [_number(part) for part in slot])):
        variables = found[slot]
        label = variables.attribute("name") if variables is not None else None
        outer = labels.get(slot[:-1], ())
        labels[slot] = (*outer, str(label)) if label is not None and len(outer) == len(slot) - 1 else outer
        arrays = () if variables is None else _numbered(variables)
        if slot or arrays:
            saved.append(SavedLayer(labels[slot], slot, arrays, slot not in classes))
    return saved


def _parts(name: str) -> LayerPath:
    """A group's name, which Keras on Windows made of a whole path."""
    return tuple(name.split("\\"))


def _numbered(variables: Group) -> tuple[SavedArray, ...]:
    """A layer's arrays by their numbers."""
    if len(variables) > MAX_LAYER_ARRAYS:
        raise InputError(f"{variables.where} holds {len(variables)} arrays; no layer of a ResNet does")
    return tuple(SavedArray("", "", variables.dataset(str(number))) for number in range(len(variables)))


def check_order(layer: str, shape: tuple[int, ...], where: str) -> None:
    """Raise InputError for a stem's kernel as Keras 1 on Theano kept it: (out, in, height, width)."""
    if len(shape) == 4 and shape[1:] == (3, 7, 7):
        msg = (
            f"{where}: the kernel of {layer} has shape {shape}, in Theano's order (out, in, height, width); "
            "load it in the Keras that wrote it and save the model again"
        )
        raise InputError(msg)


def split_name(name: str) -> tuple[str, str]:
    """The layer and the weight that a weight's name tells of.

    >>> split_name("conv1_conv/kernel:0"), split_name("bn_conv1_running_std:0")
    (('conv1_conv', 'kernel'), ('bn_conv1', 'moving_variance'))
    """
    *above, last = name.split("/")
    found = _ENDING.match(last)
    own = above[-1] if above else ""
    if not found or (above and found["layer"] not in (None, own)):  # `sep/depthwise_kernel:0`
        return own, ""
    return found["layer"] or own, ENDINGS[found["ending"]]


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
    if number.isdecimal() and len(number) < 10:
        return stem, int(number)
    return ("", int(key)) if key.isdecimal() and len(key) < 10 else (key, 0)

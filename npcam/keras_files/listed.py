"""Layers that a file of weights alone lists besides those with weights, as far as their names tell them.

Both layouts list every layer of a model. One without weights is told by its class (`up_sampling2d_1`), or
by the name that its author gave it, which may tell nothing. What computes, and is no part of a ResNet, is
refused: a file without its model does not say where it stands. Operations of Keras 3 are not listed at all.
"""

import re
from collections import Counter
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.keras_files.arrays import SavedLayer
from npcam.keras_files.names import new_name
from npcam.keras_files.walk import IDENTITIES

# Layers that a photograph may go through before a ResNet, which a person can say with --preprocessing.
FRONT = ("rescaling", "normalization", "resizing", "slicingoplambda", "tfoplambda")
# `max_pool` and `avg_pool` are Keras's own names of its ResNets' global pooling.
MAXIMA = ("globalmaxpooling2d", "globalmaxpool2d", "maxpool")
AVERAGES = ("globalaveragepooling2d", "globalavgpool2d", "averagepooling2d", "averagepool2d", "avgpool")
# What a ResNet, its models and its head are made of, and what does nothing outside of training.
EXPECTED = {
    *("activation", "add", "flatten", "functional", "input", "inputlayer", "maxpooling2d", "merge", "model"),
    *("relu", "reshape", "sequential", "softmax", "zeropadding2d", "conv1pad", "pool1pad", "pool1pool"),
    *("conv1relu", *AVERAGES),
    *(name.lower() for name in IDENTITIES),
}
COMPUTING = {  # classes and operations of Keras's that are none of these
    *("additiveattention", "attention", "autocontrast", "average", "averagepooling1d", "centercrop"),
    *("concatenate", "cropping2d", "divide", "dot", "elu", "equalization", "getitem"),
    *("globalaveragepooling1d", "globalmaxpooling1d", "lambda", "leakyrelu", "masking", "maximum"),
    *("maxpooling1d", "minimum", "multiply", "negative", "permute", "randomcrop", "repeatvector"),
    *("solarization", "stack", "subtract", "thresholdedrelu", "timedistributed", "truedivide"),
    *("unitnormalization", "upsampling2d"),
}
_PART = re.compile(r"conv[2-9]_block[0-9]+_([0-3]_relu|add|out)")
ALONE = "and weights alone do not say"


class Listed(NamedTuple):
    """What the layers without weights tell.

    Attributes:
        front: names of layers that do what a person has said with --preprocessing.
        pooled: whether an average over positions is listed.
        unknown: names that tell nothing.
    """

    front: tuple[str, ...]
    pooled: bool
    unknown: tuple[str, ...]


def plain(name: str) -> str:
    """A layer's name or class without its number and underscores.

    >>> plain("layer_normalization_12"), plain("tf.math.truediv_1")
    ('layernormalization', 'tf.math.truediv')
    """
    return re.sub(r"_?[0-9]+$", "", name).replace("_", "").lower()


def listed_kinds(saved: list[SavedLayer]) -> Counter[str]:
    """How many layers there are of each class, as far as names and numbers tell it."""
    return Counter(plain(_own(layer)) for layer in saved)


def check_listed(saved: list[SavedLayer], preprocessing_told: bool, where: str) -> Listed:
    """Look at all the layers that a file lists.

    Args:
        saved: the layers in the file, in the model's order where they have names.
        preprocessing_told: whether a person has said what is done to a photograph, which layers in
            front of the ResNet leave open.
        where: the file's name, for messages.

    Raises:
        InputError: one of them computes what weights alone do not explain.
    """
    kinds = listed_kinds(saved)
    averages = any(kind in kinds for kind in AVERAGES)
    front: list[str] = []
    unknown: list[str] = []
    within = False  # whether the ResNet has begun, where the order tells
    for layer in saved:
        own, kind = _own(layer), plain(_own(layer))
        within = within or (bool(layer.arrays) and not layer.slot and kind not in FRONT)
        if kind in FRONT or kind.startswith(("tf.", "tfoplayer")):
            if within or not preprocessing_told:
                say = "" if within else ", or say with --preprocessing what it does to a photograph"
                reason = f"{own} stands in the file, {ALONE} what it does; convert a file that holds"
                raise InputError(f"{where}: {reason} the whole model{say}")
            front.append(own)
        elif kind in MAXIMA and not (kind == "maxpool" and averages):
            raise InputError(
                f"{where}: {own} is global max pooling; a class activation map needs the average"
            )
        elif not layer.arrays and (
            kind in COMPUTING or (layer.slot and not layer.attribute and not _is_known(own, layer, saved))
        ):
            reason = f"{own} stands in the file, {ALONE} what it is given"
            raise InputError(f"{where}: {reason}; convert a file that holds the whole model")
        elif not layer.arrays and not _is_known(own, layer, saved):
            unknown.append(own)
    return Listed(tuple(front), averages, tuple(unknown))


def check_counts(saved: list[SavedLayer], blocks: int, where: str) -> None:
    """Raise InputError where more poolings, paddings or additions are listed than a ResNet has.

    Args:
        saved: the layers in the file.
        blocks: how many residual blocks the ResNet has, one addition in each.
        where: the file's name, for messages.
    """
    kinds = listed_kinds(saved)
    additions = kinds["add"] + kinds["merge"] + sum(_own(layer).endswith("_add") for layer in saved)
    paddings = kinds["zeropadding2d"] + kinds["conv1pad"] + kinds["pool1pad"]
    pools = kinds["maxpooling2d"] + kinds["pool1pool"]
    averages = sum(kinds[kind] for kind in AVERAGES)
    nested = not pools and any(len({array.layer for array in layer.arrays}) > 1 for layer in saved)
    for found, most, what in (
        (additions, 0 if nested else blocks, "additions"),
        (kinds["zeropadding2d"] if nested else paddings, 0 if nested else 2, "zero paddings"),
        (pools, 1, "max poolings"),
        (averages, 1, "average poolings"),
    ):
        if found > most:
            reason = f"{found} {what} are listed, {most} expected, {ALONE} what the others are given"
            raise InputError(f"{where}: {reason}; convert a file that holds the whole model")


def _own(layer: SavedLayer) -> str:
    """A layer's own class and number, or its name."""
    return (layer.slot or layer.path or ("",))[-1]


def _is_known(own: str, layer: SavedLayer, saved: list[SavedLayer]) -> bool:
    """Whether a layer without weights is part of a ResNet, does nothing, or is a model of other layers."""
    kind = plain(own)
    if kind in EXPECTED or kind in FRONT or not own or _PART.fullmatch(own) or new_name(own):
        return True
    return any(
        len(other.slot) > len(layer.slot) and other.slot[: len(layer.slot)] == layer.slot for other in saved
    )

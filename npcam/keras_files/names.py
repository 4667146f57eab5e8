"""A ResNet's layers told by the names that Keras gave them, else by their order and shapes alone.

Until 2018: `conv1`, `bn_conv1`, `res2a_branch2a`, `bn2a_branch2a`, `fc1000`. Since then:
`conv1_conv`, `conv1_bn`, `conv2_block1_1_conv`, `conv2_block1_1_bn`, `predictions`.

Files of Keras 2.12 to 2.15, and of Keras 3 before 3.4, number a model's convolutions and batch norms,
and name none. They come in the model's order: the stem, then each block's 1x1, 3x3 and 1x1, with the
shortcut's convolution before or after the last of them.
"""

import itertools
import re
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.keras_files.arrays import SavedArray

_NEW = re.compile(r"conv1_(conv|bn)|conv[2-9]_block[1-9][0-9]{0,2}_[0-3]_(conv|bn)")
_OLD = re.compile(r"(?P<kind>res|bn)(?P<stage>[2-9])(?P<block>[a-z]|b[0-9]{1,3})_branch(?P<part>1|2a|2b|2c)")
_PARTS = {"1": 0, "2a": 1, "2b": 2, "2c": 3}
_V2 = re.compile(r"post_bn|conv[2-9]_block[0-9]+_preact_bn")


class WeightLayer(NamedTuple):
    """A layer with weights: its name (or class and number), its arrays, and its class as these tell it."""

    name: str
    kind: str
    arrays: list[SavedArray]


def new_name(name: str) -> str | None:
    """Today's name of a convolution or batch norm of Keras's ResNets; None for any other layer.

    >>> new_name("res3b_branch2c"), new_name("bn_conv1"), new_name("conv2_block1_0_bn")
    ('conv3_block2_3_conv', 'conv1_bn', 'conv2_block1_0_bn')
    >>> new_name("dense_1")
    """
    if _NEW.fullmatch(name):
        return name
    if name in ("conv1", "bn_conv1"):
        return "conv1_conv" if name == "conv1" else "conv1_bn"
    found = _OLD.fullmatch(name)
    if not found:
        return None
    letter, number = found["block"][0], found["block"][1:]
    block = int(number) + 1 if number else ord(letter) - ord("a") + 1
    kind = "conv" if found["kind"] == "res" else "bn"
    return f"conv{found['stage']}_block{block}_{_PARTS[found['part']]}_{kind}"


def is_old(name: str) -> bool:
    """Whether a name is of the scheme until 2018.

    >>> is_old("bn_conv1"), is_old("conv1_bn")
    (True, False)
    """
    return not _NEW.fullmatch(name) and new_name(name) is not None


def is_v2(name: str) -> bool:
    """Whether only a ResNetV2 has a layer of that name."""
    return _V2.fullmatch(name) is not None


def count_blocks(parts: "set[str]") -> tuple[int, ...]:
    """How many blocks each stage has, told from the new names of a network's layers.

    >>> count_blocks({"conv1_conv", "conv2_block1_1_conv", "conv2_block2_1_conv", "conv3_block1_1_conv"})
    (2, 1)
    """
    last: dict[int, int] = {}
    for name in parts:
        found = re.match(r"conv([2-9])_block([1-9][0-9]{0,2})_", name)
        if found:
            stage = int(found[1])
            last[stage] = max(last.get(stage, 0), int(found[2]))
    return tuple(last.get(stage, 1) for stage in range(2, max(last, default=1) + 1))


def by_order(
    convolutions: list[WeightLayer], norms: list[WeightLayer], where: str
) -> tuple[dict[str, WeightLayer], bool | None]:
    """Give numbered layers Keras's names.

    Args:
        convolutions: in the model's order.
        norms: the batch norms, in the model's order.
        where: the file's name, for messages.

    Returns:
        The layers by Keras's names, and whether a block's last convolution comes before its shortcut's,
        as it does in the network of 2017; None where nothing tells.

    Raises:
        InputError: these are not the convolutions of a ResNet of bottlenecks.
    """
    shapes = [layer.arrays[0].dataset.shape for layer in convolutions]
    if len(norms) != len(convolutions) or not shapes or shapes[0][:2] != (7, 7):
        found = f"{len(convolutions)} convolutions and {len(norms)} batch norms"
        raise InputError(
            f"{where}: {found}, of other names, are no ResNet's; npcam converts ResNet-50, -101, -152"
        )
    threes = [i for i, shape in enumerate(shapes) if shape[:2] == (3, 3)]
    # From each 3x3 to the next lie the block's end and the next block's first 1x1.
    lengths = [after - 1 - three for three, after in itertools.pairwise([*threes, len(shapes) + 1])]
    if not threes or threes[0] != 2 or any(length not in (2, 3) for length in lengths):
        raise InputError(
            f"{where}: convolutions of kernels that no bottleneck has; npcam converts ResNet-50 and up"
        )
    projecting = [three for three, length in zip(threes, lengths, strict=True) if length == 3]
    main_first = _main_first(shapes, projecting, where)
    names = ["conv1"]
    stage, block = 1, 0
    for three in threes:
        stage, block = (stage + 1, 1) if three in projecting else (stage, block + 1)
        tail = (["3", "0"] if main_first else ["0", "3"]) if three in projecting else ["3"]
        names += [f"conv{stage}_block{block}_{part}" for part in ("1", "2", *tail)]
    parts = {f"{name}_conv": layer for name, layer in zip(names, convolutions, strict=True)}
    return parts | {f"{name}_bn": layer for name, layer in zip(names, norms, strict=True)}, main_first


def _main_first(shapes: list[tuple[int, ...]], projecting: list[int], where: str) -> bool | None:
    """Whether a block's third convolution comes before its shortcut's, from the channels they take."""
    votes = set()
    for three in projecting:
        inputs, width = shapes[three - 1][2], shapes[three][3]
        first, second = shapes[three + 1][2], shapes[three + 2][2]
        if inputs != width:
            votes.add((first, second) == (width, inputs))
    if len(votes) > 1:
        raise InputError(f"{where}: blocks whose shortcuts come in different orders; no ResNet of Keras's")
    return votes.pop() if votes else None

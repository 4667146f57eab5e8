"""How the axes of somebody's arrays lie, told from their shapes: NHWC as npcam's, or NCHW as PyTorch's."""

import math
from collections.abc import Collection, Sequence
from typing import Any

from npcam.common.text import some_names
from npcam.shapes import Array

NHWC, NCHW = "NHWC", "NCHW"
Extent = tuple[int, ...]


def possible(shape: Extent, expected: Collection[Extent]) -> set[str]:
    """The layouts in which a shape could be one of those expected.

    Args:
        shape: the array's own.
        expected: shapes in NHWC that it may have.

    Returns:
        NHWC, NCHW, both or none. Where no expected shape fits whole, the number of channels decides.

    >>> sorted(possible((1, 64, 56, 56), [(1, 56, 56, 64)])), sorted(possible((1, 7, 7, 7), [(1, 7, 7, 7)]))
    (['NCHW'], ['NCHW', 'NHWC'])
    """
    if len(shape) != 4:
        return set()
    maps = [e for e in expected if len(e) == 4]
    found = {NHWC for e in maps if shape == e} | {NCHW for e in maps if to_nhwc_shape(shape, NCHW) == e}
    if not found:
        found = {NHWC for e in maps if shape[3] == e[3]} | {NCHW for e in maps if shape[1] == e[3]}
    return found


def settle(choices: Sequence[set[str]]) -> list[str]:
    """One layout for each array: what its own shape says, and where that is open, what the others say.

    >>> settle([{"NHWC"}, {"NCHW"}, {"NCHW", "NHWC"}, {"NCHW"}, set()])
    ['NHWC', 'NCHW', 'NCHW', 'NCHW', 'NCHW']
    """
    told = [next(iter(choice)) for choice in choices if len(choice) == 1]
    usual = NCHW if told.count(NCHW) > told.count(NHWC) else NHWC
    return [next(iter(choice)) if len(choice) == 1 else usual for choice in choices]


def to_nhwc_shape(shape: Extent, layout: str) -> Extent:
    """A shape of four sides in NHWC."""
    return (shape[0], *shape[2:], shape[1]) if layout == NCHW and len(shape) == 4 else shape


def to_nhwc(array: Array, layout: str, expected: Extent) -> Array:
    """An array with npcam's axes; (N, C, 1, 1) and (N, 1, 1, C) become (N, C) where that is expected.

    >>> import numpy as np
    >>> to_nhwc(np.zeros((2, 5, 1, 1)), "NCHW", (2, 5)).shape
    (2, 5)
    """
    if len(expected) == 2 and array.ndim == 4 and math.prod(array.shape[1:]) == max(array.shape[1:]):
        return array.reshape(len(array), -1)
    return array.transpose(0, 2, 3, 1) if layout == NCHW and array.ndim == 4 else array


def in_words(layouts: Sequence[str], names: Sequence[str]) -> str:
    """What was found, and which arrays are otherwise than most.

    >>> in_words(["NHWC", "NCHW", "NCHW"], ["input", "conv1", "bn1"])
    'NCHW, told from the shapes (NHWC: input)'
    """
    if not layouts:
        return "no maps, so no layout to tell"
    usual = max((NHWC, NCHW), key=list(layouts).count)
    other = [name for name, layout in zip(names, layouts, strict=True) if layout != usual]
    if not other:
        return f"{usual}, told from the shapes"
    return f"{usual}, told from the shapes ({NCHW if usual == NHWC else NHWC}: {some_names(other, 4)})"


def with_batch(array: Array, expected: Extent) -> Any:
    """An array without its axis of photographs, of which there is one, with that axis."""
    return array[None] if array.ndim == len(expected) - 1 and expected[0] == 1 else array

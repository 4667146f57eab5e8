"""Do these tensors make this network? Every missing, extra and misshapen one is named."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import (
    MAX_INPUT_PIXELS,
    MAX_INPUT_SIDE,
    MAX_STAGE_BLOCKS,
    MAX_STAGES,
    MAX_STRIDE,
    MIN_INPUT_SIDE,
)
from npcam.layers import weight_shapes
from npcam.preprocessing import is_sane
from npcam.resnet import ACTIVATIONS, Architecture, residual_blocks
from npcam.weights.tensors import Weights

Shapes = dict[str, dict[str, tuple[int, ...]]]  # {layer name: {weight name: shape}}


class Problems(NamedTuple):
    """Tensors, by name, that do not make the network; none if all three are empty."""

    missing: list[str]
    extra: list[str]
    misshapen: list[str]


def compare_shapes(expected: Shapes, found: Shapes) -> Problems:
    """Hold the tensors that there are against those that there should be.

    >>> compare_shapes({"a": {"bias": (2,), "kernel": (3, 2)}}, {"a": {"bias": (4,)}})
    Problems(missing=['a/kernel'], extra=[], misshapen=['a/bias (4,) (expected (2,))'])
    """
    wanted = {f"{layer}/{name}": shape for layer, a in expected.items() for name, shape in a.items()}
    present = {f"{layer}/{name}": shape for layer, a in found.items() for name, shape in a.items()}
    empty = [layer for layer in found if not found[layer] and layer not in expected]
    return Problems(
        missing=[name for name in wanted if name not in present],
        extra=[name for name in present if name not in wanted] + empty,
        misshapen=[
            f"{name} {present[name]} (expected {shape})"
            for name, shape in wanted.items()
            if name in present and not _fits(present[name], shape)
        ],
    )


def _fits(found: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether a shape is the expected one.

    An expected 0 is unknown: where a kernel is missing, the kernel is reported, not what follows it.

    >>> _fits((7, 7, 3, 64), (7, 7, 3, 0)), _fits((), (7, 7, 3, 0)), _fits((0,), (0,))
    (True, False, False)
    """
    return len(found) == len(expected) and all(
        n > 0 and e in (0, n) for n, e in zip(found, expected, strict=True)
    )


def check(weights: Weights, where: str) -> None:
    """Raise InputError unless it is a network that npcam runs, every tensor there, and its values usable."""
    check_architecture(weights.architecture, weights, where)
    shapes = {layer: {n: a.shape for n, a in arrays.items()} for layer, arrays in weights.tensors.items()}
    check_header(weights, shapes, where)
    for layer, arrays in weights.tensors.items():
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise InputError(f"{where}: {layer}/{name} holds NaN or infinity; weights must be finite")
            if name == "moving_variance" and not (array + weights.architecture.epsilon > 0).all():
                found = f"{layer}/{name} holds {array.min():.6g}, which is not above -epsilon"
                raise InputError(f"{where}: {found}; its root is no divisor; get the file again")


def check_architecture(arch: Architecture, weights: Weights, path: str) -> None:
    """Raise InputError for values that no network of ours has, before anything is built from them."""
    sane = {
        "blocks": 1 <= len(arch.blocks) <= MAX_STAGES
        and all(1 <= n <= MAX_STAGE_BLOCKS for n in arch.blocks),
        "strides": len(arch.strides) == len(arch.blocks) and all(1 <= n <= MAX_STRIDE for n in arch.strides),
        "stride_in": arch.stride_in in (1, 2),
        "pool_padding": arch.pool_padding in (0, 1),
        "epsilon": 0 <= arch.epsilon <= 1,
        "activation": arch.activation is None or arch.activation in ACTIVATIONS,
        "input_size": all(MIN_INPUT_SIDE <= n <= MAX_INPUT_SIDE for n in weights.input_size)
        and prod(weights.input_size) <= MAX_INPUT_PIXELS,
        "preprocessing": is_sane(weights.preprocessing) and weights.enlarges_evenly,
        "assumed": {*weights.assumed} <= {"preprocessing", "input_size", "activation", "pooling", "network"},
    }
    for name, ok in sane.items():
        if not ok:
            value = getattr(arch, name, getattr(weights, name, None))
            raise InputError(f"{path}: attribute {name} is {value}, which npcam cannot run; convert again")


def check_header(weights: Weights, shapes: Shapes, where: str) -> None:
    """Shapes and numbers of names, for arrays that are read already or still in the file."""
    check_shapes(weights.architecture, shapes, where)
    check_classes(shapes, weights.class_names, "class names", where)
    check_classes(shapes, weights.wnids, "wnids", where)


def check_shapes(arch: Architecture, found: Shapes, where: str) -> None:
    """Raise InputError that names every missing, extra and misshapen tensor."""
    filters = {layer: arrays["kernel"][-1] for layer, arrays in found.items() if arrays.get("kernel")}
    problems = compare_shapes(weight_shapes(arch, filters), found)
    for block, width, shortcut in _shortcuts(arch, filters):
        if width != shortcut and width and shortcut:
            sums = f"{block}_3_conv puts out {width} channels, its shortcut {shortcut}"
            problems.misshapen.append(sums)
    words = {
        "missing": problems.missing,
        "not of this network": problems.extra,
        "of the wrong shape": problems.misshapen,
    }
    lines = [f"{len(names)} {what}: {_some(names)}" for what, names in words.items() if names]
    if lines:
        raise InputError(f"{where}: tensors do not fit a ResNet of {arch.blocks} blocks: " + "; ".join(lines))


def check_classes(found: Shapes, names: Sequence[str] | None, what: str, where: str) -> None:
    """Raise InputError unless there are as many `names` (class names, wnids) as classes."""
    classes = found.get("predictions", {}).get("bias", (0,))[0]
    if names is not None and len(names) != classes:
        raise InputError(f"{where}: {len(names)} {what} for {classes} classes; give one per class, in order")


def _shortcuts(arch: Architecture, filters: dict[str, int]) -> Iterator[tuple[str, int, int]]:
    """Each block's name, its channels, and those of the shortcut that it is added to; 0 where unknown."""
    width = 0
    for block in residual_blocks(arch):
        if block.projects:
            width = filters.get(f"{block.name}_0_conv", 0)
        yield block.name, filters.get(f"{block.name}_3_conv", 0), width


def _some(names: list[str], most: int = 4) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

"""Which layers a port has fused, told from its activations: an array may hold more than its name says.

A port without batch norms has them folded into its convolutions, so what it calls a convolution's
output is its batch norm's. And a ReLU that works in place overwrites what came in, so that an array
that was not copied in time holds what the ReLU made of it. Both are told by all layers of a kind
together: one layer's mistake does not look like a fused port.
"""

import itertools
import math
from collections.abc import Mapping

import numpy as np

from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.shapes import Array

PARTS = {"conv": "convolutions", "bn": "batch norms", "relu": "ReLUs"}


def refold(
    found: Mapping[str, Array], own: Mapping[str, Array], arch: Architecture
) -> tuple[dict[str, str], list[str]]:
    """Tell whether convolutions hold their batch norms, and these their ReLUs.

    Only where the batch norm or ReLU is not given by itself. What the arrays are most like decides: all
    convolutions together of which the same parts are given, those with a ReLU and those without.

    Args:
        found: a port's activations by layer.
        own: npcam's.
        arch: the architecture.

    Returns:
        {layer that an array is named for: layer that it is of}, and what was found, in words.

    >>> own = {"conv1_conv": np.array([1.0, -2.0]), "conv1_bn": np.array([-3.0, 1.0])}
    >>> refold({"conv1_conv": np.array([-3.1, 1.0])}, own, Architecture())
    ({'conv1_conv': 'conv1_bn'}, ['fused: batch norms into 1 convolutions'])
    """
    renamed = {name: name for name in found}
    said: list[str] = []
    starts = [layer.name.removesuffix("_conv") for layer in layers(arch) if layer.kind == "Conv2D"]
    alike: dict[tuple[bool, tuple[str, ...]], list[str]] = {}  # of which the same parts are given
    for start in starts:
        given = tuple(part for part in PARTS if f"{start}_{part}" in found)
        alike.setdefault((start.endswith(("_0", "_3")), given), []).append(start)
    for (linear, given), names in alike.items():
        parts = ("conv", "bn") if linear else tuple(PARTS)
        for part in given:
            i = parts.index(part) + 1
            options = [part, *itertools.takewhile(frozenset(parts).difference(given).__contains__, parts[i:])]
            totals = [
                sum(likeness(found[f"{n}_{part}"], own.get(f"{n}_{option}")) for n in names)
                for option in options
            ]
            best = options[totals.index(max(totals))]
            if best != part:
                renamed |= {f"{n}_{part}": f"{n}_{best}" for n in names}
                into = " and ".join(PARTS[p] for p in parts[i : parts.index(best) + 1])
                said.append(f"{into} into {len(names)} {PARTS[part]}{' without a ReLU' if linear else ''}")
    return renamed, [f"fused: {', '.join(said)}"] if said else []


def overwritten(
    found: Mapping[str, Array], _own: Mapping[str, Array], arch: Architecture
) -> tuple[dict[str, str], list[str]]:
    """Tell arrays that hold what a later layer made of them in place: they are not given.

    Args:
        found: a port's activations by layer.
        arch: the architecture.

    Returns:
        {layer that an array is named for: the same, or "" where it was overwritten}, and what was
        found, in words.

    >>> a = np.array([0.0, 1.0])
    >>> overwritten({"conv1_bn": a, "conv1_relu": a}, {}, Architecture())
    ({'conv1_bn': '', 'conv1_relu': 'conv1_relu'}, ['overwritten in place: 1 arrays, first conv1_bn'])
    """
    pairs: dict[str, list[tuple[str, str]]] = {"bn": [], "add": [], "3_bn": []}
    for layer in layers(arch):
        if layer.kind == "Activation":
            pairs["add" if layer.name.endswith("_out") else "bn"].append((layer.inputs[0], layer.name))
            if layer.name.endswith("_out"):
                pairs["3_bn"].append((layer.name.replace("_out", "_3_bn"), layer.name))
    gone: list[str] = []
    for some in pairs.values():
        both = [(before, after) for before, after in some if before in found and after in found]
        if both and all(_equal(found[before], found[after]) for before, after in both):
            gone += [before for before, _ in both]
    renamed = {name: "" if name in gone else name for name in found}
    return renamed, [f"overwritten in place: {len(gone)} arrays, first {gone[0]}"] if gone else []


def likeness(a: Array, b: Array | None) -> float:
    """The cosine of the angle between two arrays of one shape, else -1.

    >>> likeness(np.array([1.0, 0.0]), np.array([2.0, 0.0])), likeness(np.ones(2), np.ones(3))
    (1.0, -1.0)
    """
    if b is None or a.shape != b.shape:
        return -1.0
    with np.errstate(all="ignore"):
        x, y = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
        cosine = float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))
    return cosine if math.isfinite(cosine) else -1.0


def _equal(a: Array, b: Array) -> bool:
    """Whether two arrays are the same, and nothing in them is negative, as after a ReLU."""
    return a.shape == b.shape and bool(np.array_equal(a, b)) and not (a < 0).any()

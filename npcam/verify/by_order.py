"""Arrays without names, in the order in which they were computed: which layers are they?

A port computes what the network computes, but it may fuse a batch norm or a ReLU into the convolution
before it, pad within a layer, and take the shortcut of a block before or after the rest. Whatever it
does, it does in every block. So each way to do it gives one list of layers; the numbers of channels
say which lists are possible, and of those the one is taken whose activations are most like npcam's.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from npcam.layers import layers
from npcam.resnet import Architecture, residual_blocks

INNER: tuple[tuple[str, ...], ...] = (
    ("conv", "bn", "relu"),
    ("bn", "relu"),
    ("relu",),
    ("conv", "relu"),
    ("conv", "bn"),
    ("conv",),
    ("bn",),
    (),
)
LINEAR: tuple[tuple[str, ...], ...] = (("conv", "bn"), ("bn",), ("conv",), ())
JOIN = (("add", "out"), ("out",), ("add",))
ORDERS = ("last", "first", "second", "mixed")
FUSED = {
    ("conv", "bn", "relu"): "every batch norm and ReLU by itself",
    ("bn", "relu"): "batch norms folded into the convolutions",
    ("relu",): "batch norms and ReLUs joined into the convolutions",
    ("conv", "relu"): "batch norms and ReLUs joined",
    ("conv", "bn"): "no ReLU after batch norms",
    ("conv",): "convolutions alone",
    ("bn",): "batch norms folded, no ReLUs",
    (): "blocks alone",
}


class Way(NamedTuple):
    """One way to run the network.

    Attributes:
        inner: what of each convolution with a ReLU is an array of its own.
        linear: what of each convolution without one.
        join: what of a block's end.
        order: where a block's shortcut stands: after the main path, before it, before its last
            convolution, or mixed with that as Keras lists them.
        ends: which of the layers before and after the blocks are there.
    """

    inner: tuple[str, ...]
    linear: tuple[str, ...]
    join: tuple[str, ...]
    order: str
    ends: tuple[str, ...]

    def in_words(self) -> str:
        """What it does, for people.

        >>> Way(("bn", "relu"), ("bn",), ("out",), "last", ("logits",)).in_words()
        'batch norms folded into the convolutions, ReLU joined into the sum, shortcut last'
        """
        joined = {("add", "out"): "", ("out",): ", ReLU joined into the sum", ("add",): ", sums without ReLU"}
        return f"{FUSED[self.inner]}{joined[self.join]}, shortcut {self.order}"


FRONT = ("input_layer", "conv1_pad", "pool1_pad", "pool1_pool")
BACK = ("avg_pool", "logits", "predictions")


def blocks_of(arch: Architecture, way: Way) -> list[str]:
    """The layers of a way that runs an architecture, in order.

    >>> arch = Architecture(blocks=(1,), strides=(1,))
    >>> " ".join(blocks_of(arch, Way(("relu",), ("bn",), ("out",), "first", ("pool1_pool", "logits"))))
    ... # doctest: +NORMALIZE_WHITESPACE
    'conv1_relu pool1_pool conv2_block1_0_bn conv2_block1_1_relu conv2_block1_2_relu conv2_block1_3_bn
    conv2_block1_out logits'
    """
    ends = way.ends
    names = [name for name in FRONT[:2] if name in ends]
    names += [f"conv1_{part}" for part in way.inner]
    names += [name for name in FRONT[2:] if name in ends]
    for block in residual_blocks(arch):
        main = [f"{block.name}_{n}_{part}" for n in (1, 2) for part in way.inner]
        last = [f"{block.name}_3_{part}" for part in way.linear]
        shortcut = [f"{block.name}_0_{part}" for part in way.linear] if block.projects else []
        if way.order == "first":
            names += [*shortcut, *main, *last]
        elif way.order == "second":
            names += [*main, *shortcut, *last]
        elif way.order == "mixed" and shortcut:
            names += [*main, *itertools.chain(*zip(shortcut, last, strict=True))]
        else:
            names += [*main, *last, *shortcut]
        names += [f"{block.name}_{part}" for part in way.join]
    if arch.activation is None:
        return names
    return names + [name for name in BACK if name in ends]


def ways(arch: Architecture, count: int) -> Iterator[tuple[Way, list[str]]]:
    """All ways of which so many arrays would come, with their layers."""
    known = {layer.name for layer in layers(arch)} | ({"logits"} if arch.activation else set())
    ends = [name for name in (*FRONT, *BACK) if name in known]
    some = [set(c) for n in range(len(ends) + 1) for c in itertools.combinations(ends, n)]
    for inner, linear, join, order in itertools.product(INNER, LINEAR, JOIN, ORDERS):
        length = len(blocks_of(arch, Way(inner, linear, join, order, ())))
        for chosen in some:
            if length + len(chosen) == count:
                way = Way(inner, linear, join, order, tuple(name for name in ends if name in chosen))
                yield way, blocks_of(arch, way)


def tell(
    channels: Sequence[int],
    expected: Mapping[str, int],
    arch: Architecture,
    alike: Callable[[int, str], float],
) -> tuple[Way, list[str]] | None:
    """Tell the layers of arrays in order.

    Args:
        channels: how many each array has.
        expected: how many each layer has.
        arch: the architecture.
        alike: how much an array, by its number, is like npcam's activation of a layer, up to 1.

    Returns:
        The way that was found, and the layers' names, one for each array; None where no way fits.
    """
    seen: dict[tuple[int, str], float] = {}

    def likeness(names: Sequence[str]) -> float:
        for pair in enumerate(names):
            if pair not in seen:
                seen[pair] = alike(*pair)
        return sum(seen[pair] for pair in enumerate(names))

    possible = [
        (way, names)
        for way, names in ways(arch, len(channels))
        if all(expected[name] == c for name, c in zip(names, channels, strict=True))
    ]
    return max(possible, key=lambda found: likeness(found[1]), default=None)

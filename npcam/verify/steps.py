"""Ways to compute a layer: as it is meant to be, with other weights or settings, and changed afterwards."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from npcam.layers import Layer, layers
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array
from npcam.verify.part import Arithmetic, Step
from npcam.verify.rounding import UNDERFLOW, Estimate, estimate_layer, stored

RELU_TOO_MANY = "a ReLU where none belongs, or one in place before it was recorded"
Found = tuple[str, Step]  # a mistake within one layer: its words, and the layer with it


class Network(NamedTuple):
    """The network as it is meant to be: its weights in float64, and its architecture."""

    w: Tensors
    arch: Architecture


def usual(layer: Layer, network: Network, weights: Mapping[str, Array] | None = None, **changed: Any) -> Step:
    """A layer as it is meant to be, but with other weights, another stride or other settings.

    Args:
        layer: as in the network's table, or with another stride, window or padding.
        network: the network.
        weights: in place of the layer's own.
        changed: fields of the architecture, such as `epsilon`.
    """
    arch = replace(network.arch, **changed)
    w = network.w if weights is None else {layer.name: weights}

    def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        return estimate_layer(layer, inputs, w, arch, *how)

    return step


def then(step: Step, change: Callable[[Array], Array], slope: float = 0.0) -> Step:
    """A step whose output is changed: rearranged, or, with a slope, put through a function.

    Args:
        step: what comes first.
        change: what is done to its output.
        slope: of a function, the steepest; 0 for what only moves numbers.
    """

    def after(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        value, variance = step(inputs, how)
        y = change(value)
        if not slope:
            return stored(Estimate(y, change(variance)), how.precision)
        own = 16 * how.unit * (y * y + value * value) + UNDERFLOW**2 * (how.unit > 0)
        return stored(Estimate(y, slope**2 * variance + own), how.precision)

    return after


def hand_on(inputs: list[Estimate], how: Arithmetic) -> Estimate:
    """A layer that hands on what it reads."""
    return stored(inputs[0], how.precision)


def padded(
    layer: Layer,
    network: Network,
    amounts: Any,
    value: float = 0.0,
    mode: Literal["edge", "reflect"] | None = None,
) -> Step:
    """A padding, alone or before a convolution, with other amounts or other numbers."""
    plain = None if layer.kind == "ZeroPadding2D" else usual(layer._replace(padding=0), network)

    def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
        x, v = inputs[0]
        widths = ((0, 0), *amounts, (0, 0))
        if mode:
            found = Estimate(*(np.pad(part, widths, mode=mode) for part in (x, v)))
        else:
            found = Estimate(np.pad(x, widths, constant_values=value), np.pad(v, widths))
        return found if plain is None else plain([found], how)

    return step


def other_layers(layer: Layer, network: Network, kind: str) -> Iterator[str]:
    """The names of layers of the same class whose weights have the same shapes."""
    shapes = {name: array.shape for name, array in network.w[layer.name].items()}
    for other in layers(network.arch):
        if other.kind == kind and other.name != layer.name and other.name in network.w:
            found = {name: array.shape for name, array in network.w[other.name].items()}
            if found == shapes:
                yield other.name

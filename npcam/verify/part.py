"""The part of a network between the last tensors that are given and one layer, computed in any way.

A port that folds its batch norms or joins its ReLUs gives no tensor for them. What it gives is judged
from the last tensors before, so a mistake may sit in any layer between; here each of them can be
computed in another way than its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from npcam.layers import Layer
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array
from npcam.verify.precision import FLOAT32, Precision
from npcam.verify.rounding import Estimate, as_input, estimate_layer, exact, stored


class Arithmetic(NamedTuple):
    """How numbers are rounded: the variance of one rounding, and what has fewer bits than that is of."""

    unit: float = 0.0
    precision: Precision = FLOAT32


Step = Callable[[list[Estimate], Arithmetic], Estimate]  # from what a layer reads to what it puts out
EXACTLY = Arithmetic()


class Part:
    """Some layers in a row, or in two branches, that end in one.

    Attributes:
        layers: those between what is given and the last, which is the one to look at.
        given: what is read by them and not computed, by layer name.
        recorded: whether the last layer's own inputs are all given.
        work: how many products have been added up so far.
    """

    def __init__(
        self,
        table: Sequence[Layer],
        last: str,
        x: Array | Estimate,
        given: Mapping[str, Array],
        w: Tensors,
        arch: Architecture,
    ) -> None:
        """Find the part.

        Args:
            table: the network's layers.
            last: the name of the layer to look at.
            x: the network's input, as it is or with the variance of its own error, for the layers that
                nothing else is given for.
            given: activations by layer name; that of `last` is not used.
            w: the network's weights in float64.
            arch: its architecture.
        """
        self._x, self._w, self._arch = as_input(x), w, arch
        by_name = {layer.name: layer for layer in table}
        needed, todo = {last}, [last]
        while todo:
            for name in by_name[todo.pop()].inputs:
                if name not in given and name not in needed:
                    needed.add(name)
                    todo.append(name)
        self.layers = [layer for layer in table if layer.name in needed]
        inputs = {name for layer in self.layers for name in layer.inputs}
        self.given = {name: exact(given[name]) for name in inputs - needed}
        self.recorded = all(name in given for name in by_name[last].inputs)
        self.work = 0
        self._plain: dict[str, Estimate] = {}

    def own(self, layer: Layer) -> Step:
        """How a layer is computed rightly."""

        def step(inputs: list[Estimate], how: Arithmetic) -> Estimate:
            if layer.kind == "InputLayer":
                return stored(exact(self._x.value) if how == EXACTLY else self._x, how.precision)
            return estimate_layer(layer, inputs, self._w, self._arch, *how)

        return step

    def run(self, changes: Mapping[str, Step] | None = None, how: Arithmetic = EXACTLY) -> Estimate | None:
        """Compute the last layer, with some layers computed in another way.

        Args:
            changes: {layer name: what to do in place of it}.
            how: the rounding; by default there is none, and only values are computed.

        Returns:
            The last layer; None where shapes do not fit.
        """
        changes = changes or {}
        known, touched = dict(self.given), set[str]()
        for layer in self.layers:
            name = layer.name
            if name in changes or touched.intersection(layer.inputs):
                touched.add(name)
            if how == EXACTLY and name not in touched and name in self._plain:
                known[name] = self._plain[name]
                continue
            step = changes.get(name) or self.own(layer)
            try:
                with np.errstate(all="ignore"):
                    known[name] = step([known[n] for n in layer.inputs], how)
            except ValueError:
                return None
            kernel = self._w.get(name, {}).get("kernel")
            self.work += known[name].value.size * (1 if kernel is None else int(np.prod(kernel.shape[:-1])))
            if how == EXACTLY and name not in touched:
                self._plain[name] = known[name]
        return known[self.layers[-1].name]

    def values(self) -> dict[str, Array]:
        """What is given, and all layers as they are meant to be, by name; after `run`."""
        return {name: e.value for name, e in (self.given | self._plain).items()}

"""Why a layer is off: which of the usual mistakes brings it within rounding.

Each mistake is computed in float64, from the last tensors that the program on trial gave before the
layer, at each of the layers in between. A mistake is named only if what it makes agrees with what
the program made to within the tolerance that the layer itself is held to, and leaves much less over
than the layer as it is meant to be.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np

from npcam.layers import layers
from npcam.preprocessing import Preprocessing
from npcam.shapes import Array
from npcam.verify.difference import difference
from npcam.verify.input_mistakes import as_estimate, inputs, other_photograph
from npcam.verify.mistakes import Mistake, mistakes
from npcam.verify.part import EXACTLY, Arithmetic, Part
from npcam.verify.precision import PRECISIONS, rounded
from npcam.verify.rounding import Estimate, as_input
from npcam.verify.seen_input import seen_input
from npcam.verify.steps import Network

NONE = "none of the usual mistakes"
CONFIRMED = 12  # of the mistakes that leave the least over, how many are held to the tolerance
ALIKE = 2.0  # mistakes that leave so many times what the best one leaves are told apart by their order
GAIN = 0.5  # a mistake has to leave less over than this share of what the right layer leaves
FEW = 8  # layers; in longer parts the search goes through them by turns, and ends at the first that fits
WORK = 4 * 10**11  # products, after which the search in a longer part is given up: some minutes
MANY = 2  # photographs; more than these add time and tell nothing new


FIRST = ("conv1_conv", "conv1_bn", "conv1_relu")  # layers that tell what the network was given


class Cause(NamedTuple):
    """Why a layer is off.

    Attributes:
        words: the mistake, or that none of the usual ones is it.
        layer: the layer that it is in; None where none was found.
    """

    words: str
    layer: str | None = None

    def __str__(self) -> str:
        """The layer and the mistake."""
        return f"{self.layer}: {self.words}" if self.layer else self.words


class Tolerance(NamedTuple):
    """What a layer is held to: standard deviations of rounding where its inputs are given, and else."""

    alone: float
    flow: float


def find_cause(
    network: Network,
    preprocessing: Preprocessing,
    x: Array | Estimate,
    trial: Mapping[str, Array],
    name: str,
    how: Arithmetic,
    tolerance: Tolerance,
) -> Cause:
    """Try the usual mistakes on a layer that is beyond rounding.

    Args:
        network: as it is meant to be.
        preprocessing: what was done to the photograph.
        x: npcam's input, (N, H, W, 3), as it is or with what the program on trial may be off by in it.
        trial: the activations of the program on trial, by layer name.
        name: the layer that is off; `trial` has it.
        how: the rounding of the program on trial.
        tolerance: in standard deviations.
    """
    start = as_input(x)
    count = len(start.value)
    if count > MANY and all(len(array) == count for array in trial.values()):
        keep = _furthest_off(Part(layers(network.arch), name, start, trial, *network).run(), trial[name])
        start = Estimate(*(part[keep] for part in start))
        trial = {key: array[keep] for key, array in trial.items()}
    x = start.value
    search = _Search(network, start, trial, name, how, tolerance)
    found = search.best(_all(search.part, network, x, preprocessing, how))
    if found:
        return Cause(found.words, found.layer)
    value = trial[name]
    if search.overflows():
        return Cause("overflow of float16: numbers beyond 65504 became infinite or were cut off there", name)
    short = fewer_bits(value)
    if short and how.precision.name != short:
        return Cause(f"its numbers are {short}'s; if that is meant, --precision {short} allows for it", name)
    words = _another_input(search, network, preprocessing, x, value)
    if words:
        return Cause(words, "input_layer")
    if search.given_up:
        many = len(search.part.layers)
        return Cause(f"{NONE} that were tried: {many} layers lead here; give tensors in between to find it")
    return Cause(NONE)


def _another_input(
    search: "_Search", network: Network, preprocessing: Preprocessing, x: Array, value: Array
) -> str | None:
    """Whether the input was another photograph, where it is the layer or is told by the first convolution."""
    if search.name == "input_layer":
        return other_photograph(value, x, preprocessing)
    if search.name not in FIRST or search.part.layers[0].kind != "InputLayer":
        return None
    seen = seen_input(value[:1], search.name, *network)
    if seen is None or seen.rest > search.deviation():
        return None
    padded = np.pad(np.asarray(x[:1], np.float64), ((0, 0), (3, 3), (3, 3), (0, 0)))
    rows, columns = seen.x.shape[1:3]
    ours = padded[:, seen.top : seen.top + rows, seen.left : seen.left + columns]
    return other_photograph(seen.x, ours, preprocessing)


def fewer_bits(value: Array) -> str | None:
    """The short float type that all numbers of an array are of, or None.

    >>> fewer_bits(np.array([1.0, 1.0078125, 3.015625], np.float32)), fewer_bits(np.array([0.1], np.float32))
    ('bfloat16', None)
    """
    if not np.isfinite(value).all() or value.dtype == np.float16 or np.array_equal(value, np.rint(value)):
        return None
    for name in ("bfloat16", "float16"):
        if np.array_equal(rounded(value, PRECISIONS[name]), value.astype(np.float64)):
            return name
    return None


def _furthest_off(right: Estimate | None, value: Array) -> list[int]:
    """Two photographs, in order: those whose layer is finite and furthest from what is right."""
    if right is None or right.value.shape != value.shape:
        return list(range(MANY))
    with np.errstate(all="ignore"):
        off = np.max(np.abs(value - right.value).reshape(len(value), -1), axis=1)
    order = np.argsort(np.where(np.isfinite(off), off, -1.0))
    return sorted(int(i) for i in order[-MANY:])


def _all(
    part: Part, network: Network, x: Array, preprocessing: Preprocessing, how: Arithmetic
) -> list[Iterator[Mistake]]:
    """Those of the input, where it is not given or is itself the layer, and those of all other layers."""
    found = mistakes(part.layers, network)
    if part.layers[0].kind == "InputLayer":
        found.insert(0, _of_input(part, x, preprocessing, how))
    return found


def _of_input(part: Part, x: Array, preprocessing: Preprocessing, how: Arithmetic) -> Iterator[Mistake]:
    """The usual mistakes in the network's input."""
    layer = part.layers[0]
    for said, other in inputs(x, preprocessing):
        words = said
        if said.startswith("channels reversed") and said.endswith(")") and len(part.layers) > 1:
            words += ", in the input or in the kernel of conv1_conv"
        found = as_estimate(other, how.unit + how.precision.variance_of_stored)

        def step(_: list[Estimate], now: Arithmetic, found: Estimate = found) -> Estimate:
            return Estimate(found.value, found.variance * (now != EXACTLY))

        yield Mistake(words, layer.name, {layer.name: step})


def _by_turns(candidates: list[Iterator[Mistake]]) -> Iterator[Mistake]:
    """The first mistake of each layer, then the second of each, and so on: the most usual ones first."""
    for turn in zip_longest(*candidates):
        yield from (mistake for mistake in turn if mistake is not None)


class _Search:
    """The mistakes of one layer's part, held against what the program on trial put out."""

    def __init__(
        self,
        network: Network,
        x: Estimate,
        trial: Mapping[str, Array],
        name: str,
        how: Arithmetic,
        tolerance: Tolerance,
    ) -> None:
        """Find the part that leads to the layer."""
        self._network, self._x, self._trial, self._how = network, x, trial, how
        self._tolerance, self._table = tolerance, layers(network.arch)
        self._value = np.asarray(trial[name], np.float64)
        self.name = name
        self.given_up = False
        self.part = self._part(name)

    def best(self, candidates: list[Iterator[Mistake]]) -> Mistake | None:
        """The mistake that explains the layer, or None."""
        limit = GAIN * self._left(self.part.run())
        long = len(self.part.layers) > FEW
        ranked: list[tuple[float, int, Mistake]] = []
        for i, mistake in enumerate(_by_turns(candidates) if long else chain(*candidates)):
            if long and self.part.work > WORK:
                self.given_up = True
                break
            left = self._left(self.part.run(mistake.steps))
            if left <= limit:
                if long and left < limit / 100 and self._confirmed(mistake):
                    return mistake
                ranked = sorted([*ranked, (left, i, mistake)], key=lambda r: r[:2])[:CONFIRMED]
        good: list[tuple[float, int, Mistake]] = []
        for left, i, mistake in ranked:
            if good and left > ALIKE * good[0][0] + 1e-12:
                break
            if self._confirmed(mistake):
                good.append((left, i, mistake))
        return min(good, key=lambda r: r[1])[2] if good else None

    def deviation(self) -> float:
        """The root of the mean variance of rounding, of the layer as it is meant to be."""
        found = self.part.run(how=self._how)
        return 0.0 if found is None else float(np.sqrt(np.mean(found.variance)))

    def overflows(self) -> bool:
        """Whether all that is off would be larger than float16's largest number, and is infinite or that."""
        found, limit = self.part.run(how=self._how), PRECISIONS["float16"].largest
        if found is None or found.value.shape != self._value.shape:
            return False
        value = self._value
        tolerance = self._sigmas(self.part) * np.sqrt(found.variance)
        off = ~(np.abs(found.value - value) <= tolerance)
        large = np.abs(found.value) + tolerance >= limit
        return bool(off.any() and np.all(large[off] & (np.abs(value[off]) >= limit)))

    def _sigmas(self, part: Part) -> float:
        return self._tolerance.alone if part.recorded else self._tolerance.flow

    def _part(self, name: str) -> Part:
        w, arch = self._network
        return Part(self._table, name, self._x, self._trial, w, arch)

    def _left(self, found: Estimate | None) -> float:
        """What is left over: the root of the mean square, infinite where shapes differ."""
        if found is None or found.value.shape != self._value.shape:
            return np.inf
        with np.errstate(all="ignore"):
            off = np.where(found.value == self._value, 0.0, found.value - self._value)
            left = float(np.sqrt(np.mean(off * off)))
        return left if np.isfinite(left) else np.inf

    def _confirmed(self, mistake: Mistake) -> bool:
        """Whether the layer is within its tolerance, and a later one that must show the mistake, too."""
        if not self._within(self.part, self.name, mistake):
            return False
        later = self._first_given(mistake.seen_at) if mistake.seen_at else None
        return later is None or later == self.name or self._within(self._part(later), later, mistake)

    def _within(self, part: Part, name: str, mistake: Mistake) -> bool:
        found, value = part.run(mistake.steps, self._how), self._trial[name]
        if found is None or found.value.shape != value.shape:
            return False
        return difference(found.value, value, self._sigmas(part) * np.sqrt(found.variance)).ok

    def _first_given(self, name: str) -> str | None:
        """The first layer from one on that is given and leads on from it."""
        after: set[str] = set()
        for layer in self._table:
            if layer.name == name or after.intersection(layer.inputs):
                if layer.name in self._trial:
                    return layer.name
                after.add(layer.name)
        return None

"""How many digits of an explanation can be trusted: what rounding may do to logit, class and box.

The variances are those of `rounding`, carried through the whole network in float64; what is called
possible lies within the tolerance of the flow, 32 standard deviations. The input counts as exact.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from npcam.cam import upsample_map
from npcam.model import Model
from npcam.resnet import last_activation
from npcam.shapes import Array
from npcam.verify.alone import FLOW
from npcam.verify.rounding import Estimate, estimates, exact, logits, roundoff_variance
from npcam.weights import cast

THRESHOLD = 0.2  # of the map's maximum, where `cam.bounding_box` draws the line


@dataclass(frozen=True)
class Digits:
    """What rounding may do to an explanation.

    Attributes:
        logit_deviation: the standard deviation of the target's logit.
        logit_error: what the logit may be off by, 32 of these.
        significant: the digits of the logit that rounding leaves alone.
        first, second: the classes with the largest and the second largest logit; `second` is None
            where there is only one class.
        margin: how far their logits are apart.
        margin_deviations: that in its standard deviations; infinite where there is no rounding.
        class_may_change: whether another class may have the largest logit without rounding.
        cells: of the map.
        cells_near: those that may be on the other side of the box's threshold without rounding.
        pixels_near: the pixels of the upsampled map, from which the box is drawn, of which that is so.
        box_may_move: whether the box may be another one without rounding.
    """

    logit_deviation: float
    logit_error: float
    significant: int
    first: int
    second: int | None
    margin: float
    margin_deviations: float
    class_may_change: bool
    cells: int
    cells_near: int
    pixels_near: int
    box_may_move: bool


def digits(
    model: Model, x: Array, target: int, align: str = "corners", threshold: float = THRESHOLD
) -> Digits:
    """Work out what rounding may do to the explanation of one photograph.

    Args:
        model: the network, with a top; its float type is the one that rounds.
        x: the preprocessed photograph, (1, H, W, 3).
        target: the index of the class that is explained.
        align: how the map is upsampled, see `npcam.upsample_map`.
        threshold: the box's, as a share of the map's maximum, see `npcam.bounding_box`.

    >>> from npcam import load_model
    >>> found = digits(load_model(), np.zeros((1, 64, 64, 3), np.float32), target=1)
    >>> found.cells, found.class_may_change
    (16, False)
    """
    arch, unit = model.weights.architecture, roundoff_variance(model.dtype)
    w = cast(cast(model.weights.tensors, model.dtype), np.float64)
    top = w["predictions"]
    maps = pooled = None
    for layer, estimate in estimates(x, w, arch, unit):
        if layer.name == last_activation(arch):
            maps = estimate
        elif layer.name == "avg_pool":
            pooled = estimate
    assert maps is not None
    assert pooled is not None
    found = logits(pooled, top, unit)
    z = found.value[0]
    deviation = float(np.sqrt(found.variance[0, target]))
    first, second, margin, times, may_change = _margin(pooled, top, unit)
    cell, of_cell = _map(maps, top["kernel"][:, target], unit)
    heat = upsample_map(cell, x.shape[1:3], align)
    tolerance = FLOW * upsample_map(of_cell, x.shape[1:3], align) + _drawing(cell, unit)
    line = threshold * max(float(heat.max()), 0.0)
    of_line = threshold * (FLOW * float(of_cell.max()) + _drawing(cell, unit))
    near = ~(np.abs(heat - line) > tolerance + of_line)
    cells_near = ~(np.abs(cell - line) > FLOW * of_cell + _drawing(cell, unit) + of_line)
    return Digits(
        logit_deviation=deviation,
        logit_error=FLOW * deviation,
        significant=significant_digits(float(z[target]), FLOW * deviation),
        first=first,
        second=second,
        margin=margin,
        margin_deviations=times,
        class_may_change=may_change,
        cells=cell.size,
        cells_near=int(cells_near.sum()),
        pixels_near=int(near.sum()),
        box_may_move=_may_move(heat > line, near) or not abs(heat.max()) > tolerance.max(),
    )


def significant_digits(value: float, error: float) -> int:
    """How many digits of a number an error leaves alone.

    >>> significant_digits(-12.345, 0.0004), significant_digits(1.0, 2.0), significant_digits(1.0, 0.0)
    (4, 0, 17)
    """
    if not math.isfinite(value) or not math.isfinite(error) or not value:
        return 0
    if not error:
        return 17  # what float64 itself has
    return min(max(math.floor(math.log10(abs(value) / error)), 0), 17)


def _margin(
    pooled: Estimate, top: Mapping[str, Array], unit: float
) -> tuple[int, int | None, float, float, bool]:
    """The first two classes, how far they are apart, also in deviations, and whether the first is sure.

    Both logits are sums over the same averages: an error there moves them together, by the difference
    of their weights. Their own roundings are independent.
    """
    z = logits(pooled, top, unit).value[0]
    own = logits(exact(pooled.value), top, unit).variance[0]
    order = np.argsort(-z, kind="stable")
    first = int(order[0])
    if len(z) == 1:
        return first, None, math.inf, math.inf, False
    apart = top["kernel"] - top["kernel"][:, first : first + 1]
    deviations = np.sqrt(pooled.variance[0] @ apart**2 + own + own[first])
    gaps, others = z[first] - z, order[1:]
    second = int(others[0])
    may_change = not np.all(gaps[others] > FLOW * deviations[others])
    gap, deviation = float(gaps[second]), float(deviations[second])
    return first, second, gap, gap / deviation if deviation else math.inf, may_change


def _map(maps: Estimate, weights: Array, unit: float) -> tuple[Array, Array]:
    """The class activation map, (h, w), and the standard deviation of each of its cells."""
    sums = logits(maps, {"kernel": weights[:, None], "bias": np.zeros(1)}, unit)
    return sums.value[0, :, :, 0], np.sqrt(sums.variance[0, :, :, 0])


def _drawing(cell: Array, unit: float) -> float:
    """What upsampling may round: a few roundings of numbers as large as the map's largest."""
    return FLOW * math.sqrt(unit) * float(np.abs(cell).max())


def _may_move(above: Array, near: Array) -> bool:
    """Whether the box around the largest part of a picture may be another one if some pixels change sides.

    It is not where the largest part of the sure pixels has the same box as what it is within once all
    pixels in doubt are taken, and no other part can then be as large as it is.
    """
    from scipy.ndimage import find_objects, label

    if not near.any():
        return False
    sure, _ = label(above & ~near)
    possible, _ = label(above | near)
    sizes = np.bincount(sure.ravel())[1:]
    if not sizes.size:
        return True
    core = int(sizes.argmax()) + 1
    place = int(possible[sure == core][0])
    others = np.bincount(possible.ravel())
    others[[0, place]] = 0
    if others.max(initial=0) >= sizes[core - 1]:
        return True
    return bool(find_objects(sure)[core - 1] != find_objects(possible)[place - 1])


def as_json(found: Digits, names: Sequence[str] | None = None) -> dict[str, Any]:
    """What `npcam explain --digits --json` has under `digits`: plain numbers, None for what is infinite.

    Args:
        found: from `digits`.
        names: of the classes, if there are any.
    """
    plain: dict[str, Any] = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(found).items()
    }
    name = str(found.second) if names is None or found.second is None else names[found.second]
    return plain | {"second_name": None if found.second is None else name}


def in_words(explained: Mapping[str, Any]) -> list[str]:
    """The same in three lines: logit, class, box.

    Args:
        explained: a result of `npcam explain --json`, with `logit` and `digits`.
    """
    d = explained["digits"]
    said = f"({explained['logit']:.9g}, within {d['logit_error']:.1e})"
    logit = f"logit to {d['significant']} significant digits {said}"
    can = {True: "rounding could", False: "rounding cannot"}
    margin = "only one class"
    if d["second"] is not None:
        times = (
            "" if d["margin_deviations"] is None else f", {d['margin_deviations']:.3g} standard deviations"
        )
        apart = f"margin to {d['second_name']} {d['margin']:.4g}{times}"
        margin = f"{apart}: {can[d['class_may_change']]} change the class"
    near = f"{d['cells_near']} of {d['cells']} cells near the threshold"
    return [logit, margin, f"{can[d['box_may_move']]} move the box: {near}"]

"""Two arrays of one layer side by side: how far apart, where, and whether rounding may do that."""

from dataclasses import dataclass

import numpy as np

from npcam.shapes import Array


@dataclass(frozen=True)
class Difference:
    """How far two arrays of the same shape are apart.

    Attributes:
        max_abs: the largest absolute difference; infinite where only one of them is a number.
        max_rel: `max_abs` as a share of the reference's largest absolute value.
        ulp: `max_rel` in units of float32's last place at 1, 2^-23.
        cosine: the cosine of the angle between them as vectors; 1 for two arrays of zeros.
        worst: the index of the element that is furthest off, in multiples of its own tolerance.
        value: the element there.
        reference: the reference's element there.
        times: how far off that element is, in multiples of its tolerance; rounding explains up to 1.
        expected: the largest tolerance of all elements.
        largest: the reference's largest absolute value.
    """

    max_abs: float
    max_rel: float
    ulp: float
    cosine: float
    worst: tuple[int, ...]
    value: float
    reference: float
    times: float
    expected: float
    largest: float

    @property
    def ok(self) -> bool:
        """Whether every element is within its tolerance."""
        return self.times <= 1


def difference(value: Array, reference: Array, tolerance: Array) -> Difference:
    """Compare two arrays element by element.

    Args:
        value: an array of any shape and float dtype.
        reference: an array of the same shape.
        tolerance: how far each element may be off, in an array of the same shape.

    >>> found = difference(np.array([1.0, 2.0]), np.array([1.0, 2.5]), np.full(2, 0.1))
    >>> found.max_abs, found.max_rel, found.times, found.worst, found.ok
    (0.5, 0.2, 5.0, (1,), False)
    """
    if not value.size:
        return Difference(0.0, 0.0, 0.0, 1.0, (), 0.0, 0.0, 0.0, 0.0, 0.0)
    a, b = value.astype(np.float64), reference.astype(np.float64)
    with np.errstate(all="ignore"):  # infinity minus infinity, 0 / 0: decided below
        off = np.abs(a - b)
        off[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
        off[np.isnan(off)] = np.inf
        times = off / tolerance
        times[off == 0] = 0
        times[np.isnan(times)] = np.inf  # no tolerance is known where the estimate itself overflows
        largest = float(np.max(np.abs(b)))
        max_abs = float(np.max(off))
        max_rel = max_abs / largest if max_abs and largest else max_abs and np.inf
    worst = np.unravel_index(int(np.argmax(times)), times.shape)
    return Difference(
        max_abs=max_abs,
        max_rel=float(max_rel),
        ulp=float(max_rel) * 2.0**23,
        cosine=_cosine(a, b),
        worst=tuple(int(i) for i in worst),
        value=float(a[worst]),
        reference=float(b[worst]),
        times=float(times[worst]),
        expected=float(np.max(tolerance)),
        largest=largest,
    )


def _cosine(a: Array, b: Array) -> float:
    """The cosine of the angle between two arrays, divided by their largest values lest squares overflow."""
    with np.errstate(all="ignore"):
        a, b = (v.ravel() / (np.max(np.abs(v)) or 1) for v in (a, b))
        norms = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / norms if norms else float(not (a.any() or b.any()))

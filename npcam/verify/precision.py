"""Float types that engines compute in below float32, and what each rounds.

What has been agreed on everywhere: sums are kept in float32; what is multiplied has fewer bits (TF32,
bfloat16, float16), and in the last two what a layer puts out has as few. A type of p bits after the
leading one has the unit roundoff 2^-(p + 1).
"""

from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.shapes import Array


class Precision(NamedTuple):
    """What is rounded to fewer bits than float32's.

    Attributes:
        name: as `--precision` has it.
        bits: of the fraction; float32 has 23.
        factors: the unit roundoff of what is multiplied, 0 where that is float32's.
        stored: the unit roundoff of what a layer puts out and of its weights, 0 where that is float32's.
        spacing: between the smallest numbers, 0 where that is as good as float32's.
        largest: the largest number.
        shrink: how much smaller all products may be, as a share of them: tensor cores may cut off the
            bits of TF32's factors in place of rounding them, and cutting off makes each of two factors
            smaller by one unit roundoff on average.
    """

    name: str = "float32"
    bits: int = 23
    factors: float = 0.0
    stored: float = 0.0
    spacing: float = 0.0
    largest: float = float(np.finfo(np.float32).max)
    shrink: float = 0.0

    @property
    def variance_of_factors(self) -> float:
        """The variance of the rounding of one factor, relative to it."""
        return self.factors**2 / 3

    @property
    def variance_of_stored(self) -> float:
        """The variance of the rounding of what is stored, relative to it."""
        return self.stored**2 / 3

    @property
    def floor(self) -> float:
        """The variance of the rounding of a number so small that it has no more digits."""
        return (self.spacing / 2) ** 2 / 3


FLOAT32 = Precision()
PRECISIONS = {
    p.name: p
    for p in (
        FLOAT32,
        Precision("tf32", 10, factors=2.0**-11, shrink=2.0**-10),
        Precision("bfloat16", 7, factors=2.0**-8, stored=2.0**-8),
        Precision("float16", 10, 2.0**-11, 2.0**-11, spacing=2.0**-24, largest=65504.0),
    )
}


def find_precision(name: str) -> Precision:
    """A precision by its name.

    Raises:
        InputError: there is none of that name.

    >>> find_precision("bfloat16").stored == 2.0**-8
    True
    """
    if name not in PRECISIONS:
        raise InputError(f"precision {name!r}: expected one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def rounded(x: Array, precision: Precision) -> Array:
    """Numbers as a precision has them: to the nearest, and of two as near the even one.

    Args:
        x: any shape; float64 or float32.
        precision: float32, TF32, bfloat16 or float16. What is beyond the largest becomes infinite.

    Returns:
        The same numbers in float64, rounded.

    >>> rounded(np.array([1 + 2.0**-8, 1 + 2.0**-7, 70000.0]), PRECISIONS["float16"]).tolist()
    [1.00390625, 1.0078125, inf]
    """
    x = np.asarray(x, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        _, exponent = np.frexp(x)  # x = m 2^exponent with 0.5 <= |m| < 1
        step = np.ldexp(1.0, exponent - 1 - precision.bits)
        if precision.spacing:
            step = np.maximum(step, precision.spacing)
        found: Array = np.rint(x / step) * step
        found[~np.isfinite(x)] = x[~np.isfinite(x)]
        found[np.abs(found) > precision.largest] *= np.inf
    return found

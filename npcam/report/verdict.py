"""What a check found: every value that differs, how many were compared, and what was not looked at."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from npcam.common.text import printable
from npcam.shapes import Array

_SHOWN = 70  # characters of a text that a line shows


class Difference(NamedTuple):
    """A value that is not as the report states it.

    Attributes:
        where: which value: "photo 2, logit of cat".
        stated, found: as the report has it, and as it was worked out.
    """

    where: str
    stated: Any
    found: Any

    def __str__(self) -> str:
        """In a line: "photo 2, logit of cat: 13.18 stated, 13.21 found"."""
        stated, found = _apart(self.stated, self.found)
        return printable(f"{self.where}: {stated} stated, {found} found")


@dataclass
class Verdict:
    """What a check found.

    Attributes:
        differences: in the order of the report.
        compared: how many numbers, texts and hashes were worked out anew and compared.
        used: for the network's own numbers, what rounding may do at most, and what was found, by their name.
        notes: what was not looked at, or is otherwise worth knowing, a sentence each.
    """

    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    used: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def same(self, where: str, stated: Any, found: Any) -> bool:
        """Compare two values that have to be equal; whether they are."""
        self.compared += 1
        equal = stated == found and (type(stated) is type(found) or _are_numbers(stated, found))
        if not equal:
            self.differences.append(Difference(where, stated, found))
        return bool(equal)

    def near(self, where: str, stated: float | None, found: float | None, bound: float) -> None:
        """Compare two numbers that may differ by a bound; None is equal to None alone."""
        self.compared += 1
        if stated is None or found is None:
            if stated is not found:
                self.differences.append(Difference(where, stated, found))
        elif not abs(stated - found) <= bound:
            self.differences.append(Difference(where, stated, found))

    def close(self, where: str, stated: Array, found: Array, bound: Array, name: str) -> None:
        """Compare arrays of the network's own numbers, element by element.

        Args:
            where: which array; the first element that differs is named by its place.
            stated, found, bound: of one shape.
            name: under which `used` keeps the largest bound and the largest difference.
        """
        self.compared += stated.size
        apart = np.abs(stated.astype(np.float64) - found)
        most, used = self.used.get(name, (0.0, 0.0))
        self.used[name] = (max(most, float(bound.max())), max(used, float(apart.max())))
        outside = np.argwhere(~(apart <= bound))
        if len(outside):
            place = tuple(int(i) for i in outside[0])
            more = f", {len(outside):,} of {stated.size:,} differ" if len(outside) > 1 else ""
            at = f" at {', '.join(map(str, place))}" if place else ""
            self.differences.append(
                Difference(f"{where}{at}{more}", float(stated[place]), float(found[place]))
            )


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _apart(stated: Any, found: Any) -> Iterable[str]:
    """Two values with as many digits as tell them apart."""
    if _are_numbers(stated, found) and any(isinstance(one, float) for one in (stated, found)):
        for digits in (4, 6, 9, 12, 17):
            texts = [f"{value:.{digits}g}" for value in (stated, found)]
            if texts[0] != texts[1]:
                return texts
    texts = [_in_words(value) for value in (stated, found)]
    if texts[0] == texts[1]:  # beyond where they are cut
        first = next((i for i, (a, b) in enumerate(zip(str(stated), str(found), strict=False)) if a != b), 0)
        texts = [_in_words(f"...{str(value)[max(first - 20, 0) :]}") for value in (stated, found)]
    return texts


def _in_words(value: Any) -> str:
    """A value in a line."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

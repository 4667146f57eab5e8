"""The numbers of one photograph, or of many: each with an interval where there is one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npcam.localise.intervals import Share, means, medians, with_intervals

Numbers = Mapping[str, Share]
MEANS = ("drop", "increase", "same_bits")  # as they are defined; all others are medians
LARGEST = ("completeness",)  # of these the largest counts


def of_one(numbers: Mapping[str, float]) -> dict[str, Share]:
    """The numbers of one photograph: no interval, as there is nothing to take one of.

    >>> of_one({"gini": 0.5})["gini"].value
    0.5
    """
    return {name: Share(float(value), float("nan"), float("nan")) for name, value in numbers.items()}


def of_many(rows: Sequence[Mapping[str, Any]]) -> dict[str, Share]:
    """The medians of all photographs that have a number, with their bootstrap intervals of 95 %.

    Average Drop, Increase and the share of photographs with the same bits are means, as they are
    defined; of the gaps in completeness the largest is taken, without an interval.

    Args:
        rows: of the photographs that could be read, two or more of them for intervals.
    """
    every = list(dict.fromkeys(name for row in rows for name in row["numbers"]))
    by_photographs: dict[tuple[int, ...], list[str]] = {}  # numbers that the same photographs have
    for name in every:
        there = tuple(i for i, row in enumerate(rows) if name in row["numbers"])
        by_photographs.setdefault(there, []).append(name)
    found: dict[str, Share] = {}
    for there, names in by_photographs.items():
        table = np.array([[rows[i]["numbers"][name] for name in names] for i in there], np.float64)
        if len(there) == 1:
            found |= of_one(dict(zip(names, table[0].tolist(), strict=True)))
            continue
        is_mean = np.array([name in MEANS for name in names])
        for figures, chosen in ((means, is_mean), (medians, ~is_mean)):
            if chosen.any():
                shares = with_intervals(len(there), figures(table[:, chosen]))
                of_these = [name for name, yes in zip(names, chosen, strict=True) if yes]
                found |= dict(zip(of_these, shares, strict=True))
    for name in LARGEST:
        if name in found:
            largest = max(row["numbers"][name] for row in rows if name in row["numbers"])
            found[name] = Share(float(largest), float("nan"), float("nan"))
    return {name: found[name] for name in every}


def counted(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    """How many photographs have a number."""
    return sum(name in row["numbers"] for row in rows)

"""Numbers of many photographs: medians, means and the largest, of those that have them."""

import math

import numpy as np
import pytest

from npcam.audit.numbers import counted, of_many, of_one
from npcam.localise import intervals


def rows(count=9, seed=0):
    """Rows with a few numbers; every third photograph has a box."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        numbers = {"gini": rng.random(), "drop": rng.random(), "completeness": rng.random() * 1e-6}
        if i % 3 == 0:
            numbers["inside.mass"] = rng.random()
        found.append({"photo": f"{i}.jpg", "numbers": numbers})
    return found


def test_each_number_is_taken_as_it_is_defined():
    """The median of sparseness, the mean of drops, the largest gap; with the intervals of a plain loop."""
    given = rows()
    found = of_many(given)
    generator = np.random.default_rng(intervals.SEED)
    drawn = [generator.integers(9, size=9) for _ in range(intervals.RESAMPLES)]
    for name, figure in (("gini", np.median), ("drop", np.mean)):
        column = np.array([row["numbers"][name] for row in given])
        low, high = np.percentile([figure(column[index]) for index in drawn], [2.5, 97.5])
        assert found[name] == pytest.approx((figure(column), low, high), rel=1e-6)
    gap = found["completeness"]
    assert gap.value == max(row["numbers"]["completeness"] for row in given)
    assert math.isnan(gap.low)


def test_a_number_that_few_photographs_have_is_of_those():
    """Three of nine have a box; the order of names is that of the rows."""
    given = rows()
    found = of_many(given)
    boxed = [row["numbers"]["inside.mass"] for row in given if "inside.mass" in row["numbers"]]
    assert found["inside.mass"].value == sorted(boxed)[1]
    assert counted(given, "inside.mass") == 3
    assert list(found) == ["gini", "drop", "completeness", "inside.mass"]


def test_one_photograph_has_no_interval():
    """Neither alone nor as the only one that has a number."""
    assert math.isnan(of_one({"gini": 0.5})["gini"].low)
    given = rows(3)
    assert math.isnan(of_many(given)["inside.mass"].high)
    assert not math.isnan(of_many(given)["gini"].high)

"""Two arrays side by side: every field against loops, and the cases that have no plain answer."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from npcam.verify.difference import Difference, difference

NAN, INF = math.nan, math.inf


def by_loops(value, reference, tolerance):
    """The fields of a `Difference` of finite numbers, element by element in Python's own float64."""
    best, products, squares, other_squares = None, [], [], []
    for index in np.ndindex(value.shape):
        a, b = float(value[index]), float(reference[index])
        times = abs(a - b) / float(tolerance[index])
        if best is None or times > best[0]:
            best = times, index, a, b
        products.append(a * b)
        squares.append(a * a)
        other_squares.append(b * b)
    far = max(abs(float(a) - float(b)) for a, b in zip(value.flat, reference.flat, strict=True))
    largest = max(abs(float(b)) for b in reference.flat)
    return {
        "max_abs": far,
        "max_rel": far / largest,
        "ulp": far / largest * 2**23,
        "cosine": math.fsum(products) / math.sqrt(math.fsum(squares) * math.fsum(other_squares)),
        "worst": best[1],
        "value": best[2],
        "reference": best[3],
        "times": best[0],
        "expected": max(float(t) for t in tolerance.flat),
        "largest": largest,
    }


@pytest.mark.parametrize("seed", range(5))
def test_every_field_is_what_loops_say(seed):
    """Random float32 arrays against float64 loops; the cosine's sums may round in another order."""
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    reference = (value + rng.normal(size=value.shape)).astype(np.float32)
    tolerances = rng.uniform(0.1, 9, value.shape)
    found, expected = (look(value, reference, tolerances) for look in (difference, by_loops))
    for name, number in expected.items():
        rounding = 1e-14 if name == "cosine" else 0  # 120 products: 120 * 2^-53
        assert getattr(found, name) == pytest.approx(number, rel=rounding, abs=0), name


def test_a_difference_by_hand():
    """Every field of a difference of numbers that one can check by eye."""
    found = difference(np.array([[1.0, -4.0]]), np.array([[1.5, -4.0]]), np.array([[0.25, 0.1]]))
    assert found == Difference(
        max_abs=0.5,
        max_rel=0.125,
        ulp=0.125 * 2**23,
        cosine=pytest.approx(17.5 / math.sqrt(17 * 18.25), rel=1e-15),
        worst=(0, 0),
        value=1.0,
        reference=1.5,
        times=2.0,
        expected=0.25,
        largest=4.0,
    )


def test_the_worst_element_is_the_one_furthest_beyond_its_own_tolerance():
    """Not the one that is furthest off: 0.5 at a tolerance of 0.1 is worse than 3 at one of 10."""
    found = difference(np.array([3.0, 0.5]), np.zeros(2), np.array([10.0, 0.1]))
    assert (found.worst, found.value, found.max_abs) == ((1,), 0.5, 3.0)


def test_within_tolerance_means_up_to_it():
    """A distance of one tolerance is still rounding; the next number beyond is not."""
    one = np.ones(1)
    assert difference(one, 0 * one, one).ok
    assert not difference(np.nextafter(one, 2), 0 * one, one).ok


def test_nothing_is_off_by_nothing():
    """Equal arrays are 0 off, even where no tolerance is given; two arrays of zeros have one direction."""
    zeros = np.zeros((1, 2))
    same = difference(zeros, -zeros, zeros)
    assert (same.ok, same.max_abs, same.max_rel, same.ulp, same.times) == (True, 0, 0, 0, 0)
    assert (same.cosine, same.largest, same.expected) == (1, 0, 0)
    ones = np.ones((1, 2))
    assert difference(ones, ones, zeros).ok


def test_anything_is_far_beyond_no_tolerance():
    """A layer that rounds nothing must be equal: the smallest difference is infinitely many tolerances."""
    zeros = np.zeros((1, 2))
    assert difference(zeros, zeros + 1e-30, zeros).times == INF
    assert difference(zeros + 1, zeros, zeros).max_rel == INF  # a share of 0
    some = np.array([[0.0, 1.0]])
    assert difference(some, zeros, zeros).cosine == 0  # zeros have no direction
    assert difference(zeros, some, zeros).cosine == 0


def test_an_empty_array_is_no_difference():
    """Nothing to compare: all numbers 0, no place, and within rounding."""
    empty = np.zeros((0, 2))
    found = difference(empty, empty, empty)
    assert astuple(found) == (0, 0, 0, 1, (), 0, 0, 0, 0, 0)
    assert found.ok


@pytest.mark.parametrize(
    ("value", "reference", "tolerance", "max_abs", "times"),
    [
        (NAN, NAN, 1.0, 0, 0),  # the same on both sides
        (INF, INF, 1.0, 0, 0),
        (-INF, INF, 1.0, INF, INF),
        (NAN, 1.0, 1.0, INF, INF),
        (1.0, NAN, 1.0, INF, INF),
        (INF, 1.0, 1.0, INF, INF),
        (INF, NAN, 1.0, INF, INF),
        (1.0, 2.0, NAN, 1, INF),  # the estimate itself overflows, so that no tolerance is known
        (INF, 1.0, INF, INF, INF),
        (1.0, 2.0, INF, 1, 0),
        (1.0, 1.0, NAN, 0, 0),
    ],
)
def test_numbers_that_are_none(value, reference, tolerance, max_abs, times):
    """A number on one side and none on the other is infinitely far; the same on both is no difference."""
    found = difference(*(np.array([0.0, number]) for number in (value, reference)), np.array([1, tolerance]))
    assert (found.max_abs, found.times) == (max_abs, times)
    assert found.ok == (times == 0)


def test_large_numbers_do_not_overflow_the_cosine():
    """The squares of 1e300 overflow and those of 1e-300 are 0; the angle is 60 degrees all the same."""
    for scale in (1e300, 1e-300):
        a, b = np.array([1.0, 0, 0]) * scale, np.array([1.0, -1.0, 2**0.5])
        assert difference(a, b, b).cosine == pytest.approx(0.5, rel=1e-15)
        assert difference(b, a, b).cosine == pytest.approx(0.5, rel=1e-15)

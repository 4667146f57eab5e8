"""Matmuls with slices, in pieces, against one matmul with the whole kernel."""

import numpy as np
import pytest
from helpers.rounding import assert_within_rounding

from npcam.engine import products
from npcam.engine.products import cut, multiply, whole_terms
from npcam.engine.program import Recorder, run_ops


@pytest.mark.parametrize("stack", [(), (4,)])
@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("unpacked", [0, 500, 2000])
@pytest.mark.parametrize(("m", "c"), [(48, 6), (49, 20), (13, 7), (1, 40)])
def test_slices_side_by_side(stack, slices, unpacked, m, c, monkeypatch):
    """However sums and rows are cut, it is the same product, each slice's channels after the last one's."""
    monkeypatch.setattr(products, "TERMS", 10)
    monkeypatch.setattr(products, "ROWS", 12)
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(*stack, m, c)), rng.normal(size=(*stack, slices, c, 5))
    record, out = Recorder(np.float64, unpacked), np.full((*stack, m, slices * 5), np.nan)
    multiply(record, x, kernel, out)
    ops = record.cut()
    run_ops(ops)
    whole = np.concatenate(list(np.moveaxis(kernel, -3, 0)), axis=-1)
    assert_within_rounding(out, x @ whole, abs(x) @ abs(whole), c, np.float64)
    a, b = ops[0].args
    parts, rows = cut(m, c, 5, unpacked)
    assert (a.shape[0], *a.shape[-2:]) == (parts, rows, c // parts)
    assert (b.shape[0], *b.shape[-2:]) == (parts, c // parts, 5)
    assert all(np.shares_memory(view, array) for view, array in ((a, x), (b, kernel)))
    assert len(ops) == 1 + (parts > 1)


@pytest.mark.parametrize("m", [1, 16, 23, 49, 51, 64, 97, 196, 392, 3136])
@pytest.mark.parametrize("c", [64, 147, 257, 514, 769, 1542, 4608])
def test_pieces_are_small_and_no_smaller_than_they_need_be(m, c):
    """Of all ways to cut to a million products at most: the fewest parts, then the most rows.

    Parts of 128 terms and pieces of 24 rows are the smallest; where there is no such way, nothing is cut.
    """
    allowed = [
        (parts, -rows)
        for parts in range(1, c + 1)
        for rows in range(1, m + 1)
        if c % parts == m % rows == 0
        and (parts == 1 or c // parts >= 128)
        and rows >= min(24, m)
        and rows * (c // parts) * 64 <= 10**6
    ]
    parts, rows = cut(m, c, 64, 10**6)
    assert (parts, -rows) == min(allowed, default=(1, -m))


def test_resnet_50s_sums():
    """The 49 positions of conv5, the 196 of conv4, and eight photographs of them: parts, rows at a time."""
    found = {(m, c): cut(m, c, 64, 10**6) for m in (49, 196, 392) for c in (257, 514, 1024, 1542, 2048, 4608)}
    assert {c: parts for (m, c), (parts, _) in found.items() if m == 49} == {
        257: 1,
        514: 2,
        1024: 4,
        1542: 6,
        2048: 8,
        4608: 16,
    }
    assert found[196, 1024] == found[392, 1024] == (2, 28)
    assert found[392, 4608] == (9, 28)


def test_terms_that_can_be_cut():
    """A few zeros more, where a prime number of them could not be cut."""
    assert [whole_terms(c, 10**6) for c in (65, 257, 513, 769, 1537)] == [65, 257, 514, 771, 1542]
    assert [whole_terms(c, 0) for c in (65, 257, 513, 769, 1537)] == [65, 257, 513, 769, 1537]

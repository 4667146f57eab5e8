"""Parts of all levels at once, against labelling each level by itself."""

import numpy as np
import pytest
from scipy import ndimage

from npcam.localise.parts import NOWHERE, find_parts

TOUCHING = {4: ndimage.generate_binary_structure(2, 1), 8: np.ones((3, 3))}


def labelled(byte, level, neighbours, carried):
    """One level by SciPy, as {(first pixel, first column, last column, last row, weight)}."""
    parts, count = ndimage.label(byte >= level, TOUCHING[neighbours])
    found = set()
    for number in range(1, count + 1):
        rows, columns = np.nonzero(parts == number)
        first = int(np.flatnonzero((parts == number).ravel())[0])
        weight = sum(
            int(amount)
            for pixel, reached, amount in zip(*carried, strict=True)
            if reached >= level and parts.ravel()[pixel] == number
        )
        found.add((first, int(columns.min()), int(columns.max()), int(rows.max()), weight))
    return found


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("shades", [2, 4, 30, 256])
def test_parts_are_those_of_labelling_each_level(neighbours, shades):
    """Bounds, first pixels and carried amounts agree with SciPy's labels, plateaus and lines included."""
    rng = np.random.default_rng(shades + neighbours)
    for shape in [(1, 1), (1, 9), (9, 1), (8, 11), (13, 7)] * 3:
        byte = rng.integers(0, shades, shape).astype(np.uint8)
        pixels = rng.integers(0, byte.size, 20)
        carried = (pixels, (byte.ravel()[pixels] * rng.uniform(0, 1, 20)).astype(int), rng.integers(1, 9, 20))
        found = find_parts(byte.astype(float), byte, neighbours, carried)
        for level in range(1, shades):
            there = found.bounds[:, 0, level] != NOWHERE
            first, left, right, bottom = found.bounds[there, :, level].T
            ours = zip(first, left, -right, -bottom, found.weights[there, level], strict=True)
            assert {tuple(map(int, part)) for part in ours} == labelled(byte, level, neighbours, carried)


def test_a_pixels_part_is_found_at_each_level():
    """`row` gives two pixels the same row where SciPy gives them the same label, and only there."""
    rng = np.random.default_rng(1)
    byte = rng.integers(0, 12, (9, 10)).astype(np.uint8)
    found = find_parts(byte.astype(float), byte, 8, (np.zeros(0, int),) * 3)
    for level in range(1, 12):
        pixels = np.flatnonzero(byte.ravel() >= level)
        rows = found.row(pixels, np.full(len(pixels), level))
        labels = ndimage.label(byte >= level, TOUCHING[8])[0].ravel()[pixels]
        assert ((rows[:, None] == rows) == (labels[:, None] == labels)).all()


def test_a_finer_height_changes_nothing():
    """Where to climb may be told by what the bytes were truncated from: the parts are the bytes' parts."""
    rng = np.random.default_rng(2)
    height = ndimage.gaussian_filter(rng.standard_normal((20, 20)), 2)
    byte = ((height - height.min()) / np.ptp(height) * 9).astype(np.uint8)
    nothing = (np.zeros(0, int),) * 3
    fine, coarse = (find_parts(h, byte, 8, nothing) for h in (height, byte.astype(float)))
    assert len(fine.bounds) < len(coarse.bounds)
    for level in range(1, 10):
        one, other = (
            {tuple(row) for row in p.bounds[p.bounds[:, 0, level] != NOWHERE, :, level]}
            for p in (fine, coarse)
        )
        assert one == other

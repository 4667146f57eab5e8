"""The colour tables."""

import numpy as np
import pytest
from helpers.needs import needs

from npcam import InputError
from npcam.pictures.colormaps import NAMES, colormap


@pytest.mark.parametrize("name", NAMES)
def test_tables(name):
    """256 colours, the neighbours of which differ by no visible step."""
    table = colormap(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert np.abs(np.diff(table.astype(int), axis=0)).max() <= 9  # jet's steepest: 255 in 29 steps


@pytest.mark.parametrize("name", ["viridis", "magma", "grey"])
def test_more_is_lighter(name):
    """Luma (ITU-R BT.601) grows with the value, up to the rounding of the three bytes."""
    luma = colormap(name) @ [0.299, 0.587, 0.114]
    assert (np.diff(luma) > -0.5).all()
    assert luma[-1] - luma[0] > 150


@pytest.mark.parametrize("name", ["viridis", "magma", "turbo", "jet"])
def test_as_matplotlib(name):
    """Matplotlib's own tables, to the byte they round to."""
    matplotlib = needs("matplotlib")
    theirs = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    assert np.abs(colormap(name) - theirs).max() <= 0.5 + 1e-9


def test_unknown():
    """An unknown name lists the known ones."""
    with pytest.raises(InputError) as caught:
        colormap("plasma")
    assert str(caught.value) == "colormap 'plasma': expected one of viridis, jet, turbo, magma, grey"

"""The colour tables."""

from functools import partial

import numpy as np
import pytest
from helpers.needs import needs

from npcam import InputError
from npcam.pictures.colormaps import NAMES, TWO_SIDED, colormap, two_sided


@pytest.mark.parametrize("name", NAMES)
def test_tables(name):
    """256 colours, the neighbours of which differ by no visible step."""
    table = colormap(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert np.abs(np.diff(table.astype(int), axis=0)).max() <= 9  # jet's steepest: 255 in 29 steps


@pytest.mark.parametrize(
    "table", [two_sided, partial(two_sided, "magenta-green"), *(partial(colormap, name) for name in NAMES)]
)
def test_tables_are_read_only(table):
    """They are kept from one picture to the next: nobody changes another's colours."""
    with pytest.raises(ValueError, match="read-only"):
        table()[0, 0] = 7


@pytest.mark.parametrize("name", ["viridis", "magma", "grey", "ember"])
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
    assert str(caught.value) == "colormap 'plasma': expected one of viridis, jet, turbo, magma, grey, ember"


# What people see who lack one kind of cones: Vienot, Brettel and Mollon 1999, on linear RGB.
LACKING = {
    "red": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "green": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


def lab(colours):
    """sRGB bytes -> CIE L*a*b*, in which distances are what the eye sees (IEC 61966-2-1, CIE 15)."""
    return linear_to_lab(linear(colours))


def linear(colours):
    """sRGB bytes -> linear RGB from 0 to 1."""
    c = np.asarray(colours) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def linear_to_lab(rgb):
    """Linear RGB -> CIE L*a*b*."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = np.clip(rgb, 0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


@pytest.mark.parametrize("name", TWO_SIDED)
@pytest.mark.parametrize("lacking", [None, *LACKING])
def test_the_two_sides_are_told_apart_by_everybody(lacking, name):
    """Every colour for is far from every colour against, for people without red or green cones, too.

    A difference of 2.3 in L*a*b* is just seen; 25 is another colour at first sight.
    """
    seen = linear(two_sided(name))
    if lacking:
        seen = seen @ LACKING[lacking].T
    seen = linear_to_lab(seen)
    against, towards = seen[1:128], seen[129:]
    distances = np.linalg.norm(against[:, None] - towards[None], axis=-1)
    assert distances.min() > 25


@pytest.mark.parametrize("lacking", LACKING)
def test_ember_has_an_order_for_everybody(lacking):
    """Without red or green cones, more is lighter still: L* grows all along."""
    lightness = linear_to_lab(linear(colormap("ember")) @ LACKING[lacking].T)[:, 0]
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[-1] - lightness[0] > 60


@pytest.mark.parametrize(("name", "against", "towards"), [("blue-vermilion", 2, 0), ("magenta-green", 0, 1)])
def test_the_two_sided_tables(name, against, towards):
    """0 is grey and stands alone in the middle; the fullest colours stand at the ends."""
    table = two_sided(name).astype(int)
    assert table.shape == (256, 3)
    assert len(set(table[128].tolist())) == 1
    assert (table[0] == table[1]).all()
    assert (table[1:128, against] > table[1:128, towards]).all()
    assert (table[129:, towards] > table[129:, against]).all()
    chroma = np.linalg.norm(lab(table)[:, 1:], axis=1)
    assert (np.diff(chroma[1:128]) < 0.5).all()
    assert (np.diff(chroma[129:]) > -0.5).all()

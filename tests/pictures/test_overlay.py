"""The tint that follows the evidence, pixel by pixel against the formula."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import picture
from PIL import Image

from npcam import InputError
from npcam.pictures import overlay
from npcam.pictures.colormaps import NAMES, TWO_SIDED, colormap, two_sided
from npcam.pictures.overlay import Scale, make_scale, paint


def painted(photo, heatmap, scale, place=None):
    """A tinted copy, as integers."""
    copy = photo.copy()
    paint(copy, heatmap, scale, place)
    return np.asarray(copy).astype(int)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_by_hand(signed, alpha):
    """At the map's own size: (1 - a) photograph + a colour, a being alpha times the share of the largest."""
    photo = picture(size=(20, 15))
    heatmap = np.random.default_rng(1).standard_normal((15, 20)) * 3
    scale = Scale(4.0, signed, "magenta-green" if signed else "viridis", alpha)
    share = np.clip(heatmap / 4, -1 if signed else 0, 1)
    table = two_sided("magenta-green") if signed else colormap("viridis")
    index = 128 + np.rint(share * 127) if signed else np.rint(share * 255)
    opacity = np.abs(share[..., None]) * alpha
    expected = (1 - opacity) * np.asarray(photo) + opacity * table[index.astype(int)]
    # The share is rounded to 1/127 at worst, which moves a mixture by up to 255/127/2, and so is the
    # opacity, to 1/255, and the mixture itself.
    assert np.abs(painted(photo, heatmap, scale) - expected).max() <= 255 / 127 / 2 + 0.5 + 0.5


@pytest.mark.parametrize(
    ("signed", "name"),
    [*((False, name) for name in (*NAMES, None)), *((True, name) for name in (*TWO_SIDED, None))],
)
def test_no_evidence_no_tint(signed, name):
    """Where nothing speaks for the class, the photograph's pixels are its own, bit by bit."""
    photo = picture(size=(64, 48))
    heatmap = np.zeros((48, 64)) if signed else -np.random.default_rng(0).random((48, 64))
    for largest in (1.0, 0.0):
        scale = Scale(largest, signed, name, alpha=1)
        np.testing.assert_array_equal(painted(photo, heatmap, scale), np.asarray(photo))
    half = np.zeros((6, 8))
    half[:, :3] = 5
    left = painted(photo, half, Scale(5.0, signed, name))
    np.testing.assert_array_equal(left[:, 28:], np.asarray(photo)[:, 28:])  # one cell beyond the last
    assert (left[:, :20] != np.asarray(photo)[:, :20]).any(axis=2).mean() > 0.9


def test_the_same_value_has_the_same_colour_in_every_picture():
    """On one scale a map of half the values is tinted half as much; alone it would look the same."""
    grey = Image.new("RGB", (7, 7), (0, 0, 0))
    strong = np.full((7, 7), 8.0)
    one, half = (
        painted(grey, m, Scale(8.0, colormap="grey", alpha=1))[0, 0, 0] for m in (strong, strong / 2)
    )
    assert one == 255
    assert abs(half - 0.5 * 0.5 * 255) <= 1  # half the grey at half the opacity
    assert painted(grey, strong / 2, Scale(4.0, colormap="grey", alpha=1))[0, 0, 0] == 255


def test_stretched_by_half_pixel_centres():
    """The tint is bilinear between the centres of the map's pixels."""
    heatmap = np.random.default_rng(1).random((7, 7))
    rows, columns = [(np.arange(n) + 0.5) * 7 / n - 0.5 for n in (80, 120)]
    along = np.stack([np.interp(columns, np.arange(7), row) for row in heatmap * 255])
    share = np.stack([np.interp(rows, np.arange(7), column) for column in along.T], axis=1) / 255
    found = painted(Image.new("RGB", (120, 80)), heatmap, Scale(1.0, colormap="grey", alpha=1))[..., 0]
    # black + share * (255 * share); the share is off by up to 1.5/255 (three roundings to a byte)
    assert np.abs(found - 255 * share**2).max() <= 2 * 1.5 + 1


@pytest.mark.parametrize("band", [1, 120, 500, 120 * 80, 120 * 80 + 1])
def test_bands_leave_no_seams(monkeypatch, band):
    """Tinted a row at a time, four rows at a time or all at once, the picture is the same."""
    photo, heatmap = picture(size=(120, 80)), np.random.default_rng(0).standard_normal((14, 14))
    whole = painted(photo, heatmap, Scale(2.0, signed=True))
    monkeypatch.setattr(overlay, "BAND", band)
    np.testing.assert_array_equal(painted(photo, heatmap, Scale(2.0, signed=True)), whole)


def test_a_part_of_a_picture():
    """Within its place it is as in a picture of its own; outside nothing changes."""
    photo, heatmap = picture(size=(90, 70)), np.eye(5)
    found = painted(photo, heatmap, Scale(1.0), (10, 20, 70, 60))
    inside = painted(photo.crop((10, 20, 70, 60)), heatmap, Scale(1.0))
    expected = np.asarray(photo).astype(int)
    expected[20:60, 10:70] = inside
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"signed": True, "colormap": "jet"},
            "colormap 'jet': a signed scale has two colours of its own, blue-vermilion or magenta-green",
        ),
        ({"colormap": "magenta-green"}, "colormap 'magenta-green': expected one of viridis"),
        ({"colormap": "hot"}, "colormap 'hot': expected one of viridis"),
        ({"alpha": 1.01}, "alpha 1.01: expected an opacity from 0"),
        ({"alpha": float("nan")}, "alpha nan: expected an opacity from 0"),
    ],
)
def test_scales_that_are_none(options, said):
    """An unknown colormap, one that a signed scale would not heed, an opacity beyond 0 to 1."""
    with pytest.raises(InputError) as caught:
        make_scale(1.0, **options)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "bad", [np.ones(3), np.ones((2, 2, 3)), np.array([[np.nan]]), np.ones((2, 2), complex)]
)
def test_what_is_no_map(bad):
    """NaN would be drawn as a colour."""
    with pytest.raises(InputError, match=r"^heatmap: "):
        paint(picture(), bad, Scale(1.0))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell its peak memory")
def test_memory_of_a_large_photograph():
    """108 megapixels are set in a figure within 1.1 GB: photograph and figure take 0.43 GB each."""
    program = """if True:
        import numpy as np
        from PIL import Image
        from npcam.pictures.colorbar import Legend
        from npcam.pictures.figure import Tile, figure
        from npcam.pictures.overlay import Scale
        photo = Image.new("RGB", (12_000, 9_000))
        tile = Tile(photo, ("cat 97.3%",), np.eye(224), ((5, 5, 9_000, 4_000),))
        figure([tile], Legend(Scale(1.0), 1.0, "adds to the logit, per cell"))
        print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(done.stdout) * 1024 < 1.1e9

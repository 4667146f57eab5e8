"""Pictures held to what they are made of."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npcam import InputError
from npcam.images.colormaps import NAMES, colormap
from npcam.images.draw import heatmap_image, montage, normalize, overlay


def photo(width=120, height=80):
    """Noise as a photograph."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels)


def differ(a, b):
    """The largest difference of two pictures, in levels of 255."""
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


def test_normalize_by_hand():
    """ReLU over the maximum, or the whole range; the argument is left alone."""
    heatmap = np.array([[-2.0, 0.0], [1.0, 4.0]])
    np.testing.assert_array_equal(normalize(heatmap), [[0, 0], [0.25, 1]])
    np.testing.assert_array_equal(normalize(heatmap, "min-max"), (heatmap + 2) / 6)
    assert heatmap[0, 0] == -2


@pytest.mark.parametrize("mode", ["relu", "min-max"])
@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0, 1e-300])
def test_a_constant_map_gives_zeros(mode, value):
    """Neither NaN nor stretched rounding errors where no place stands out."""
    heatmap = np.full((7, 7), value)
    heatmap[3, 3] *= 1 + 2e-16
    np.testing.assert_array_equal(normalize(heatmap, mode), 0)


@pytest.mark.parametrize("mode", ["relu", "min-max"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8"])
def test_normalize_twice(mode, dtype):
    """Within 0..1, and normalizing for the picture again changes nothing."""
    heatmap = (np.random.default_rng(0).standard_normal((9, 7)) * 50).astype(dtype)
    once = normalize(heatmap, mode)
    assert once.min() == 0
    assert once.max() == 1
    np.testing.assert_array_equal(normalize(once), once)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((0, 3)), np.array([[np.nan]]), np.array([[np.inf, 1]])])
def test_normalize_refuses(bad):
    """What is no map, and NaN, which would be drawn as a colour."""
    with pytest.raises(InputError, match="heatmap: "):
        normalize(bad)
    with pytest.raises(InputError, match="min-max"):
        normalize(np.eye(2), "max")


@pytest.mark.parametrize("name", NAMES)
def test_heatmap_image_by_lookup(name):
    """Each pixel is the table's colour for its value."""
    heatmap = np.arange(-5.0, 256).reshape(9, 29)
    expected = colormap(name)[np.maximum(heatmap, 0).astype(int)]
    np.testing.assert_array_equal(np.asarray(heatmap_image(heatmap, name)), expected)


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_overlay_by_hand(alpha):
    """At the map's own size the overlay is (1 - alpha) photograph + alpha colour."""
    picture = photo()
    heatmap = np.random.default_rng(1).standard_normal((80, 120))
    colours = np.asarray(heatmap_image(heatmap)).astype(float)
    expected = (1 - alpha) * np.asarray(picture) + alpha * colours
    assert np.abs(np.asarray(overlay(picture, heatmap, alpha=alpha)) - expected).max() <= 1  # one level


def test_overlay_stretches_by_half_pixel_centres():
    """The enlarged map is bilinear between pixel centres, as the photograph was shrunk."""
    heatmap = np.random.default_rng(1).random((7, 7))
    rows, columns = [(np.arange(n) + 0.5) * 7 / n - 0.5 for n in (80, 120)]
    grid = normalize(heatmap) * 255
    along = np.stack([np.interp(columns, np.arange(7), row) for row in grid])  # (7, 120)
    expected = np.stack([np.interp(rows, np.arange(7), column) for column in along.T], axis=1)  # (80, 120)
    drawn = overlay(photo(), heatmap, colormap="grey", alpha=1)
    # Rounded to a byte before, between and after the two passes: half a level each time.
    assert np.abs(np.asarray(drawn)[..., 0] - expected).max() <= 1.5


def test_bands_leave_no_seams(monkeypatch):
    """Coloured a row at a time or all at once, the overlay is the same."""
    from npcam.images import draw

    whole = overlay(photo(), np.eye(7))
    monkeypatch.setattr(draw, "BAND", 1)
    assert differ(overlay(photo(), np.eye(7)), whole) == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (33, 20), (224, 224), (4000, 300)])
@pytest.mark.parametrize(
    "caption", ["cat 97.3%", "a very long name " * 20, "猫 97%", "قط", "🐈", "two\nlines\x00\x1b\udcff", " "]
)
def test_overlay_of_any_size_with_any_caption(size, caption):
    """Names of any script and length on photographs of any size; the photograph is left alone."""
    picture = photo(*size)
    before = picture.copy()
    width, height = size
    drawn = overlay(picture, np.eye(7), box=(0, 0, width, height), caption=caption)
    assert drawn.size == size
    assert drawn.mode == "RGB"
    assert differ(picture, before) == 0


def test_caption_stays_in_its_corner():
    """A caption is drawn where there is room for it, at the foot; else it is left out."""
    large, small = photo(500, 400), photo(30, 20)
    plain = overlay(large, np.eye(7))
    captioned = overlay(large, np.eye(7), caption="cat 97.3%")
    changed = np.argwhere((np.asarray(plain) != np.asarray(captioned)).any(axis=2))
    assert changed.min() > 0
    assert changed[:, 0].min() > 400 * 2 / 3
    assert changed[:, 0].max() < 400 - 1
    assert differ(overlay(small, np.eye(7)), overlay(small, np.eye(7), caption="cat 97.3%")) == 0


def test_box_outlines_its_pixels():
    """The outline's outer edge is the box: white at its corners, nothing beyond them."""
    plain = np.asarray(overlay(photo(), np.eye(7)))
    boxed = np.asarray(overlay(photo(), np.eye(7), box=(30, 20, 90, 60)))
    assert (boxed[20, 30] == 255).all()
    assert (boxed[59, 89] == 255).all()
    rows, columns = np.nonzero((plain != boxed).any(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 59, 30, 89)


@pytest.mark.parametrize("options", [{"colormap": "plasma"}, {"alpha": 1.5}, {"alpha": float("nan")}])
def test_overlay_refuses(options):
    """An unknown colormap or an opacity beyond 0..1."""
    with pytest.raises(InputError):
        overlay(photo(), np.eye(7), **options)


def test_montage():
    """Pictures in reading order, the rest of the sheet black."""
    images = [Image.new("RGB", (8, 6), (k, k, k)) for k in (10, 20, 30)]
    sheet = np.asarray(montage(images, columns=2))
    assert sheet.shape == (12, 16, 3)
    assert [int(sheet[y, x, 0]) for y, x in [(0, 0), (0, 8), (6, 0), (6, 8)]] == [10, 20, 30, 0]
    with pytest.raises(InputError, match="montage"):
        montage([])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell its peak memory")
def test_memory_of_a_large_photograph():
    """100 megapixels are drawn within 1.5 GB: photograph and picture take 400 MB each."""
    program = """if True:
        import numpy as np
        from PIL import Image
        from npcam.images.draw import overlay
        photo = Image.new("RGB", (20_000, 5_000))
        overlay(photo, np.eye(224), box=(5, 5, 19_000, 4_000), caption="cat 97.3%")
        print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(done.stdout) * 1024 < 1.5e9

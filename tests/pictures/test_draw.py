"""Pictures held to what they are made of."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from npcam import InputError
from npcam.pictures.colormaps import NAMES, colormap
from npcam.pictures.draw import fitting, line_width, montage, normalize, overlay


def photo(width=120, height=80):
    """Noise as a photograph."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels)


def differ(a, b):
    """The largest difference of two pictures, in levels of 255."""
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


def drawn(plain, picture):
    """Where two pictures differ, as a box (x0, y0, x1, y1), x1 and y1 exclusive."""
    rows, columns = np.nonzero((np.asarray(plain) != np.asarray(picture)).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_normalize_by_hand():
    """ReLU over the maximum; the argument is left alone."""
    heatmap = np.array([[-2.0, 0.0], [1.0, 4.0]])
    np.testing.assert_array_equal(normalize(heatmap), [[0, 0], [0.25, 1]])
    assert heatmap[0, 0] == -2
    np.testing.assert_array_equal(normalize([[-1, 2, 4]]), [[0, 0.5, 1]])


@pytest.mark.parametrize("value", [-3.0, 0.0, 3.0, 1e-300])
def test_a_constant_map_gives_zeros(value):
    """Neither NaN nor stretched rounding errors where no place stands out."""
    heatmap = np.full((7, 7), value)
    heatmap[3, 3] *= 1 + 2e-16
    np.testing.assert_array_equal(normalize(heatmap), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, -1, 2.0**-40])
def test_differences_of_up_to_four_roundings_do_not_stand_out(dtype, scale):
    """Four times the distance of 1 to the next number is taken for rounding, four and a half is not."""
    eps = float(np.finfo(dtype).eps)
    for roundings, largest in ((4, 0), (4.5, 1)):
        heatmap = (np.array([[1, 1 - roundings * eps]]) * scale).astype(dtype)
        assert normalize(heatmap).max() == (largest if scale > 0 else 0)


def test_a_map_that_speaks_against_the_class_gives_zeros():
    """Nothing positive: no division by zero, no NaN."""
    for heatmap in ([[-2.0, -1.0]], [[-2.0, 0.0]]):
        np.testing.assert_array_equal(normalize(np.array(heatmap)), 0)


@pytest.mark.parametrize(
    ("dtype", "result"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int8", "float32")],
)
def test_normalize_twice(dtype, result):
    """From 0 to 1, in single precision at least, and normalizing for the picture again changes nothing."""
    heatmap = (np.random.default_rng(0).standard_normal((9, 7)) * 50).astype(dtype)
    once = normalize(heatmap)
    assert once.dtype == result
    assert once.min() == 0
    assert once.max() == 1
    np.testing.assert_array_equal(normalize(once), once)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.ones(3), "expected a map (H, W) of real numbers, got (3,) of float64"),
        (np.ones((0, 3)), "expected a map (H, W) of real numbers, got (0, 3) of float64"),
        (np.ones((2, 2, 3), "f4"), "expected a map (H, W) of real numbers, got (2, 2, 3) of float32"),
        (np.ones((2, 2), complex), "expected a map (H, W) of real numbers, got (2, 2) of complex128"),
        (np.array([[np.nan]]), "holds NaN or infinity; look at the weights and the photograph's pixels"),
        (np.array([[np.inf, 1]]), "holds NaN or infinity; look at the weights and the photograph's pixels"),
    ],
)
def test_normalize_refuses(bad, said):
    """What is no map, and NaN, which would be drawn as a colour."""
    with pytest.raises(InputError) as caught:
        normalize(bad)
    assert str(caught.value) == f"heatmap: {said}"


@pytest.mark.parametrize("name", NAMES)
def test_colours_by_lookup(name):
    """Each pixel of an opaque overlay is the table's colour for its value."""
    heatmap = np.arange(-5.0, 256).reshape(9, 29)
    expected = colormap(name)[np.maximum(heatmap, 0).astype(int)]
    found = overlay(photo(29, 9), heatmap, colormap=name, alpha=1)
    np.testing.assert_array_equal(np.asarray(found), expected)


def test_values_are_rounded_to_the_nearest_colour():
    """Of 256 greys, 100.4 is the 100th and 100.6 the 101st."""
    found = overlay(photo(3, 1), np.array([[100.4, 100.6, 255.0]]), colormap="grey", alpha=1)
    assert np.asarray(found)[0, :, 0].tolist() == [100, 101, 255]


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_overlay_by_hand(alpha):
    """At the map's own size the overlay is (1 - alpha) photograph + alpha colour."""
    picture = photo()
    heatmap = np.random.default_rng(1).standard_normal((80, 120))
    shares = np.maximum(heatmap, 0) / heatmap.max()
    colours = colormap("viridis")[np.rint(shares * 255).astype(int)].astype(float)
    expected = (1 - alpha) * np.asarray(picture) + alpha * colours
    assert np.abs(np.asarray(overlay(picture, heatmap, alpha=alpha)) - expected).max() <= 1  # one level


def test_overlay_stretches_by_half_pixel_centres():
    """The enlarged map is bilinear between pixel centres, as the photograph was shrunk."""
    heatmap = np.random.default_rng(1).random((7, 7))
    rows, columns = [(np.arange(n) + 0.5) * 7 / n - 0.5 for n in (80, 120)]
    grid = normalize(heatmap) * 255
    along = np.stack([np.interp(columns, np.arange(7), row) for row in grid])  # (7, 120)
    expected = np.stack([np.interp(rows, np.arange(7), column) for column in along.T], axis=1)  # (80, 120)
    found = overlay(photo(), heatmap, colormap="grey", alpha=1)
    # Rounded to a byte before, between and after the two passes: half a level each time.
    assert np.abs(np.asarray(found)[..., 0] - expected).max() <= 1.5


def test_defaults_are_half_of_viridis():
    """Without options: viridis, half transparent, no box, no caption."""
    plain = overlay(photo(), np.eye(7))
    assert differ(plain, overlay(photo(), np.eye(7), colormap="viridis", alpha=0.5)) == 0
    assert differ(plain, overlay(photo(), np.eye(7), box=None, caption="")) == 0
    assert differ(plain, overlay(photo().convert("RGBA"), np.eye(7))) == 0


def test_options_go_by_name():
    """A colormap is not mistaken for something else by its place."""
    with pytest.raises(TypeError):
        overlay(photo(), np.eye(7), "jet")
    assert differ(overlay(photo=photo(), heatmap=np.eye(7)), overlay(photo(), np.eye(7))) == 0


@pytest.mark.parametrize("band", [1, 120, 500, 120 * 80, 120 * 80 + 1])
def test_bands_leave_no_seams(monkeypatch, band):
    """Coloured a row at a time, four rows at a time or all at once, the overlay is the same."""
    from npcam.pictures import draw

    whole = overlay(photo(), np.eye(7))
    monkeypatch.setattr(draw, "BAND", band)
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
    found = overlay(picture, np.eye(7), box=(0, 0, width, height), caption=caption)
    assert found.size == size
    assert found.mode == "RGB"
    assert differ(picture, before) == 0


GREY = (90, 90, 90)


def written(size, text, pixels, rim):
    """White letters of so many pixels with a black rim on grey, cut out of the picture."""
    plain = Image.new("RGB", size, GREY)
    picture = plain.copy()
    font = ImageFont.load_default(pixels)
    draw = ImageDraw.Draw(picture)
    draw.text((50, 50), text, font=font, fill="white", stroke_width=rim, stroke_fill="black")
    return picture.crop(drawn(plain, picture))


@pytest.mark.parametrize(
    ("size", "text", "pixels", "rim", "margin"),
    [
        ((300, 140), "cat 97.3%", 14, 1, 7),  # small: letters that can be read
        ((300, 210), "cat 97.3%", 15, 1, 7),  # a fourteenth of the height
        ((600, 700), "cat 97.3%", 50, 4, 25),
        ((1100, 5700), "cat", 400, 33, 200),  # 400 pixels at most
        ((74, 60), "cat 97.3%", 14, 1, 0),  # no room for a margin
        ((62, 60), "cat 97.3%", 12, 1, 0),  # seven eighths as large, until it fits
        ((52, 60), "cat 97.3%", 10, 1, 0),
        ((45, 60), "cat 97.3%", 8, 1, 0),
        ((300, 35), "cat 97.3%", 12, 1, 6),  # at most a third of the height
        ((3000, 300), "cat 97.3%", 71, 5, 35),  # a 42nd of a panorama's width
    ],
)
def test_captions_as_drawn_by_hand(size, text, pixels, rim, margin):
    """White letters with a black rim, of the right size, in the lower left corner."""
    plain = Image.new("RGB", size, GREY)
    captioned = overlay(plain, -np.eye(7), alpha=0, caption=text)
    left, top, right, bottom = drawn(plain, captioned)
    letters = written((size[0] + 100, size[1] + 100), text, pixels, rim)
    np.testing.assert_array_equal(np.asarray(captioned.crop((left, top, right, bottom))), np.asarray(letters))
    # Where Pillow says that a text begins is a blank of up to a 25th of its size before the first letter.
    assert abs(left - margin) <= 1 + pixels / 25
    assert abs(bottom - (size[1] - margin)) <= 1


def test_captions_without_room_are_left_out():
    """Letters below 8 pixels cannot be read: too narrow and too low a photograph have no caption."""
    for size in ((40, 60), (300, 20), (1, 1)):
        plain, captioned = (overlay(photo(*size), np.eye(7), caption=c) for c in (None, "cat 97.3%"))
        assert differ(plain, captioned) == 0


def test_captions_are_one_line_of_what_prints():
    """Line breaks and control characters become single blanks; a blank caption is none."""
    picture = photo(300, 140)
    clean = overlay(picture, np.eye(7), caption="two lines here")
    assert differ(clean, overlay(picture, np.eye(7), caption="\ttwo\n\x00 lines\x1bhere ")) == 0
    assert differ(overlay(picture, np.eye(7)), overlay(picture, np.eye(7), caption=" \n")) == 0


@pytest.mark.parametrize(
    ("size", "line"), [((120, 80), 1), ((299, 600), 1), ((700, 300), 2), ((460, 455), 3)]
)
def test_box_outlines_its_pixels(size, line):
    """From its edge inwards: a white line, a black one as wide (each a 150th of the picture), the picture."""
    plain = np.asarray(overlay(photo(*size), np.eye(7)))
    boxed = np.asarray(overlay(photo(*size), np.eye(7), box=(30, 20, 90, 60)))
    assert drawn(plain, boxed) == (30, 20, 90, 60)
    expected = plain.copy()
    for inset, colour in ((0, 255), (line, 0)):
        expected[20 + inset : 60 - inset, 30 + inset : 90 - inset] = colour
    inner = (slice(20 + 2 * line, 60 - 2 * line), slice(30 + 2 * line, 90 - 2 * line))
    expected[inner] = plain[inner]
    np.testing.assert_array_equal(boxed, expected)


@pytest.mark.parametrize("box", [(7, 9, 8, 10), (7, 9, 30, 10), (7, 9, 8, 30), (7, 9, 9, 30), (7, 9, 30, 12)])
@pytest.mark.parametrize("size", [(120, 80), (460, 455)])
def test_boxes_narrower_than_their_line(size, box):
    """Nothing is drawn outside them, and their edge is white."""
    plain = overlay(photo(*size), np.eye(7))
    boxed = overlay(photo(*size), np.eye(7), box=box)
    x0, y0, x1, y1 = box
    assert drawn(plain, boxed) == box
    pixels = np.asarray(boxed)
    for edge in (pixels[y0, x0:x1], pixels[y1 - 1, x0:x1], pixels[y0:y1, x0], pixels[y0:y1, x1 - 1]):
        assert (edge == 255).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"colormap": "plasma"},
            "colormap 'plasma': expected one of viridis, jet, turbo, magma, grey, ember",
        ),
        *[
            ({"alpha": a}, f"alpha {a}: expected an opacity from 0 (photograph only) to 1 (heat map only)")
            for a in (1.01, -0.01, float("nan"))
        ],
    ],
)
def test_overlay_refuses(options, said):
    """An unknown colormap, or an opacity beyond 0 to 1."""
    with pytest.raises(InputError) as caught:
        overlay(photo(), np.eye(7), **options)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("count", "columns", "shape"), [(3, 2, (12, 16)), (4, 2, (12, 16)), (2, 3, (6, 16)), (2, 1, (12, 8))]
)
def test_montage(count, columns, shape):
    """Pictures in reading order, the rest of the sheet black."""
    greys = [10, 20, 30, 40][:count]
    sheet = np.asarray(montage([Image.new("RGB", (8, 6), (k, k, k)) for k in greys], columns=columns))
    assert sheet.shape == (*shape, 3)
    tiles = [sheet[y : y + 6, x : x + 8] for y in range(0, shape[0], 6) for x in range(0, shape[1], 8)]
    assert [set(tile.ravel().tolist()) for tile in tiles] == [
        {k} for k in [*greys, *[0] * (len(tiles) - count)]
    ]


def test_montage_of_other_sizes_and_modes():
    """Four in a row by default; each picture is brought to the first one's size and to RGB."""
    images = [Image.new("RGB", (8, 6)), Image.new("L", (3, 30), 7), *[Image.new("RGBA", (9, 9), "red")] * 3]
    sheet = np.asarray(montage(images))
    assert sheet.shape == (12, 32, 3)
    assert (sheet[:6, 8:16] == 7).all()
    assert (sheet[6:, :8] == (255, 0, 0)).all()


def test_montage_captions():
    """Each caption on its own picture; pictures without one stay as they are."""
    images = [photo(200, 140), photo(200, 140), photo(200, 140)]
    sheet = montage(images, captions=["cat", "dog"], columns=2)
    for i, caption in enumerate(["cat", "dog", None]):
        x, y = (i % 2) * 200, (i // 2) * 140
        expected = overlay(images[i], -np.eye(7), alpha=0, caption=caption)
        assert differ(sheet.crop((x, y, x + 200, y + 140)), expected) == 0
    assert differ(images[0], photo(200, 140)) == 0


@pytest.mark.parametrize(("count", "columns"), [(0, 4), (2, 0)])
def test_montage_refuses(count, columns):
    """Nothing to show, or no column to show it in."""
    with pytest.raises(InputError) as caught:
        montage([photo()] * count, columns=columns)
    assert str(caught.value) == f"montage: expected pictures and columns, got {count} and {columns}"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell its peak memory")
def test_memory_of_a_large_photograph():
    """100 megapixels are drawn within 1.5 GB: photograph and picture take 400 MB each."""
    program = """if True:
        import numpy as np
        from PIL import Image
        from npcam.pictures.draw import overlay
        photo = Image.new("RGB", (20_000, 5_000))
        overlay(photo, np.eye(224), box=(5, 5, 19_000, 4_000), caption="cat 97.3%")
        print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(done.stdout) * 1024 < 1.5e9


@pytest.mark.parametrize(
    ("size", "line"),
    [((1, 1), 1), ((640, 480), 3), ((4000, 3000), 20), ((3000, 300), 5), ((200, 1500), 2), ((9000, 40), 1)],
)
def test_lines_can_be_seen_on_panoramas(size, line):
    """A 150th of the shorter side; on a panorama a 600th of the longer, and at most a 25th of the shorter."""
    assert line_width(size) == line


def test_fitting():
    """The longer side becomes as long as is asked for, whichever it is; what is smaller stays."""
    assert fitting((12_000, 9_000), 4_000) == (4_000, 3_000)
    assert fitting((9_000, 12_000), 4_000) == (3_000, 4_000)
    assert fitting((9_000, 2), 100) == (100, 1)
    assert fitting((100, 50), 100) == (100, 50)
    assert fitting((99, 50), 100) == (99, 50)

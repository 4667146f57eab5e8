"""A map over its photograph: boxes, shares, stretching, and the pictures of it."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

import npcam
from npcam import InputError
from npcam.pictures import draw, evidence, overlay
from npcam.pictures.lettering import write_in_a_corner
from npcam.pictures.panel import Panel

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def model():
    """The bundled model."""
    return npcam.load_model()


@pytest.fixture(scope="module")
def rocket(model):
    """A rocket that is taken for a church: its map has several parts, and speaks against it, too."""
    return npcam.explain(model, EXAMPLES / "rocket.jpg")


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9])
def test_parts_and_shares_as_scipy_counts_them(model, threshold):
    """Boxes and shares by `scipy.ndimage.label` and sums over its labels; the box holds what it should."""
    e = npcam.explain(model, EXAMPLES / "rocket.jpg", threshold=threshold)
    positive = np.maximum(e.heatmap.astype(np.float64), 0)
    labels, count = label(e.heatmap > threshold * e.heatmap.max())
    shares = sorted((positive[labels == k].sum() / positive.sum() for k in range(1, count + 1)), reverse=True)
    np.testing.assert_allclose([part.evidence for part in e.boxes], shares, rtol=1e-6)
    width, height = e.photo.size
    for part in e.boxes:
        x0, y0, x1, y1 = part.box
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
    largest = 1 + int(np.bincount(labels.ravel())[1:].argmax())
    rows, columns = np.nonzero(labels == largest)
    inside = positive[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].sum()
    assert e.evidence_in_box == pytest.approx(inside / positive.sum(), rel=1e-6)
    assert e.box in [part.box for part in e.boxes]
    assert len(e.boxes) == count


def test_everywhere(model):
    """A box over more than 90 % of the photograph says nothing: it is not drawn, and the words say so."""
    for name in ("chelsea.png", "rocket.jpg"):
        e = npcam.explain(model, EXAMPLES / name)
        x0, y0, x1, y1 = e.box
        covers = (x1 - x0) * (y1 - y0) / (e.photo.width * e.photo.height)
        assert e.everywhere == (covers > 0.9)
        plain, boxed = (np.asarray(e.overlay(box=box)) for box in (False, True))
        inside = plain[y0 : y0 + 2, x0:x1]
        assert np.array_equal(inside, boxed[y0 : y0 + 2, x0:x1]) == e.everywhere
        assert (e.tile().lines[-1] == "evidence everywhere") == e.everywhere
    assert not e.everywhere


def test_parts_are_sought_once_and_only_for_boxes(model, monkeypatch):
    """A figure without `boxes` asks for no parts; one with them, and all else that asks, asks once."""
    calls, sought = [], evidence.connected_parts
    monkeypatch.setattr(evidence, "connected_parts", lambda *a: calls.append(a) or sought(*a))
    e = npcam.explain(model, EXAMPLES / "rocket.jpg")
    e.figure()
    e.overlay()
    assert len(calls) == 0
    e.figure(boxes=3)
    e.overlay(boxes=2)
    assert len(e.boxes) > 1
    assert len(calls) == 1
    assert replace(e, threshold=0.9).boxes != e.boxes  # another explanation has its own


def test_nothing_speaks_for_a_class(model):
    """No box, no share, no tint, and words that say it."""
    kernel = model.weights.tensors["predictions"]["kernel"].copy()
    kernel[:, 2] = -1
    e = npcam.explain(model.with_weights({"predictions": {"kernel": kernel}}), EXAMPLES / "rocket.jpg", 2)
    assert (e.box, e.boxes, e.evidence_in_box, e.everywhere) == (None, (), 0.0, False)
    assert e.tile().lines[-1] == "nothing speaks for it"
    shown = np.asarray(e.figure().crop((0, 0, *e.photo.size)))
    np.testing.assert_array_equal(shown, np.asarray(e.photo))


def test_the_overlay_is_the_tinted_photograph(rocket):
    """Outside box and caption it is `paint` on the scale of the explanation; the photograph is left alone."""
    before = rocket.photo.copy()
    expected = rocket.photo.copy()
    overlay.paint(expected, rocket.heatmap, overlay.Scale(rocket.scale))
    found = rocket.overlay()
    assert found.size == rocket.photo.size
    same = (np.asarray(found) == np.asarray(expected)).all(axis=2)
    assert 0.9 < same.mean() < 1
    draw.outline(expected, rocket.box)
    rest = (np.asarray(found) != np.asarray(expected)).any(axis=2)  # the caption
    rows, _ = np.nonzero(rest)
    assert rows.size
    x0, y0, x1, y1 = rocket.box
    frame = np.zeros(rest.shape, bool)
    frame[y0:y1, x0:x1] = True
    line = 2 * draw.line_width(rocket.photo.size)
    frame[y0 + line : y1 - line, x0 + line : x1 - line] = False
    assert not (rest & frame).any()
    np.testing.assert_array_equal(np.asarray(rocket.photo), np.asarray(before))
    in_place = npcam.explain(rocket.seen.model, EXAMPLES / "rocket.jpg")
    assert in_place.overlay(in_place=True) is in_place.photo
    np.testing.assert_array_equal(np.asarray(in_place.photo), np.asarray(found))


@pytest.mark.parametrize("style", ["evidence", "flat"])
@pytest.mark.parametrize("boxes", [0, 2])
def test_a_large_photograph_is_made_smaller_first(rocket, style, boxes):
    """`longest`: the overlay of the smaller photograph, with the boxes at their places in it."""
    before = rocket.photo.copy()
    width, height = rocket.photo.size
    small = (320, height * 320 // width)
    expected = rocket.photo.resize(small, Image.Resampling.LANCZOS, reducing_gap=3.0)
    places = []
    for x0, y0, x1, y1 in [part.box for part in rocket.boxes[:boxes]] or [rocket.box]:
        (left, right), (top, bottom) = (x0 * small[0], x1 * small[0]), (y0 * small[1], y1 * small[1])
        places.append((left // width, top // height, -(-right // width), -(-bottom // height)))  # outwards
    if style == "flat":
        expected = draw.overlay(expected, rocket.heatmap)
    else:
        overlay.paint(expected, rocket.heatmap, overlay.Scale(rocket.scale))
    caption = [] if style == "flat" else [places, 2 * draw.line_width(small)]
    if style == "flat" and boxes:
        write_in_a_corner(expected, rocket.caption)
    for box in places:
        draw.outline(expected, box)
    if style != "flat" or not boxes:
        write_in_a_corner(expected, rocket.title, *caption)
    found = rocket.overlay(style=style, boxes=boxes, longest=320, in_place=True)
    assert found.size == small
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    np.testing.assert_array_equal(np.asarray(rocket.photo), np.asarray(before))
    for most in (640, 5000):
        same = (rocket.overlay(style=style, boxes=boxes, longest=n) for n in (most, None))
        np.testing.assert_array_equal(*map(np.asarray, same))


@pytest.mark.parametrize("draw_it", ["overlay", "figure"])
def test_less_than_a_pixel(rocket, draw_it):
    """A picture without pixels is refused, not taken for a wish without a limit."""
    for longest in (0, -3):
        with pytest.raises(InputError, match=f"^longest {longest}: expected a number of pixels from 1 up$"):
            getattr(rocket, draw_it)(longest=longest)


def test_flat_is_the_tutorials_overlay(rocket):
    """Half of viridis everywhere, each map divided by its own maximum, caption and box as ever."""
    expected = draw.overlay(rocket.photo, rocket.heatmap, box=rocket.box, caption=rocket.caption)
    np.testing.assert_array_equal(np.asarray(rocket.overlay(style="flat")), np.asarray(expected))
    jet = draw.overlay(rocket.photo, rocket.heatmap, colormap="jet", alpha=0.3, caption=rocket.caption)
    found = rocket.overlay("jet", 0.3, False, style="flat")
    np.testing.assert_array_equal(np.asarray(found), np.asarray(jet))


def test_a_weak_class_is_paler_than_the_most_probable_one(model, rocket):
    """Another class's map has the scale of the strongest: what is half the evidence has half the tint."""
    other = npcam.explain(model, EXAMPLES / "rocket.jpg", "garbage_truck")
    assert rocket.scale == pytest.approx(float(rocket.cam.max()))
    assert other.scale == pytest.approx(max(float(other.cam.max()), rocket.scale))
    assert other.legend().number == pytest.approx(other.scale / other.cam.size)


def test_the_numbers_at_the_bar_add_up_to_the_logit(rocket):
    """All cells together, each in the unit of the bar, and the bias are the logit."""
    per_cell = rocket.cam.astype(np.float64) * (rocket.legend().number / rocket.legend().scale.largest)
    bias = rocket.seen.model.class_weights(rocket.target)[1]
    assert per_cell.sum() + bias == pytest.approx(rocket.logit, abs=1e-4)


def triangle(size):
    """What each of `size` pixels takes of 224: a triangle around its centre, as wide as two of the larger."""
    step = 224 / size
    distance = np.abs((np.arange(224) + 0.5)[None] - (np.arange(size) + 0.5)[:, None] * step)
    weights = np.maximum(0, 1 - distance / max(step, 1))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [None, (1, 1), (80, 120), (500, 300)])
def test_heatmap_at(rocket, size):
    """Signed, bilinear between the centres of the pixels; where it is made smaller, a weighted mean."""
    found = rocket.heatmap_at(size)
    height, width = size or rocket.photo.size[::-1]
    assert found.shape == (height, width)
    assert found.dtype == np.float32
    down, across = triangle(height), triangle(width)
    expected = down @ rocket.heatmap.astype(np.float64) @ across.T
    # sums of up to 448 products in each direction, in float32
    assert np.abs(found - expected).max() <= 2 * 448 * np.finfo(np.float32).eps * np.abs(rocket.heatmap).max()


def test_heatmap_at_refuses(rocket):
    """A size without pixels."""
    with pytest.raises(InputError, match=r"^size: expected \(height, width\) in pixels, got \(0, 3\)$"):
        rocket.heatmap_at((0, 3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"style": "neon"}, "style 'neon': expected one of evidence, flat"),
        ({"style": "flat", "signed": True}, 'style "flat" shows only what speaks for a class; leave it out'),
        ({"signed": True, "colormap": "jet"}, "colormap 'jet': a signed scale has two colours of its own"),
        ({"alpha": 2}, "alpha 2: expected an opacity from 0"),
    ],
)
def test_styles_that_do_not_fit(rocket, options, said):
    """What would not be heeded is refused."""
    with pytest.raises(InputError) as caught:
        rocket.overlay(**options)
    assert str(caught.value).startswith(said)


def test_signed_pictures_show_what_speaks_against(rocket):
    """Where the map is negative, only the signed picture differs from the photograph, towards blue."""
    low = rocket.heatmap_at() < -0.05 * np.abs(rocket.cam).max()
    assert low.any()
    photo = np.asarray(rocket.photo).astype(int)
    plain, signed = (np.asarray(rocket.overlay(box=False, signed=s)).astype(int) for s in (False, True))
    letters = np.zeros_like(low)
    letters[-60:, :200] = True  # the caption
    np.testing.assert_array_equal(plain[low & ~letters], photo[low & ~letters])
    assert ((signed - photo)[low & ~letters][:, 2] > 0).mean() > 0.9


def test_panels_have_one_scale(model):
    """Photograph and maps stand side by side in the order asked for, all on the scale of the largest."""
    found = npcam.explain(model, EXAMPLES / "rocket.jpg", targets=["dog", "church"])
    largest = max(float(e.cam.max()) for e in found)
    assert [e.scale for e in found] == [pytest.approx(largest)] * 2
    sheet = np.asarray(found.figure(box=False))
    rows, columns = np.nonzero((sheet != 255).any(axis=2))
    top, left = rows.min(), columns.min()
    width, height = found[0].photo.size
    at = left
    for heatmap in (None, found[0].heatmap, found[1].heatmap):
        expected = found[0].photo.copy()
        if heatmap is not None:
            overlay.paint(expected, heatmap, overlay.Scale(largest))
        np.testing.assert_array_equal(sheet[top : top + height, at : at + width], np.asarray(expected))
        at += width + left  # the margin is as wide as the gap
    assert isinstance(found.versus("cat"), Panel)


def test_notebooks_see_a_picture_of_bounded_size(model):
    """PNG and HTML of explanations, differences and panels; every name is escaped."""
    large = Image.new("RGB", (3000, 2000), (90, 90, 90))
    e = npcam.explain(model, large)
    names = ["<script>alert(1)</script>", *["a & b"] * 13]
    both = npcam.explain(model, large, targets="top2")
    for shown, most in ((e, 800), (e.versus("dog" if e.label != "dog" else "cat"), 800), (both, 1400)):
        with Image.open(io.BytesIO(shown._repr_png_())) as image:
            assert max(image.size) <= most
        assert shown._repr_html_().startswith('<img alt="')
    html = replace(e, class_names=tuple(names), label=names[0])._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "a &amp; b" in html

"""Boxes at all thresholds: worked by hand, and against OpenCV's contours."""

from pathlib import Path

import numpy as np
import pytest
from helpers import wsol
from helpers.needs import needs
from hypothesis import given
from hypothesis import strategies as st

import npcam
from npcam import InputError
from npcam.localise.contours import THRESHOLDS, find_contours, unit_map

EXAMPLES = Path(__file__).parents[2] / "examples"


def drawn(text):
    """A map of a drawing: digits are values, what is not a digit is 0."""
    return np.array([[int(c) if c.isdigit() else 0 for c in line] for line in text.split()], float)


def assert_as_opencv(heatmap):
    """Both boxes of the definition are OpenCV's at every threshold."""
    found = find_contours(heatmap)
    expected = wsol.boxes_at_thresholds(needs("cv2"), wsol.normalised(heatmap))
    for threshold, (largest, every) in enumerate(expected):
        assert found.largest_at(threshold).tolist() == [list(largest)], threshold
        assert sorted(map(tuple, found.all_at(threshold).tolist())) == every, threshold


def test_one_part_has_one_box_whose_end_is_one_past_it():
    """A part's box ends one past its last pixel, except at the map's edge, where it ends on it."""
    found = find_contours(drawn("...... .99... .99... ......"))
    assert found.largest_at(0).tolist() == found.all_at(999).tolist() == [[1, 1, 3, 3]]
    found = find_contours(drawn("...... ....99 ....99"))
    assert found.largest_at(0).tolist() == [[4, 1, 5, 2]]


def test_what_touches_at_corners_is_one_part():
    """Pixels that touch at a corner belong together."""
    assert find_contours(drawn("9... .9.. ..9. ....")).all_at(0).tolist() == [[0, 0, 3, 3]]


def test_a_hole_has_a_box_one_pixel_larger():
    """The border of a hole runs along the pixels around it; background that touches at corners makes two."""
    found = find_contours(drawn("....... .99999. .9...9. .9...9. .99999. ......."))
    assert sorted(found.all_at(0).tolist()) == [[1, 1, 6, 5], [1, 1, 6, 5]]
    found = find_contours(drawn("...... .9999. .9.99. .99.9. .9999. ......"))
    assert sorted(found.all_at(0).tolist()) == [[1, 1, 4, 4], [1, 1, 5, 5], [2, 2, 5, 5]]


def test_a_ring_counts_with_what_is_in_it():
    """The area of a ring's contour is that of the filled ring, larger than a solid part with more pixels."""
    ring = drawn("99999....... 9...9..9999. 9...9..9999. 9...9..9999. 99999..9999.")  # 16 against 9
    assert find_contours(ring).largest_at(0).tolist() == [[0, 0, 5, 4]]


def test_an_area_is_the_polygons_through_pixels_centres():
    """Five pixels in a row have no area; three in a corner have half a square."""
    assert find_contours(drawn("99999. ...... 9..... 99....")).largest_at(0).tolist() == [[0, 2, 2, 3]]


def test_of_equal_areas_the_one_that_begins_last_counts():
    """OpenCV lists it first, and `max` takes the first."""
    assert find_contours(drawn("9..... ...... .....9 ......")).largest_at(0).tolist() == [[5, 2, 5, 3]]


def test_a_threshold_is_a_share_of_255_and_strict():
    """Values 1 and 2 of 2 are bytes 127 and 255: byte 127 is kept below threshold 127 / 255 and not at it."""
    found = find_contours(np.array([[0.0, 1.0, 1.0, 2.0, 0.0]]))
    widths = [int(found.largest_at(t)[0, 2] - found.largest_at(t)[0, 0]) for t in range(1000)]
    assert widths.index(1) == next(t for t in range(1000) if int(THRESHOLDS[t] * 255) == 127) == 499
    assert set(widths[:499]) == {3}
    assert set(widths[499:]) == {1}


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-30])
def test_a_constant_map_has_no_contour(value):
    """The box is then (0, 0, 0, 0) at each threshold, V1 and V2."""
    found = find_contours(np.full((5, 4), value))
    assert found.largest_at(0).tolist() == found.all_at(0).tolist() == [[0, 0, 0, 0]]
    assert found.largest_at(999).tolist() == found.all_at(999).tolist() == [[0, 0, 0, 0]]


def test_raw_thresholds_are_shares_of_the_maximum():
    """Nothing that is not positive is above any of them; by the range, the same place is above a half."""
    heatmap = np.array([[-8.0, 0.0, 1.0, 8.0, 0.0]])
    assert find_contours(heatmap, raw=True).largest_at(0).tolist() == [[2, 0, 4, 0]]
    assert find_contours(heatmap, raw=True).largest_at(200).tolist() == [[3, 0, 4, 0]]
    assert find_contours(heatmap).largest_at(490).tolist() == [[1, 0, 4, 0]]
    assert find_contours(-np.abs(heatmap), raw=True).largest_at(0).tolist() == [[0, 0, 0, 0]]


def test_raw_thresholds_are_those_of_the_map_without_its_negatives():
    """By the definition: a map whose minimum is 0 is normalised by its maximum."""
    heatmap = np.random.default_rng(4).standard_normal((20, 20))
    raw, clipped = find_contours(heatmap, raw=True), find_contours(np.maximum(heatmap, 0))
    assert (raw.largest == clipped.largest).all()
    for threshold in range(0, 1000, 50):
        one, other = (sorted(map(tuple, c.all_at(threshold).tolist())) for c in (raw, clipped))
        assert one == other


@pytest.mark.parametrize("shades", [2, 3, 6, 20, 256])
def test_random_maps_as_opencv_has_them(shades):
    """Rings, lines, holes in holes, plateaus, single pixels and many ties: every box of every threshold."""
    needs("cv2")
    rng = np.random.default_rng(shades)
    for _ in range(40):
        shape = rng.integers(1, 15, 2)
        assert_as_opencv(rng.integers(0, shades, shape).astype(float))


@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_any_small_map_as_opencv_has_it(height, width, data):
    """Hypothesis looks for a map that differs."""
    needs("cv2")
    cells = data.draw(st.lists(st.sampled_from([-2.5, 0.0, 1.0, 1.5, 9.0]), min_size=64, max_size=64))
    assert_as_opencv(np.array(cells[: height * width]).reshape(height, width))


@pytest.mark.parametrize("shape", [(40, 60), (61, 33)])
def test_blobs_and_rings_as_opencv_has_them(shape):
    """Smooth maps with rings around rings, whose holes nest."""
    needs("cv2")
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(4):
        blobs = np.zeros(shape)
        for _ in range(4):
            away = np.hypot(y - rng.uniform(0, shape[0]), x - rng.uniform(0, shape[1]))
            blobs += rng.uniform(-1, 2) * np.cos(away / rng.uniform(1, 5)) * np.exp(-away / 15)
        assert_as_opencv(blobs)


@pytest.mark.parametrize("align", ["corners", "centers"])
@pytest.mark.parametrize("cells", [7, 14])
def test_upsampled_maps_as_opencv_has_them(align, cells):
    """What a network gives: a few cells, float32, enlarged to 224x224."""
    needs("cv2")
    rng = np.random.default_rng(cells)
    cam = rng.standard_normal((cells, cells)).astype(np.float32)
    assert_as_opencv(npcam.upsample_map(cam, (224, 224), align))
    assert_as_opencv(npcam.upsample_map(np.round(cam), (224, 224), align))  # with plateaus


@pytest.mark.slow
@pytest.mark.parametrize("align", ["corners", "centers"])
def test_maps_of_photographs_as_opencv_has_them(align):
    """The bundled model's maps of the example photographs, of their best and their worst class."""
    needs("cv2")
    model = npcam.load_model()
    photographs = sorted(EXAMPLES.glob("*.jpg")) + sorted(EXAMPLES.glob("*.png"))
    assert len(photographs) > 2
    for photograph in photographs:
        found = npcam.explain(model, photograph, align=align)
        for target in (found.target, int(found.probabilities.argmin())):
            assert_as_opencv(npcam.explain(model, photograph, target=target, align=align).heatmap)


@given(st.lists(st.floats(-(2.0**90), 2.0**90, width=32), min_size=2, max_size=9))
def test_a_unit_map_begins_at_0_and_ends_at_1(values):
    """Whatever the values are; constant ones become zeros, and order is kept."""
    heatmap = np.array([values], np.float32)
    unit = unit_map(heatmap)
    assert unit.dtype == np.float32
    if heatmap.min() == heatmap.max():
        assert not unit.any()
    else:
        assert (unit.min(), unit.max()) == (0, 1)
        assert (np.diff(unit[0, np.argsort(heatmap[0], kind="stable")]) >= 0).all()


@pytest.mark.parametrize(
    ("heatmap", "words"),
    [
        (np.zeros(5), r"got shape \(5,\)"),
        (np.zeros((0, 3)), r"got shape \(0, 3\)"),
        (np.array([[1.0, np.nan]]), "not finite"),
        (np.array([[1.0, np.inf]]), "not finite"),
        (np.array([[-1.7e308, 1.7e308]]), "scale it down"),
    ],
)
def test_unusable_maps_are_refused_in_one_line(heatmap, words):
    """Not two axes, empty, not finite, or of a range that float64 does not hold."""
    with pytest.raises(InputError, match=words):
        find_contours(heatmap)

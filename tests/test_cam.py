"""The sum, the upsampling and the box, each against another way to the same answer."""

import numpy as np
import pytest
from helpers.rounding import assert_within_rounding

from npcam import InputError, bounding_box, class_activation_map, naive, upsample_map
from npcam.cam import connected_parts, evidence_inside, scale_box

RNG = np.random.default_rng(11)


def bilinear(cam, size, align):
    """Bilinear interpolation as its definition, in loops: the second way."""
    h, w = cam.shape
    out = np.zeros(size)
    for i, j in np.ndindex(size):
        if align == "corners":
            y = i * (h - 1) / max(size[0] - 1, 1)
            x = j * (w - 1) / max(size[1] - 1, 1)
        else:
            y = min(max((i + 0.5) * h / size[0] - 0.5, 0), h - 1)
            x = min(max((j + 0.5) * w / size[1] - 0.5, 0), w - 1)
        y0, x0 = min(int(y), h - 1), min(int(x), w - 1)
        y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
        top = cam[y0, x0] * (1 - x + x0) + cam[y0, x1] * (x - x0)
        bottom = cam[y1, x0] * (1 - x + x0) + cam[y1, x1] * (x - x0)
        out[i, j] = top * (1 - y + y0) + bottom * (y - y0)
    return out


def test_the_sum_is_the_loop_over_all_maps():
    """sum_k w_k f_k, term by term, for one class and for several."""
    f, w = RNG.normal(size=(7, 5, 64)).astype(np.float32), RNG.normal(size=(64, 3)).astype(np.float32)
    expected = np.stack(
        [sum(float(w[k, c]) * f[..., k].astype(float) for k in range(64)) for c in range(3)], -1
    )
    size = np.abs(f) @ np.abs(w)
    assert_within_rounding(class_activation_map(f, w), expected, size, terms=65)
    assert_within_rounding(class_activation_map(f, w[:, 1]), expected[..., 1], size[..., 1], terms=65)


def test_mean_of_the_map_plus_bias_is_the_logit():
    """Averaging and the dense layer are linear, so the map accounts for the whole logit."""
    f, w, b = RNG.normal(size=(7, 7, 32)), RNG.normal(size=(32, 4)), RNG.normal(size=4)
    logits = naive.dense(naive.global_average_pool2d(f[None]), w, b)[0]
    maps = class_activation_map(f, w)
    size = np.abs(f).mean(axis=(0, 1)) @ np.abs(w) + np.abs(b)
    assert_within_rounding(maps.mean(axis=(0, 1)) + b, logits, size, terms=32 + 49 + 2, dtype=np.float64)


@pytest.mark.parametrize("align", ["corners", "centers"])
@pytest.mark.parametrize(
    ("shape", "size"),
    [((7, 7), (224, 224)), ((7, 9), (33, 50)), ((1, 1), (5, 4)), ((1, 4), (6, 9)), ((14, 14), (9, 5))],
)
def test_upsampling_is_bilinear(shape, size, align):
    """SciPy's zoom against the definition of bilinear interpolation, in both alignments."""
    cam = RNG.normal(size=shape)
    found = upsample_map(cam, size, align)
    assert found.shape == size
    # The weights come from positions up to 224, so they are off by 224 u; four products, two sums.
    assert np.abs(found - bilinear(cam, size, align)).max() <= 1000 * np.finfo(float).eps * np.abs(cam).max()


def test_upsampling_is_linear_so_weighting_first_changes_nothing():
    """Summing 64 maps and zooming once equals zooming 64 maps and summing: the tutorials' way."""
    f, w = RNG.normal(size=(7, 7, 64)), RNG.normal(size=64)
    first = upsample_map(class_activation_map(f, w), (56, 56))
    last = class_activation_map(upsample_map(f, (56, 56)), w)
    assert np.abs(first - last).max() <= 64 * 4 * np.finfo(float).eps * (np.abs(f) @ np.abs(w)).max()


def test_centers_keeps_the_mean_and_corners_keeps_the_corners():
    """For whole factors half-pixel alignment spreads each cell over its own pixels."""
    cam = RNG.normal(size=(7, 7)).astype(np.float32)
    large = upsample_map(cam, (224, 224))
    assert large[0, 0] == cam[0, 0]
    assert large[-1, -1] == cam[-1, -1]
    inner = upsample_map(np.pad(cam, 1), (9 * 32, 9 * 32), "centers")  # zeros around: nothing is clamped
    assert abs(inner.mean(dtype=float) - np.pad(cam, 1).mean(dtype=float)) < 16 * np.finfo(np.float32).eps


def flood(mask):
    """The largest 4-connected part of a mask, by walking from cell to cell: its half-open box."""
    best, seen = (0, None), set()
    for start in map(tuple, np.argwhere(mask)):
        if start in seen:
            continue
        todo, part = [start], {start}
        while todo:
            i, j = todo.pop()
            near = [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
            new = [p for p in near if min(p) >= 0 and p[0] < mask.shape[0] and p[1] < mask.shape[1]]
            new = [p for p in new if mask[p] and p not in part]
            part.update(new)
            todo += new
        seen |= part
        if len(part) > best[0]:
            ys, xs = zip(*part, strict=True)
            best = len(part), (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    return best[1]


@pytest.mark.parametrize("seed", range(20))
def test_the_box_is_that_of_the_largest_part(seed):
    """SciPy's labelling against a walk from cell to cell."""
    cam = np.random.default_rng(seed).normal(size=(12, 9))
    assert bounding_box(cam) == flood(cam > 0.2 * cam.max())


def test_the_box_on_maps_without_evidence():
    """Nothing positive, no box; a constant positive map is all box; the rule is strictly above."""
    assert bounding_box(np.zeros((3, 3))) is None
    assert bounding_box(-np.ones((3, 3))) is None
    assert bounding_box(np.full((2, 3), np.nan)) is None
    assert bounding_box(np.zeros((0, 3))) is None
    assert bounding_box(np.ones((2, 3))) == (0, 0, 3, 2)
    assert bounding_box(np.array([[-1.0, 0.01]])) == (1, 0, 2, 1)  # however little speaks for the class
    assert bounding_box(np.array([[1.0, 5.0]]), threshold=0.2) == (1, 0, 2, 1)


def test_a_box_is_carried_outwards_to_another_size():
    """It covers the same share of the picture, and never less than a pixel."""
    assert scale_box((0, 0, 224, 224), (224, 224), (300, 451)) == (0, 0, 451, 300)
    x0, y0, x1, y1 = scale_box((100, 100, 101, 101), (224, 224), (1, 1))
    assert (x0, y0, x1, y1) == (0, 0, 1, 1)


@pytest.mark.parametrize("seed", range(10))
def test_a_scaled_box_holds_every_pixel_that_it_touches(seed):
    """Pixel by pixel: those of the larger picture whose area the box covers, in part or whole."""
    rng = np.random.default_rng(seed)
    size, new = rng.integers(2, 30, 2), rng.integers(2, 70, 2)
    x0, y0 = int(rng.integers(0, size[1] - 1)), int(rng.integers(0, size[0] - 1))
    box = (x0, y0, int(rng.integers(x0 + 1, size[1] + 1)), int(rng.integers(y0 + 1, size[0] + 1)))
    columns, rows = (
        [p for p in range(new[k]) if p * size[k] < box[b] * new[k] and (p + 1) * size[k] > box[a] * new[k]]
        for k, a, b in ((1, 0, 2), (0, 1, 3))
    )
    expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert scale_box(box, tuple(map(int, size)), tuple(map(int, new))) == expected


def test_upsampling_keeps_the_type():
    """Half, single and double precision come back as they are; half within one rounding of single."""
    cam = RNG.normal(size=(3, 4))
    for dtype in (np.float16, np.float32, np.float64):
        assert upsample_map(cam.astype(dtype), (6, 8)).dtype == dtype
    half, single = (upsample_map(cam.astype(np.float16).astype(t), (6, 8)) for t in (np.float16, np.float32))
    assert np.array_equal(half, single.astype(np.float16))


@pytest.mark.parametrize(
    ("features", "weights"),
    [((7, 7, 4), (5,)), ((7, 4), (4,)), ((1, 7, 7, 4), (4,)), ((7, 7, 4), ()), ((7, 7, 4), (4, 2, 1))],
)
def test_features_and_weights_that_do_not_fit(features, weights):
    """Each rule by itself: three axes of features, one or two of weights, as many maps as weights."""
    with pytest.raises(ValueError, match=r"features \(H, W, K\) and weights \(K,\) or \(K, C\), got \("):
        class_activation_map(np.zeros(features), np.zeros(weights))


@pytest.mark.parametrize(
    ("shape", "size"),
    [((7,), (9, 9)), ((1, 7, 7, 2), (9, 9)), ((0, 7), (9, 9)), ((7, 7), (0, 9)), ((7, 7), (9, 0))],
)
def test_maps_and_sizes_that_nothing_enlarges(shape, size):
    """Each rule by itself: two or three axes, none of them empty, a size from 1x1 up."""
    with pytest.raises(ValueError, match="a size from 1x1 up, got"):
        upsample_map(np.zeros(shape), size)
    assert upsample_map(np.ones((7, 7)), (1, 1)).shape == (1, 1)


@pytest.mark.parametrize("threshold", [-0.01, 1.01, np.nan])
def test_thresholds_outside_0_to_1(threshold):
    """Both ends are allowed, nothing beyond; at 1 nothing lies above the maximum."""
    with pytest.raises(ValueError, match=r"a threshold in 0\.\.1"):
        bounding_box(np.ones((2, 2)), threshold)
    assert bounding_box(np.array([[-1.0, 0.5]]), 0) == (1, 0, 2, 1)
    assert bounding_box(np.array([[-1.0, 0.5]]), 1) is None
    with pytest.raises(ValueError, match=r"a map \(H, W\)"):
        bounding_box(np.ones((2, 2, 1)))


def test_of_equal_parts_the_first_counts():
    """Two parts of two cells each, and one of one: the first in reading order."""
    cam = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert bounding_box(cam) == (1, 1, 3, 2)


def test_bad_arguments_are_named():
    """Shapes that do not fit, unknown alignments and thresholds."""
    with pytest.raises(ValueError, match=r"features \(H, W, K\)"):
        class_activation_map(np.zeros((7, 7, 4)), np.zeros(5))
    with pytest.raises(InputError, match='"corners" or "centers"'):
        upsample_map(np.zeros((7, 7)), (9, 9), "edges")
    with pytest.raises(ValueError, match="a size from 1x1 up"):
        upsample_map(np.zeros((7, 7)), (0, 9))
    with pytest.raises(ValueError, match=r"threshold in 0\.\.1"):
        bounding_box(np.zeros((7, 7)), 2)


def parts_by_hand(cam, threshold):
    """(box, share) of each connected part, found by walking from cell to cell."""
    kept = {tuple(map(int, place)) for place in np.argwhere(cam > threshold * cam.max())}
    found = []
    while kept:
        todo = [min(kept)]
        part = set()
        while todo:
            y, x = place = todo.pop()
            if place in kept:
                kept.remove(place)
                part.add(place)
                todo += [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        rows, columns = [y for y, _ in part], [x for _, x in part]
        box = (min(columns), min(rows), max(columns) + 1, max(rows) + 1)
        found.append((box, sum(float(cam[place]) for place in part) / float(cam[cam > 0].sum())))
    return sorted(found, key=lambda one: -one[1])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [0, 0.2, 0.7, 1])
def test_connected_parts_by_walking(seed, threshold):
    """Every part, its box and its share of the positive evidence, the most evidence first."""
    cam = np.random.default_rng(seed).standard_normal((9, 12))
    found, expected = connected_parts(cam, threshold), parts_by_hand(cam, threshold)
    assert [part.box for part in found] == [box for box, _ in expected]
    np.testing.assert_allclose(
        [part.evidence for part in found], [share for _, share in expected], rtol=1e-12
    )
    assert sum(part.evidence for part in found) <= 1 + 1e-12
    if threshold == 0:
        assert sum(part.evidence for part in found) == pytest.approx(1)


def test_no_parts_where_nothing_is_positive():
    """Zeros and less have no part and no evidence; of equal parts the first in reading order comes first."""
    for cam in (np.zeros((3, 3)), -np.ones((2, 4))):
        assert connected_parts(cam) == []
        assert evidence_inside(cam, (0, 0, 2, 2)) == 0
    cam = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    assert [part.box for part in connected_parts(cam)] == [(1, 0, 2, 1), (0, 1, 1, 2), (2, 1, 3, 2)]


@pytest.mark.parametrize("bad", [(np.ones(3), 0.2), (np.ones((2, 2)), 1.1), (np.ones((2, 2)), -0.1)])
def test_connected_parts_refuses(bad):
    """What is no map, and a threshold that is no share."""
    with pytest.raises(ValueError, match=r"connected_parts: expected a map \(H, W\) and a threshold in 0..1"):
        connected_parts(*bad)


def test_evidence_inside_by_loops():
    """The positive values in the box over all positive values."""
    cam = np.random.default_rng(0).standard_normal((7, 8)).astype(np.float32)
    inside = sum(float(v) for row in cam[2:5] for v in row[1:6] if v > 0)
    whole = sum(float(v) for v in cam.ravel() if v > 0)
    assert evidence_inside(cam, (1, 2, 6, 5)) == pytest.approx(inside / whole, rel=1e-12)
    assert evidence_inside(cam, (0, 0, 8, 7)) == 1

"""Deletion and insertion against plain loops, and areas against NumPy's and by hand."""

import numpy as np
import pytest
from helpers.audited import subject

from npcam.audit import deletion
from npcam.audit.deletion import STEPS, area, baselines, measure_deletion, numbers, stages
from npcam.audit.orderings import by_score, centred_scores, random_scores


def test_area_is_the_trapezoids():
    """Trapezoid by trapezoid, in a loop; and a straight line's is its middle."""
    curve = np.random.default_rng(0).random(11)
    loop = sum((curve[i] + curve[i + 1]) / 2 * 0.1 for i in range(10))
    assert area(curve) == pytest.approx(loop, rel=1e-12)
    assert area(np.linspace(0, 1, 29)) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 7, 28])
def test_stages_replace_pixel_by_pixel(steps):
    """The k-th stage against a loop over places; the ends are left out, the arguments left alone."""
    rng = np.random.default_rng(1)
    start, end = rng.random((2, 5, 6, 3))
    order = rng.permutation(30)
    before = start.copy()
    found = list(stages(start, end, order, steps))
    assert len(found) == steps - 1
    for k, one in enumerate(found, start=1):
        expected = start.copy()
        for place in order[: round(k * 30 / steps)]:
            expected[place // 6, place % 6] = end[place // 6, place % 6]
        assert (one == expected).all()
    assert (start == before).all()


def test_baselines():
    """Zero is nothing but zeros; the blur is a Gaussian sum of pixels, edges repeated, in a plain loop."""
    x = subject().x
    found = baselines(x)
    assert not found["zero"].any()
    (h, w), (sy, sx) = x.shape[:2], (deletion.BLUR * n for n in x.shape[:2])
    reach = [int(4 * s + 0.5) for s in (sy, sx)]  # SciPy's truncation
    kernels = []
    for s, r in zip((sy, sx), reach, strict=True):
        kernel = np.exp(-0.5 * (np.arange(-r, r + 1) / s) ** 2)
        kernels.append(kernel / kernel.sum())
    for y, x0 in ((0, 0), (17, 30), (h - 1, w - 1)):
        total = np.zeros(3)
        for i, a in enumerate(kernels[0]):
            for j, b in enumerate(kernels[1]):
                row = min(max(y + i - reach[0], 0), h - 1)
                total += a * b * x[row, min(max(x0 + j - reach[1], 0), w - 1)]
        # Two sums of float32 numbers up to 151, rounded to float32 in between.
        assert np.abs(found["blur"][y, x0] - total).max() < 4 * 151 * np.finfo(np.float32).eps


def test_every_curve_is_that_of_a_loop():
    """Every probability of the curves, the input made anew and run by itself: equal up to rounding.

    A batch and a single photograph go through other kernels; probabilities then differ by some float32 eps.
    """
    one = subject()
    model, e = one.model, one.e
    found = measure_deletion(one)
    scores = random_scores(e.cam.shape, e.heatmap.shape, "corners", one.x)
    orders = {
        "map": by_score(e.heatmap),
        "random": by_score(scores),
        "centred": by_score(centred_scores(one.x.shape[:2])),
    }
    count = one.x.shape[0] * one.x.shape[1]
    for name, blank in baselines(one.x).items():
        for key, order in orders.items():
            for test, start, end in (("deletion", one.x, blank), ("insertion", blank, one.x)):
                if (test, key) == ("insertion", "random"):
                    continue
                for k in (0, 1, 9, STEPS):
                    x = start.copy().reshape(count, 3)
                    places = order[: round(k * count / STEPS)]
                    x[places] = end.reshape(count, 3)[places]
                    alone = model.predict(x.reshape(1, *one.x.shape))[0, e.target]
                    assert found[test][name][key][k] == pytest.approx(float(alone), abs=1e-5)


def test_a_random_curve_read_backwards_is_an_insertion():
    """Its areas are equal; the first probability of an insertion is that of the baseline."""
    found = measure_deletion(subject())
    for baseline in ("zero", "blur"):
        forth, back = (found[test][baseline]["random"] for test in ("deletion", "insertion"))
        assert forth == back[::-1]
        assert back[0] == found["insertion"][baseline]["map"][0]
        assert forth[0] == found["deletion"][baseline]["map"][0]


def test_numbers_by_hand():
    """Areas 0.5 and 0.25: what is less is better for deletion, what is more for insertion."""
    line, low = [1.0, 0.5, 0.0], [1.0, 0.0, 0.0]
    of_one = {"map": low, "random": line, "centred": low}
    curves = {test: {"zero": of_one, "blur": of_one} for test in ("deletion", "insertion")}
    found = numbers(curves)
    assert found["deletion.zero.map"] == found["deletion"] == 0.25
    assert found["deletion.blur.gain_over_random"] == 0.25
    assert found["insertion.blur.gain_over_random"] == -0.25
    assert found["deletion.zero.gain_over_centred"] == 0

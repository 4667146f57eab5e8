"""Noisy linear imputation against a dense solution, an iteration, and by hand."""

import numpy as np
import pytest
from helpers.audited import subject

from npcam.audit.orderings import by_score
from npcam.audit.road import NOISE, SHARES, impute, measure_road, numbers, remove


def weighted_mean(x, y, column):
    """The mean of a pixel's neighbours: 1/6 at a side, 1/12 at a corner, those outside left out."""
    total, weights = 0.0, 0.0
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            row, place = y + down, column + across
            if (down, across) != (0, 0) and 0 <= row < x.shape[0] and 0 <= place < x.shape[1]:
                weight = 1 / 12 if down and across else 1 / 6
                total, weights = total + weight * x[row, place], weights + weight
    return total / weights


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_every_missing_pixel_is_the_mean_of_its_neighbours(share):
    """Put back into the equation, pixel by pixel; known pixels stay as they were."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 15, 3))
    missing = rng.random((12, 15)) < share
    missing[3, 4] = False
    filled = impute(x, missing)
    assert (filled[~missing] == x[~missing]).all()
    for y, column in np.argwhere(missing):
        assert np.abs(filled[y, column] - weighted_mean(filled, y, column)).max() < 1e-9


def test_filled_in_is_where_averaging_over_and_over_ends():
    """Gauss and Seidel's iteration from zeros: 2,000 rounds over a hole of 4 x 4 pixels."""
    x = np.random.default_rng(1).normal(size=(8, 8, 1))
    missing = np.zeros((8, 8), bool)
    missing[2:6, 4:8] = True  # it touches the edge
    slow = np.where(missing[..., None], 0.0, x)
    for _ in range(2000):
        for y, column in np.argwhere(missing):
            slow[y, column] = weighted_mean(slow, y, column)
    assert np.abs(impute(x, missing) - slow).max() < 1e-9


def test_a_constant_picture_and_a_picture_with_nothing_missing_stay():
    """The mean of equal values is that value, whatever is missing."""
    x = np.full((6, 6, 3), 7.0, np.float32)
    missing = np.ones((6, 6), bool)
    missing[0, 0] = False
    assert np.abs(impute(x, missing) - 7).max() < 1e-5
    assert (impute(x, np.zeros((6, 6), bool)) == x).all()


def test_noise_is_fixed_small_and_only_where_pixels_are_missing():
    """The same in every run; its standard deviation is 1 % of the input's."""
    x = subject().x
    places = np.arange(0, x.shape[0] * x.shape[1], 2)
    one = remove(x, places)
    assert (one == remove(x, places)).all()
    missing = np.zeros(x.shape[:2], bool)
    missing.ravel()[places] = True
    assert (one[~missing] == x[~missing]).all()
    noise = (one - impute(x, missing))[missing]
    # 3,360 draws: the standard deviation of their standard deviation is 1 / sqrt(2 * 3360) = 1.2 %.
    assert noise.std() == pytest.approx(NOISE * x.std(), rel=0.06)


def test_road_is_that_of_a_loop():
    """Each share removed by itself, most and least relevant first, run alone: up to rounding."""
    one = subject()
    found = measure_road(one)
    order = by_score(one.e.heatmap)
    for i, share in enumerate(SHARES, start=1):
        count = round(share * len(order))
        for name, places in (("most", order[:count]), ("least", order[::-1][:count])):
            alone = one.model.predict(remove(one.x, places)[None])[0, one.e.target]
            assert found[name][i] == pytest.approx(float(alone), abs=1e-5)
    assert found["most"][0] == found["least"][0] == pytest.approx(one.e.probability, abs=1e-5)


def test_numbers_by_hand():
    """The mean of least minus most over the four shares; what is there at first does not count."""
    found = numbers({"most": [0.9, 0.5, 0.25, 0.0, 0.0], "least": [0.9, 1.0, 0.75, 0.5, 0.0]})
    assert found["road"] == pytest.approx((0.5 + 0.5 + 0.5 + 0) / 4)
    assert found["road.most.20"] == 0.5
    assert found["road.least.80"] == 0

"""Orders of pixels: by hand, and against a sort of pairs."""

import numpy as np
from helpers.audited import subject

from npcam.audit.orderings import by_score, centred_scores, random_scores


def test_by_score_is_a_sort_of_pairs():
    """The largest first, of equal ones the first in reading order: (-score, place) sorted by Python."""
    scores = np.random.default_rng(0).integers(0, 5, (7, 9)).astype(np.float32)
    pairs = sorted((-float(score), place) for place, score in enumerate(scores.ravel()))
    assert by_score(scores).tolist() == [place for _, place in pairs]


def test_a_constant_map_is_taken_in_reading_order():
    """Nothing but ties: the order is still one, and the same one."""
    assert by_score(np.zeros((3, 4))).tolist() == list(range(12))


def test_centred_scores_are_distances_from_the_middle():
    """The negative of ((x - middle) / half width)^2 + ((y - middle) / half height)^2, pixel by pixel."""
    height, width = 5, 8
    scores = centred_scores((height, width))
    for y in range(height):
        for x in range(width):
            down, across = (y + 0.5 - height / 2) / (height / 2), (x + 0.5 - width / 2) / (width / 2)
            assert abs(scores[y, x] + down**2 + across**2) < 1e-12


def test_random_scores_depend_on_the_photograph_alone():
    """Twice the same for one input, others for another; ranks of all cells at the grid's own size."""
    x, other = subject(seed=0).x, subject(seed=1).x
    one = random_scores((5, 7), (5, 7), "corners", x)
    assert sorted(one.ravel().tolist()) == list(range(35))
    assert (one == random_scores((5, 7), (5, 7), "corners", x.copy())).all()
    assert (one != random_scores((5, 7), (5, 7), "corners", other)).any()


def test_the_reverse_of_a_random_order_is_that_of_the_negative():
    """Which is why one random curve serves for deletion and for insertion."""
    scores = random_scores((5, 7), (40, 56), "corners", subject().x)
    forth, back = by_score(scores), by_score(-scores)
    assert np.allclose(scores.ravel()[forth[::-1]], scores.ravel()[back])

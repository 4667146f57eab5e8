"""All of one photograph: what is there, what is left out, and numbers that have no module of their own."""

import json

import numpy as np
import pytest
import scipy.stats
from helpers.audited import small_model, subject

from npcam.audit.measure import measure
from npcam.audit.randomise import randomised
from npcam.localise.contours import unit_map


@pytest.fixture(scope="module")
def one():
    return subject()


@pytest.fixture(scope="module")
def row(one):
    return measure(one, randomised(one.model), np.array([[0.0, 0.0, 40.0, 60.0]]))


def test_the_same_again(one, row):
    """To the last bit, through JSON and back: nothing is drawn anew."""
    again = measure(one, randomised(one.model), np.array([[0.0, 0.0, 40.0, 60.0]]))
    assert again == row == json.loads(json.dumps(row))
    assert all(type(value) is float for value in row["numbers"].values())


def test_average_drop_is_the_definitions(one, row):
    """max(0, p - p of the input times the map in 0..1) / p, run by itself."""
    masked = one.x * unit_map(one.e.heatmap)[..., None]
    after = float(one.model.predict(masked[None])[0, one.e.target])
    before = one.e.probability
    assert row["numbers"]["drop"] == pytest.approx(max(0, before - after) / before, abs=1e-6)
    assert row["numbers"]["increase"] == float(after > before)


def test_other_classes_are_those_with_the_next_logits(one, row):
    """The rank correlation of maps, by SciPy, in the order of the logits."""
    order = np.argsort(-one.seen.logits)
    assert order[0] == one.e.target
    for place, index in enumerate(order[1:], start=2):
        other = one.seen.explain(int(index)).cam
        expected = scipy.stats.spearmanr(one.e.cam.ravel(), other.ravel()).statistic
        assert row["numbers"][f"labels.{place}"] == pytest.approx(expected, abs=1e-9)
    assert row["numbers"]["labels"] == row["numbers"]["labels.2"]


def test_the_gain_inside_is_what_is_above_chance(row):
    """The box is the left half of the photograph."""
    numbers = row["numbers"]
    assert numbers["inside.area"] == 0.5
    assert numbers["inside.gain"] == numbers["inside.mass"] - 0.5


def test_completeness_and_determinism(row):
    """Up to rounding the map accounts for the logit; the engine gives the same bits twice."""
    assert 0 <= row["numbers"]["completeness"] < 1e-4
    assert row["numbers"]["same_bits"] == 1


def test_without_boxes_and_without_probabilities(row):
    """What asks for them is left out, and all else is there."""
    linear = subject(small_model("linear"))
    found = measure(linear, randomised(linear.model), np.zeros((0, 4)))
    gone = set(row["numbers"]) - set(found["numbers"])
    assert {name.split(".")[0] for name in gone} == {
        *("deletion", "insertion", "drop", "increase", "road", "probability", "inside", "stability"),
    }
    assert {name for name in gone if name.startswith("stability")} == {
        f"stability.{change}.probability" for change in ("shift", "flip", "jpeg", "resizing", "alignment")
    }
    assert not set(found["numbers"]) - set(row["numbers"])
    assert set(found["curves"]) == {"randomisation", "lorenz"}


def test_a_map_of_nothing_is_measured_too():
    """A class without weights: the map is zero everywhere, every number is finite, and no box is found."""
    model = small_model()
    kernel = np.zeros_like(model.layer("predictions").kernel)
    silent = subject(model.with_weights({"predictions": {"kernel": kernel}}))
    assert not silent.e.cam.any()
    found = measure(silent, randomised(silent.model), np.array([[0.0, 0.0, 40.0, 60.0]]))["numbers"]
    assert np.isfinite(list(found.values())).all()
    assert found["gini"] == found["inside.mass"] == 0
    assert found["stability"] == found["stability.flip.iou"] == 1

"""Sentences of reading: every number and every verdict in them follows from the numbers given."""

import math

import pytest

from npcam.audit.numbers import of_one
from npcam.audit.randomise import STAGES
from npcam.audit.sentences import SENTENCES, verdict
from npcam.audit.stability import CHANGES
from npcam.localise.intervals import Share


def curves(test, gains, areas=(0.31, 0.47)):
    """Numbers of a test: areas with both baselines; gains over a random order and the centred one, each."""
    found = {f"{test}.{b}.map": area for b, area in zip(("zero", "blur"), areas, strict=True)}
    for order, both in gains.items():
        found |= {f"{test}.{b}.gain_over_{order}": g for b, g in zip(("zero", "blur"), both, strict=True)}
    return of_one(found)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (Share(0.1, 0.01, 0.2), 1),
        (Share(0.1, -0.01, 0.2), 0),
        (Share(-0.1, -0.2, -0.01), -1),
        (Share(0.1, 0.0, 0.2), 0),
        (Share(0.05, math.nan, math.nan), 1),
        (Share(0.01, math.nan, math.nan), 0),
        (Share(-0.05, math.nan, math.nan), -1),
    ],
)
def test_verdicts(share, expected):
    """The interval decides where there is one; else two hundredths do."""
    assert verdict(share) == expected


def test_deletion_says_areas_and_verdicts():
    """The same verdict with both baselines is said once, different ones each with its baseline."""
    said = SENTENCES["deletion"](curves("deletion", {"random": (0.2, 0.3), "centred": (0.2, -0.1)}))
    assert "0.31 with the zero baseline and 0.47 with the blurred one" in said
    assert "lower is better" in said
    assert (
        ": better than a random order; better than the order from the middle outwards with the zero" in said
    )
    assert said.endswith("and worse than it with the blurred one.")


def test_insertion_says_when_it_cannot_tell():
    """Nothing is told apart where both gains are within two hundredths; worse is said of both."""
    said = SENTENCES["insertion"](curves("insertion", {"random": (0.01, -0.01), "centred": (-0.3, -0.1)}))
    assert "higher is better" in said
    assert "not told apart from a random order; worse than the order from the middle outwards." in said


@pytest.mark.parametrize(
    ("drop", "increase", "has", "lacks"),
    [
        (Share(0.164, 0.1, 0.4), Share(0.25, 0.1, 0.3), ("16.4%", "in 25% of", "most of what"), "leaves out"),
        (
            Share(0.4, 0.3, 0.6),
            Share(0.0, 0.0, 0.0),
            ("40.0%", "in 0% of", "leaves out much"),
            "most of what",
        ),
        (Share(0.9, math.nan, math.nan), Share(0.0, math.nan, math.nan), ("90.0%", "leaves out"), "rises"),
        (Share(0.0, math.nan, math.nan), Share(1.0, math.nan, math.nan), ("0.0%", "it rises"), "photographs"),
    ],
)
def test_average_drop(drop, increase, has, lacks):
    """Its numbers, and whether the class keeps most of its probability: by the interval's upper end."""
    said = SENTENCES["drop"]({"drop": drop, "increase": increase})
    assert all(words in said for words in has)
    assert lacks not in said


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (
            Share(0.62, 0.5, 0.7),
            "is 0.62 more than without those that it marks most, on average: the map tells",
        ),
        (
            Share(0.1, -0.1, 0.3),
            "0.10 more than without those that it marks most, on average: the map does not",
        ),
        (
            Share(-0.3, -0.4, -0.2),
            "0.30 less than without those that it marks most, on average: the map marks least",
        ),
    ],
)
def test_road(gap, words):
    """The gap without its sign, more or less, and its verdict."""
    said = SENTENCES["road"]({"road": gap})
    assert words in said
    assert said.startswith("Without the 20, 40, 60 and 80 % of the pixels")


@pytest.mark.parametrize(
    ("bottom", "words"),
    [
        (0.2, "the map depends on what was learnt"),
        (-0.2, "depends on"),
        (0.5, "is there without"),
        (-0.9, "without"),
    ],
)
def test_randomisation(bottom, words):
    """Alike from a rank correlation of a half on, whichever sign it has; top and bottom are said."""
    given = dict.fromkeys((f"randomisation.{stage}.spearman" for stage in STAGES), 0.77)
    given["randomisation.conv1.spearman"] = bottom
    said = SENTENCES["randomisation"](of_one(given))
    assert "with the last layer random its rank correlation with the first map is 0.77" in said
    assert f"with all layers random {bottom:.2f}" in said
    assert words in said.split(":")[-1]


@pytest.mark.parametrize(("value", "words"), [(0.49, "own"), (0.5, "much alike"), (-0.8, "own")])
def test_labels(value, words):
    """The map is its class's own below a half."""
    said = SENTENCES["labels"](of_one({"labels": value}))
    assert f"{value:.2f}" in said
    assert words in said.split(":")[-1]


@pytest.mark.parametrize(("lowest", "words"), [(0.89, "moves though"), (0.9, "stays as it is")])
def test_stability(lowest, words):
    """The changes with the lowest correlation and the lowest overlap are named, with their numbers."""
    given = {f"stability.{c}.{k}": 0.97 for c in CHANGES for k in ("correlation", "iou")}
    given |= {"stability.jpeg.correlation": lowest, "stability.shift.iou": 0.41}
    said = SENTENCES["stability"](of_one(given))
    assert f"JPEG at quality 50 moves the map most (correlation {lowest:.2f})" in said
    assert "the box most with a shift by one pixel (IoU 0.41)" in said
    assert words in said
    still = given | {f"stability.{c}.iou": 1.0 for c in CHANGES}
    assert "none the box (IoU 1)" in SENTENCES["stability"](of_one(still))


@pytest.mark.parametrize(
    ("value", "words"), [(0.39, "spread"), (0.4, "in between"), (0.7, "in between"), (0.71, "few")]
)
def test_sparseness(value, words):
    """Spread out, in between, or on few cells."""
    said = SENTENCES["sparseness"](of_one({"gini": value, "complexity": 0.87}))
    assert f"is {value:.2f} (" in said
    assert "their entropy 87% of" in said
    assert words in said.split(":")[-1]


@pytest.mark.parametrize(
    ("gain", "words"), [(0.3, "more than by chance"), (0.0, "no more than"), (-0.3, "avoids")]
)
def test_inside(gain, words):
    """Mass, area and rank, and whether mass is above area."""
    given = {"inside.mass": 0.63, "inside.area": 0.41, "inside.rank": 0.7, "inside.gain": gain}
    said = SENTENCES["inside"](of_one(given))
    assert said.startswith(
        "63% of the positive evidence lies in the true boxes, which cover 41% of the photograph"
    )
    assert "70% lie inside" in said
    assert words in said.split(":")[-1]

"""Photographs counted, against plain loops."""

import numpy as np
import pytest
from helpers.evaluated import CLASSES, rows

from npcam.localise.tallies import confusion, reliability


def test_confusion_counts_pairs():
    """Each cell is the number of photographs of its class that were taken for its column's."""
    found = confusion(rows(300))
    assert found.labels == (0, 1, 2)
    assert found.names == CLASSES[:3]
    for i in range(3):
        for j in range(4):
            pairs = [(r["label"], r["predicted"]) for r in rows(300) if "label" in r]
            assert found.counts[i, j] == pairs.count((i, j))  # 3 is a class of which there are none
    assert found.counts.sum() == 300
    assert found.has_others


def test_confusion_of_classes_far_apart():
    """Rows are in the order of the classes' indices; what is taken for another one is in the last column."""
    row = {"class": "x", "label": 7, "predicted": 900}
    given = [row, {"class": "y", "label": 2, "predicted": 7}, {"photo": "z", "error": "is empty"}]
    found = confusion(given)
    assert (found.labels, found.names) == ((2, 7), ("y", "x"))
    assert found.counts.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert confusion([{**row, "predicted": 7}]).has_others is False
    assert confusion([]).labels == ()


def test_reliability_by_loops():
    """Counts, means and the calibration error, worked out bin by bin in plain Python."""
    given = [row for row in rows(500) if "label" in row]
    found = reliability(given)
    error = 0.0
    for k in range(10):
        inside = [row for row in given if k / 10 < row["probability"] <= (k + 1) / 10]
        assert found.counts[k] == len(inside)
        if inside:
            sure = sum(row["probability"] for row in inside) / len(inside)
            right = sum(row["label"] == row["predicted"] for row in inside) / len(inside)
            assert found.confidence[k] == pytest.approx(sure, rel=1e-12)
            assert found.accuracy[k] == pytest.approx(right, rel=1e-12)
            error += len(inside) / len(given) * abs(sure - right)
        else:
            assert np.isnan(found.confidence[k])
            assert np.isnan(found.accuracy[k])
    assert found.error == pytest.approx(error, rel=1e-12)
    assert error > 0.1


@pytest.mark.parametrize(("sure", "place"), [(0.0, 0), (0.1, 0), (0.3, 2), (0.7, 6), (0.71, 7), (1.0, 9)])
def test_an_edge_belongs_to_the_bin_below(sure, place):
    """Tenths are in the bin that ends there, whatever their rounding; 0 is in the first."""
    found = reliability([{"label": 0, "predicted": 0, "probability": sure}])
    assert np.nonzero(found.counts)[0].tolist() == [place]


def test_no_photographs():
    """Nothing that could be read: no counts, and no error."""
    found = reliability([{"photo": "z", "error": "is empty"}])
    assert found.counts.tolist() == [0] * 10
    assert found.error == 0

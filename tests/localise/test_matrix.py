"""The confusion matrix, laid out."""

import numpy as np

from npcam.localise.matrix import confusion_matrix


def test_counts_are_where_they_belong():
    """Rows and columns have the order of the classes; pairs that do not occur are 0."""
    found = confusion_matrix({"b": {"a": 3, "b": 5}, "a": {"a": 7}})
    assert found.names == found.columns == ("b", "a")
    assert found.counts.tolist() == [[5, 3], [0, 7]]
    np.testing.assert_array_equal(found.shares, [[5 / 8, 3 / 8], [0, 1]])


def test_classes_of_which_there_are_none():
    """All that were taken for one of them are in one more column."""
    found = confusion_matrix({"b": {"x": 3, "y": 4, "b": 1}, "a": {"z": 2}})
    assert found.columns == ("b", "a", "none of the 2")
    assert found.counts.tolist() == [[1, 0, 7], [0, 0, 2]]


def test_no_photographs():
    """A matrix of nothing, and a class without a photograph, divide nothing by 0."""
    assert confusion_matrix({}).counts.shape == (0, 0)
    assert confusion_matrix({"a": {}}).shares.tolist() == [[0.0]]

"""The confusion matrix of counts that are given class by class."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from npcam.shapes import Array


class Matrix(NamedTuple):
    """How often which class was taken for which.

    Attributes:
        names: of the n classes that photographs have, in the order of the counts that were given.
        counts: (n, n) int64, or (n, n + 1); rows are the true class, columns the predicted one, and in the
            last of n + 1 columns are photographs that were taken for a class of which there are none.
    """

    names: tuple[str, ...]
    counts: Array

    @property
    def shares(self) -> Array:
        """The counts as shares of their row, of the same shape."""
        shares: Array = self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))
        return shares

    @property
    def columns(self) -> tuple[str, ...]:
        """A name for each column."""
        others = self.counts.shape[1] > len(self.names)
        return (*self.names, f"none of the {len(self.names)}") if others else self.names


def confusion_matrix(counts: Mapping[str, Mapping[str, int]]) -> Matrix:
    """Lay out {class: {predicted class: photographs}}, in which pairs that do not occur may be missing.

    >>> confusion_matrix({"cat": {"cat": 5, "rug": 1}, "dog": {"cat": 2}}).counts
    array([[5, 0, 1],
           [2, 0, 0]])
    """
    place = {name: i for i, name in enumerate(counts)}
    table = np.zeros((len(place), len(place) + 1), np.int64)
    for name, row in counts.items():
        for predicted, count in row.items():
            table[place[name], place.get(predicted, -1)] += count
    return Matrix(tuple(place), table if table[:, -1].any() else table[:, :-1])

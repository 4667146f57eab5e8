"""Photographs counted: by class and prediction, and by how sure the network was."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from npcam.shapes import Array

BINS = 10


class Confusion(NamedTuple):
    """How often which class was taken for which.

    Attributes:
        labels: indices of the classes that photographs have, in order.
        names: theirs.
        counts: (n, n + 1) int64; rows are the true class, columns the predicted one, and in the last
            column are photographs taken for a class of which there are none.
    """

    labels: tuple[int, ...]
    names: tuple[str, ...]
    counts: Array

    @property
    def has_others(self) -> bool:
        """Whether a photograph was taken for a class of which there are none."""
        return bool(self.counts[:, -1].any())


class Reliability(NamedTuple):
    """How often predictions of about one probability are right.

    Attributes:
        counts: (bins,) int64, photographs with a probability in each tenth, the upper edge included.
        confidence: (bins,), the mean probability there; NaN where there is none.
        accuracy: (bins,), the share of right predictions there; NaN where there is none.
        error: the expected calibration error: |accuracy - confidence|, averaged over photographs.
    """

    counts: Array
    confidence: Array
    accuracy: Array
    error: float


def confusion(rows: Iterable[Mapping[str, Any]]) -> Confusion:
    """Count photographs by class and by prediction; those that could not be read are not counted.

    >>> row = {"label": 3, "class": "cat", "predicted": 3}
    >>> confusion([row, row, {**row, "predicted": 7}]).counts
    array([[2, 1]])
    """
    names: dict[int, str] = {}
    pairs: dict[tuple[int, int], int] = {}
    for row in rows:
        if row.get("predicted") is not None:
            names[row["label"]] = row["class"]
            pair = row["label"], row["predicted"]
            pairs[pair] = pairs.get(pair, 0) + 1
    labels = sorted(names)
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels) + 1), np.int64)
    for (label, predicted), count in pairs.items():
        counts[place[label], place.get(predicted, -1)] += count
    return Confusion(tuple(labels), tuple(names[label] for label in labels), counts)


def reliability(rows: Iterable[Mapping[str, Any]], bins: int = BINS) -> Reliability:
    """Compare probabilities with how often predictions of that probability are right (Guo et al. 2017).

    Args:
        rows: of `npcam evaluate`; those that could not be read are not counted.
        bins: how many parts from 0 to 1 the probabilities are sorted into.

    >>> rows = [{"label": 0, "predicted": p, "probability": 0.75} for p in (0, 0, 0, 1)]
    >>> reliability(rows).error
    0.0
    """
    found = [(row["probability"], row["predicted"] == row["label"]) for row in rows if "predicted" in row]
    probability = np.array([p for p, _ in found], np.float64)
    right = np.array([r for _, r in found], np.float64)
    place = np.clip(np.searchsorted(np.arange(bins + 1) / bins, probability) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, probability, bins) / counts
        accuracy = np.bincount(place, right, bins) / counts
    gaps = np.where(counts > 0, np.abs(accuracy - confidence), 0.0)
    return Reliability(counts, confidence, accuracy, float((gaps * counts).sum() / max(1, len(found))))

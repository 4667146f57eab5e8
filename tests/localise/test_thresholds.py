"""The best threshold of a data set and of its other half, against plain loops over all thousand."""

import numpy as np
import pytest
from helpers.measured import random_rows

from npcam.localise import intervals, thresholds
from npcam.localise.table import read_rows
from npcam.localise.thresholds import AT_V1, FIGURES, best, curves


def unpacked(hits):
    """(n, 5, 1000) bool: the four series, and V1 where the class is right."""
    four = np.unpackbits(hits.bits, axis=2).astype(bool)
    return np.concatenate([four, four[:, :1] & hits.right[:, None, None]], axis=1)


def highest(found):
    """v1, v2, iou30, iou50, iou70, top-1 and top-1 at V1's best threshold of photographs (n, 5, 1000)."""
    accuracy = found.mean(axis=0)  # (5, 1000)
    v1, *v2, top1 = (row.max() for row in accuracy)
    return [v1, np.mean(v2), *v2, top1, accuracy[4, accuracy[0].argmax()]]


def crossed(found, half):
    """The first six with the threshold of the other half."""
    one, other = found[~half], found[half]
    if not len(one) or not len(other):
        return [np.nan] * 6
    values = []
    for series in range(5):
        right = other[:, series, one[:, series].mean(axis=0).argmax()].sum()
        right += one[:, series, other[:, series].mean(axis=0).argmax()].sum()
        values.append(right / len(found))
    return [values[0], np.mean(values[1:4]), *values[1:]]


@pytest.mark.parametrize("count", [1, 3, 40])
def test_figures_and_intervals_are_those_of_a_loop(count, monkeypatch):
    """Maximum and choice are taken anew in each resample; here by photograph and by threshold."""
    monkeypatch.setattr(intervals, "RESAMPLES", 60)
    monkeypatch.setattr(thresholds, "AT_ONCE", 7)
    hits = read_rows(random_rows(count, seed=count, boxed=1))[0].hits
    found, half, n = unpacked(hits), hits.second_half, len(hits.bits)
    generator = np.random.default_rng(intervals.SEED)
    loop = []
    for _ in range(60):
        index = generator.integers(n, size=n)
        loop.append(highest(found[index]) + crossed(found[index], half[index]))
    values = np.array(highest(found) + crossed(found, half))
    limits = [
        np.percentile(c[~np.isnan(c)], [2.5, 97.5]) if not np.isnan(c).all() else [np.nan] * 2
        for c in np.array(loop).T
    ]
    at_best, cross_fitted = best(hits)
    assert tuple(at_best) == (*FIGURES, AT_V1)
    assert tuple(cross_fitted) == FIGURES
    ours = np.array([*at_best.values(), *cross_fitted.values()])
    assert ours == pytest.approx(np.column_stack([values, limits]), nan_ok=True, abs=1e-12)


def test_curves_are_the_accuracies_of_all_thresholds():
    """Columns that no photograph tells apart are added up once, and stand at each of their thresholds."""
    hits = read_rows(random_rows(50))[0].hits
    assert len(hits.first) < 300
    found = np.stack(list(curves(hits).values()))
    assert found == pytest.approx(unpacked(hits).mean(axis=0))


def test_a_part_is_as_if_it_were_all():
    """The figures of a class are those of its photographs alone."""
    rows = random_rows(60)
    whole, mine = read_rows(rows)[0], [row for row in rows if row["label"] == 1]
    one, other = best(whole.of_class(1).hits), best(read_rows(mine)[0].hits)
    assert one == other


def test_a_chosen_threshold_is_worth_no_more_than_the_best():
    """Cross-fitted accuracy is at most the maximum over thresholds, for each figure."""
    for seed in range(5):
        at_best, cross_fitted = best(read_rows(random_rows(30, seed=seed))[0].hits)
        for name, share in cross_fitted.items():
            assert share.value <= at_best[name].value

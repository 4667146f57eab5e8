"""Bootstrap intervals against plain loops, SciPy and arithmetic."""

import numpy as np
import pytest
import scipy.stats

from npcam.localise import intervals
from npcam.localise.intervals import draws, mean_of_classes, means, medians, with_intervals


def resampled(n):
    """The photographs of each resample, one index after the other, from the same random numbers."""
    generator = np.random.default_rng(intervals.SEED)
    return [generator.integers(n, size=n) for _ in range(intervals.RESAMPLES)]


def test_means_are_those_of_a_loop():
    """Value and interval of two columns, each resample's mean taken one by one."""
    rng = np.random.default_rng(0)
    columns = np.stack([rng.random(40), rng.random(40) < 0.3], axis=1)
    shares = with_intervals(40, means(columns))
    for share, column in zip(shares, columns.T, strict=True):
        loop = [column[index].mean() for index in resampled(40)]
        assert share == pytest.approx((column.mean(), *np.percentile(loop, [2.5, 97.5])))


def test_an_interval_is_scipys():
    """SciPy's percentile bootstrap has the same limits up to what another 1,000 resamples would change.

    A percentile of 1,000 resamples has a standard error of about sqrt(0.025 * 0.975 / 1000) / density, which
    for a normal mean is 0.084 of its standard error; the difference of two such, five times over: 0.6.
    """
    values = np.random.default_rng(1).gamma(2, size=200)
    share = with_intervals(200, means(values[:, None]))[0]
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=1000, method="percentile", random_state=3)
    error = values.std() / np.sqrt(200)
    assert share.low == pytest.approx(theirs.confidence_interval.low, abs=0.6 * error)
    assert share.high == pytest.approx(theirs.confidence_interval.high, abs=0.6 * error)


def test_the_mean_of_classes_is_that_of_a_loop():
    """A class that is not drawn does not count in that resample."""
    rng = np.random.default_rng(2)
    labels = np.array([7] * 12 + [2] * 5 + [3])
    found = rng.random(18) < 0.6

    def mean(index):
        drawn = labels[index]
        return np.mean([found[index][drawn == label].mean() for label in np.unique(drawn)])

    loop = [mean(index) for index in resampled(18)]
    share = with_intervals(18, mean_of_classes(found, labels))[0]
    assert share == pytest.approx((mean(np.arange(18)), *np.percentile(loop, [2.5, 97.5])))


def test_draws_do_not_depend_on_their_pieces(monkeypatch):
    """The same counts however many are in memory at a time; each resample draws n photographs."""
    whole = np.concatenate(list(draws(30)))
    monkeypatch.setattr(intervals, "AT_ONCE", 1000)
    pieces = list(draws(30))
    assert len(pieces) > 20
    assert (np.concatenate(pieces) == whole).all()
    assert (whole.sum(axis=1) == 30).all()
    assert [np.bincount(index, minlength=30).tolist() for index in resampled(30)] == whole.tolist()


def test_resamples_without_a_figure_do_not_count():
    """NaN is left out of the interval; where nothing is left, it has no limits."""

    def figures(counts):
        first = np.where(counts[:, 0] > 0, counts[:, 0], np.nan)
        return np.stack([first, np.full(len(counts), np.nan)], axis=1)

    first, nothing = with_intervals(5, figures)
    assert first.low == 1
    assert np.isnan(nothing).all()


def test_medians_are_those_of_a_loop():
    """Value and interval of a column with ties and one without, of odd and even numbers of photographs."""
    rng = np.random.default_rng(7)
    for n in (2, 7, 12):
        columns = np.stack([rng.integers(0, 4, n).astype(float), rng.random(n)], axis=1)
        shares = with_intervals(n, medians(columns))
        for share, column in zip(shares, columns.T, strict=True):
            loop = [np.median(column[index]) for index in resampled(n)]
            assert share == pytest.approx((np.median(column), *np.percentile(loop, [2.5, 97.5])))

"""Localisation over all thresholds: the maximum of a data set's accuracy, and what it is worth.

MaxBoxAcc and MaxBoxAccV2 of Choe et al. 2020 (arXiv:2007.04178) take the threshold that is best for the very
photographs that are measured. Beside them stands the same with the threshold chosen on one half of the
photographs and measured on the other, both ways.
"""

from collections.abc import Iterator

import numpy as np

from npcam.localise.contours import THRESHOLDS
from npcam.localise.intervals import Share, with_intervals
from npcam.localise.measure import SERIES
from npcam.shapes import Array

TOP1 = "top1_localisation"  # the fifth series: V1's box is right, and so is the class
AT_ONCE = 512  # photographs whose hits are unpacked at the same time
FIGURES = ("v1", "v2", *SERIES[1:], TOP1)
AT_V1 = "top1_localisation_at_threshold"  # the same at the threshold that V1 is best at


class Hits:
    """The hits of photographs at all thresholds, a bit for each.

    Args:
        bits: (n, 500) uint8, see `npcam.localise.measure.pack`.
        right: (n,) bool, whether the class is right.
        second_half: (n,) bool, which half a photograph is of.
    """

    def __init__(self, bits: Array, right: Array, second_half: Array) -> None:
        self.bits = bits.reshape(len(bits), len(SERIES), -1)  # (n, 4, 125): a series ends with a byte
        self.right = right
        self.second_half = second_half
        changes = np.zeros(len(THRESHOLDS), bool)
        changes[0] = True
        for piece in self._pieces(np.arange(len(bits))):
            changes[1:] |= (piece[:, :, 1:] != piece[:, :, :-1]).any(axis=(0, 1))
        self.first = np.flatnonzero(changes)  # thresholds; those up to the next one have the same hits

    def part(self, which: Array) -> "Hits":
        """Those of some photographs, (n,) bool."""
        part = object.__new__(Hits)
        part.bits, part.right, part.second_half = self.bits[which], self.right[which], self.second_half[which]
        part.first = self.first
        return part

    def sums(self, counts: Array) -> tuple[Array, Array]:
        """Add up hits, each photograph's as often as it is drawn.

        Args:
            counts: (resamples, n) float32.

        Returns:
            (resamples, 2, 5, m): of both halves, for the series and m thresholds, `first`; and how many
            photographs of each half are drawn, (resamples, 2). Whole numbers, exact up to 2^24.
        """
        added = np.zeros((len(counts), 2, 5 * len(self.first)), np.float32)
        for half, mine in enumerate((~self.second_half, self.second_half)):
            start, chosen = 0, np.flatnonzero(mine)
            for piece in self._pieces(chosen):
                index = chosen[start : start + len(piece)]
                start += len(piece)
                seen = piece[:, :, self.first]
                both = seen[:, :1] & self.right[index][:, None, None]
                series = np.concatenate([seen, both], axis=1).reshape(len(index), -1)
                added[:, half] += counts[:, index] @ series.astype(np.float32)
        drawn = np.stack([counts[:, ~self.second_half].sum(1), counts[:, self.second_half].sum(1)], 1)
        return added.reshape(len(counts), 2, 5, -1), drawn

    def _pieces(self, index: Array) -> Iterator[Array]:
        """Hits (at most AT_ONCE, 4, 1000) bool of the photographs of an index, in its order."""
        for start in range(0, len(index), AT_ONCE):
            packed = self.bits[index[start : start + AT_ONCE]]
            yield np.unpackbits(packed, axis=2, count=len(THRESHOLDS)).astype(bool)


def best(hits: Hits) -> tuple[dict[str, Share], dict[str, Share]]:
    """The figures at the best threshold, and at the one that is best for the other half.

    A maximum is taken anew in each resample, and so is the choice of a threshold. Of several best thresholds
    the lowest counts.

    Returns:
        For v1, v2 (the mean of the next three), iou30, iou50, iou70 and top1_localisation: shares at the best
        threshold, and for AT_V1; and cross-fitted ones of the first six, NaN where a half has no photograph.
    """

    def figures(counts: Array) -> Array:
        sums, drawn = hits.sums(counts)
        n = counts.shape[1]
        both = sums.sum(axis=1)
        highest = both.max(axis=-1).astype(np.float64) / n  # (resamples, 5)
        v1 = both[:, 0].argmax(axis=-1)
        at_v1 = both[np.arange(len(both)), 4, v1].astype(np.float64) / n
        chosen = sums.argmax(axis=-1)[:, ::-1, :, None]  # (resamples, 2, 5, 1), on the other half
        crossed = np.take_along_axis(sums, chosen, -1)[..., 0].sum(axis=1).astype(np.float64) / n
        crossed[(drawn == 0).any(axis=1)] = np.nan
        return np.concatenate([_with_v2(highest), at_v1[:, None], _with_v2(crossed)], axis=1)

    shares = with_intervals(len(hits.bits), figures)
    return (
        dict(zip((*FIGURES, AT_V1), shares, strict=False)),
        dict(zip(FIGURES, shares[len(FIGURES) + 1 :], strict=True)),
    )


def _with_v2(values: Array) -> Array:
    """(resamples, 5) as FIGURES, (resamples, 6)."""
    v2 = values[:, 1:4].mean(axis=1)
    return np.concatenate([values[:, :1], v2[:, None], values[:, 1:]], axis=1)


def curves(hits: Hits) -> dict[str, Array]:
    """The data set's accuracy at each of the thousand thresholds, (1000,) float64, for all but V2's mean."""
    sums, _ = hits.sums(np.ones((1, len(hits.bits)), np.float32))
    lengths = np.diff(hits.first, append=len(THRESHOLDS))
    values = sums[0].astype(np.float64).sum(axis=0) / len(hits.bits)
    names = (*SERIES, TOP1)
    return {name: np.repeat(row, lengths) for name, row in zip(names, values, strict=True)}

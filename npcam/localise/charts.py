"""Charts of an evaluation, as PNG files of the same bytes for the same numbers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from npcam.common.errors import InputError
from npcam.localise.frames import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    RED,
    SKY,
    new_figure,
    percent,
    png,
    quiet_frame,
)
from npcam.localise.matrix import Matrix
from npcam.pictures.lettering import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = (
    ("v1", "V1, largest contour, IoU 0.5", BLUE, 2.4),
    ("iou30", "V2, any contour, IoU 0.3", SKY, 1.6),
    ("iou50", "V2, any contour, IoU 0.5", GREEN, 1.6),
    ("iou70", "V2, any contour, IoU 0.7", ORANGE, 1.6),
)
MOST_NUMBERS = 20  # classes up to which a confusion matrix has a number in each cell
MOST_NAMES = 60  # classes up to which it has their names
LONGEST_NAME = 22  # characters of a class's name


def curve_chart(curve: Mapping[str, Sequence[float]], centred: float, at: float = 0.2) -> bytes:
    """Box accuracy over the threshold, as a PNG.

    Args:
        curve: {"threshold": the thresholds, "v1": the share of photographs whose largest contour's box is a
            hit at each of them (MaxBoxAcc), "iou30", "iou50", "iou70": any contour's (MaxBoxAccV2)}.
        centred: the share that a box drawn blind in the middle reaches, as a line.
        at: a threshold that is marked.

    Raises:
        InputError: there is no Matplotlib.
    """
    with new_figure(7.6, 4.6) as figure:
        axes: Axes = figure.add_subplot()
        for key, label, colour, width in CURVES:
            line = np.asarray(curve[key])
            best = int(np.argmax(line))
            where = curve["threshold"][best]
            axes.plot(
                curve["threshold"], line, color=colour, linewidth=width, label=f"{label}: {line[best]:.1%}"
            )
            axes.plot(where, line[best], "o", color=colour, markersize=6, markeredgecolor="white")
        axes.axhline(centred, color=RED, linestyle="--", linewidth=1.6, label=f"centred box: {centred:.1%}")
        axes.axvline(at, color=INK, linestyle=":", linewidth=1.2)
        axes.annotate(f"{at:.0%}", (at, 1), (4, -4), textcoords="offset points", va="top", color=INK)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="threshold, as a share of the map's range")
        axes.set_ylabel("photographs with a hit")
        percent(axes, "y")
        quiet_frame(axes)
        axes.set_title("Box accuracy over the threshold; dots: its maximum", loc="left")
        axes.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor=FAINT, fontsize=9)
        return png(figure)


def confusion_chart(matrix: Matrix) -> bytes:
    """Which class was taken for which, as a PNG: rows are the true class, columns the predicted one.

    Colours are shares of a row, on a scale of their square roots. Up to 20 classes the numbers stand in
    the cells, up to 60 the names beside them.

    Raises:
        InputError: there is no Matplotlib, or no photograph was counted.
    """
    if not matrix.names:
        raise InputError("confusion matrix: no photograph could be read, so there is nothing to draw")
    rows, columns = matrix.counts.shape
    side = min(11.0, max(3.2, 0.46 * rows))
    with new_figure(side + 2.9, side + 2.2, "compressed") as figure:
        from matplotlib.colors import PowerNorm

        axes: Axes = figure.add_subplot()
        scale = PowerNorm(0.5, 0, 1)  # what is rare is what one looks for
        image = axes.imshow(matrix.shares, cmap="cividis", norm=scale, interpolation="nearest")
        if rows <= MOST_NUMBERS:
            for (i, j), count in np.ndenumerate(matrix.counts):
                ink = "black" if matrix.shares[i, j] > 0.3 else "white"
                text = f"{count:,}" if count else ""
                axes.text(j, i, text, ha="center", va="center", color=ink, fontsize=9)
        if rows <= MOST_NAMES:
            size = 9 if rows <= 30 else 6
            names = [_short(name) for name in matrix.columns]
            axes.set_yticks(range(rows), names[:rows], fontsize=size)
            axes.set_xticks(range(columns), names, rotation=60, ha="right", fontsize=size)
            axes.tick_params(length=0)
            for label in axes.get_xticklabels():
                label.set_rotation_mode("anchor")
            for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
                label.set_parse_math(False)
        axes.set(xlabel="predicted class", ylabel="true class")
        right = int(np.trace(matrix.counts))
        axes.set_title(f"{right:,} of {int(matrix.counts.sum()):,} right", loc="left")
        bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
        bar.set_label("share of the true class")
        percent(bar.ax, "y")
        bar.outline.set_visible(False)
        return png(figure)


def reliability_chart(bins: Sequence[Mapping[str, Any]], error: float) -> bytes:
    """How often predictions of a probability are right, over how many there are, as a PNG.

    Args:
        bins: {"low", "high": of the probability, "photographs": how many, "confidence": their mean
            probability, "right": {"value", "low", "high"}: the share that is right}; bins without a
            photograph may be missing.
        error: the expected calibration error.

    Raises:
        InputError: there is no Matplotlib.
    """
    middles = [(one["low"] + one["high"]) / 2 for one in bins]
    widths = [0.92 * (one["high"] - one["low"]) for one in bins]
    values, lows, highs = ([one["right"][key] for one in bins] for key in ("value", "low", "high"))
    counts = [one["photographs"] for one in bins]
    with new_figure(5.6, 5.8) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.bar(middles, values, widths, color=SKY, edgecolor=BLUE, label="share that is right")
        above.vlines(middles, lows, highs, color=BLUE, linewidth=1.6, label="its 95% interval")
        above.plot((0, 1), (0, 1), color=INK, linestyle="--", linewidth=1.2, label="as sure as right")
        sure = [one["confidence"] for one in bins]
        above.plot(sure, values, "o", color=RED, label="mean probability", clip_on=False, zorder=3)
        above.set(ylim=(0, 1.02), ylabel="share that is right")
        above.set_title(f"Sure and right; mean gap (ECE): {error:.1%}", loc="left")
        above.legend(loc="upper left", frameon=False, fontsize=9)
        below.bar(middles, counts, widths, color=BLUE)
        for x, count in zip(middles, counts, strict=True):
            below.text(x, count, f"{count:,}", ha="center", va="bottom", fontsize=8, color=INK)
        below.set(xlim=(0, 1), ylim=(0, 1.25 * max(counts, default=1)), ylabel="photographs")
        below.set_xlabel("probability of the predicted class")
        for axes in (above, below):
            quiet_frame(axes)
        percent(above, "y")
        percent(below, "x")
        return png(figure)


def _short(name: str) -> str:
    """A class's name, short enough to stand beside a chart."""
    name = one_line(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\u2026"

"""Charts of an evaluation, as PNG files of the same bytes for the same numbers."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from npcam.common.errors import InputError
from npcam.localise.tallies import Confusion, Reliability
from npcam.pictures.lettering import one_line
from npcam.shapes import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, which people with any colour vision can tell apart (jfly.uni-koeln.de/color).
BLUE, SKY, GREEN, ORANGE, RED = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"
INK, FAINT = "#222222", "#DDDDDD"
DPI = 144  # pixels an inch, for screens that show two of theirs for one
MOST_NUMBERS = 20  # classes up to which a confusion matrix has a number in each cell
MOST_NAMES = 60  # classes up to which it has their names
LONGEST_NAME = 22  # characters of a class's name
CHECKOUT = "or `pip install '.[evaluate]'` in a copy of the repository"


def curve_chart(v1: Array, v2: Mapping[float, Array], centred: float, at: float = 0.2) -> bytes:
    """Box accuracy over the threshold, as a PNG.

    Args:
        v1: shares of photographs whose largest contour's box is a hit (MaxBoxAcc), at thresholds that are
            evenly spaced from 0 up to but not at 1.
        v2: {IoU: such shares, any contour's box} (MaxBoxAccV2).
        centred: the share that the centred box of fixed size reaches, drawn as a line.
        at: a threshold that is marked.

    Raises:
        InputError: there is no Matplotlib.
    """
    with _figure(7.6, 4.6) as figure:
        axes: Axes = figure.add_subplot()
        thresholds = np.arange(len(v1)) / len(v1)
        shades = dict(zip(sorted(v2), (SKY, GREEN, ORANGE), strict=False))
        lines = [(f"V2, any contour, IoU {iou:g}", v2[iou], shades.get(iou, INK), 1.6) for iou in sorted(v2)]
        for label, line, colour, width in [("V1, largest contour, IoU 0.5", v1, BLUE, 2.4), *lines]:
            best = int(np.argmax(line))
            axes.plot(thresholds, line, color=colour, linewidth=width, label=f"{label}: {line[best]:.1%}")
            axes.plot(thresholds[best], line[best], "o", color=colour, markersize=6, markeredgecolor="white")
        axes.axhline(centred, color=RED, linestyle="--", linewidth=1.6, label=f"centred box: {centred:.1%}")
        axes.axvline(at, color=INK, linestyle=":", linewidth=1.2)
        axes.annotate(f"{at:.0%}", (at, 1), (4, -4), textcoords="offset points", va="top", color=INK)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="threshold, as a share of the map's range")
        axes.set_ylabel("photographs with a hit")
        _percent(axes, "y")
        _quiet_frame(axes)
        axes.set_title("Box accuracy over the threshold; dots: its maximum", loc="left")
        axes.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor=FAINT, fontsize=9)
        return _png(figure)


def confusion_chart(matrix: Confusion) -> bytes:
    """Which class was taken for which, as a PNG: rows are the true class, columns the predicted one.

    Colours are shares of a row, on a scale of their square roots. Up to 20 classes the numbers stand in
    the cells, up to 60 the names beside them.

    Raises:
        InputError: there is no Matplotlib, or no photograph was counted.
    """
    if not matrix.labels:
        raise InputError("confusion matrix: no photograph could be read, so there is nothing to draw")
    counts = matrix.counts if matrix.has_others else matrix.counts[:, :-1]
    rows, columns = counts.shape
    names = [_short(name) for name in matrix.names]
    side = min(11.0, max(3.2, 0.46 * rows))
    with _figure(side + 2.9, side + 2.2, "compressed") as figure:
        from matplotlib.colors import PowerNorm

        axes: Axes = figure.add_subplot()
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        scale = PowerNorm(0.5, 0, 1)  # what is rare is what one looks for
        image = axes.imshow(shares, cmap="cividis", norm=scale, interpolation="nearest")
        if rows <= MOST_NUMBERS:
            for (i, j), count in np.ndenumerate(counts):
                ink = "black" if shares[i, j] > 0.3 else "white"
                axes.text(
                    j, i, f"{count:,}" if count else "", ha="center", va="center", color=ink, fontsize=9
                )
        if rows <= MOST_NAMES:
            size = 9 if rows <= 30 else 6
            axes.set_yticks(range(rows), names, fontsize=size)
            others = [f"none of the {rows}"] if matrix.has_others else []
            axes.set_xticks(range(columns), [*names, *others], rotation=60, ha="right", fontsize=size)
            axes.tick_params(length=0)
            for label in axes.get_xticklabels():
                label.set_rotation_mode("anchor")
            for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
                label.set_parse_math(False)
        right = int(np.trace(counts))
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.set_title(f"{right:,} of {int(counts.sum()):,} right", loc="left")
        bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
        bar.set_label("share of the true class")
        _percent(bar.ax, "y")
        bar.outline.set_visible(False)
        return _png(figure)


def reliability_chart(found: Reliability) -> bytes:
    """How often predictions of a probability are right, over how many there are, as a PNG.

    Raises:
        InputError: there is no Matplotlib.
    """
    bins = len(found.counts)
    centres = (np.arange(bins) + 0.5) / bins
    with _figure(5.6, 5.8) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.bar(centres, np.nan_to_num(found.accuracy), 0.92 / bins, color=SKY, edgecolor=BLUE)
        above.plot((0, 1), (0, 1), color=INK, linestyle="--", linewidth=1.2, label="as sure as right")
        there = found.counts > 0
        above.plot(
            found.confidence[there],
            found.accuracy[there],
            "o",
            color=RED,
            label="mean probability",
            clip_on=False,
        )
        above.set(ylim=(0, 1.02), ylabel="share that is right")
        above.set_title(f"Sure and right; mean gap (ECE): {found.error:.1%}", loc="left")
        above.legend(loc="upper left", frameon=False, fontsize=9)
        _percent(above, "y")
        _quiet_frame(above)
        below.bar(centres, found.counts, 0.92 / bins, color=BLUE)
        for x, count in zip(centres, found.counts, strict=True):
            below.text(x, count, f"{count:,}", ha="center", va="bottom", fontsize=8, color=INK)
        below.set(xlim=(0, 1), ylim=(0, 1.25 * max(1, found.counts.max())))
        below.set(xlabel="probability of the predicted class", ylabel="photographs")
        _quiet_frame(below)
        _percent(below, "x")
        return _png(figure)


@contextmanager
def _figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Iterator["Figure"]:
    """A figure of so many inches, in Matplotlib's own style whatever the user's is."""
    try:
        import matplotlib.style
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = f"charts need {error.name}; `pip install matplotlib` brings it, {CHECKOUT}"
        raise InputError(msg) from error
    with matplotlib.style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a box is drawn for it
        figure = Figure((width, height), dpi=DPI, layout=layout)
        FigureCanvasAgg(figure)
        yield figure


def _percent(axes: Any, axis: str) -> None:
    """Let an axis show shares in per cent."""
    from matplotlib.ticker import PercentFormatter

    getattr(axes, f"{axis}axis").set_major_formatter(PercentFormatter(1, decimals=0))


def _quiet_frame(axes: "Axes") -> None:
    """A faint grid behind what is drawn, and two sides of a frame."""
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: "Figure") -> bytes:
    """The figure as a file without a date or a version in it."""
    file = io.BytesIO()
    figure.savefig(
        file, format="png", dpi=DPI, metadata={"Software": None}, bbox_inches="tight", pad_inches=0.12
    )
    return file.getvalue()


def _short(name: str) -> str:
    """A class's name, short enough to stand beside a chart."""
    name = one_line(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\u2026"

"""A picture for each figure, as PNG files of the same bytes for the same numbers: lines, or bars.

Lines of many photographs are medians, with a band from the 25th to the 75th percentile.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from npcam.audit.deletion import BASELINES
from npcam.audit.numbers import Numbers
from npcam.audit.orderings import ORDERINGS
from npcam.audit.randomise import STAGES
from npcam.audit.road import SHARES
from npcam.audit.stability import CHANGES
from npcam.localise.frames import BLUE, GREEN, INK, ORANGE, SKY, new_figure, percent, png, quiet_frame
from npcam.shapes import Array

OF_ORDER = {
    "map": ("the map's order", BLUE, "-"),
    "random": ("a random order", ORANGE, "--"),
    "centred": ("from the middle outwards", GREEN, "-."),
}
BLANKS = {"zero": "removed pixels are zero", "blur": "removed pixels are blurred"}
OF_BOXES = ("evidence", "largest pixels", "area")
Rows = Sequence[Mapping[str, Any]]


class Line(NamedTuple):
    """One line of a panel: its label, its points of every photograph (n, points), its colour, its style."""

    label: str
    values: Array
    colour: str
    style: str = "-"


class Panel(NamedTuple):
    """Lines over one axis: its title, where the points stand, and the lines."""

    title: str
    x: Array
    lines: tuple[Line, ...]


class Bars(NamedTuple):
    """Bars of one colour: their label, and the names of their numbers."""

    label: str
    names: tuple[str, ...]
    colour: str


def pictures(rows: Rows, numbers: Numbers) -> dict[str, bytes]:
    """A PNG by figure, of those that there are numbers for.

    Args:
        rows: of the photographs that could be read: their `curves`.
        numbers: of all of them.

    Raises:
        InputError: there is no Matplotlib.
    """
    drawn = {}
    if "deletion" in numbers:
        for test, done in (("deletion", "removed"), ("insertion", "added")):
            panels = [_curves_panel(rows, test, baseline) for baseline in BASELINES]
            drawn[test] = lines_chart(panels, f"pixels {done}", "probability of the class", True)
        drawn["drop"] = bars_chart(
            numbers,
            ("as it is", "dimmed by the map"),
            [Bars("probability of the class", ("probability", "drop.after"), BLUE)],
            0,
        )
        x = np.array([0.0, *SHARES])
        lines = (
            Line("most relevant first", _stacked(rows, "road", "most"), BLUE),
            Line("least relevant first", _stacked(rows, "road", "least"), ORANGE, "--"),
        )
        panel = Panel("removed pixels are filled in from around them", x, lines)
        drawn["road"] = lines_chart([panel], "pixels removed", "probability of the class", True)
    lines = (
        Line("rank correlation of cells", _stacked(rows, "randomisation", "spearman"), BLUE),
        Line("structural similarity", _stacked(rows, "randomisation", "ssim"), ORANGE, "--"),
    )
    stages = [stage for stage in STAGES if f"randomisation.{stage}.spearman" in numbers]
    places = np.arange(len(stages) + 1.0)
    panel = Panel("weights at random, from the top down to", places, lines)
    names = ("as it was", *stages)
    drawn["randomisation"] = lines_chart([panel], "", "likeness to the map", False, names)
    others = [name for name in ("labels.2", "labels.3", "labels.4", "labels.5") if name in numbers]
    if others:
        ranks = [("second", "third", "fourth", "fifth")[int(name[-1]) - 2] for name in others]
        bars = Bars("rank correlation with the map of the next classes", tuple(others), BLUE)
        drawn["labels"] = bars_chart(numbers, ranks, [bars], -1)
    both = [
        Bars(label, tuple(f"stability.{change}.{key}" for change in CHANGES), colour)
        for label, key, colour in (("correlation of maps", "correlation", BLUE), ("IoU of boxes", "iou", SKY))
    ]
    drawn["stability"] = bars_chart(numbers, CHANGES, both, min(0.0, numbers["stability"].value))
    shares = np.linspace(0, 1, len(rows[0]["curves"]["lorenz"]))
    lines = (
        Line("this map" if len(rows) == 1 else "the maps", _stacked(rows, "lorenz"), BLUE),
        Line("all cells alike", shares[None], INK, ":"),
    )
    panel = Panel("Lorenz curve; the Gini index is twice the area between", shares, lines)
    drawn["sparseness"] = lines_chart([panel], "cells, the least first", "their share of all", True)
    if "inside.mass" in numbers:
        bars = Bars("share inside the true boxes", ("inside.mass", "inside.rank", "inside.area"), BLUE)
        drawn["inside"] = bars_chart(numbers, OF_BOXES, [bars], 0)
    return drawn


def lines_chart(
    panels: Sequence[Panel], xlabel: str, ylabel: str, in_percent: bool, ticks: Sequence[str] = ()
) -> bytes:
    """Panels of lines side by side, on one scale.

    Args:
        panels: one or two.
        xlabel, ylabel: what the axes are.
        in_percent: whether x is a share.
        ticks: names of the places on x, instead of numbers.
    """
    with new_figure(7.6 if len(panels) > 1 else 5.6, 3.8) as figure:
        for axes, panel in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
        ):
            for line in panel.lines:
                if len(line.values) > 1:
                    low, high = np.percentile(line.values, [25, 75], axis=0)
                    axes.fill_between(panel.x, low, high, color=line.colour, alpha=0.16, linewidth=0)
                middle = np.median(line.values, axis=0)
                axes.plot(panel.x, middle, line.style, color=line.colour, linewidth=2, label=line.label)
            low = min(0.0, *(float(np.percentile(line.values, 25, axis=0).min()) for line in panel.lines))
            axes.set(xlim=(panel.x[0], panel.x[-1]), ylim=(low - 0.02 if low < 0 else 0, 1.02), xlabel=xlabel)
            axes.set_title(panel.title, loc="left", fontsize=10)
            quiet_frame(axes)
            if ticks:
                axes.set_xticks(panel.x, ticks, rotation=30, ha="right", fontsize=9)
            elif in_percent:
                percent(axes, "x")
        figure.axes[0].set_ylabel(ylabel)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
        return png(figure)


def bars_chart(numbers: Numbers, names: Sequence[str], bars: Sequence[Bars], low: float) -> bytes:
    """Bars beside each other, with their intervals where there are some.

    Args:
        numbers: their heights.
        names: under the places.
        bars: one or more for each place.
        low: where the axis begins; it ends at 1.
    """
    width = 0.8 / len(bars)
    with new_figure(5.6, 3.6) as figure:
        axes = figure.add_subplot()
        for i, one in enumerate(bars):
            shares = [numbers[name] for name in one.names]
            places = np.arange(len(shares)) - 0.4 + width * (i + 0.5)
            axes.bar(
                places, [share.value for share in shares], 0.94 * width, color=one.colour, label=one.label
            )
            for place, (value, least, most) in zip(places, shares, strict=True):
                if not math.isnan(least):
                    axes.vlines(place, least, most, color=INK, linewidth=1.4)
                words = f"{value:.2f}"
                axes.annotate(
                    words,
                    (place, max(0.0, value if math.isnan(most) else most)),
                    (0, 2),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=8,
                    color=INK,
                )
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set(ylim=(low - 0.05 if low < 0 else 0, 1.1))
        axes.set_xticks(range(len(names)), names, fontsize=9)
        axes.tick_params(axis="x", length=0)
        quiet_frame(axes)
        if len(bars) > 1:
            figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
        else:
            axes.set_title(bars[0].label, loc="left", fontsize=10)
        return png(figure)


def _curves_panel(rows: Rows, test: str, baseline: str) -> Panel:
    """The curves of one baseline."""
    lines = []
    for order in ORDERINGS:
        label, colour, style = OF_ORDER[order]
        lines.append(Line(label, _stacked(rows, test, baseline, order), colour, style))
    return Panel(BLANKS[baseline], np.linspace(0, 1, lines[0].values.shape[1]), tuple(lines))


def _stacked(rows: Rows, *keys: str) -> Array:
    """One curve of every photograph, (n, points)."""
    curves = []
    for row in rows:
        curve: Any = row["curves"]
        for key in keys:
            curve = curve[key]
        curves.append(curve)
    return np.array(curves, np.float64)

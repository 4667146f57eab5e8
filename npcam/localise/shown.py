"""The figures of an evaluation as words for people: which ones, in which order, what stands beside them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """A share in words, and where it lies from 0 to 100 %.

    Attributes:
        value: such as "83.1%".
        interval: such as "81.0 to 85.2%", or empty.
        at, left, width: the value, the interval's lower end and its width, in per cent.
        has_interval: whether there is one.
    """

    value: str
    interval: str
    at: float
    left: float
    width: float
    has_interval: bool


class Line(NamedTuple):
    """One measure: its name, what is to be known of it, its share, and those of the two other boxes."""

    name: str
    remark: str
    share: Shown
    centred: Shown | None
    grid: Shown | None


class Group(NamedTuple):
    """Measures that belong together."""

    name: str
    lines: tuple[Line, ...]


# Of each group: the measure's place in metrics.json, its name, a remark, and whether the other boxes,
# which count as found from an IoU of 0.5 on, can be held beside it.
MEASURES: tuple[tuple[str, tuple[tuple[str, str, str, bool], ...]], ...] = (
    (
        "Class",
        (
            ("top1", "Top-1", "the class is the most probable one", False),
            ("top5", "Top-5", "it is among the five most probable", False),
        ),
    ),
    (
        "Box, at the threshold that is best for these very photographs",
        (
            ("max_box_acc.v1", "MaxBoxAcc (V1)", "largest contour, IoU 0.5", True),
            ("max_box_acc.v2", "MaxBoxAccV2", "any contour, mean of the next three", False),
            ("max_box_acc.iou30", "IoU 0.3", "", False),
            ("max_box_acc.iou50", "IoU 0.5", "", True),
            ("max_box_acc.iou70", "IoU 0.7", "", False),
            ("top1_localisation", "Top-1 localisation", "the box hits and the class is right", False),
        ),
    ),
    (
        "Box, at the threshold that is best for the other half",
        (
            ("cross_fitted.v1", "MaxBoxAcc (V1)", "largest contour, IoU 0.5", True),
            ("cross_fitted.v2", "MaxBoxAccV2", "any contour", False),
            ("cross_fitted.top1_localisation", "Top-1 localisation", "", False),
        ),
    ),
    (
        "Box at 20% of the map's maximum, and the maximum itself",
        (
            ("gt_known_20", "GT-known localisation", "IoU 0.5", True),
            ("top1_localisation_20", "Top-1 localisation", "the class is right, too", False),
            ("pointing", "Pointing game", "the maximum is in the object, or 15 pixels from it", False),
        ),
    ),
    (
        "What is left of the probability where only the map's place is seen",
        (
            ("average_drop", "Average Drop", "lower is better", False),
            ("average_increase", "Average Increase", "photographs whose probability rises", False),
        ),
    ),
)
CARDS = ("top1", "max_box_acc.v1", "max_box_acc.v2", "gt_known_20", "pointing")
OF_CLASSES = ("top1", "max_box_acc.v1", "max_box_acc.v2", "gt_known_20", "centred_box", "pointing")


def share(metrics: Mapping[str, Any], place: str) -> Shown | None:
    """A share of metrics.json in words; None where there is none.

    Args:
        metrics: what is in metrics.json.
        place: a key, or two with a full stop between them.

    >>> share({"top1": {"value": 0.831, "low": 0.81, "high": 0.852}}, "top1")[:2]
    ('83.1%', '81.0 to 85.2%')
    """
    found: Any = metrics
    for key in place.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if found is None:
        return None
    given: Mapping[str, float | None] = found if isinstance(found, Mapping) else {"value": found}
    value, low, high = given.get("value"), given.get("low"), given.get("high")
    if value is None:
        return None
    there = low is not None and high is not None
    interval = f"{100 * low:.1f} to {high:.1%}" if low is not None and high is not None else ""
    ends = (low or 0.0, high or 0.0) if there else (value, value)
    left, right = (100 * min(1.0, max(0.0, end)) for end in ends)
    at = round(100 * min(1.0, max(0.0, value)), 2)
    return Shown(f"{value:.1%}", interval, at, round(left, 2), round(right - left, 2), there)


def measures(metrics: Mapping[str, Any]) -> list[Group]:
    """All measures that there are, in groups."""
    groups = []
    for name, specs in MEASURES:
        lines = tuple(line for spec in specs if (line := _line(metrics, *spec)))
        groups += [Group(name, lines)] if lines else []
    return groups


def cards(metrics: Mapping[str, Any]) -> list[Line]:
    """The measures that one looks at first."""
    return [line for place in CARDS if (line := _line(metrics, *_spec(place)))]


def lead(metrics: Mapping[str, Any]) -> str:
    """How many photographs there are, in a sentence.

    >>> lead({"photographs": 1177, "with_boxes": 600, "unreadable": 1, "threshold": 0.331})
    '1,177 photographs, 600 of them with boxes; 1 could not be read; V1 is best at a threshold of 0.331.'
    """
    count = metrics["photographs"]
    photographs = f"{count:,} photograph{'' if count == 1 else 's'}"
    parts = [f"{photographs}, {metrics['with_boxes']:,} of them with boxes"]
    if metrics.get("unreadable"):
        parts.append(f"{metrics['unreadable']:,} could not be read")
    if metrics.get("threshold") is not None:
        parts.append(f"V1 is best at a threshold of {metrics['threshold']:g}")
    return f"{'; '.join(parts)}."


def classes_table(metrics: Mapping[str, Any], labels: Mapping[str, int]) -> dict[str, Any] | None:
    """The measures of each class as a table; None where there are no classes.

    Args:
        metrics: what is in metrics.json.
        labels: the classes' indices, by name.
    """
    classes: Mapping[str, Mapping[str, Any]] = metrics.get("per_class") or {}
    places = [place for place in OF_CLASSES if any(share(one, place) for one in classes.values())]
    empty = Shown("", "", 0, 0, 0, False)
    rows = [
        {
            "name": name,
            "label": labels.get(name),
            "cells": [*_numbers(one), *((share(one, place) or empty) for place in places)],
        }
        for name, one in classes.items()
    ]
    names = ("Photographs", "With boxes", *(_spec(place)[1] for place in places))
    return {"columns": names, "rows": rows} if rows else None


def _numbers(metrics: Mapping[str, Any]) -> Iterator[Shown]:
    for key in ("photographs", "with_boxes"):
        yield Shown(f"{metrics.get(key, 0):,}", "", 0, 0, 0, False)


def _line(metrics: Mapping[str, Any], place: str, name: str, remark: str, beside: bool) -> Line | None:
    found = share(metrics, place)
    if found is None:
        return None
    centred, grid = (share(metrics, key) if beside else None for key in ("centred_box", "grid_best"))
    return Line(name, remark, found, centred, grid)


def _spec(place: str) -> tuple[str, str, str, bool]:
    """A measure's entry in the list of all."""
    if place == "centred_box":
        return place, "Centred box", "", False
    return next(spec for _, specs in MEASURES for spec in specs if spec[0] == place)

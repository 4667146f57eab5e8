"""From the rows of all photographs to the figures of a data set."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from npcam.localise.calibration import calibration
from npcam.localise.contours import THRESHOLDS
from npcam.localise.intervals import Share, mean_of_classes, means, with_intervals
from npcam.localise.table import Table, read_rows
from npcam.localise.thresholds import AT_V1, FIGURES, TOP1, best, curves
from npcam.shapes import Array

ENOUGH = 0.5  # the overlap of two boxes that count as the same
OF_ALL = ("top1", "top5", "average_drop", "average_increase")
OF_BOXES = (
    "gt_known_20",
    "top1_localisation_20",
    "centred_box",
    "grid_best",
    "gt_known_20_above_centred_box",
)
BY_CLASS = ("top1", "gt_known_20", "pointing")  # whose plain mean over classes is given too


def metrics(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Work out every figure of a data set from its photographs' rows.

    The order of rows does not matter: they are put in the order of their names.

    Args:
        rows: one for each photograph, see `npcam.localise.measure`; one with `error` was not read and counts
            to `unreadable` alone. Rows without `hits` have no true box and count to the figures of classes.

    Returns:
        What JSON can hold. Every share is {"value", "low", "high"}, or None where there is
        nothing to take it of.

        - `photographs`, `with_boxes`, `unreadable`: how many.
        - `top1`, `top5`: the class is the most probable, or one of the five most probable.
        - `average_drop`, `average_increase`: as shares, not per cent; None without probabilities.
        - `max_box_acc`: `v1`, `v2`, `iou30`, `iou50`, `iou70`, each at the threshold that is best for it.
        - `threshold`: the one that V1 is best at, and `thresholds`: of each figure; the lowest of several.
        - `cross_fitted`: the same five and `top1_localisation`, at the threshold that is best for the other
          half. Within each class, in the order of names, the first, third, ... are one half.
        - `gt_known_20`: npcam's box at 20 % of the maximum overlaps an object by at least 0.5.
        - `top1_localisation`: the box of V1 is right and so is the class, at the threshold that is best for
          both together, as evaluators derived from Choe et al.'s take it. Beside it the same at `threshold`
          (`top1_localisation_at_threshold`), and with npcam's box at 20 % (`top1_localisation_20`).
        - `pointing`: the mean over classes of the share of peaks that hit.
        - `centred_box`, `grid_best`: a box drawn blind, and the best one that the map's cells allow, reach
          0.5; `gt_known_20_above_centred_box` the difference, from the same photographs.
        - `mean_of_classes`: of `top1`, `gt_known_20`, `pointing`, plain numbers.
        - `expected_calibration_error`, `calibration`: None where a probability is not one.
        - `confusion`: class -> predicted class -> photographs, what occurs.
        - `curve`: accuracy at each threshold. `per_class`: the same figures of each class.
    """
    table, names, unreadable = read_rows(rows)
    per_class = {
        names[label]: _figures(table.of_class(label)) for label in np.unique(table.records["label"]).tolist()
    }
    curve = table.hits and {name: values.tolist() for name, values in curves(table.hits).items()}
    return {
        **_figures(table),
        "unreadable": unreadable,
        "mean_of_classes": {name: _mean([c[name] for c in per_class.values()]) for name in BY_CLASS},
        **_calibration(table),
        "confusion": confusion(table, names),
        "curve": curve and {"threshold": [round(float(t), 3) for t in THRESHOLDS], **curve},
        "per_class": per_class,
    }


def confusion(table: Table, names: Mapping[int, str]) -> dict[str, dict[str, int]]:
    """How many photographs of each class were taken for which: {class: {predicted class: photographs}}."""
    pairs = (table.records[name].tolist() for name in ("label", "predicted"))
    counts = Counter(zip(*pairs, strict=True))
    found: dict[str, dict[str, int]] = {}
    for (label, predicted), number in sorted(counts.items()):
        found.setdefault(names[label], {})[names[predicted]] = number
    return found


def _figures(table: Table) -> dict[str, Any]:
    """The figures that a data set and each of its classes have."""
    found: dict[str, Share] = {}
    best_ones: dict[str, Share] = {}
    crossed: dict[str, Share] = {}
    thresholds: dict[str, float] = {}
    right, records, hits = table.right, table.records, table.hits
    boxes = records[records["boxed"]]
    if len(records):
        rises = np.where(np.isnan(records["drop"]), math.nan, records["increase"])
        columns = [right, records["in_five"], records["drop"], rises]
        found |= zip(OF_ALL, _shares(columns), strict=True)
    if hits is not None:
        own, centred, grid = (boxes[name] >= ENOUGH for name in ("iou", "centred_iou", "grid_iou"))
        columns = [own, own & hits.right, centred, grid, own.astype(float) - centred]
        found |= zip(OF_BOXES, _shares(columns), strict=True)
        game = mean_of_classes(boxes["peak_hit"], boxes["label"])
        found["pointing"] = with_intervals(len(boxes), game)[0]
        best_ones, crossed = best(hits)
        thresholds = {
            name: round(float(THRESHOLDS[int(values.argmax())]), 3) for name, values in curves(hits).items()
        }
    return {
        "photographs": len(records),
        "with_boxes": len(boxes),
        **{name: _plain(found.get(name)) for name in OF_ALL},
        "max_box_acc": {name: _plain(best_ones.get(name)) for name in FIGURES if name != TOP1},
        **{name: _plain(best_ones.get(name)) for name in (TOP1, AT_V1)},
        "cross_fitted": {name: _plain(crossed.get(name)) for name in FIGURES},
        **{name: _plain(found.get(name)) for name in (*OF_BOXES, "pointing")},
        "threshold": thresholds.get("v1"),
        "thresholds": thresholds or None,
    }


def _shares(columns: list[Array]) -> list[Share]:
    return with_intervals(len(columns[0]), means(np.stack(columns, axis=1)))


def _plain(share: Share | None) -> dict[str, float] | None:
    return None if share is None or math.isnan(share.value) else share._asdict()


def _mean(shares: list[dict[str, float] | None]) -> float | None:
    values = [share["value"] for share in shares if share is not None]
    return float(np.mean(values)) if values else None


def _calibration(table: Table) -> dict[str, Any]:
    top = table.records["probability"]
    if not len(top) or not ((top >= 0) & (top <= 1)).all():
        return {"expected_calibration_error": None, "calibration": None}
    bins, error = calibration(top, table.right)
    plain = [{**row._asdict(), "right": _plain(row.right)} for row in bins]
    return {"expected_calibration_error": error, "calibration": plain}

"""The figures of a data set: worked by hand, and from maps to figures against the plain definition."""

import json

import numpy as np
import pytest
from helpers import wsol
from helpers.measured import NEVER, random_rows, row
from helpers.needs import needs

import npcam
from npcam.localise.accuracy import metrics
from npcam.localise.measure import of_boxes


def hit(start, stop, *series):
    """Hits of some series (0: V1; 1, 2, 3: V2) from one threshold to before another."""
    hits = NEVER.copy()
    hits[list(series), start:stop] = True
    return hits


ROWS = [
    row(
        "a1", 0, hits=hit(0, 300, 0, 1, 2, 3), iou=0.5, grid_iou=0.9, peak_hit=True, drop=0.5, probability=0.8
    ),
    row("a2", 0, 1, hit(200, 500, 0, 1, 2), iou=0.49, centred_iou=0.5, grid_iou=0.5, peak_hit=True, drop=0.1),
    row("b1", 1, hits=hit(250, 400, 0, 1), iou=0.9, grid_iou=0.4, increase=True),
    row("b2", 1, 2, boxed=False, top=[2, 0, 3, 1, 4]),
    {"photo": "c", "error": "is empty"},
]


def values(figures):
    """The values of shares, whatever holds them."""
    if isinstance(figures, dict) and set(figures) == {"value", "low", "high"}:
        return figures["value"]
    return (
        {name: values(figure) for name, figure in figures.items()} if isinstance(figures, dict) else figures
    )


def test_a_data_set_by_hand():
    """Three photographs with boxes, one without, one that could not be read."""
    found = metrics(ROWS)
    json.dumps(found, allow_nan=False)
    plain = values({name: found[name] for name in found if name not in ("curve", "per_class", "calibration")})
    third = pytest.approx(1 / 3)
    two = pytest.approx(2 / 3)
    assert (plain["photographs"], plain["with_boxes"], plain["unreadable"]) == (4, 3, 1)
    assert (plain["top1"], plain["top5"]) == (0.5, 0.75)
    assert (plain["average_drop"], plain["average_increase"]) == (pytest.approx(0.15), 0.25)
    # V1: all three from 0.250 to 0.299; of those with the right class a1 and b1 there.
    assert plain["max_box_acc"] == {"v1": 1, "v2": two, "iou30": 1, "iou50": two, "iou70": third}
    assert plain["thresholds"] == {
        "v1": 0.25,
        "iou30": 0.25,
        "iou50": 0.2,
        "iou70": 0.0,
        "top1_localisation": 0.25,
    }
    assert plain["threshold"] == 0.25
    assert plain["top1_localisation"] == plain["top1_localisation_at_threshold"] == two
    assert plain["gt_known_20"] == two
    assert plain["top1_localisation_20"] == two
    assert plain["centred_box"] == third
    assert plain["gt_known_20_above_centred_box"] == third
    assert plain["grid_best"] == two
    assert plain["pointing"] == 0.5  # class 0: both, class 1: none
    # Halves: a1 and b1, best from 0.250; a2, best from 0.200: a1 is hit there, b1 is not; a2 is at 0.250.
    assert plain["cross_fitted"]["v1"] == two
    assert plain["mean_of_classes"] == {"top1": 0.5, "gt_known_20": 0.75, "pointing": 0.5}
    assert plain["confusion"] == {
        "class 0": {"class 0": 1, "class 1": 1},
        "class 1": {"class 1": 1, "class 2": 1},
    }
    # One bin of 0.8, right; three of 0.9, one right.
    assert plain["expected_calibration_error"] == pytest.approx((0.2 + 3 * (0.9 - 1 / 3)) / 4)
    assert [(b["photographs"], b["right"]["value"]) for b in found["calibration"]] == [(1, 1), (3, third)]
    assert found["curve"]["threshold"][295] == 0.295
    assert found["curve"]["v1"][200:250] == [two] * 50


def test_a_class_by_hand():
    """A class has the same figures, of its own photographs, at its own thresholds."""
    per_class = metrics(ROWS)["per_class"]
    assert list(per_class) == ["class 0", "class 1"]
    plain = values(per_class["class 0"])
    assert (plain["photographs"], plain["with_boxes"], plain["top1"], plain["pointing"]) == (2, 2, 0.5, 1)
    assert (plain["max_box_acc"]["v1"], plain["threshold"]) == (1, 0.2)
    assert plain["cross_fitted"]["v1"] == 0.5  # a1 alone is best from 0, where a2 is not hit; a1 is at 0.200
    one = per_class["class 1"]
    assert one["cross_fitted"]["v1"] is None  # one photograph has no other half
    assert one["max_box_acc"]["v1"] == {"value": 1, "low": 1, "high": 1}


def test_without_boxes_there_are_figures_of_classes_alone():
    """What needs a box is None; nothing was read, so is everything."""
    found = metrics([row("a", boxed=False), row("b", 1, 0, boxed=False)])
    assert found["top1"]["value"] == 0.5
    nothing = (
        "gt_known_20",
        "pointing",
        "centred_box",
        "top1_localisation",
        "curve",
        "threshold",
        "thresholds",
    )
    assert all(found[name] is None for name in nothing)
    assert set(found["max_box_acc"].values()) | set(found["cross_fitted"].values()) == {None}
    found = metrics([{"photo": "a", "error": "is empty"}])
    assert (found["photographs"], found["unreadable"], found["top1"], found["per_class"]) == (0, 1, None, {})


def test_the_order_of_rows_does_not_matter():
    """A run that was stopped and went on, or that several machines did, ends with the same bytes."""
    rows = random_rows(40)
    assert json.dumps(metrics(rows)) == json.dumps(metrics(sorted(rows, key=lambda r: r["drop"])))


def test_classes_that_share_a_name_are_told_apart():
    """ImageNet has two cranes."""
    rows = [row("a", 134), row("b", 517), row("c", 134, 517)]
    for one in rows:
        one |= {"class": "crane", "predicted_class": "crane"}
    found = metrics(rows)
    assert list(found["per_class"]) == ["crane (134)", "crane (517)"]
    assert found["confusion"]["crane (134)"] == {"crane (134)": 1, "crane (517)": 1}


def test_a_linear_top_has_no_calibration():
    """Its values are no probabilities."""
    found = metrics([row("a", probability=3.5), row("b", probability=0.5)])
    assert found["expected_calibration_error"] is found["calibration"] is None


def test_from_maps_to_figures_as_the_definition_has_it():
    """MaxBoxAcc and V2 of made-up maps: the maximum over thresholds of hits, with OpenCV's contours."""
    cv2 = needs("cv2")
    rng = np.random.default_rng(5)
    rows, counted = [], np.zeros((5, 1000), int)
    for i in range(25):
        heatmap = npcam.upsample_map(rng.standard_normal((7, 7)).astype(np.float32), (56, 56))
        boxes = [np.sort(rng.uniform(0, 100, (2, 2)), axis=0).ravel() for _ in range(2)]
        measured = of_boxes(heatmap, (7, 7), boxes, (100, 100))
        rows.append(row(f"{i}.jpg", i % 3, i % 2, **{name: measured[name] for name in ("iou", "peak_hit")}))
        rows[-1]["hits"] = measured["hits"]
        hits = wsol.hits(cv2, heatmap, boxes, (100, 100))
        counted += np.concatenate([hits, hits[:1] & (i % 3 == i % 2)])
    found = metrics(rows)
    shares = counted.max(axis=1) / 25
    assert values(found["max_box_acc"]) == pytest.approx(
        {
            "v1": shares[0],
            "v2": shares[1:4].mean(),
            "iou30": shares[1],
            "iou50": shares[2],
            "iou70": shares[3],
        }
    )
    assert found["top1_localisation"]["value"] == pytest.approx(shares[4])
    assert found["curve"]["v1"] == pytest.approx((counted[0] / 25).tolist())

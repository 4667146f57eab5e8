"""Rows of an evaluation, made up: what `npcam evaluate` has of each photograph."""

import numpy as np

from . import measured

CLASSES = ("cat", "dog", "<b>cow</b> & co", "sheep")


def rows(count=40, seed=0, boxes=True):
    """Rows of so many photographs, in no order, and one that could not be read at the end."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        label, predicted = int(rng.integers(3)), int(rng.integers(4))
        sure = float(rng.uniform(0.25, 1))
        row = {
            "photo": f"{CLASSES[label].split('/')[0]}/{rng.integers(10**6):06} {i}.jpg",
            "photo_sha256": rng.bytes(32).hex(),
            "width": 160 + i,
            "height": 200,
            "label": label,
            "class": CLASSES[label],
            "predicted": predicted,
            "predicted_class": CLASSES[predicted],
            "probability": sure,
            "probability_of_class": sure if predicted == label else (1 - sure) / 2,
            "top": [predicted],
            "explained": label,
            "completeness": 1e-7,
            "drop": float(rng.uniform()),
            "increase": bool(rng.integers(2)),
        }
        if boxes and i % 4:
            row |= {
                "box": [3, 4, 100, 120] if i % 5 else None,
                "iou": float(rng.uniform()) if i % 5 else 0.0,
                "peak": [float(rng.uniform(0, 160)), float(rng.uniform(0, 200))],
                "peak_hit": bool(rng.integers(2)),
                "centred_iou": float(rng.uniform()),
                "grid_iou": float(rng.uniform()),
                "true_boxes": [[1, 2, 150, 180], [5, 5, 20, 30]],
            }
        made.append(row)
    return [*made, {"photo": 'dog/</script><img src=x onerror="alert(1)">.jpg', "error": "is empty, as <i>"}]


def measured_rows(count=40, boxes=True):
    """The same with hits, so that every figure can be taken of them."""
    hits = [row.get("hits", measured.pack(measured.NEVER)) for row in measured.random_rows(count)]
    given = zip(rows(count, boxes=boxes), [*hits, ""], strict=True)
    return [row | ({"hits": text} if "iou" in row else {}) for row, text in given]


def share(value, half=0.05):
    """A share with an interval, as metrics.json has it."""
    return {"value": value, "low": value - half, "high": value + half}


def figures():
    """What metrics.json has of a data set, and of each class."""
    names = ("top1", "top5", "gt_known_20", "top1_localisation", "pointing", "centred_box", "grid_best")
    accuracy = {"v1": 0.71, "v2": 0.69, "iou30": 0.87, "iou50": 0.72, "iou70": 0.48}
    return {
        "photographs": 1234,
        "with_boxes": 600,
        "unreadable": 1,
        **{name: share(0.5 + i / 20) for i, name in enumerate(names)},
        "average_drop": share(0.4),
        "average_increase": share(0.1),
        "max_box_acc": {name: share(value) for name, value in accuracy.items()},
        "cross_fitted": {name: share(value - 0.01) for name, value in accuracy.items()},
        "threshold": 0.331,
    }


def metrics(given):
    """What metrics.json has, with counts that are those of some rows."""
    confusion = {}
    for row in given:
        if "label" in row:
            counts = confusion.setdefault(row["class"], {})
            counts[row["predicted_class"]] = counts.get(row["predicted_class"], 0) + 1
    confusion = {name: confusion[name] for name in CLASSES if name in confusion}
    per_class = {name: figures() | {"photographs": sum(confusion[name].values())} for name in confusion}
    provenance = {
        "npcam": "0.1.0",
        "weights": {"file": "<u>w</u>.h5", "sha256": "ab" * 32},
        "options": ["a", "b"],
    }
    return {**figures(), "confusion": confusion, "per_class": per_class, "provenance": provenance}

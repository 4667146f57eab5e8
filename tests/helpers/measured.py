"""Rows of photographs that were measured, made up."""

import numpy as np

from npcam.localise.measure import pack

NEVER = np.zeros((4, 1000), bool)


def row(photo, label=0, predicted=None, hits=NEVER, boxed=True, **others):
    """A row as `npcam.localise.measure` makes it; `others` are fields that differ from the usual ones."""
    predicted = label if predicted is None else predicted
    of_boxes = {"iou": 0.0, "centred_iou": 0.0, "grid_iou": 0.0, "peak_hit": False, "hits": pack(hits)}
    return {
        "photo": photo,
        "label": int(label),
        "class": f"class {int(label)}",
        "predicted": int(predicted),
        "predicted_class": f"class {int(predicted)}",
        "probability": 0.9,
        "top": [int(predicted), 8, 9],
        "drop": 0.0,
        "increase": False,
        **(of_boxes if boxed else {}),
        **others,
    }


def random_rows(count, classes=3, seed=0, boxed=0.8):
    """Rows in no order with a stretch of thresholds at which each is hit; a share of them with boxes."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in rng.permutation(count):
        hits = np.zeros((4, 1000), bool)
        for series in hits:
            start, length = rng.integers(0, 700), rng.integers(0, 600)
            series[start : start + length] = True
        label = rng.integers(classes)
        rows.append(
            row(
                f"{i:04}.jpg",
                label,
                label if rng.random() < 0.7 else rng.integers(classes),
                hits,
                rng.random() < boxed,
                probability=float(rng.uniform(0.3, 1)),
                drop=float(rng.random()),
                increase=bool(rng.random() < 0.2),
            )
        )
        if "hits" in rows[-1]:
            rows[-1] |= {name: float(rng.random()) for name in ("iou", "centred_iou", "grid_iou")}
            rows[-1]["peak_hit"] = bool(rng.random() < 0.6)
    return rows

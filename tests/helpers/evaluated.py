"""Rows of an evaluation, made up: what `npcam evaluate` has of each photograph."""

import numpy as np

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

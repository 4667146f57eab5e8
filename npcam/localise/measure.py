"""What is measured of one photograph, as the fields of its row of results."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from npcam.cam import bounding_box, scale_box
from npcam.common.errors import InputError
from npcam.localise.contours import Contours, find_contours
from npcam.localise.overlaps import CENTRED, best_of_grid, near, overlaps, pixel_boxes, pixel_overlaps
from npcam.shapes import Array

SHARE = 0.2  # of a heat map's maximum that npcam's box is drawn around: Zhou et al. 2016
MARGIN = 15  # pixels of the input that a peak may lie outside a box: Zhang et al. 2018
OVERLAPS = (0.3, 0.5, 0.7)  # that V2 asks for
SERIES = ("v1", "iou30", "iou50", "iou70")  # the rows of `hits`


def hits(contours: Contours, true: Array) -> Array:
    """Whether the boxes of each threshold find an object.

    Args:
        contours: of a heat map.
        true: (n, 4) int, the true boxes, see `pixel_boxes`.

    Returns:
        (4, 1000) bool: the largest contour's box reaches an overlap of 0.5 with any true box (V1); any
        contour's box reaches 0.3, 0.5, 0.7 (V2). Columns are the thresholds 0, 0.001, ..., 0.999.
    """
    largest = pixel_overlaps(contours.largest, true).max(axis=1)  # (255,)
    best = np.zeros(len(largest))
    np.maximum.at(best, contours.bytes, pixel_overlaps(contours.boxes, true).max(axis=1))
    of_bytes = np.stack([largest >= 0.5, *(best >= least for least in OVERLAPS)])  # (4, 255)
    reached: Array = of_bytes[:, contours.threshold_bytes]
    return reached


def pack(found: Array) -> str:
    """Hits (4, 1000) as the text that a row holds: 4,000 bits, the first the highest of its byte, as hex.

    >>> len(pack(np.zeros((4, 1000), bool)))
    1000
    """
    return np.packbits(found).tobytes().hex()


def unpack(text: str) -> Array:
    """The hits (4, 1000) bool that a row's text holds.

    >>> bool(unpack("80" + 499 * "00")[0, 0])
    True
    """
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8)).astype(bool).reshape(4, -1)


def of_boxes(
    heatmap: Array,
    grid: tuple[int, int],
    boxes: Sequence[Sequence[float]],
    size: tuple[int, int],
    raw: bool = False,
) -> dict[str, Any]:
    """Hold a heat map against the true boxes.

    Args:
        heatmap: (H, W), signed, at the network's input size.
        grid: (rows, columns) of the map before it was upsampled.
        boxes: of the objects, (x0, y0, x1, y1) in pixels of the photograph; at least one.
        size: (height, width) of the photograph.
        raw: thresholds are shares of the map's maximum instead of its range, see `unit_map`.

    Returns:
        - `box`, `iou`: npcam's own, at 20 % of the maximum, in pixels of the photograph, and its best
          overlap; None and 0 where nothing is positive.
        - `peak`, `peak_hit`: the place of the maximum, [x, y] in pixels of the photograph, the first in
          reading order of several, and whether it is in a true box or near one; None and False for a
          constant map.
        - `centred_iou`, `grid_iou`: of the box drawn blind, and of the best rectangle of the map's cells.
        - `true_boxes`, and `hits`, see `pack`.

    Raises:
        InputError: there is no box, one has no area or numbers that are not finite, or the map is unusable.
    """
    true = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not len(true) or not np.isfinite(true).all() or not (true[:, :2] < true[:, 2:]).all():
        raise InputError(f"true boxes: expected some (x0, y0, x1, y1) with x0 < x1 and y0 < y1, got {boxes}")
    (height, width), (rows, columns) = size, heatmap.shape
    whole = np.array([width, height, width, height], np.float64)
    contours = find_contours(heatmap, raw)
    own = bounding_box(heatmap, SHARE)
    box = None if own is None else scale_box(own, (rows, columns), size)
    y, x = (int(i) for i in np.unravel_index(int(heatmap.argmax()), heatmap.shape))
    flat = bool(heatmap.min() == heatmap.max())
    scaled = true * np.array([columns, rows, columns, rows]) / whole
    return {
        "box": None if box is None else list(box),
        "iou": 0.0 if box is None else float(overlaps(box, true).max()),
        "peak": None if flat else [(x + 0.5) * width / columns, (y + 0.5) * height / rows],
        "peak_hit": not flat and near((x + 0.5, y + 0.5), scaled, MARGIN),
        "centred_iou": float(overlaps(CENTRED, true / whole).max()),
        "grid_iou": best_of_grid(grid, true / whole),
        "true_boxes": true.tolist(),
        "hits": pack(hits(contours, pixel_boxes(true, size, (rows, columns)))),
    }


def of_classes(
    logits: Array, probabilities: Array, label: int, explained: int, class_names: Sequence[str] | None
) -> dict[str, Any]:
    """What the network says of a photograph.

    Args:
        logits: (classes,). They rank the classes, so that those whose probability is rounded to the same
            number keep their order; of equal ones the first comes first.
        probabilities: (classes,).
        label: index of the photograph's class.
        explained: index of the class whose map is measured.
        class_names: a name for each class; None names each by its index.

    Returns:
        `label`, `class`, `predicted`, `predicted_class`, `probability`, `probability_of_class`, `top` (at
        most five indices, the most probable first), `explained`.

    >>> found = of_classes(np.array([0.0, 1.0]), np.array([0.25, 0.75]), 0, 0, ["cat", "dog"])
    >>> found["predicted_class"], found["probability"], found["top"]
    ('dog', 0.75, [1, 0])
    """
    order = np.argsort(-logits.astype(np.float64), kind="stable")
    predicted = int(order[0])
    names = class_names or [str(i) for i in range(len(logits))]
    return {
        "label": label,
        "class": names[label],
        "predicted": predicted,
        "predicted_class": names[predicted],
        "probability": float(probabilities[predicted]),
        "probability_of_class": float(probabilities[label]),
        "top": order[:5].tolist(),
        "explained": explained,
    }


def of_drop(before: float, after: float) -> dict[str, Any]:
    """What became of a class's probability when all but the evidence was dimmed.

    Chattopadhay et al. 2018, "Grad-CAM++" (arXiv:1710.11063), section 4.1: the input is multiplied by the
    map, brought to 0..1 with `unit_map`.

    Args:
        before: the probability of the class whose map it is.
        after: its probability for the input times the map.

    Returns:
        `drop`, max(0, before - after) / before as a share, 0 where before is 0; `increase`, whether it rose.

    >>> of_drop(0.5, 0.125), of_drop(0.5, 0.75)
    ({'drop': 0.75, 'increase': False}, {'drop': 0.0, 'increase': True})
    """
    return {
        "drop": max(0.0, before - after) / before if before > 0 else 0.0,
        "increase": bool(after > before),
    }

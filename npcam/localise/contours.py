"""Boxes around what stands out of a heat map, at a thousand thresholds, as OpenCV's contours give them.

The rule is that of Choe et al. 2020, "Evaluating Weakly Supervised Object Localization Methods Right"
(arXiv:2007.04178), and of their evaluator: the map is brought to 0..1 and to bytes, pixels strictly above a
share of the largest byte are kept, and boxes are drawn around their contours.

OpenCV's contours are of two kinds. An outer border runs around a part of pixels that touch at sides or
corners. The border of a hole runs along the part's own pixels around a piece of background that touches at
sides only, so its box is the hole's, one pixel larger on each side. The area of a contour is that of the
polygon through the pixels' centres: of each 2x2 square of pixels all of it where four are kept, half
where three are. What is inside a hole counts to the area of the part around it.
"""

from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.localise.parts import LEVELS, NOWHERE, Parts, find_parts
from npcam.shapes import Array

THRESHOLDS = np.arange(0, 1, 0.001)  # (1000,), shares of the largest byte
NOTHING = (0, 0, 0, 0)  # the box where nothing is kept


class Contours(NamedTuple):
    """The boxes of a heat map's contours at every byte that a threshold can fall on.

    A box is (x0, y0, x1, y1) in pixels, as the evaluator has it: x1 and y1 are one past the last pixel, but
    at most the map's last column and row.

    Attributes:
        largest: (255, 4) int, the box of the contour with the largest area, of pixels > byte 0, ..., 254.
        boxes: (M, 4) int, the boxes of all contours of all those bytes; (0, 0, 0, 0) where there is none.
        bytes: (M,) int, which byte each is of.
        threshold_bytes: (1000,) int, the byte that pixels are above at thresholds 0, 0.001, ..., 0.999.
    """

    largest: Array
    boxes: Array
    bytes: Array
    threshold_bytes: Array

    def largest_at(self, threshold: int) -> Array:
        """The box of V1 at a threshold, counted in thousandths: (1, 4)."""
        box: Array = self.largest[self.threshold_bytes[threshold]][None]
        return box

    def all_at(self, threshold: int) -> Array:
        """The boxes of V2 at a threshold, counted in thousandths: (m, 4), in no particular order."""
        boxes: Array = self.boxes[self.bytes == self.threshold_bytes[threshold]]
        return boxes


def unit_map(heatmap: Array, raw: bool = False) -> Array:
    """Bring a map to 0..1, as score maps are written and Average Drop masks with.

    Args:
        heatmap: (H, W), signed.
        raw: False: the minimum becomes 0 and the maximum 1 (min-max). True: what is negative becomes 0
            and the maximum 1, so that zero, where nothing speaks for or against the class, stays zero.

    Returns:
        (H, W) float32, as score maps are stored, worked out in float64; zeros where all values are equal, or
        with `raw` where none is positive.

    Raises:
        InputError: the map has no two axes, is empty, or has values that are not finite.

    >>> unit_map(np.array([[-1.0, 0.0, 3.0]]))
    array([[0.  , 0.25, 1.  ]], dtype=float32)
    >>> unit_map(np.array([[-1.0, 0.0, 3.0]]), raw=True)
    array([[0., 0., 1.]], dtype=float32)
    """
    wide = np.asarray(heatmap, np.float64)
    if wide.ndim != 2 or not wide.size or not np.isfinite(wide).all():
        found = "values that are not finite" if wide.ndim == 2 and wide.size else f"shape {wide.shape}"
        raise InputError(f"heat map: expected finite values (H, W), got {found}")
    with np.errstate(over="ignore"):  # the range of huge values: told below
        lifted = np.maximum(wide, 0) if raw else wide - wide.min()
    largest = lifted.max()
    if not np.isfinite(largest):
        raise InputError("heat map: its values span more than float64 holds; scale it down")
    return (lifted / largest if largest > 0 else lifted).astype(np.float32)


def find_contours(heatmap: Array, raw: bool = False) -> Contours:
    """Find the boxes of a heat map at all thresholds.

    Args:
        heatmap: (H, W), signed, at the network's input size.
        raw: thresholds are shares of the signed map's maximum, see `unit_map`; what is not positive is never
            above one.

    Returns:
        The boxes. Of several contours with the largest area that one counts whose first pixel in
        reading order is the last: OpenCV lists it first.

    Raises:
        InputError: see `unit_map`.

    >>> found = find_contours(np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 9.0, 8.0, 0.0], [0.0, 7.0, 8.0, 0.0]]))
    >>> found.largest_at(0), found.largest_at(950)
    (array([[1, 1, 3, 2]]), array([[1, 1, 2, 2]]))
    """
    unit = unit_map(heatmap, raw)
    byte = (unit.astype(np.float64) * 255).astype(np.uint8)  # truncated, as the evaluator does in float64
    fore, back = _both_sides(np.asarray(heatmap, np.float64), byte)
    area = _outer_areas(fore, back)  # (peaks, 255)
    (h, w), outer, hole = byte.shape, fore.bounds[..., 1:], back.bounds[..., :0:-1]  # by byte 0, ..., 254
    # Of the largest areas the last first pixel; places without a part get -1.
    there = outer[:, 0] != NOWHERE
    rank = np.where(there, area * (fore.peak.size + 1) + outer[:, 0], -1)  # (peaks, 255)
    winner = rank.argmax(axis=0)
    box = _boxes(outer, 0, h, w)  # (peaks, 255, 4)
    largest = np.where(there.any(axis=0)[:, None], box[winner, np.arange(LEVELS - 1)], NOTHING)
    inside = (hole[:, 0] != NOWHERE) & (hole[:, 0] != 0)  # pixel 0 is outside the picture
    boxes = [box[there], _boxes(hole, 1, h, w)[inside], largest[~there.any(axis=0)]]
    bytes_ = [there.nonzero()[1], inside.nonzero()[1], (~there.any(axis=0)).nonzero()[0]]
    share = (THRESHOLDS * byte.max()).astype(int)  # truncated
    return Contours(largest, np.concatenate(boxes), np.concatenate(bytes_), share)


def _both_sides(heatmap: Array, byte: Array) -> tuple[Parts, Parts]:
    """The parts of the kept pixels and of the others, with a frame of others around the picture.

    Each 2x2 square of pixels gives its area, here in halves, to the parts at its corners: half of it to the
    part of its third kept pixel (three kept are half a square), half to that of its fourth; on the other side
    half to the part of the first pixel that is not kept, half to that of the second.
    """
    framed = np.pad(byte, 1)
    (lowest, second, highest), thresholds = _corners(framed)
    ones = np.ones(thresholds.size, int)
    fore = find_parts(
        np.pad(heatmap, 1, constant_values=-np.inf),
        framed,
        8,
        (np.concatenate([highest, highest]), thresholds, ones),
    )
    back = find_parts(
        np.pad(-heatmap, 1, constant_values=np.inf),
        255 - framed,
        4,
        (np.concatenate([lowest, second]), 255 - thresholds, ones),
    )
    return fore, back


def _corners(framed: Array) -> tuple[tuple[Array, Array, Array], Array]:
    """The places (flat indices) of the lowest, second lowest and highest corner of each square in the frame.

    And the bytes of the first two, one after the other.
    """
    h, w = (side - 3 for side in framed.shape)  # squares down and across
    coded = [  # the byte and which corner it is, so that no two are equal
        framed[1 + r : 1 + r + h, 1 + c : 1 + c + w].ravel().astype(np.int16) * 4 + 2 * r + c
        for r in (0, 1)
        for c in (0, 1)
    ]
    low = [np.minimum(*pair) for pair in (coded[:2], coded[2:])]
    high = [np.maximum(*pair) for pair in (coded[:2], coded[2:])]
    lowest, highest = np.minimum(*low), np.maximum(*high)
    second = np.minimum(np.maximum(*low), np.minimum(*high))
    first = np.add.outer(np.arange(1, h + 1) * framed.shape[1], np.arange(1, w + 1)).ravel()
    steps = np.array([0, 1, framed.shape[1], framed.shape[1] + 1])
    lowest_place, second_place, highest_place = (
        first + steps[code % 4] for code in (lowest, second, highest)
    )
    return (lowest_place, second_place, highest_place), np.concatenate([lowest, second]) // 4


def _outer_areas(fore: Parts, back: Parts) -> Array:
    """Twice the area inside the outer border of each part, (peaks, 255), by byte 0, ..., 254.

    A part's own area and those of its holes, each with what is in it: added up from the innermost.
    """
    area: Array = fore.weights[:, 1:].copy()
    holes = back.bounds[:, 0, :0:-1]  # (peaks, 255), the first pixel
    row, byte = np.nonzero((holes != NOWHERE) & (holes != 0))
    if not row.size:
        return area
    inner = fore.bounds[:, 0, 1:]
    width = fore.peak.shape[1]
    busy = np.zeros(LEVELS - 1, bool)
    busy[byte] = True
    part_row, part_byte = np.nonzero((inner != NOWHERE) & busy)
    # The pixel above the first one of a hole is of the part around it, that above a part's of the hole.
    around = fore.row(holes[row, byte] - width, byte + 1)
    within = back.row(inner[part_row, part_byte] - width, 255 - part_byte)
    total = back.weights[:, :0:-1].copy()
    # What is inside of something begins after it in reading order.
    begins = np.concatenate([holes[row, byte], inner[part_row, part_byte]])
    for i in np.argsort(-begins, kind="stable"):
        if i < row.size:
            area[around[i], byte[i]] += total[row[i], byte[i]]
        else:
            j = i - row.size
            total[within[j], part_byte[j]] += area[part_row[j], part_byte[j]]
    return area


def _boxes(bounds: Array, grown: int, height: int, width: int) -> Array:
    """`Parts.bounds` (peaks, 4, levels) of the framed picture as boxes, (peaks, levels, 4)."""
    first, left, right, bottom = (bounds[:, i].astype(np.int64) for i in range(4))
    top = first // (width + 2)
    x0, y0 = left - 1 - grown, top - 1 - grown
    x1, y1 = np.minimum(-right + grown, width - 1), np.minimum(-bottom + grown, height - 1)
    return np.stack([x0, y0, x1, y1], axis=-1)

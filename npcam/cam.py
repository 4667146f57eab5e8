"""Class activation maps: the sum, its upsampling, and the box. Nothing here knows the network.

Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (arXiv:1512.04150).
"""

from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.shapes import Array

Box = tuple[int, int, int, int]  # (x0, y0, x1, y1) in pixels; x1 and y1 are one past the last


class Part(NamedTuple):
    """A connected part of a map that stands out.

    Attributes:
        box: around it, (x0, y0, x1, y1), x1 and y1 exclusive.
        evidence: its share of all that is positive in the map, 0 to 1.
    """

    box: Box
    evidence: float


def class_activation_map(features: Array, class_weights: Array) -> Array:
    """Sum the last activations, each weighted by how much it speaks for the class.

    M_c(x, y) = sum_k w_k^c f_k(x, y): Zhou et al. 2016, equation 2. Global average pooling and the
    dense layer are linear, so mean(M_c) + b_c is the logit of c. The sign is kept: a negative
    place speaks against the class.

    Args:
        features: the maps f_k, (H, W, K).
        class_weights: w_k, (K,) for one class or (K, C) for several.

    Returns:
        (H, W) or (H, W, C).

    Raises:
        ValueError: the shapes do not fit together.

    >>> class_activation_map(np.array([[[1.0, 2.0], [3.0, 0.0]]]), np.array([1.0, -1.0]))
    array([[-1.,  3.]])
    """
    if features.ndim != 3 or class_weights.ndim not in (1, 2) or features.shape[2] != class_weights.shape[0]:
        shapes = f"got {features.shape} and {class_weights.shape}"
        msg = f"class_activation_map: expected features (H, W, K) and weights (K,) or (K, C), {shapes}"
        raise ValueError(msg)
    cam: Array = features @ class_weights  # (H, W, K) @ (K,) -> (H, W)
    return cam


def upsample_map(cam: Array, size: tuple[int, int], align: str = "corners") -> Array:
    """Enlarge a map bilinearly, with SciPy's `ndimage.zoom(order=1)`.

    Args:
        cam: (H, W) or (H, W, C), signed.
        size: (height, width) to make.
        align: "corners": the outermost cells' centres fall on the outermost pixels' centres,
            SciPy's default and the CAM tutorials'. "centers": each cell covers the pixels that it
            was computed from (half-pixel centres, as OpenCV resizes), which keeps the map's mean
            for whole factors.

    Returns:
        (height, width) or (height, width, C), of the dtype of `cam`.

    Raises:
        ValueError: `cam` has no 2 or 3 axes, is empty, or `size` or `align` is unusable.

    >>> upsample_map(np.array([[0.0, 2.0]]), (1, 3))
    array([[0., 1., 2.]])
    >>> upsample_map(np.array([[0.0, 2.0]]), (1, 4), align="centers")
    array([[0. , 0.5, 1.5, 2. ]])
    """
    from scipy.ndimage import zoom

    if cam.ndim not in (2, 3) or 0 in cam.shape or min(size) < 1:
        msg = f"upsample_map: expected a map (H, W) and a size from 1x1 up, got {cam.shape} and {size}"
        raise ValueError(msg)
    if align not in ("corners", "centers"):
        raise InputError(f'align {align!r}: expected "corners" or "centers"')
    factors = [new / old for new, old in zip(size, cam.shape[:2], strict=True)] + [1.0] * (cam.ndim - 2)
    wide = cam.astype(np.promote_types(cam.dtype, np.float32), copy=False)  # SciPy has no float16
    larger: Array = zoom(wide, factors, order=1, mode="nearest", grid_mode=align == "centers")
    return larger.astype(cam.dtype, copy=False)


def bounding_box(cam: Array, threshold: float = 0.2) -> Box | None:
    """Draw a box around the largest connected part of a map that is above a share of its maximum.

    The rule of Zhou et al. 2016, section 3.2, who take 20 %. Cells that touch at a side belong
    together; of several equally large parts the first in reading order counts.

    Args:
        cam: (H, W), signed.
        threshold: share of the maximum, 0..1; what lies strictly above it is kept.

    Returns:
        (x0, y0, x1, y1), x1 and y1 exclusive, so that cam[y0:y1, x0:x1] is what the box holds;
        None where nothing is positive.

    Raises:
        ValueError: `cam` has no 2 axes, or `threshold` is outside 0..1.

    >>> bounding_box(np.array([[0.0, 0.0, 0.0], [0.0, 5.0, 4.0]]))
    (1, 1, 3, 2)
    """
    parts, sizes = _labelled("bounding_box", cam, threshold)
    if not sizes.size:
        return None
    return _box(parts == 1 + int(sizes.argmax()))


def connected_parts(cam: Array, threshold: float = 0.2) -> list[Part]:
    """Every connected part of a map that is above a share of its maximum, the most evidence first.

    Args:
        cam: (H, W), signed.
        threshold: share of the maximum, 0..1; what lies strictly above it is kept.

    Returns:
        A box around each, and its own share of the positive evidence (what else lies in its box is
        not counted); of equal ones the first in reading order. Empty where nothing is positive.

    Raises:
        ValueError: `cam` has no 2 axes, or `threshold` is outside 0..1.

    >>> connected_parts(np.array([[2.0, 0.0, 6.0], [0.0, 0.0, 0.0]]))
    [Part(box=(2, 0, 3, 1), evidence=0.75), Part(box=(0, 0, 1, 1), evidence=0.25)]
    """
    parts, sizes = _labelled("connected_parts", cam, threshold)
    if not sizes.size:
        return []
    whole = np.maximum(cam, 0).sum(dtype=np.float64)
    sums = np.bincount(parts.ravel(), weights=cam.ravel())[1:] / whole
    return [Part(_box(parts == 1 + i), float(sums[i])) for i in np.argsort(-sums, kind="stable")]


def evidence_inside(cam: Array, box: Box) -> float:
    """The share of all that is positive in a map (H, W) that lies in a box; 0 where nothing is positive.

    >>> evidence_inside(np.array([[1.0, -5.0, 3.0]]), (1, 0, 3, 1))
    0.75
    """
    x0, y0, x1, y1 = box
    positive = np.maximum(cam, 0)
    whole = positive.sum(dtype=np.float64)
    return float(positive[y0:y1, x0:x1].sum(dtype=np.float64) / whole) if whole > 0 else 0.0


def _labelled(what: str, cam: Array, threshold: float) -> tuple[Array, Array]:
    """The number of each place's part, (H, W), 0 where it is in none; and each part's count of places."""
    if cam.ndim != 2 or not 0 <= threshold <= 1:
        msg = f"{what}: expected a map (H, W) and a threshold in 0..1, got {cam.shape} and {threshold}"
        raise ValueError(msg)
    largest = cam.max(initial=0)
    if not largest > 0:
        return np.zeros(cam.shape, int), np.zeros(0, int)
    from scipy.ndimage import label

    parts, _ = label(cam > threshold * largest)
    return parts, np.bincount(parts.ravel())[1:]  # threshold 1: nothing lies above the maximum


def _box(part: Array) -> Box:
    """The box around what is true, (H, W)."""
    rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def scale_box(box: Box, size: tuple[int, int], new_size: tuple[int, int]) -> Box:
    """Carry a box from a map of `size` to a picture of `new_size`, both (height, width), outwards.

    >>> scale_box((1, 0, 3, 2), size=(4, 4), new_size=(6, 8))
    (2, 0, 6, 3)
    """
    (h, w), (new_h, new_w) = size, new_size
    x0, y0, x1, y1 = box
    return x0 * new_w // w, y0 * new_h // h, -(-x1 * new_w // w), -(-y1 * new_h // h)

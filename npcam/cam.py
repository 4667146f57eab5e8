"""Class activation maps: the sum, its upsampling, and the box. Nothing here knows the network.

Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (arXiv:1512.04150).
"""

import numpy as np

from npcam.common.errors import InputError
from npcam.shapes import Array

Box = tuple[int, int, int, int]  # (x0, y0, x1, y1) in pixels; x1 and y1 are one past the last


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
    if cam.ndim != 2 or not 0 <= threshold <= 1:
        msg = f"bounding_box: expected a map (H, W) and a threshold in 0..1, got {cam.shape} and {threshold}"
        raise ValueError(msg)
    largest = cam.max(initial=0)
    if not largest > 0:
        return None
    from scipy.ndimage import find_objects, label

    parts, _ = label(cam > threshold * largest)
    sizes = np.bincount(parts.ravel())[1:]  # the background is part 0
    if not sizes.size:
        return None  # threshold 1: nothing lies above the maximum
    rows, columns = find_objects(parts)[int(sizes.argmax())]
    return int(columns.start), int(rows.start), int(columns.stop), int(rows.stop)


def scale_box(box: Box, size: tuple[int, int], new_size: tuple[int, int]) -> Box:
    """Carry a box from a map of `size` to a picture of `new_size`, both (height, width), outwards.

    >>> scale_box((1, 0, 3, 2), size=(4, 4), new_size=(6, 8))
    (2, 0, 6, 3)
    """
    (h, w), (new_h, new_w) = size, new_size
    x0, y0, x1, y1 = box
    return x0 * new_w // w, y0 * new_h // h, -(-x1 * new_w // w), -(-y1 * new_h // h)

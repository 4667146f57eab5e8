"""How far boxes cover each other, in the two ways in which it is counted: by edges, and by whole pixels."""

import numpy as np

from npcam.shapes import Array

CENTRED = (0.075, 0.075, 0.925, 0.925)  # the box drawn blind: 85 % of a picture's sides


def overlaps(box: tuple[float, ...], boxes: Array) -> Array:
    """Intersection over union of a box with each of several, all (x0, y0, x1, y1) by their edges.

    Args:
        box: four numbers; a box without area overlaps nothing.
        boxes: (n, 4).

    Returns:
        (n,) float64.

    >>> overlaps((0, 0, 2, 2), np.array([[1, 0, 3, 2], [5, 5, 6, 6]]))
    array([0.33333333, 0.        ])
    """
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.maximum(0.0, high - low).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2] - box[0]) * (box[3] - box[1])
    shares: Array = np.divide(both, areas - both, out=np.zeros(len(boxes)), where=both > 0)
    return shares


def pixel_boxes(boxes: Array, size: tuple[int, int], new_size: tuple[int, int]) -> Array:
    """True boxes scaled and truncated to whole pixels, as Choe et al.'s evaluator does.

    Args:
        boxes: (n, 4), (x0, y0, x1, y1) in pixels of a picture of `size`.
        size: (height, width) of the photograph.
        new_size: (height, width) of the heat map.

    Returns:
        (n, 4) int.

    >>> pixel_boxes(np.array([[10.0, 10.0, 99.0, 100.0]]), size=(100, 200), new_size=(224, 224))
    array([[ 11,  22, 110, 224]])
    """
    (height, width), (new_height, new_width) = size, new_size
    new = np.array([new_width, new_height, new_width, new_height], float)
    scaled: Array = boxes * new / np.array([width, height, width, height], float)
    return scaled.astype(int)


def pixel_overlaps(boxes: Array, others: Array) -> Array:
    """Intersection over union of boxes of whole pixels whose last column and row count to them.

    Args:
        boxes: (m, 4) int, (x0, y0, x1, y1).
        others: (n, 4) int.

    Returns:
        (m, n) float64.

    >>> pixel_overlaps(np.array([[0, 0, 1, 1]]), np.array([[1, 1, 2, 2], [0, 0, 1, 1]]))
    array([[0.14285714, 1.        ]])
    """
    low = np.maximum(boxes[:, None, :2], others[:, :2])  # (m, n, 2)
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    both = np.maximum(0, high - low + 1).prod(axis=2)
    areas, other_areas = ((b[:, 2:] - b[:, :2] + 1).prod(axis=1) for b in (boxes, others))
    union = areas[:, None] + other_areas - both
    shares: Array = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
    return shares


def near(point: tuple[float, float], boxes: Array, margin: float) -> bool:
    """Whether a point (x, y) lies in one of the boxes (n, 4), or at most `margin` outside in each direction.

    >>> near((12.0, 5.0), np.array([[0.0, 0.0, 10.0, 10.0]]), margin=2)
    True
    """
    place = np.array(point)
    inside = (boxes[:, :2] - margin <= place) & (place <= boxes[:, 2:] + margin)  # (n, 2)
    return bool(inside.all(axis=1).any())


def best_of_grid(grid: tuple[int, int], boxes: Array) -> float:
    """The largest overlap that any rectangle of whole cells has with a box.

    No box that is drawn around cells of a map can be better.

    Args:
        grid: (rows, columns) of the map.
        boxes: (n, 4), (x0, y0, x1, y1) as fractions of the picture, 0 to 1.

    >>> best_of_grid((2, 2), np.array([[0.0, 0.0, 0.5, 0.75]]))
    0.75
    """
    best = 0.0
    (rows, columns), ends = grid, []
    for cells in (columns, rows):
        first, last = np.triu_indices(cells)
        ends.append((first / cells, (last + 1) / cells))
    for x0, y0, x1, y1 in boxes:
        across, down = (
            np.maximum(0.0, np.minimum(end, high) - np.maximum(start, low))
            for (start, end), low, high in zip(ends, (x0, y0), (x1, y1), strict=True)
        )
        wide, tall = (end - start for start, end in ends)
        both = down[:, None] * across  # (rows' stretches, columns' stretches)
        union = tall[:, None] * wide + (x1 - x0) * (y1 - y0) - both
        best = max(best, float((both / union).max()))
    return best

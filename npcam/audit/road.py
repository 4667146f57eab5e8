"""ROAD: pixels removed so that little tells that they were removed.

Rong et al. 2022, "A Consistent and Efficient Evaluation Strategy for Attribution Methods"
(arXiv:2202.00449): a removed pixel becomes the weighted mean of its eight neighbours (1/6 at a side, 1/12 at
a corner), which is a sparse system of linear equations where neighbours are removed, too; and a little
noise. The shape of what was removed, which alone may tell the class, is then hard to see.
"""

import zlib
from typing import Any

import numpy as np

from npcam.audit.orderings import SEED, by_score
from npcam.audit.subject import Subject
from npcam.shapes import Array

SHARES = (0.2, 0.4, 0.6, 0.8)  # of the pixels that are removed
NOISE = 0.01  # standard deviation, as a share of that of the input's values
NEIGHBOURS = tuple(
    (down, across, 1 / 6 if 0 in (down, across) else 1 / 12)
    for down in (-1, 0, 1)
    for across in (-1, 0, 1)
    if (down, across) != (0, 0)
)


def impute(x: Array, missing: Array) -> Array:
    """Fill in missing pixels, each with the weighted mean of its neighbours, without noise.

    Args:
        x: (H, W, C).
        missing: (H, W) bool; at least one pixel is not.

    Returns:
        (H, W, C), of the dtype of `x`; worked out in float64.

    >>> row = np.array([[[0.0], [9.0], [9.0], [3.0]]])
    >>> impute(row, np.array([[False, True, True, False]]))[0, :, 0].round(6).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    count = int(missing.sum())
    if not count:
        return x.copy()
    index = np.pad(
        np.where(missing, np.cumsum(missing).reshape(missing.shape) - 1, -1), 1, constant_values=-2
    )
    values = np.pad(x.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    y, x_ = np.nonzero(missing)
    diagonal, right = np.zeros(count), np.zeros((count, x.shape[2]))
    rows, columns, entries = [np.arange(count)], [np.arange(count)], [diagonal]
    for down, across, weight in NEIGHBOURS:
        place = (y + 1 + down, x_ + 1 + across)
        there = index[place]  # -2 outside the picture, -1 known, else the number of a missing pixel
        diagonal += weight * (there != -2)
        right += weight * values[place] * (there == -1)[:, None]
        rows.append(np.flatnonzero(there >= 0))
        columns.append(there[there >= 0])
        entries.append(np.full(len(rows[-1]), -weight))
    where = (np.concatenate(rows), np.concatenate(columns))
    system = csc_matrix((np.concatenate(entries), where), (count, count))
    # Symmetric and diagonally dominant: it needs no pivoting.
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    filled = x.copy()
    filled[missing] = solver.solve(right)
    return filled


def remove(x: Array, places: Array) -> Array:
    """Remove pixels: fill them in, and add a little noise that is the same in every run.

    Args:
        x: (H, W, C), preprocessed.
        places: in the flattened picture.
    """
    missing = np.zeros(x.shape[:2], bool)
    missing.ravel()[places] = True
    generator = np.random.default_rng([SEED, zlib.crc32(np.ascontiguousarray(x).tobytes())])
    noise = generator.normal(scale=NOISE * float(x.std(dtype=np.float64)), size=x.shape)
    filled: Array = impute(x, missing) + (noise * missing[..., None]).astype(x.dtype)
    return filled


def measure_road(subject: Subject) -> dict[str, list[float]]:
    """The class's probability with shares of the pixels removed, the map's first ones or its last ones.

    Returns:
        {"most": the probability at 0 and at each of `SHARES` with the most relevant pixels removed, "least":
        with the least relevant ones}.
    """
    order = by_score(subject.e.heatmap)
    ends = [round(share * len(order)) for share in SHARES]
    inputs = [remove(subject.x, order[:end]) for end in ends]
    inputs += [remove(subject.x, order[len(order) - end :]) for end in ends]
    whole, *rest = subject.probabilities([subject.x, *inputs]).tolist()
    return {"most": [whole, *rest[: len(ends)]], "least": [whole, *rest[len(ends) :]]}


def numbers(curves: dict[str, Any]) -> dict[str, float]:
    """Each probability, and the mean of least minus most over the shares, from -1 to 1: `road`."""
    most, least = curves["most"][1:], curves["least"][1:]
    found = {"road": float(np.mean(np.subtract(least, most)))}
    for name, values in (("most", most), ("least", least)):
        found |= {f"road.{name}.{round(100 * s)}": float(v) for s, v in zip(SHARES, values, strict=True)}
    return found

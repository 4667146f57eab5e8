"""Where in a tensor the error sits: at a border, in some channels, at one element."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npcam.shapes import Array

DEEP = 6  # a border is at most this part of the shorter side
FEW = 4  # channels are few where they are at most this part of all


@dataclass(frozen=True)
class Place:
    """Where elements of an activation are beyond their tolerance.

    Attributes:
        off: how many are.
        of: how many elements there are.
        first: the index of the first of them.
        photographs: which photographs are concerned; all of them where it is empty.
        channels: which channels are concerned, where they are few; else empty.
        sides: "top", "bottom", "left" and "right" border, or "corners", where the error sits there only.
        depth: how many rows or columns that border has; 0 where it is none.
        mostly: whether that is where the larger errors are: those beyond the root of the worst one, in
            tolerances; others are further in.
        rows, columns: the first and one past the last concerned; None where there are no positions.
        heat: (H, W), at each position the worst element in tolerances, over channels and photographs;
            (1, 1) where there are no positions.
        by_channel: (C,), the worst element of each channel in tolerances.
    """

    off: int
    of: int
    first: tuple[int, ...]
    photographs: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    sides: tuple[str, ...] = ()
    depth: int = 0
    mostly: bool = False
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    heat: Array = field(repr=False, compare=False, default_factory=lambda: np.zeros((1, 1)))
    by_channel: Array = field(repr=False, compare=False, default_factory=lambda: np.zeros(1))


def find_place(value: Array, reference: Array, tolerance: Array) -> Place | None:
    """Find where two arrays of a layer differ by more than a tolerance.

    Args:
        value: (N, H, W, C) or (N, C).
        reference: of the same shape.
        tolerance: how far each element may be off, of the same shape.

    Returns:
        None where no element is off.

    >>> value = np.zeros((1, 8, 8, 4))
    >>> value[0, -1, 1:7, 2] = 1
    >>> found = find_place(value, np.zeros_like(value), np.full(value.shape, 0.1))
    >>> found.off, found.channels, found.sides, found.depth, in_words(found)
    (6, (2,), ('bottom',), 1, '6 of 256 elements: in channel 2 of 4; at the border (bottom), 1 deep')
    """
    if value.ndim not in (2, 4):
        return None
    with np.errstate(all="ignore"):
        distance = np.abs(np.asarray(value, np.float64) - reference)
        distance[value == reference] = 0
        times = np.where(distance == 0, 0, distance / tolerance)
        times = np.nan_to_num(times, nan=np.inf, posinf=np.inf)
    if times.ndim == 2:
        times = times[:, None, None, :]  # (N, 1, 1, C)
    off = times > 1
    if not off.any():
        return None
    concerned = [np.flatnonzero(off.any(axis=axes)) for axes in ((1, 2, 3), (0, 1, 2))]
    photographs, channels = (tuple(int(i) for i in part) for part in concerned)
    at = tuple(int(i[0]) for i in np.nonzero(off))
    places: Array = np.any(off, axis=(0, 3))  # (H, W)
    rows, columns = (np.flatnonzero(np.any(places, axis=axis)) for axis in (1, 0))
    sides, depth = _border(places)
    worst, mostly = float(times.max()), False
    if not sides and np.isfinite(worst):
        sides, depth = _border(np.any(times > np.sqrt(worst), axis=(0, 3)))
        mostly = bool(sides)
    plain = value.ndim == 2
    return Place(
        off=int(off.sum()),
        of=off.size,
        first=(at[0], at[3]) if plain else at,
        photographs=() if len(photographs) == len(value) else photographs,
        channels=channels if len(channels) <= max(1, off.shape[3] // FEW) and off.shape[3] > 1 else (),
        sides=sides,
        depth=depth,
        mostly=mostly,
        rows=None if plain else (int(rows[0]), int(rows[-1]) + 1),
        columns=None if plain else (int(columns[0]), int(columns[-1]) + 1),
        heat=times.max(axis=(0, 3)),
        by_channel=times.max(axis=(0, 1, 2)),
    )


def in_words(place: Place) -> str:
    """A place in one line."""
    if place.off == 1:
        return f"1 of {place.of:,} elements, at {list(place.first)}"
    parts = []
    if place.photographs:
        parts.append(f"in {_numbered('photograph', place.photographs)}")
    if place.channels:
        parts.append(f"in {_numbered('channel', place.channels)} of {len(place.by_channel)}")
    if place.sides:
        mostly = "mostly " if place.mostly else ""
        parts.append(f"{mostly}at the border ({', '.join(place.sides)}), {place.depth} deep")
    elif place.rows and place.columns and _small(place):
        (top, bottom), (left, right) = place.rows, place.columns
        parts.append(f"in rows {top} to {bottom - 1} and columns {left} to {right - 1}")
    return f"{place.off:,} of {place.of:,} elements: {'; '.join(parts) or 'all over'}"


def as_json(place: Place) -> dict[str, Any]:
    """A place as plain values."""
    return {
        "off": place.off,
        "of": place.of,
        "first": list(place.first),
        "photographs": list(place.photographs),
        "channels": list(place.channels),
        "sides": list(place.sides),
        "depth": place.depth,
        "mostly": place.mostly,
        "rows": list(place.rows) if place.rows else None,
        "columns": list(place.columns) if place.columns else None,
        "words": in_words(place),
    }


def _border(places: Array) -> tuple[tuple[str, ...], int]:
    """The sides of a map at which all that is marked lies, and how deep; none where some is further in."""
    h, w = places.shape
    rows, columns = np.arange(h)[:, None], np.arange(w)[None, :]
    inward = np.minimum(np.minimum(rows, h - 1 - rows), np.minimum(columns, w - 1 - columns))
    depth = int(inward[places].max()) + 1
    if depth > max(1, min(h, w) // DEEP) or min(h, w) <= 2 * depth:
        return (), 0
    middle = np.s_[depth:-depth]
    strips = {
        "top": places[:depth, middle],
        "bottom": places[-depth:, middle],
        "left": places[middle, :depth],
        "right": places[middle, -depth:],
    }
    return tuple(side for side, strip in strips.items() if strip.any()) or ("corners",), depth


def _small(place: Place) -> bool:
    """Whether the rows and columns concerned are less than half of the map."""
    assert place.rows is not None
    assert place.columns is not None
    h, w = place.heat.shape
    area = (place.rows[1] - place.rows[0]) * (place.columns[1] - place.columns[0])
    return bool(2 * area < h * w)


def _numbered(what: str, numbers: tuple[int, ...], most: int = 8) -> str:
    """`channel 2`, or `channels 1, 2, 3 and 5 more`."""
    shown = ", ".join(map(str, numbers[:most]))
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"{what}{'s' if len(numbers) > 1 else ''} {shown}{more}"

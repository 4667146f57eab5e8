"""What a data set says of its photographs: their classes, and the boxes of the objects in them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_PHOTO_BOXES, MAX_PHOTO_SIDE
from npcam.shapes import Array

Box = tuple[float, float, float, float]
Size = tuple[int, int]
REVERSED = 0.02  # how far two shapes may be from each other's reverse and still count as turned


class TrueBox(NamedTuple):
    """The box of one object.

    Attributes:
        label: the object's class as the data set names it; None where it names none, so that the
            photograph's class is meant.
        xyxy: left, top, right and bottom edge in pixels: continuous, so that a picture of width W
            goes from 0.0 to W and its first pixel from 0.0 to 1.0.
    """

    label: str | None
    xyxy: Box


class Listed(NamedTuple):
    """What a data set says of one photograph, in its own words.

    Attributes:
        label: the photograph's class as the data set names it; None where only its boxes have one.
        size: (width, height) in pixels of the picture on which the boxes were drawn, or None.
        boxes: of all objects.
        where: the entry, for messages.
    """

    label: str | None
    size: Size | None
    boxes: tuple[TrueBox, ...]
    where: str


class Photograph(NamedTuple):
    """One photograph to measure.

    Attributes:
        path: what is opened.
        name: its path relative to the folder, with "/"; what results call it.
        label: the index of its class in the model.
        boxes: of the objects of its class only, as `TrueBox.xyxy`, on a picture of `size`; `boxes_on`
            brings them to the photograph.
        size: (width, height) in pixels that the data set states for the photograph, or None where
            it states none: then the boxes are in pixels of the photograph as stored.
    """

    path: str
    name: str
    label: int
    boxes: tuple[Box, ...] = ()
    size: Size | None = None


class CocoIds(NamedTuple):
    """What COCO's JSON calls things by.

    Attributes:
        images: the id of each photograph, by its name.
        categories: the id of each class, by its name there.
    """

    images: Mapping[str, Any]
    categories: Mapping[str, Any]


class Dataset(NamedTuple):
    """Labelled photographs.

    Attributes:
        photographs: sorted by name.
        kind: what was found: "folders", "ILSVRC CLS-LOC", "PASCAL VOC", "COCO", "CSV" or "JSON".
        notes: one line each for what was left out, and for what was taken for granted.
        image_ids: COCO's id of each photograph, by its name; None for other kinds.
        category_ids: COCO's id of each class, by its index in the model; None for other kinds.
    """

    photographs: tuple[Photograph, ...]
    kind: str
    notes: tuple[str, ...]
    image_ids: Mapping[str, Any] | None = None
    category_ids: Mapping[int, Any] | None = None


class NoAreaError(InputError):
    """A box that holds nothing, or lies outside of its picture."""


def boxes_on(photograph: Photograph, width: int, height: int) -> Array:
    """The true boxes on the photograph as it was decoded.

    Where the data set states another size, they are scaled, each side by itself, as for a photograph
    that was made smaller or squashed; then they are clipped to the picture.

    Args:
        photograph: one of a data set.
        width: of the decoded photograph as stored, in pixels, without a turn that EXIF asks for.
        height: likewise.

    Returns:
        (n, 4) float64: left, top, right and bottom edge in pixels.

    Raises:
        InputError: the stated size is that of the photograph turned by 90 degrees (the boxes were
            drawn on the upright picture), or a box lies outside of the photograph.

    >>> small = Photograph("a.jpg", "a.jpg", 0, ((10.0, 20.0, 50.0, 60.0),), (100, 80))
    >>> boxes_on(small, 50, 40).tolist()
    [[5.0, 10.0, 25.0, 30.0]]
    """
    boxes = np.array(photograph.boxes, np.float64).reshape(-1, 4)
    stated = photograph.size or (width, height)
    if len(boxes) and _turned(stated, (width, height)):
        msg = (
            f"{photograph.name}: its boxes are on a picture of {stated[0]}x{stated[1]}, but it is stored as "
            f"{width}x{height}: turned; store it upright, without an EXIF orientation"
        )
        raise InputError(msg)
    if stated != (width, height):
        boxes = boxes * [width, height, width, height] / [*stated, *stated]
    boxes = np.clip(boxes, 0, [width, height, width, height])
    empty = (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])
    if empty.any():
        found = _shown(photograph.boxes[int(empty.argmax())])
        msg = f"{photograph.name}: the box {found} lies outside of the photograph, {width}x{height}"
        raise InputError(f"{msg}; state the size on which it was drawn (width, height), or correct it")
    return boxes


def checked_box(values: Sequence[object], size: Size | None, where: str) -> Box:
    """The edges of a box, clipped to the picture as far as its size is known.

    Args:
        values: left, top, right, bottom.
        size: (width, height) of the picture, or None.
        where: the entry, for messages.

    Raises:
        NoAreaError: it is empty, or lies outside of the picture.
        InputError: these are not four finite numbers.

    >>> checked_box([-2, 3, 9.5, 12], (8, 10), "a.csv, line 2")
    (0.0, 3.0, 8.0, 10.0)
    """
    if len(values) != 4:
        raise InputError(f"{where}: a box of {len(values)} numbers; expected x0, y0, x1, y1")
    x0, y0, x1, y1 = box = tuple(number(value, where) for value in values)
    if x0 >= x1 or y0 >= y1:
        msg = f"{where}: the box {_shown(box)} is empty (x0 < x1 and y0 < y1 expected)"
        raise NoAreaError(msg)
    width, height = size or (math.inf, math.inf)
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        picture = f", {width}x{height}" if size else ""
        raise NoAreaError(f"{where}: the box {_shown(box)} lies outside of the picture{picture}")
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))


def number(value: object, where: str) -> float:
    """A finite number, from JSON or from text.

    Raises:
        InputError: it is none.

    >>> number(" 12.5", "a.csv, line 2")
    12.5
    """
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool) and "_" not in str(value):
            found = float(value)
            if math.isfinite(found):
                return found
    except (ValueError, OverflowError):
        pass
    raise InputError(f"{where}: expected a number of pixels, got {str(value)[:40]!r}")


def stated_size(width: object, height: object, where: str) -> Size | None:
    """(width, height) of a picture, or None where neither is stated.

    Raises:
        InputError: only one is, or they are no whole numbers that a picture may have.

    >>> stated_size("640", 480, "a.csv, line 2")
    (640, 480)
    """
    sides = [None if side in (None, "") else number(side, where) for side in (width, height)]
    if sides == [None, None]:
        return None
    if None in sides:
        raise InputError(f"{where}: states only one of width and height; state both or none")
    if any(side != int(side) or not 1 <= side <= MAX_PHOTO_SIDE for side in sides if side is not None):
        msg = f"{where}: states a picture of {str(width)[:20]}x{str(height)[:20]}; expected whole pixels"
        raise InputError(f"{msg}, 1 to {MAX_PHOTO_SIDE}")
    return int(sides[0] or 0), int(sides[1] or 0)


def require_few(boxes: Sequence[object], where: str) -> None:
    """Raise InputError for a photograph with more boxes than any has."""
    if len(boxes) > MAX_PHOTO_BOXES:
        raise InputError(f"{where}: {len(boxes)} boxes in one photograph, {MAX_PHOTO_BOXES} at most")


def no_area(lines: Sequence[str]) -> str:
    """The note of boxes without an area, of which each has a line.

    >>> no_area(["a.xml, object 1: the box [5, 5, 5, 9] is empty"])
    '1 box without an area left out: a.xml, object 1: the box [5, 5, 5, 9] is empty'
    """
    if len(lines) == 1:
        return f"1 box without an area left out: {lines[0]}"
    return f"{len(lines)} boxes without an area left out (first: {lines[0]})"


def _turned(stated: Size, stored: Size) -> bool:
    """Whether one size is the other's with width and height swapped, up to a scale."""
    (width, height), (w, h) = stated, stored
    if (width > height) == (w > h) or width == height or w == h:
        return False
    return abs(width * w - height * h) <= REVERSED * height * h


def _shown(box: Sequence[float]) -> str:
    """The numbers of a box, in brackets."""
    return "[" + ", ".join(f"{edge:g}" for edge in box) + "]"

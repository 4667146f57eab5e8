"""COCO's instances: one JSON file with all photographs, categories and boxes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.text import some_names
from npcam.datasets.photographs import (
    CocoIds,
    Listed,
    NoAreaError,
    Size,
    TrueBox,
    checked_box,
    no_area,
    number,
    require_few,
    stated_size,
)
from npcam.datasets.places import Places, counted

UNREAD = ("segmentation",)  # outlines, which take most of the file and of the memory
PARTS = ("images", "annotations", "categories")


def is_coco(found: Any) -> bool:
    """Whether parsed JSON looks like COCO's instances, be it whole or not.

    >>> is_coco({"images": [], "annotations": [], "categories": []})
    True
    """
    return isinstance(found, dict) and sum(isinstance(found.get(part), list) for part in PARTS) >= 2


def read_coco(
    found: Mapping[str, Any], path: str | Path, places: Places
) -> tuple[dict[str, Listed], list[str], CocoIds]:
    """What COCO's instances say of the photographs of a folder.

    `bbox` is left, top, width and height, continuous, from 0. Crowds (`iscrowd`) are groups that
    nobody told apart, so they are no boxes of objects and are left out; so are boxes without an area.

    Args:
        found: the parsed JSON.
        path: its file, for messages; `file_name` is relative to its folder or to the photographs'.
        places: the photographs.

    Returns:
        By name, what is listed; a note for each kind of what is left out; the file's own ids.

    Raises:
        InputError: a part is missing, an id is there twice or nowhere, or a number is none.
    """
    images, annotations, categories = (_part(found, part, path) for part in PARTS)
    names = {_id(c, f"{path}, category {k}"): str(c.get("name", "")) for k, c in enumerate(categories)}
    if len(names) != len(categories):
        raise InputError(f"{path}: two categories have the same id; give each its own")
    sizes, here, absent = _images(images, path, places)
    boxes: dict[Any, list[TrueBox]] = {key: [] for key in here}
    crowds: list[str] = []
    empty: list[str] = []
    for position, annotation in enumerate(annotations):
        where = f"{path}, annotation {_id(annotation, f'{path}, annotation number {position}')}"
        image, label = _references(annotation, sizes, names, where)
        if image not in here:
            continue
        if annotation.get("iscrowd"):
            crowds.append(here[image])
            continue
        try:
            boxes[image].append(TrueBox(label, _box(annotation, sizes[image], where)))
        except NoAreaError as error:
            empty.append(str(error))
        require_few(boxes[image], where)
    listed = {}
    for key, name in here.items():
        listed[name] = Listed(None, sizes[key], tuple(boxes[key]), f"{path}, image {key}")
    notes = []
    if absent:
        first = some_names(absent, 3)
        notes.append(f"{counted(len(absent), 'image')} of {path} not in the folder (first: {first})")
    if crowds:
        first = some_names(crowds, 3)
        notes.append(f"{counted(len(crowds), 'crowd')} left out (iscrowd; first in: {first})")
    ids = CocoIds({name: key for key, name in here.items()}, {name: key for key, name in names.items()})
    return listed, [*notes, no_area(empty)] if empty else notes, ids


def _images(
    images: list[Any], path: str | Path, places: Places
) -> tuple[dict[Any, Size | None], dict[Any, str], list[str]]:
    """By id, all sizes, and the names of the images that are in the folder; the file names of the others."""
    sizes: dict[Any, Size | None] = {}
    here: dict[Any, str] = {}
    absent: list[str] = []
    for position, image in enumerate(images):
        where = f"{path}, image {position}"
        key = _id(image, where)
        file_name = image.get("file_name")
        if key in sizes:
            raise InputError(f"{where}: the id {key} is there twice; give each image its own")
        if not isinstance(file_name, str):
            raise InputError(f"{where}: has no file_name; expected the photograph's path")
        sizes[key] = stated_size(image.get("width"), image.get("height"), where)
        name = places.find(file_name, path)
        if name is None:
            absent.append(file_name)
        else:
            here[key] = name
    if len(set(here.values())) != len(here):
        raise InputError(f"{path}: two images are the same file; list each photograph once")
    if not here:
        first = f" (first: {some_names(absent, 1)})" if absent else ""
        msg = f"{path}: none of its {counted(len(absent), 'image')} is in {places.folder}{first}"
        raise InputError(f"{msg}; give the folder that their file_name is relative to")
    return sizes, here, absent


def _part(found: Mapping[str, Any], part: str, path: str | Path) -> list[Any]:
    """One of the three lists."""
    value = found.get(part)
    if not isinstance(value, list):
        raise InputError(f'{path}: has no list "{part}"; expected COCO\'s {", ".join(PARTS)}')
    return value


def _id(entry: Any, where: str) -> Any:
    """The id of an entry: a number, or text as some programs write it."""
    key = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(key, (int, str)):
        raise InputError(f"{where}: has no id; expected COCO's instances")
    return key


def _references(
    annotation: Any, sizes: Mapping[Any, Any], names: Mapping[Any, str], where: str
) -> tuple[Any, str]:
    """The image's id and the category's name of an annotation."""
    found = annotation if isinstance(annotation, dict) else {}
    for field, known in (("image_id", sizes), ("category_id", names)):
        if not isinstance(found.get(field), (int, str)) or found[field] not in known:
            raise InputError(f"{where}: its {field} {str(found.get(field))[:40]!r} is not in the file")
    return found["image_id"], names[found["category_id"]]


def _box(annotation: Mapping[str, Any], size: Size | None, where: str) -> tuple[float, float, float, float]:
    """The edges of one object."""
    bbox = annotation.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise InputError(f"{where}: has no bbox of four numbers; expected [left, top, width, height]")
    left, top, width, height = (number(value, where) for value in bbox)
    return checked_box((left, top, left + width, top + height), size, where)

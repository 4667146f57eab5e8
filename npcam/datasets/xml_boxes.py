"""The XML that PASCAL VOC and ILSVRC have for each photograph, read safely."""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from npcam.common.errors import InputError
from npcam.common.limits import MAX_BOX_XML, MAX_BOX_XML_DEPTH
from npcam.common.whole_files import read_bytes
from npcam.datasets.classes import WNID
from npcam.datasets.photographs import (
    NoAreaError,
    Size,
    TrueBox,
    checked_box,
    number,
    require_few,
    stated_size,
)

_EDGES = ("xmin", "ymin", "xmax", "ymax")


class Annotation(NamedTuple):
    """What one XML file says.

    Attributes:
        filename: the photograph's name as it is written there, often without a suffix; "" for none.
        size: (width, height) in pixels, or None where it states none, or 0.
        boxes: of its objects, difficult and truncated ones included.
        ilsvrc: whether it is ImageNet's, whose pixels are counted from 0; PASCAL VOC counts from 1.
        empty: one line for each box that holds nothing or lies outside of the picture.
    """

    filename: str
    size: Size | None
    boxes: tuple[TrueBox, ...]
    ilsvrc: bool
    empty: tuple[str, ...]


def read_annotation(path: str | Path) -> Annotation:
    """Read one XML file.

    Corners are pixels that belong to the object. PASCAL VOC counts pixels from 1, so that the box
    xmin..xmax goes from the edge xmin - 1 to the edge xmax; ImageNet counts from 0: xmin to xmax + 1.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, is no such XML, declares a document type or entities, or an
            object lacks its name or a corner.
    """
    name = str(path)
    root = _parse(read_bytes(path, MAX_BOX_XML, "expected the XML of one photograph"), name)
    if root.tag != "annotation":
        raise InputError(f"{name}: is XML of <{root.tag[:40]}>; expected PASCAL VOC's <annotation>")
    objects = root.findall("object")
    require_few(objects, name)
    labels = [(found.findtext("name") or "").strip() for found in objects]
    ilsvrc = _is_ilsvrc(root, labels)
    size = _size(root, name)
    boxes, empty = [], []
    for k, (label, found) in enumerate(zip(labels, objects, strict=True), 1):
        where = f"{name}, object {k}"
        if not label:
            raise InputError(f"{where}: has no <name>; name its class")
        try:
            box = checked_box(_edges(found, ilsvrc, where), size, where)
        except NoAreaError as error:
            empty.append(str(error))
        else:
            boxes.append(TrueBox(label, box))
    return Annotation((root.findtext("filename") or "").strip(), size, tuple(boxes), ilsvrc, tuple(empty))


def _edges(found: Element, ilsvrc: bool, where: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge from the corners of an object; its parts' boxes are not looked at."""
    corners = found.find("bndbox")
    if corners is None:
        raise InputError(f"{where}: has no <bndbox>; boxes are expected, not outlines")
    x0, y0, x1, y1 = (number(corners.findtext(edge) or "", f"{where}, {edge}") for edge in _EDGES)
    first = 0 if ilsvrc else 1
    return x0 - first, y0 - first, x1 - first + 1, y1 - first + 1


def _is_ilsvrc(root: Element, labels: list[str]) -> bool:
    """Whether the file is ImageNet's: it says so, or every class is a WordNet id."""
    database = root.findtext("source/database") or ""
    said = re.match(r"ILSVRC|ImageNet", database.strip(), re.IGNORECASE) is not None
    return said or (bool(labels) and all(WNID.fullmatch(label) for label in labels))


def _size(root: Element, name: str) -> Size | None:
    """(width, height), or None where there is none or it is 0, as some programs write it."""
    width, height = (root.findtext(f"size/{side}") for side in ("width", "height"))
    if {(width or "0").strip(), (height or "0").strip()} == {"0"}:
        return None
    return stated_size(width, height, name)


def _parse(data: bytes, name: str) -> Element:
    """XML as elements, with nothing declared in it: no document type, so no entities.

    Raises:
        InputError: it is empty, damaged, nested too deeply, or declares a document type.
    """
    if not data.strip():
        raise InputError(f"{name}: is empty; get the XML again, or remove it")
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_BOX_XML_DEPTH:
            raise InputError(f"{name}: XML nested deeper than {MAX_BOX_XML_DEPTH} elements; no annotation is")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise InputError(f"{name}: declares a document type (<!DOCTYPE); remove that, npcam reads none")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except InputError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise InputError(f"{name}: is not valid XML ({error})") from error

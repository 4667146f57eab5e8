"""Labelled photographs from whatever a data set is: folders, XML, COCO, CSV or JSON."""

import os
from pathlib import Path

from npcam.common.errors import InputError
from npcam.common.limits import MAX_BOX_LIST
from npcam.common.text import some_names
from npcam.common.whole_files import parse_unique, read_text
from npcam.datasets.box_list import read_csv, read_json
from npcam.datasets.classes import Classes
from npcam.datasets.coco import UNREAD, is_coco, read_coco
from npcam.datasets.ilsvrc import find_solutions, find_synsets, is_solution, read_solution, with_wnids
from npcam.datasets.image_sets import chosen
from npcam.datasets.labelled import SHOWN, Said, labelled
from npcam.datasets.photographs import Dataset
from npcam.datasets.places import Places, class_folder, counted, files_below
from npcam.datasets.trees import XML, find_xml, read_trees
from npcam.model import Model

# Files that may be photographs; whether they are is seen when they are opened.
PICTURES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"),
    *(".pnm", ".jp2", ".avif", ".tga", ".pcx", ".ico"),
)
ADVICE = "give boxes as CSV, as JSON (COCO's instances too), or as a folder of XML"


def read_dataset(folder: str | Path, boxes: str | Path | None, model: Model) -> Dataset:
    """The labelled photographs of a data set, with the true boxes of their classes.

    What it is, is found out from what is there. A photograph's class is what a list says, else that
    of the folder in `folder` that it lies in, else that of its boxes, where all boxes that are of the
    model's classes are of one. Photographs are not opened.

    Args:
        folder: the photographs.
        boxes: a file of boxes (CSV, JSON, COCO's instances, ILSVRC's solutions), a folder of XML, or a
            list of photographs' names (`ImageSets/Main/val.txt`) to take no others. None: what lies in
            the folder, XML of PASCAL VOC or ILSVRC, or just a folder for each class.
        model: whose classes are meant.

    Returns:
        The photographs, sorted by name, and a note for everything that is left out.

    Raises:
        InputError: there is no photograph of the model's classes, or a file cannot be used.

    >>> import tempfile
    >>> from npcam.model import load_model
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     for name in ("cat", "golf ball", "zebra"):
    ...         Path(photos, name).mkdir()
    ...         Path(photos, name, "1.jpg").touch()
    ...     found = read_dataset(photos, None, load_model())
    >>> [(photograph.name, photograph.label) for photograph in found.photographs]
    [('cat/1.jpg', 1), ('golf ball/1.jpg', 9)]
    >>> found.notes
    ('1 photograph left out, in folders that are no class of the model: zebra (1)',)
    """
    model.require_top("be measured on labelled photographs")
    folder = _require_folder(folder)
    places, notes = _places_in(folder)
    if boxes is not None and str(boxes).lower().endswith(".txt"):
        places, of_list = chosen(places, boxes)
        notes += of_list
        boxes = None
    said = _from_file(boxes, places) if boxes is not None else _from_folder(places)
    classes = Classes(model, {class_folder(name) for name in places.pictures} - {""}, find_synsets(folder))
    photographs, left_out = labelled(said, places, classes, boxes)
    notes += [*said.notes, *classes.notes, *classes.translations(), *left_out]
    if not photographs:
        raise InputError(f"{folder}: no photograph of the model's classes; {'; '.join(left_out)}")
    if said.ids is None:
        return Dataset(tuple(photographs), said.kind, tuple(notes))
    found = {name: classes.find(name) for name in said.ids.categories}
    categories = {label: said.ids.categories[name] for name, label in found.items() if label is not None}
    return Dataset(tuple(photographs), said.kind, tuple(notes), said.ids.images, categories)


def _require_folder(folder: str | Path) -> Path:
    """The folder, if there is one."""
    try:
        if Path(folder).is_dir():
            return Path(folder)
        found = "is no folder" if Path(folder).exists() else "no such folder"
    except (OSError, ValueError) as error:
        found = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    raise InputError(f"{folder}: {found}; give one that holds a folder of photographs for each class")


def _places_in(folder: Path) -> tuple[Places, list[str]]:
    """The photographs, and notes of links among them."""
    pictures, links = files_below(folder, PICTURES)
    if not pictures:
        some = ", ".join(PICTURES[:5])
        raise InputError(f"{folder}: holds no photograph ({some} ...); give a folder of labelled photographs")
    notes = []
    if links:
        are = "is a link and was" if len(links) == 1 else "are links and were"
        notes.append(f"{counted(len(links), 'folder')} {are} not entered: {some_names(links, SHOWN)}")
    root = os.path.realpath(folder) + os.sep
    files = {name: os.path.realpath(path) for name, path in pictures.items() if Path(path).is_symlink()}
    out = [name for name, path in files.items() if not path.startswith(root)]
    if out:
        are = "is a link" if len(out) == 1 else "are links"
        start = f"{counted(len(out), 'photograph')} {are} to a place outside of the folder"
        notes.append(f"{start}: {some_names(out, SHOWN)}")
    return Places(folder, pictures), notes


def _from_file(boxes: str | Path, places: Places) -> Said:
    """What a file or a folder of boxes says."""
    if Path(boxes).is_dir():
        xml, _ = files_below(boxes, XML)
        if not xml:
            raise InputError(f"{boxes}: holds no XML; {ADVICE}")
        said = _from_xml(xml, places)
        if not said.listed:
            msg = f"{boxes}: none of its XML files is of a photograph in {places.folder}"
            raise InputError(f"{msg} (first: {some_names(list(xml), 1)}); they are told by their names")
        return said
    text = read_text(boxes, MAX_BOX_LIST, ADVICE)
    if not text.strip():
        raise InputError(f"{boxes}: is empty; {ADVICE}")
    if text.lstrip()[:1] in ("{", "["):
        found = parse_unique(text, boxes, UNREAD)
        if is_coco(found):
            return Said("COCO", *read_coco(found, boxes, places))
        return Said("JSON", *read_json(found, boxes, places))
    if is_solution(text):
        listed, notes = read_solution(text, boxes, places.pictures)
        if not listed:
            raise InputError(f"{boxes}: has no photograph of {places.folder}; give the folder that it is for")
        return Said("ILSVRC CLS-LOC", with_wnids(listed, places), notes)
    if text.lstrip()[:1] == "<":
        raise InputError(f"{boxes}: is XML of one photograph; give the folder that it lies in")
    return Said("CSV", *read_csv(text, boxes, places))


def _from_folder(places: Places) -> Said:
    """What lies among the photographs, or beside them in a tree of ILSVRC's or PASCAL VOC's."""
    xml = find_xml(places.folder)
    said = _from_xml(xml, places) if xml else Said("folders", {}, [])
    for path in find_solutions(places.folder):
        rest = [name for name in places.pictures if name not in said.listed]
        listed, notes = read_solution(read_text(path, MAX_BOX_LIST, ADVICE), path, rest) if rest else ({}, [])
        if listed:
            said = Said("ILSVRC CLS-LOC", said.listed | listed, [*said.notes, *notes])
    if said.kind == "ILSVRC CLS-LOC":
        return said._replace(listed=with_wnids(said.listed, places))
    return said


def _from_xml(xml: dict[str, str], places: Places) -> Said:
    listed, ilsvrc, notes = read_trees(xml, places)
    if ilsvrc:
        return Said("ILSVRC CLS-LOC", with_wnids(listed, places), notes)
    return Said("PASCAL VOC" if listed else "folders", listed, notes)

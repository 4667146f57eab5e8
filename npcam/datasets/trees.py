"""Photographs with an XML file each: PASCAL VOC, ILSVRC, or any two folders beside each other."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path

from npcam.common.errors import InputError
from npcam.common.text import some_names
from npcam.datasets.photographs import Listed, no_area
from npcam.datasets.places import Places, counted, files_below, stem
from npcam.datasets.xml_boxes import Annotation, read_annotation

XML = (".xml",)
PICTURE_FOLDERS = ("JPEGImages", "Data")  # PASCAL VOC's and ILSVRC's, beside their Annotations
ABOVE = 5  # folders above the photographs' in which Annotations are looked for

Folders = tuple[str, ...]


def find_xml(folder: str | Path) -> dict[str, str]:
    """The XML files in a folder or, where the folder is a tree's for photographs, in that tree's Annotations.

    Returns:
        Name relative to where they were found -> path; empty where there are none.
    """
    found, _ = files_below(folder, XML)
    if found:
        return found
    place = Path(os.path.realpath(folder))
    for above in place.parents[:ABOVE]:
        pictures, *below = place.relative_to(above).parts
        if pictures in PICTURE_FOLDERS and (above / "Annotations").is_dir():
            return files_below(above.joinpath("Annotations", *below), XML)[0]
    return {}


def read_trees(xml: Mapping[str, str], places: Places) -> tuple[dict[str, Listed], bool, list[str]]:
    """What XML files say of the photographs of a folder.

    A file belongs to the photograph of its name (but for the suffix) in its own folder, or in a folder
    beside its own, as Annotations/a/1.xml to JPEGImages/a/1.jpg.

    Args:
        xml: name -> path of each file.
        places: the photographs.

    Returns:
        By the photograph's name, what is listed; whether it is ILSVRC's; notes of what is left out.

    Raises:
        InputError: a file cannot be read, or fits several photographs.
    """
    owners = _match(places.pictures, xml)
    listed: dict[str, Listed] = {}
    empty: list[str] = []
    ilsvrc = False
    for picture, name in owners.items():
        found = read_annotation(xml[name])
        ilsvrc = ilsvrc or found.ilsvrc
        empty += found.empty
        listed[picture] = Listed(None, found.size, found.boxes, xml[name])
    notes = []
    strays = sorted(set(xml) - set(owners.values()))
    if strays:
        first = some_names(strays, 3)
        notes.append(f"{counted(len(strays), 'XML file')} of no photograph that is taken (first: {first})")
    if empty:
        notes.append(no_area(empty))
    return listed, ilsvrc, notes


def _match(pictures: Iterable[str], xml: Mapping[str, str]) -> dict[str, str]:
    """The XML file of each photograph that has one."""
    wanted = {stem(name) for name in xml}
    near: dict[tuple[str, Folders], list[str]] = defaultdict(list)  # by stem and the last folder's own name
    anywhere: dict[str, list[str]] = defaultdict(list)
    lasts = set()  # folders in which there are photographs, by their own names
    for picture in pictures:
        last = _folders(picture)[-1:]
        lasts.add(last)
        if stem(picture) in wanted:
            near[stem(picture), last].append(picture)
            anywhere[stem(picture)].append(picture)
    owners: dict[str, tuple[int, str]] = {}
    for name, path in xml.items():
        # XML in a folder `cat`, where photographs lie in a `cat` too, is of none in a `dog`.
        last = _folders(name)[-1:]
        candidates = near[stem(name), last] if last in lasts else anywhere[stem(name)]
        scores = {picture: _nearness(_folders(picture), _folders(name)) for picture in candidates}
        best = max(scores.values(), default=-1)
        nearest = [picture for picture, score in scores.items() if score == best and best >= 0]
        if len(nearest) > 1:
            nearest = [_named(nearest, read_annotation(path), path)]
        for picture in nearest:
            score, other = owners.get(picture, (-1, ""))
            if score == best:
                raise InputError(f"{picture}: both {xml[other]} and {path} fit it; remove one of them")
            if score < best:
                owners[picture] = (best, name)
    return {picture: name for picture, (_, name) in owners.items()}


def _named(pictures: list[str], annotation: Annotation, path: str) -> str:
    """The one of several photographs that an XML file itself names: masks may be called the same."""
    named = [name for name in pictures if name.rpartition("/")[2] == annotation.filename]
    if len(named) != 1:
        advice = "write the one that is meant as its <filename>, or give a folder with the photographs alone"
        raise InputError(f"{path}: fits {some_names(pictures, 2)} alike; {advice}")
    return named[0]


def _nearness(picture: Folders, xml: Folders) -> int:
    """How many folders two files have in common, from both ends of their paths; -1 where they are no pair.

    They are one where what differs is one folder for one or two, as Data for Annotations.
    """
    if picture == xml:
        return 10**6
    before = _alike(picture, xml)
    after = _alike(picture[before:][::-1], xml[before:][::-1])
    rests = sorted(len(folders) - before - after for folders in (picture, xml))
    return before + after if rests[0] <= 1 and rests[1] <= 2 else -1


def _alike(one: Folders, other: Folders) -> int:
    """How many folders are the same before the first that is not."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))])


def _folders(name: str) -> Folders:
    """The folders of a name, from the outermost in."""
    return tuple(name.split("/")[:-1])

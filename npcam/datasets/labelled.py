"""What a data set says, held against a model: photographs of one of its classes, and notes of all others."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from npcam.common.errors import InputError
from npcam.common.text import some_names
from npcam.datasets.classes import Classes
from npcam.datasets.photographs import Box, CocoIds, Listed, Photograph
from npcam.datasets.places import Places, class_folder, counted

SHOWN = 3  # names that a note lists


class Said(NamedTuple):
    """What a data set says of its photographs, before it is held against the model.

    Attributes:
        kind: what it is.
        listed: by the photograph's name.
        notes: of what is left out.
        ids: COCO's, where it is COCO's.
    """

    kind: str
    listed: dict[str, Listed]
    notes: list[str]
    ids: CocoIds | None = None


def labelled(
    said: Said, places: Places, classes: Classes, boxes: str | Path | None
) -> tuple[list[Photograph], list[str]]:
    """The photographs that have one class of the model's, and notes of what is left out."""
    by_index = said.kind == "folders" or classes.model.class_names is None
    photographs: list[Photograph] = []
    unknown: Counter[str] = Counter()  # folders that are no class
    reasons: dict[str, list[str]] = defaultdict(list)
    others: Counter[str] = Counter()  # boxes of other classes
    lost: list[str] = []  # photographs all of whose boxes are of other classes
    for name, path in places.pictures.items():
        entry = said.listed.get(name)
        folder = class_folder(name)
        label = _class_of(entry, folder, classes, by_index)
        if isinstance(label, str):
            reasons[label].append(name)
            continue
        if label is None:
            unknown[folder] += 1
            continue
        own: tuple[Box, ...] = ()
        if entry is not None:
            belongs = [_belongs(box.label, entry.label, label, classes) for box in entry.boxes]
            own = tuple(box.xyxy for box, yes in zip(entry.boxes, belongs, strict=True) if yes)
            others.update(str(b.label) for b, yes in zip(entry.boxes, belongs, strict=True) if not yes)
            lost += [name] if entry.boxes and not own else []
        photographs.append(Photograph(path, name, label, own, entry.size if entry else None))
    if said.kind == "folders" and not photographs:
        raise InputError(_no_class(places, unknown, classes))
    return photographs, [
        *_unknown_folders(unknown, classes, said.kind, boxes),
        *_reasons(reasons),
        *_others(others, lost),
    ]


def _class_of(entry: Listed | None, folder: str, classes: Classes, by_index: bool) -> int | str | None:
    """The index of a photograph's class; else why it has none, or None where its folder is no class."""
    of_folder = classes.find_folder(folder, by_index)
    if entry is not None and entry.label is not None:
        said = classes.find(entry.label)
        if said is not None and of_folder not in (None, said):
            msg = f"{entry.where}: its class is {entry.label}, but the photograph lies in the folder {folder}"
            raise InputError(f"{msg}; correct one of them")
        found = said if said is not None else of_folder
        return "of a class that the model does not have" if found is None else found
    if of_folder is not None or entry is None:
        return of_folder
    present = {classes.find(box.label) for box in entry.boxes if box.label is not None} - {None}
    if len(present) == 1:
        return present.pop()
    return (
        "with objects of several of the model's classes"
        if present
        else "without an object of the model's classes"
    )


def _belongs(of_box: str | None, of_photograph: str | None, label: int, classes: Classes) -> bool:
    """Whether a box is of the photograph's class: it says so in the same word or another, or says nothing."""
    return of_box is None or of_box == of_photograph or classes.find(of_box) == label


def _no_class(places: Places, unknown: Counter[str], classes: Classes) -> str:
    """The message where no folder is a class."""
    names = classes.model.class_names
    known = some_names(names, SHOWN) if names else f"0 to {classes.model.classes - 1}"
    found = sorted(set(unknown) - {""})
    has = f"its folders are {some_names(found, SHOWN)}" if found else "it has photographs, but no folders"
    return f"{places.folder}: expected a folder for each class of the model ({known}); {has}"


def _unknown_folders(
    unknown: Counter[str], classes: Classes, kind: str, boxes: str | Path | None
) -> list[str]:
    """Notes of photographs whose folder is no class, or that lie in none."""
    outside = unknown.pop("", 0)
    if kind != "folders":
        total = outside + unknown.total()
        where = boxes if boxes is not None else "any annotation"
        return (
            [f"{counted(total, 'photograph')} left out, not in {where} and in no class's folder"]
            if total
            else []
        )
    notes = [f"{counted(outside, 'photograph')} left out, in no class's folder"] if outside else []
    if unknown:
        shown = [
            f"{name} ({count}{', ' + classes.unknown[name] if classes.unknown.get(name) else ''})"
            for name, count in sorted(unknown.items())
        ]
        start = (
            f"{counted(unknown.total(), 'photograph')} left out, in folders that are no class of the model"
        )
        notes.append(f"{start}: {some_names(shown)}")
    return notes


def _reasons(reasons: dict[str, list[str]]) -> list[str]:
    """Notes of photographs that are left out."""
    return [
        f"{counted(len(names), 'photograph')} left out, {reason} (first: {some_names(names, SHOWN)})"
        for reason, names in sorted(reasons.items())
    ]


def _others(others: Counter[str], lost: list[str]) -> list[str]:
    """Notes of boxes that are not of their photograph's class."""
    notes = []
    if others:
        shown = [f"{label} ({count})" for label, count in sorted(others.items(), key=lambda o: (-o[1], o[0]))]
        boxes = "1 box" if others.total() == 1 else f"{others.total()} boxes"
        notes.append(f"{boxes} of other classes than the photograph's left out: {some_names(shown)}")
    if lost:
        start = f"{counted(len(lost), 'photograph')} without a box, as all its boxes are of other classes"
        notes.append(f"{start} (first: {some_names(lost, SHOWN)})")
    return notes

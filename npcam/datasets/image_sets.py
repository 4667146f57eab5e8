"""A list of the photographs to take, as PASCAL VOC and ILSVRC have them in ImageSets."""

from pathlib import Path

from npcam.common.errors import InputError
from npcam.common.limits import MAX_BOX_LIST
from npcam.common.text import some_names
from npcam.common.whole_files import read_text
from npcam.datasets.places import Places, counted, stem

ADVICE = "give a list of photographs' names, one a line"


def chosen(places: Places, path: str | Path) -> tuple[Places, list[str]]:
    """The photographs that a list has.

    A line is a photograph's name, with or without folders and suffix. PASCAL VOC's list of one class
    has a second word: photographs of -1, which do not show that class, are not taken.

    Args:
        places: all photographs.
        path: the list.

    Returns:
        The photographs that are in it, and notes.

    Raises:
        InputError: the list cannot be read, or has none of the photographs.
    """
    lines = [line.split() for line in read_text(path, MAX_BOX_LIST, ADVICE).splitlines()]
    wanted = {words[0] for words in lines if words and words[1:2] != ["-1"]}
    kept: dict[str, str] = {}
    used: set[str] = set()
    for name, picture in places.pictures.items():
        found = wanted.intersection(_spellings(name))
        if found:
            kept[name] = picture
            used |= found
    if not kept:
        first = f" (first: {some_names(sorted(wanted), 1)})" if wanted else ""
        msg = (
            f"{path}: none of its {counted(len(wanted), 'name')} is of a photograph in {places.folder}{first}"
        )
        raise InputError(f"{msg}; give the folder that it is a list of")
    total = f"{len(kept)} of {counted(len(places.pictures), 'photograph')}"
    notes = [f"{total} are in {path}, and no others are taken"]
    gone = sorted(wanted - used)
    if gone:
        notes.append(
            f"{counted(len(gone), 'name')} of {path} not in the folder (first: {some_names(gone, 3)})"
        )
    return Places(places.folder, kept), notes


def _spellings(name: str) -> list[str]:
    """Every way in which a list may write a photograph's name: with fewer folders, without its suffix."""
    folders = name.split("/")[:-1]
    file = name.rpartition("/")[2]
    return ["/".join([*folders[k:], last]) for k in range(len(folders) + 1) for last in (file, stem(name))]

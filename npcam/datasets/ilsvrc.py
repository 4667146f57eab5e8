"""What lies beside ILSVRC's photographs besides XML: Kaggle's solutions, and the words of the WordNet ids."""

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from npcam.common.errors import InputError
from npcam.common.limits import MAX_NAMES_FILE
from npcam.common.text import some_names
from npcam.common.whole_files import read_text
from npcam.datasets.classes import WNID
from npcam.datasets.photographs import Listed, NoAreaError, TrueBox, checked_box, no_area, number, require_few
from npcam.datasets.places import Places, stem

SOLUTIONS = ("LOC_val_solution.csv", "LOC_train_solution.csv")
SYNSETS = "LOC_synset_mapping.txt"
HEADER = ["ImageId", "PredictionString"]
ABOVE = 5  # folders above a photograph's in which ILSVRC's files are looked for


def around(folder: str | Path) -> Iterator[Path]:
    """The folder, and those above it as far as its path is one of ILSVRC's."""
    place = Path(os.path.realpath(folder))
    yield place
    for above in place.parents[:ABOVE]:
        if {"CLS-LOC", "ILSVRC"} & set(place.relative_to(above).parts):
            yield above


def find_solutions(folder: str | Path) -> list[Path]:
    """The files of solutions that lie in the folder or above it."""
    return [place / name for place in around(folder) for name in SOLUTIONS if (place / name).is_file()]


def find_synsets(folder: str | Path) -> dict[str, str]:
    """The words of each WordNet id, "tench, Tinca tinca", where the folder has them beside it.

    Raises:
        InputError: the file is there, and cannot be read.
    """
    found = next((place / SYNSETS for place in around(folder) if (place / SYNSETS).is_file()), None)
    if found is None:
        return {}
    lines = read_text(found, MAX_NAMES_FILE, "get ILSVRC's again").splitlines()
    pairs = (re.fullmatch(r"(n[0-9]{8})\s+(.+)", line.strip()) for line in lines)
    return {pair[1]: pair[2] for pair in pairs if pair}


def is_solution(text: str) -> bool:
    r"""Whether CSV begins as Kaggle's solutions do.

    >>> is_solution("ImageId,PredictionString\n")
    True
    """
    return [field.strip() for field in text.partition("\n")[0].split(",")] == HEADER


def read_solution(
    text: str, path: str | Path, pictures: Iterable[str]
) -> tuple[dict[str, Listed], list[str]]:
    """What Kaggle's solutions say of photographs: `n03995372 85 1 499 272`, once for each box.

    Corners are pixels that belong to the object, counted from 0, as in the XML.

    Args:
        text: the file's text.
        path: the file, for messages.
        pictures: names of photographs; one is meant by its name without folders and suffix.

    Returns:
        By name, what is listed; notes of what is left out.

    Raises:
        InputError: a row has another form, or two photographs are called the same.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for name in pictures:
        wanted[stem(name)].append(name)
    listed: dict[str, Listed] = {}
    empty: list[str] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        next(reader, None)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            names = wanted.get(row[0].strip(), []) if row else []
            if len(names) > 1:
                raise InputError(f"{where}: {names[0]} and {names[1]} are both called {row[0]}; keep one")
            for name in names:
                if name in listed:
                    raise InputError(f"{where}: {row[0]} is there twice; keep one row")
                listed[name] = Listed(None, None, tuple(_boxes(row, where, empty)), where)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is not valid CSV ({error})") from error
    return listed, [no_area(empty)] if empty else []


def with_wnids(listed: Mapping[str, Listed], places: Places) -> dict[str, Listed]:
    """The same, with the WordNet id of a photograph's folder as its class where it lies in such a folder."""
    found = dict(listed)
    own = Path(os.path.realpath(places.folder)).name
    for name in places.pictures:
        folders = [own, *name.split("/")[:-1]]
        wnid = next((folder for folder in folders if WNID.fullmatch(folder)), None)
        if wnid is not None:
            entry = found.get(name) or Listed(None, None, (), name)
            found[name] = entry._replace(label=wnid)
    return found


def _boxes(row: list[str], where: str, empty: list[str]) -> Iterator[TrueBox]:
    """The boxes of one row; lines about those without an area are added to a list."""
    words = row[1].split() if len(row) == 2 else []
    require_few(words[::5], where)
    if not words or len(words) % 5 or not all(WNID.fullmatch(wnid) for wnid in words[::5]):
        shown = some_names([",".join(row[1:])])
        raise InputError(f"{where}: expected a WordNet id and four numbers for each box, found {shown}")
    for start in range(0, len(words), 5):
        x0, y0, x1, y1 = (number(word, where) for word in words[start + 1 : start + 5])
        try:
            yield TrueBox(words[start], checked_box((x0, y0, x1 + 1, y1 + 1), None, where))
        except NoAreaError as error:
            empty.append(str(error))

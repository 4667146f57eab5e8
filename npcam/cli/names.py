"""What the files of each photograph are called, so that none hides another, in this run or a later one."""

import os
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from npcam.cli.outputs import MAP_HEADER, is_map
from npcam.common.errors import InputError
from npcam.common.files import open_file, require_apart, shorten
from npcam.pictures.saved import FORMATS, Origin, is_jpeg, origin_of

LONGEST_END = len("_cam-99999.png")
LONGEST_NUMBER = len("-99999")
LONGEST_CLASS = 100  # bytes of what a name says of its classes
LONGEST_FOLDER = 60  # bytes of what it says of folders or weights, where that tells it from another one


def stems(photos: Sequence[str]) -> list[str]:
    """A stem for each photograph, with as much of its folders as tells it from the others.

    >>> stems(["a/cat.jpg", "b/cat.png", "dog.jpg", "dog.png"])
    ['a_cat', 'b_cat', 'dog_jpg', 'dog_png']
    """
    telling = [_from_short_to_long(photo) for photo in photos]
    level = [0] * len(photos)
    while True:
        chosen = [names[at] for names, at in zip(telling, level, strict=True)]
        count = Counter(name.casefold() for name in chosen)
        alike = [i for i, name in enumerate(chosen) if count[name.casefold()] > 1]
        longer = [i for i in alike if level[i] + 1 < len(telling[i])]
        if not longer:
            return _numbered(chosen)
        for i in longer:
            level[i] += 1


class Names:
    """Where the pictures and maps of each photograph go.

    A name that is taken by npcam's picture of the same photograph and weights is taken again: a rerun
    replaces its own results. One that is taken by npcam's picture of another photograph, or from
    other weights, is left as it is, and the new name says what tells them apart.
    """

    def __init__(
        self, photos: Sequence[str], output: Path, weights: str, picture_format: str | None = None
    ) -> None:
        """Look at what is there.

        Args:
            photos: paths of all photographs of the run.
            output: the folder, or the one picture's path.
            weights: the name of the weights, for files that have to say it.
            picture_format: "png" or "jpeg"; None for a JPEG of a JPEG, and a PNG of all else.

        Raises:
            InputError: the one picture's path is a photograph's, or another program's file is there.
        """
        self._one = output if names_a_picture(output) else None
        self._folder = output.parent if self._one else output
        self._photos, self._weights, self._format = photos, weights, picture_format
        self._longest = _longest(self._folder)
        longest = self._longest - LONGEST_END - LONGEST_NUMBER
        self._stems = _numbered([shorten(stem, max(1, longest)) for stem in stems(photos)])
        if self._one:
            require_apart(self._one, photos, "choose another -o")
            require_picture(self._one)
        self._read = {identity for photo in photos for identity in _identities(Path(photo))}
        self._lock = threading.Lock()
        self._taken: dict[Path, int] = {}

    def __getstate__(self) -> dict[str, object]:
        """What of it goes to another process; there nobody else asks."""
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def picture(self, number: int, origin: Origin, words: str = "", with_map: bool = False) -> Path:
        """The path of a picture.

        Args:
            number: of the photograph in the list.
            origin: of what it will be.
            words: what else the name says: the classes that are shown.
            with_map: whether a map will lie beside it.

        Raises:
            InputError: a file is there that npcam did not make, or nobody can tell whose it is.
        """
        if self._one:
            require_picture(self._one)
            if with_map:
                require_map(map_path(self._one))
            return self._one
        suffix = FORMATS[self._format or ("jpeg" if is_jpeg(self._photos[number]) else "png")]
        with self._lock:
            for name in self._candidates(number, words, origin, suffix):
                path = self._folder / f"{name}{suffix}"
                files = (path, map_path(path))
                if map_path(path) in self._taken:
                    continue
                if any(self._read & _identities(file) for file in files):
                    continue
                if _is_free(path, origin, with_map):
                    self._taken[map_path(path)] = number
                    return path
        raise AssertionError  # there is always another number

    def _candidates(self, number: int, words: str, origin: Origin, suffix: str) -> Iterator[str]:
        """Names, the shortest first."""
        stem, shown = self._stems[number], shorten(re.sub(r"[^\w.-]+", "_", words), LONGEST_CLASS)
        end = f"_{shown}_cam" if shown else "_cam"
        first = self._fitting(stem, end)
        yield first
        path = self._folder / f"{first}{suffix}"
        taken = self._taken.get(map_path(path))
        there = None if self._read & _identities(path) else require_picture(path)
        if there is not None and there.photo == origin.photo and taken is None:
            yield self._fitting(stem, f"_{shorten(self._weights, LONGEST_FOLDER)}{end}")
        elif taken != number:  # two classes of one name get numbers
            place = Path(os.path.abspath(self._photos[number]))  # noqa: PTH100
            bare = stem.removesuffix(f"_{place.suffix[1:]}")
            for longer in _with_folders(place):
                if not bare.endswith(longer):
                    known = bare if longer.endswith(bare) else place.stem
                    before = longer.removesuffix(known).removesuffix("_")
                    yield self._fitting(f"{shorten(before, LONGEST_FOLDER)}_{stem}", end)
        tries = 2
        while True:
            yield self._fitting(stem, f"{end}-{tries}")
            tries += 1

    def _fitting(self, stem: str, end: str) -> str:
        """A name that begins and ends so, and is no longer than names may be."""
        room = self._longest - len(end.encode("utf-8", "surrogatepass")) - len("-99999.png")
        return f"{shorten(stem, max(1, room))}{end}"


def names_a_picture(output: Path) -> bool:
    """Whether `-o` names a picture's file, and not a folder."""
    return output.suffix.lower() in (".png", ".jpg", ".jpeg") and not output.is_dir()


def map_path(picture: Path) -> Path:
    """Where the map beside a picture goes."""
    return picture.with_suffix(".npy")


def require_picture(path: Path, option: str = "-o") -> Origin | None:
    """See to it that nothing but a picture of npcam's is written over.

    Returns:
        Of what the picture is that is there; None where nothing is.

    Raises:
        InputError: another program's file is there, or nobody can tell whose it is.
    """
    if not path.exists():
        return None
    with open_file(path, f"choose another {option}") as file:
        found = origin_of(file)
    if found is None:
        raise InputError(f"{path}: is there, and npcam did not make it; move it or choose another {option}")
    return found


def require_map(path: Path) -> None:
    """See to it that nothing but a map of npcam's is written over.

    Raises:
        InputError: another program's file is there, or nobody can tell whose it is.
    """
    if not path.exists():
        return
    with open_file(path, "choose another -o") as file:
        head = file.read(MAP_HEADER)
    if not is_map(head):
        raise InputError(f"{path}: is there, and npcam did not make it; move it or choose another -o")


def _is_free(path: Path, origin: Origin, with_map: bool) -> bool:
    """Whether a picture may be written here: nothing is there, or what this run would write again.

    Raises:
        InputError: a file is there that npcam did not make.
    """
    there, a_map = require_picture(path), with_map and map_path(path).exists()
    if not a_map:
        return there in (origin, None)
    require_map(map_path(path))
    beside = [path.with_suffix(suffix) for suffix in FORMATS.values() if suffix != path.suffix]
    # A map alone is of nobody knows what, and one between two pictures may be the other one's.
    return there == origin and all(_is_of(other, origin) for other in beside if other.exists())


def _is_of(path: Path, origin: Origin) -> bool:
    """Whether a file is npcam's picture of just that."""
    with open_file(path, "choose another -o") as file:
        return origin_of(file) == origin


def _from_short_to_long(photo: str) -> list[str]:
    """What a photograph may be called: its own name, with more and more of its folders, with its ending."""
    path = PurePath(photo)
    names = _with_folders(path)
    return [*names, f"{names[-1]}_{path.suffix[1:]}"] if path.suffix else names


def _with_folders(path: PurePath) -> list[str]:
    """A photograph's own name, with none of its folders, with one, and so on."""
    folders = [part for part in path.parent.parts if part not in (path.anchor, "..", ".")]
    return ["_".join([*folders[len(folders) - n :], path.stem]) for n in range(len(folders) + 1)]


def _numbered(names: Sequence[str]) -> list[str]:
    """The same names, with numbers where one comes again."""
    count: Counter[str] = Counter()
    taken, found = {name.casefold() for name in names}, []
    for name in names:
        count[name.casefold()] += 1
        new = name
        while count[name.casefold()] > 1 and new.casefold() in taken:
            new = f"{name}-{count[name.casefold()]}"
            if new.casefold() in taken:
                count[name.casefold()] += 1
        taken.add(new.casefold())
        found.append(new)
    return found


def _longest(folder: Path) -> int:
    """How many bytes a file's name may have in a folder."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # AttributeError: a system that has no such call
        return 255


def _identities(path: Path) -> set[object]:
    """What two paths share if they lead to one file: where its links end, and the file's own number."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return {os.path.realpath(path)} if "\0" not in str(path) else set()
    return {os.path.realpath(path), (found.st_dev, found.st_ino)}

"""Class names from a file: plain text, or any of the JSON forms that Keras users have."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from npcam.common.errors import InputError
from npcam.common.limits import MAX_CLASS_NAME, MAX_NAMES_FILE
from npcam.common.whole_files import parse_unique, read_text


class ClassNames(NamedTuple):
    """A name for each class in index order, and its WordNet id where the file had them."""

    names: tuple[str, ...]
    wnids: tuple[str, ...] | None = None


def read_class_names(path: str | Path) -> ClassNames:
    """Read class names, in index order, from a text or a JSON file.

    Text has one name per line; if every line starts with a WordNet id (`n01440764 tench`), as in
    ImageNet's own lists, that is taken off. JSON is one of

    - `["cat", "dog"]`;
    - `{"0": "cat", "1": "dog"}`, an index for each name;
    - `{"cat": 0, "dog": 1}`, Keras's `class_indices`;
    - `{"0": ["n02123045", "tabby"], ...}`, Keras's `imagenet_class_index.json`.

    Args:
        path: a UTF-8 file of at most 8 MiB.

    Raises:
        InputError: the file cannot be read, an index or a name is missing, or a name is empty, too
            long, or holds control characters.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "names.json")
    ...     _ = path.write_text('{"0": ["n02123045", "tabby"], "1": ["n02084071", "dog"]}')
    ...     read_class_names(path)
    ClassNames(names=('tabby', 'dog'), wnids=('n02123045', 'n02084071'))
    """
    path = Path(path)
    text = read_text(path, MAX_NAMES_FILE, "give a text or JSON file of class names")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("[", "{"):
        names, wnids = _from_json(text, path)
    else:
        names, wnids = _from_lines(text)
    if not names:
        raise InputError(f"{path}: holds no class names; write one per line")
    for index, name in enumerate(names):
        if not name.strip() or len(name) > MAX_CLASS_NAME or not name.isprintable():
            msg = f"{path}: the name of class {index} is empty, too long or not printable: {name[:40]!r}"
            raise InputError(msg)
    return ClassNames(tuple(names), tuple(wnids) if wnids else None)


def _from_lines(text: str) -> tuple[list[str], list[str] | None]:
    """One name per line; a line that is empty names no class only at the end of the file."""
    names = [line.strip() for line in text.rstrip().split("\n")] if text.strip() else []
    synsets = [re.fullmatch(r"(n[0-9]{8})[\s,]+(.+)", name) for name in names]
    if all(synsets):
        return [m[2] for m in synsets if m], [m[1] for m in synsets if m]
    return names, None


def _from_json(text: str, path: Path) -> tuple[list[str], list[str] | None]:
    """Any of the four forms, told apart by what the values are."""
    found = parse_unique(text, path)
    if isinstance(found, dict) and found and all(type(value) is int for value in found.values()):
        count, found = len(found), {str(index): name for name, index in found.items()}
        if len(found) != count:
            raise InputError(f"{path}: two names have the same index; number them from 0")
    if isinstance(found, dict):
        missing = [k for k in range(len(found)) if str(k) not in found]
        if missing:
            msg = f"{path}: {len(found)} names, but none for class {missing[0]}; number them from 0"
            raise InputError(msg)
        found = [found[str(k)] for k in range(len(found))]
    if isinstance(found, list) and all(isinstance(name, str) for name in found):
        return found, None
    if isinstance(found, list) and all(_is_pair(entry) for entry in found):
        return [name for _, name in found], [wnid for wnid, _ in found]
    raise InputError(
        f'{path}: expected ["cat", ...], {{"0": "cat", ...}} or {{"0": ["n02121808", "cat"], ...}}'
    )


def _is_pair(entry: Any) -> bool:
    """Whether this is [wnid, name]."""
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)

"""Class index <-> class name <-> WordNet id."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam.errors import InputError
from npcam.shapes import Array

MAX_BYTES = 64 * 2**20  # of a file of class names; ImageNet's 21,841 take 1 MB
SHOWN = 8  # names that a message lists


class Prediction(NamedTuple):
    """One class and how probable it is."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody looks for
    name: str
    probability: float


class ClassNames(NamedTuple):
    """Names in index order, and WordNet ids (`n02124075`) where the file has them."""

    names: tuple[str, ...]
    wnids: tuple[str, ...] | None = None


def decode_predictions(
    probs: Array, top: int = 5, class_names: Sequence[str] | None = None
) -> list[list[Prediction]]:
    """The most probable classes of each photograph, the most probable first.

    As Keras's `decode_predictions`, but for any number of classes.

    Args:
        probs: (N, classes).
        top: how many to list; at most as many as there are classes.
        class_names: a name for each class; None names each class by its index.

    Returns:
        A list for each photograph.

    Raises:
        InputError: `probs` is not (N, classes), or there are not as many names as classes.

    >>> decode_predictions(np.array([[0.1, 0.7, 0.2]]), top=1, class_names=["cat", "dog", "cow"])
    [[Prediction(index=1, name='dog', probability=0.7)]]
    """
    probs = np.asarray(probs)
    if probs.ndim != 2:
        raise InputError(f"decode_predictions: expected probabilities (N, classes), got shape {probs.shape}")
    if class_names is not None and len(class_names) != probs.shape[1]:
        msg = (
            f"decode_predictions: {len(class_names)} class names for {probs.shape[1]} classes; give one each"
        )
        raise InputError(msg)
    order = np.argsort(-probs, axis=1, kind="stable")[:, : max(top, 0)]  # (N, top); ties by index
    return [
        [Prediction(int(i), class_names[i] if class_names else str(i), float(row[i])) for i in best]
        for row, best in zip(probs, order, strict=True)
    ]


def find_class(
    target: int | str, class_names: Sequence[str] | None, classes: int, wnids: Sequence[str] | None = None
) -> int:
    """The index of the class that a person means.

    Args:
        target: an index, a class name or a WordNet id. A name that is not found letter by letter
            is sought with case, spaces, hyphens and underscores disregarded.
        class_names: a name for each class, or None.
        classes: how many there are.
        wnids: a WordNet id for each class, or None.

    Raises:
        InputError: no class is meant, or several; the candidates are listed.

    >>> find_class("Garbage truck", ["cat", "garbage_truck"], classes=2)
    1
    """
    text = str(target).strip()
    names = list(class_names or ())
    for known, wanted in (
        (names, text),
        (list(wnids or ()), text),
        ([_plain(n) for n in names], _plain(text)),
    ):
        found = [i for i, name in enumerate(known) if name == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            candidates = _listed(found, names)
            raise InputError(f"target {text!r} names {len(found)} classes: {candidates}; give the index")
    if text.removeprefix("-").isdecimal():
        index = int(text)
        if 0 <= index < classes:
            return index
        raise InputError(f"target {index}: the model's classes go from 0 to {classes - 1}")
    if not names:
        raise InputError(f"target {text!r}: the model has no class names; give an index, 0 to {classes - 1}")
    raise InputError(f"target {text!r}: no such class; {_near(text, names)}")


def read_class_names(path: str | Path) -> ClassNames:
    """Read class names from a file.

    Args:
        path: text with one name per line; or JSON: a list of names, {index: name}, {name: index},
            or Keras's `imagenet_class_index.json`, {index: [wnid, name]}.

    Raises:
        InputError: the file is missing, too large, of another form, or leaves an index out.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes are too many for class names")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: cannot read class names ({reason}); give a text or JSON file") from error
    if text.lstrip().startswith(("[", "{")):
        try:
            return _from_json(json.loads(text))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            msg = f"{path}: JSON, but neither a list of names nor {{index: name}}; see npcam convert --help"
            raise InputError(msg) from error
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not names:
        raise InputError(f"{path}: holds no class names; expected one per line, in index order")
    return ClassNames(names)


def _from_json(data: Any) -> ClassNames:
    """Names from any of the JSON forms; raises ValueError, TypeError or KeyError for others."""
    if isinstance(data, dict):
        if all(isinstance(value, int) for value in data.values()):
            data = {index: name for name, index in data.items()}
        by_index = {int(index): value for index, value in data.items()}
        data = [by_index[i] for i in range(len(by_index))]
    if data and all(isinstance(row, list) and len(row) == 2 for row in data):
        wnids, names = zip(*data, strict=True)
    else:
        wnids, names = None, tuple(data)
    if not names or not all(isinstance(name, str) for name in (*names, *(wnids or ()))):
        msg = "not names"
        raise ValueError(msg)
    return ClassNames(names, wnids)


def _plain(name: str) -> str:
    """A name without what people spell differently."""
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def _near(text: str, names: Sequence[str]) -> str:
    """What may have been meant: names that hold the text, or look like it; else the first few."""
    plain = [_plain(name) for name in names]
    near = [i for i, name in enumerate(plain) if _plain(text) in name]
    near += [
        plain.index(name)
        for name in difflib.get_close_matches(_plain(text), plain, n=3)
        if plain.index(name) not in near
    ]
    if near:
        return f"did you mean {_listed(near, names)}?"
    return f"the model knows {_listed(range(len(names)), names)}"


def _listed(indices: Sequence[int], names: Sequence[str]) -> str:
    """Names with their indices, and how many more there are."""
    more = f" and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
    return ", ".join(f"{names[i]} ({i})" for i in indices[:SHOWN]) + more

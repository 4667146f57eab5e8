"""Class index <-> class name <-> WordNet id."""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.shapes import Array

SHOWN = 8  # names that a message lists

Target = int | str


class Prediction(NamedTuple):
    """One class and how probable it is."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody looks for
    name: str
    probability: float


def decode_predictions(
    probs: Array, top: int = 5, class_names: Sequence[str] | None = None
) -> list[list[Prediction]]:
    """The most probable classes of each photograph, the most probable first.

    As Keras's `decode_predictions`, but for any number of classes. Of equally probable classes the
    one with the lower index comes first, so the first of all is argmax's.

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
    if probs.ndim != 2 or probs.dtype.kind not in "fiu":
        msg = f"decode_predictions: expected probabilities (N, classes), got {probs.shape} {probs.dtype}"
        raise InputError(msg)
    if class_names is not None and len(class_names) != probs.shape[1]:
        msg = (
            f"decode_predictions: {len(class_names)} class names for {probs.shape[1]} classes; give one each"
        )
        raise InputError(msg)
    order = np.argsort(-probs.astype(np.float64), axis=1, kind="stable")[
        :, : max(top, 0)
    ]  # (N, top); ties by index
    return [
        [
            Prediction(int(i), class_names[i] if class_names is not None else str(i), float(row[i]))
            for i in best
        ]
        for row, best in zip(probs, order, strict=True)
    ]


def find_class(
    target: int | str, class_names: Sequence[str] | None, classes: int, wnids: Sequence[str] | None = None
) -> int:
    """The index of the class that a person means.

    Args:
        target: an index, as an int or in digits, a class name or a WordNet id. A name that is not
            found letter by letter is sought with case, spaces, hyphens and underscores taken as
            the same; a part of a name is never taken for it. Digits that are a class's name mean
            that class; an int is always an index.
        class_names: a name for each class, or None.
        classes: how many there are.
        wnids: a WordNet id for each class, or None.

    Raises:
        InputError: no class is meant, or several; the candidates are listed.

    >>> find_class("Garbage truck", ["cat", "garbage_truck"], classes=2)
    1
    """
    if not isinstance(target, str):
        return _checked(target, classes)
    text = target.strip()
    shown = repr(text if len(text) <= 60 else text[:60] + "...")
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
            candidates = _listed(found, names or known)
            raise InputError(f"target {shown} names {len(found)} classes: {candidates}; give the index")
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return _checked(int(text), classes)
    if not names:
        raise InputError(f"target {shown}: the model has no class names; give an index, 0 to {classes - 1}")
    raise InputError(f"target {shown}: no such class; {_near(text, names)}")


def as_written(name: str) -> str:
    """A class's name as people write it: without the underscores that stand for blanks in files.

    >>> as_written("garbage_truck")
    'garbage truck'
    """
    return name.replace("_", " ")


def find_classes(
    targets: Target | Sequence[Target],
    logits: Array,
    class_names: Sequence[str] | None,
    wnids: Sequence[str] | None = None,
) -> list[int]:
    """The indices of the classes that several targets name, each once; "top3" are the three most probable.

    Args:
        targets: what `find_class` takes, one or several, and "top1", "top2", ...
        logits: of all classes, (classes,).
        class_names: a name for each class, or None.
        wnids: a WordNet id for each class, or None.

    Raises:
        InputError: there is no target, or one of them is no class.

    >>> find_classes(["dog", "top2"], np.array([0.1, 0.2, 0.9]), ["cat", "cow", "dog"])
    [2, 1]
    """
    names = list(targets) if isinstance(targets, Iterable) and not isinstance(targets, str) else [targets]
    order = np.argsort(-logits, kind="stable")
    found: list[int] = []
    for name in names:
        top = re.fullmatch(r"top([1-9]\d{0,5})", name) if isinstance(name, str) else None
        if top and name not in (class_names or ()):
            found += [int(index) for index in order[: int(top[1])]]
        else:
            found.append(find_class(name, class_names, len(logits), wnids))
    if not found:
        raise InputError("targets: expected at least one class")
    return list(dict.fromkeys(found))


def _checked(target: object, classes: int) -> int:
    """The index itself, if it is one and there is such a class."""
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise InputError(f"target: expected a class's index or name, got {type(target).__name__}")
    if not 0 <= target < classes:
        raise InputError(f"target {target}: the model's classes go from 0 to {classes - 1}")
    return int(target)


def _plain(name: str) -> str:
    """A name without what people spell differently: case, spaces, hyphens, full-width letters."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


def _near(text: str, names: Sequence[str]) -> str:
    """What may have been meant: names that hold the text, or look like it; else the first few."""
    plain = [_plain(name) for name in names]
    wanted = _plain(text)[:60]  # difflib takes the square of the length
    near = [i for i, name in enumerate(plain) if wanted and wanted in name]
    close = set(difflib.get_close_matches(wanted, plain, n=3))
    near += [i for i, name in enumerate(plain) if name in close and i not in near]
    if near:
        return f"did you mean {_listed(near, names)}?"
    return f"the model knows {_listed(range(len(names)), names)}"


def _listed(indices: Sequence[int], names: Sequence[str]) -> str:
    """Names with their indices, and how many more there are."""
    more = f" and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
    return ", ".join(f"{names[i]} ({i})" for i in indices[:SHOWN]) + more

"""Which classes several targets name: indices, names, and the most probable ones."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from npcam.common.errors import InputError
from npcam.model import Model
from npcam.shapes import Array

Target = int | str


def check_targets(model: Model, targets: Target | Sequence[Target]) -> None:
    """Raise InputError unless every one of several targets is a class of the model, or some of the top."""
    chosen_classes(model, targets, np.zeros(model.classes))


def chosen_classes(model: Model, targets: Target | Sequence[Target], logits: Array) -> list[int]:
    """The classes that several targets name, each once; "top3" are the three of the largest logits."""
    names = list(targets) if isinstance(targets, Iterable) and not isinstance(targets, str) else [targets]
    order = np.argsort(-logits, kind="stable")
    found: list[int] = []
    for name in names:
        top = re.fullmatch(r"top([1-9]\d{0,5})", name) if isinstance(name, str) else None
        if top and name not in (model.class_names or ()):
            found += [int(index) for index in order[: int(top[1])]]
        else:
            found.append(model.class_index(name))
    if not found:
        raise InputError("targets: expected at least one class")
    return list(dict.fromkeys(found))

"""The rows of all photographs as columns, small enough for those of a large data set."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.localise.thresholds import Hits
from npcam.shapes import Array

BITS = 500  # bytes of hits of a row


RECORD = np.dtype(
    [
        *((name, np.int64) for name in ("label", "predicted")),
        *((name, np.float64) for name in ("probability", "drop", "iou", "centred_iou", "grid_iou")),
        *((name, np.bool_) for name in ("in_five", "increase", "peak_hit", "boxed")),
    ]
)
OF_BOXES = ("iou", "centred_iou", "grid_iou", "peak_hit")


@dataclass(frozen=True)
class Table:
    """The photographs that were read, in the order of their names.

    Attributes:
        records: (n,) of RECORD: a row's fields, whether its class is one of the five most probable, and
            whether it has true boxes; without them what is of boxes is 0. `drop` is NaN where the network
            gives no probabilities.
        hits: of the photographs with boxes; None where none has any.
    """

    records: Array
    hits: Hits | None

    @property
    def right(self) -> Array:
        """Whether the most probable class is the true one, (n,) bool."""
        right: Array = self.records["label"] == self.records["predicted"]
        return right

    def of_class(self, label: int) -> "Table":
        """The photographs of one class."""
        mine = self.records["label"] == label
        with_boxes = mine[self.records["boxed"]]
        return Table(
            self.records[mine], self.hits.part(with_boxes) if self.hits and with_boxes.any() else None
        )


def read_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Table, dict[int, str], int]:
    """Put rows into a table.

    Args:
        rows: see `npcam.localise.measure`; one with `error` was not read, one without `hits` has no true
            box, one without `drop` is of a network that gives no probabilities.

    Returns:
        The table, a name for each class that occurs (see `class_keys`), and how many were not read.

    Raises:
        InputError: a photograph has two rows, or its hits are not 4,000 bits.
    """
    records: dict[str, tuple[Any, ...]] = {}
    bits: dict[str, Array] = {}
    names: dict[int, str] = {}
    unreadable = 0
    for row in rows:
        if "error" in row:
            unreadable += 1
            continue
        photo = str(row["photo"])
        if photo in records:
            raise InputError(f"results: {photo} has two rows; expected one for each photograph")
        names[int(row["label"])] = str(row["class"])
        names[int(row["predicted"])] = str(row["predicted_class"])
        boxed = row.get("hits") is not None
        if boxed:
            bits[photo] = _bits(photo, row["hits"])
        nothing = {"drop": math.nan, "increase": False}
        told = {**nothing, **row, "in_five": row["label"] in row["top"], "boxed": boxed}
        told |= {} if boxed else dict.fromkeys(OF_BOXES, 0)
        records[photo] = tuple(told[name] for name in RECORD.names or ())
    table = np.array([records[photo] for photo in sorted(records)], RECORD)
    if not bits:
        return Table(table, None), class_keys(names), unreadable
    boxes = table[table["boxed"]]
    packed = np.stack([bits[photo] for photo in sorted(bits)])
    hits = Hits(packed, boxes["label"] == boxes["predicted"], _second_half(boxes["label"]))
    return Table(table, hits), class_keys(names), unreadable


def class_keys(names: Mapping[int, str]) -> dict[int, str]:
    """The names of classes by index, in its order; where classes share a name, with the index.

    >>> class_keys({517: "crane", 134: "crane", 7: "cock"})
    {7: 'cock', 134: 'crane (134)', 517: 'crane (517)'}
    """
    shared = Counter(names.values())
    return {i: name if shared[name] == 1 else f"{name} ({i})" for i, name in sorted(names.items())}


def _bits(photo: str, text: object) -> Array:
    """The hits of a row, (500,) uint8."""
    try:
        found = np.frombuffer(bytes.fromhex(str(text)), np.uint8)
    except ValueError:
        found = np.zeros(0, np.uint8)
    if len(found) != BITS:
        msg = f"results: the hits of {photo} are not 1,000 hexadecimal digits; measure it again"
        raise InputError(msg)
    return found


def _second_half(labels: Array) -> Array:
    """(n,) bool: the second, fourth, ... photograph of each class."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    place = np.arange(len(labels)) - np.repeat(starts, np.diff(starts, append=len(labels)))
    second = np.zeros(len(labels), bool)
    second[order] = place % 2 == 1
    return second

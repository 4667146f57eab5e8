"""Several photographs in one verdict: each compared by itself, and the worst of each layer."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.shapes import Array
from npcam.verify.against import Source, is_kept, other_run
from npcam.verify.compare import Report, Row
from npcam.verify.prepare import prepare_npcam
from npcam.verify.record import Record
from npcam.verify.report import closeness
from npcam.verify.run_npcam import run_npcam
from npcam.verify.telling import Naming
from npcam.weights import Weights


class Pair(NamedTuple):
    """Two runs of the same photograph.

    Attributes:
        photo: its name, one of its own where two files have the same.
        npcam: npcam's run.
        other: the run to compare it with.
    """

    photo: str
    npcam: Record
    other: Record


def pairs(
    paths: Sequence[str],
    weights: Weights,
    against: str,
    engine: str = "reference",
    backend: str | None = None,
    naming: Naming | None = None,
) -> Iterator[Pair]:
    """Have both programs run every photograph, one after the other.

    What the other program has saved is of all photographs together, in the order in which they are
    given here.

    Args:
        paths: files of photographs, or of saved batches.
        weights: npcam's network.
        against: see `against.other_run`.
        engine: npcam's, "reference" or "fast".
        backend: the one that Keras runs on.
        naming: how arrays are told.

    Raises:
        InputError: as `other_run`, or what was saved is of another number of photographs.
    """
    prepared = [prepare_npcam(path, weights) for path in paths]
    names = _names(paths)
    if len(paths) > 1 and is_kept(against):
        x = _together([x for x, _ in prepared], names)
        whole = run_npcam(weights, x, engine, preprocessing=prepared[0].how)
        other = other_run(against, Source(paths[0], x, weights, prepared[0].how, whole), backend, naming)
        counts = {len(array) for array in other.activations.values() if array.ndim}
        if counts != {len(x)}:
            found = ", ".join(map(str, sorted(counts)))
            raise InputError(
                f"{against}: of {found} photographs, {len(x)} given; give the same ones, in order"
            )
        at = 0
        for name, (part, _) in zip(names, prepared, strict=True):
            yield Pair(name, *(_cut(run, at, at + len(part)) for run in (whole, other)))
            at += len(part)
        return
    for path, name, (x, how) in zip(paths, names, prepared, strict=True):
        own = run_npcam(weights, x, engine, preprocessing=how)
        yield Pair(name, own, other_run(against, Source(path, x, weights, how, own), backend, naming))


def together(reports: Mapping[str, Report]) -> Report:
    """One verdict on several photographs: of each layer the row of the photograph where it is worst.

    The first bad layer of all is the first bad one of its photograph, too; its cause is that one's.

    Args:
        reports: a comparison for each photograph, by its name.
    """
    if len(reports) == 1:
        return next(iter(reports.values()))
    by_layer: dict[str, list[Row]] = {}
    for photo, report in reports.items():
        for row in report.rows:
            by_layer.setdefault(row.name, []).append(replace(row, photo=photo))
    rows = tuple(max(some, key=_badness) for some in by_layer.values())
    bad = next((row for row in rows if not row.ok), None)
    cause = reports[bad.photo].cause if bad else None
    return replace(next(iter(reports.values())), rows=rows, cause=cause)


def _badness(row: Row) -> tuple[bool, float, float]:
    """What the worst photograph of a layer has most of; where nothing may be off, the difference decides."""
    return not row.ok, closeness(row), row.found.max_abs if row.found else math.inf


def first_off(reports: Mapping[str, Report]) -> str | None:
    """The photograph where the first of all bad layers is furthest off; None where no layer is bad.

    Args:
        reports: a comparison for each photograph, by its name.
    """
    bad = together(reports).first_bad
    return None if bad is None else bad.photo or next(iter(reports))


def _names(paths: Sequence[str]) -> list[str]:
    """The files' names without their folders, where these tell them apart."""
    names = [Path(path).name for path in paths]
    if len(set(names)) == len(names):
        return names
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise InputError(f"{twice}: given twice; give each photograph once")
    return list(paths)


def _together(batches: Sequence[Array], names: Sequence[str]) -> Array:
    """Batches as one."""
    for name, batch in zip(names, batches, strict=True):
        if batch.shape[1:] != batches[0].shape[1:]:
            sizes = f"{batch.shape[1:3]}, the one before {batches[0].shape[1:3]}"
            raise InputError(f"{name}: its size is {sizes}; what was saved of several has one size")
    return np.concatenate(batches)


def _cut(run: Record, start: int, stop: int) -> Record:
    """The part of a run that is of some of its photographs."""
    return replace(run, activations={name: a[start:stop] for name, a in run.activations.items()})

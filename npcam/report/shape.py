"""What a report's data look like: which keys there are, and what may stand under each.

Whatever a stranger's file holds, what is read on has these keys, these types and these sizes.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_REPORT_LIST, MAX_REPORT_PHOTOS, MAX_REPORT_TEXT
from npcam.common.text import some_names
from npcam.report.canonical import decode
from npcam.report.photograph import MIME

FORMAT = "npcam-report"
VERSION = 1
_LARGEST = 2**40  # a count, or a size in pixels: more than there are of anything
_DEPTH = 8  # of what is taken as it is


class Leaf(NamedTuple):
    """One value: what it should be, in words, and whether it is."""

    words: str
    test: Callable[[Any], bool]


class Many(NamedTuple):
    """A list: what its members are, and how many there may be, `least` to `most`."""

    of: Any
    most: int = MAX_REPORT_LIST
    least: int = 0


class Maybe(NamedTuple):
    """A value or null."""

    of: Any


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_REPORT_TEXT


def _is_file_name(value: Any) -> bool:
    return _is_text(value) and value not in ("", ".", "..") and not re.search(r"[/\0]", value)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_plain(value: Any, depth: int = _DEPTH) -> bool:
    """Whether a value is made of finite numbers, texts, lists and objects, and is not nested too deeply."""
    if isinstance(value, dict):
        return depth > 0 and all(_is_text(key) and _is_plain(one, depth - 1) for key, one in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(one, depth - 1) for one in value)
    return value is None or isinstance(value, (bool, str)) or _is_number(value)


COUNT = Leaf("a count", _is_count)
NUMBER = Leaf("a finite number", _is_number)
YES_OR_NO = Leaf("true or false", lambda value: isinstance(value, bool))
TEXT = Leaf(f"a text of up to {MAX_REPORT_TEXT:,} characters", _is_text)
FILE_NAME = Leaf("a file's name without a folder", _is_file_name)
HASH = Leaf("a SHA-256 in hex", _is_hash)
NUMBERS = Leaf("numbers in base64", lambda value: isinstance(value, str))
TARGET = Leaf("a class's index or name", lambda value: _is_count(value) or _is_text(value))
PLAIN = Leaf("plain values", lambda value: isinstance(value, dict) and _is_plain(value))
JPEG = Leaf(MIME, lambda value: value == MIME)
BOX = Many(COUNT, 4, 4)

MODEL = {
    "weights": FILE_NAME,
    "weights_sha256": HASH,
    "tensors_sha256": HASH,
    "source": TEXT,
    "source_sha256": TEXT,
    "converter": TEXT,
    "network": TEXT,
    "input_size": Many(COUNT, 2, 2),
    "preprocessing": TEXT,
    "activation": TEXT,
    "classes": COUNT,
    "last_activation": TEXT,
    "map": Many(COUNT, 3, 3),
    "assumptions": Many(TEXT),
    "notes": Many(TEXT),
    "findings": Many({"kind": TEXT, "where": TEXT, "what": TEXT}),
    "versions": dict.fromkeys(("h5py", "libjpeg", "numpy", "pillow", "python", "scipy"), TEXT),
}

OPTIONS = {
    "interpolation": TEXT,
    "exif_transpose": YES_OR_NO,
    "align": TEXT,
    "threshold": NUMBER,
    "targets": Maybe(Many(TARGET, least=1)),
    "top": COUNT,
    "digits": YES_OR_NO,
    "audit": YES_OR_NO,
}

CLASS = {
    "index": COUNT,
    "name": TEXT,
    "probability": NUMBER,
    "logit": NUMBER,
    "bias": NUMBER,
    "weights": NUMBERS,
    "completeness": NUMBER,
    "box": Maybe(BOX),
    "everywhere": YES_OR_NO,
    "evidence_in_box": NUMBER,
    "boxes": Many({"box": BOX, "evidence": NUMBER}),
    "scale": NUMBER,
    "maps": {
        "largest": Many({"k": COUNT, "weight": NUMBER, "adds": NUMBER, "share": Maybe(NUMBER)}),
        "needed": {"50": Maybe(COUNT), "90": Maybe(COUNT), "99": Maybe(COUNT)},
    },
}

DIGITS = {
    "logit_deviation": NUMBER,
    "logit_error": NUMBER,
    "significant": COUNT,
    "first": COUNT,
    "second": Maybe(COUNT),
    "second_name": Maybe(TEXT),
    "margin": Maybe(NUMBER),
    "margin_deviations": Maybe(NUMBER),
    "class_may_change": YES_OR_NO,
    "cells": COUNT,
    "cells_near": COUNT,
    "pixels_near": COUNT,
    "box_may_move": YES_OR_NO,
}

PHOTO = {
    "photo": FILE_NAME,
    "photo_sha256": HASH,
    "size": Many(COUNT, 2, 2),
    "exif_orientation": Maybe(COUNT),
    "input_sha256": HASH,
    "picture": {"mime": JPEG, "width": COUNT, "height": COUNT, "sha256": HASH},
    "features": {"shape": Many(COUNT, 3, 3), "float32": NUMBERS},
    "target": COUNT,
    "classes": Many(CLASS, least=1),
    "digits": Maybe(DIGITS),
    "audit": Maybe(PLAIN),
}

REPORT = {
    "format": TEXT,
    "version": COUNT,
    "npcam": TEXT,
    "model": MODEL,
    "options": OPTIONS,
    "photos": Many(PHOTO, MAX_REPORT_PHOTOS, least=1),
    "sha256": HASH,
}


def check_shape(data: Any, path: str) -> None:
    """See to it that data are those of a report: all keys, no others, and arrays of the right length.

    Args:
        data: as JSON was parsed.
        path: the report's, for messages.

    Raises:
        InputError: they are not; it says what is where.

    >>> check_shape([], "report.html")
    Traceback (most recent call last):
    npcam.common.errors.InputError: report.html: its data: expected an object, found a list
    """
    _check(data, REPORT, path, "its data")
    for number, photo in enumerate(data["photos"], start=1):
        where = f"photo {number}, features"
        shape = photo["features"]["shape"]
        if shape != data["model"]["map"] or 0 in shape:
            raise InputError(
                f"{path}: {where}: of the shape {shape}, not the network's {data['model']['map']}"
            )
        _check_array(photo["features"]["float32"], tuple(shape), path, where)
        indices = [one["index"] for one in photo["classes"]]
        if len(set(indices)) < len(indices) or photo["target"] not in indices:
            raise InputError(
                f"{path}: photo {number}: a class is there twice, or the one explained is not there"
            )
        for one in photo["classes"]:
            what = f"photo {number}, weights of {one['name'][:80]}"
            _check_array(one["weights"], (shape[2],), path, what)


def _check(value: Any, spec: Any, path: str, where: str) -> None:
    """Raise InputError unless a value is as the spec says."""
    match spec:
        case Maybe(of=of):
            if value is not None:
                _check(value, of, path, where)
        case Leaf(words=words, test=test):
            if not test(value):
                raise InputError(f"{path}: {where}: expected {words}, found {_shown(value)}")
        case Many(of=of, most=most, least=least):
            if not isinstance(value, list) or not least <= len(value) <= most:
                expected = f"{least}" if least == most else f"{least:,} to {most:,}"
                found = f"{len(value):,} of them" if isinstance(value, list) else _shown(value)
                raise InputError(f"{path}: {where}: expected a list of {expected}, found {found}")
            for number, one in enumerate(value, start=1):
                _check(one, of, path, f"{where.removesuffix('s')} {number}")
        case _:
            _check_keys(value, spec, path, where)


def _check_keys(value: Any, spec: Mapping[str, Any], path: str, where: str) -> None:
    if not isinstance(value, dict):
        raise InputError(f"{path}: {where}: expected an object, found {_shown(value)}")
    missing, extra = sorted(spec.keys() - value.keys()), sorted(value.keys() - spec.keys())
    if missing:
        raise InputError(f"{path}: {where} have no {some_names(missing)}")
    if extra:
        raise InputError(f"{path}: {where} have keys that no report has: {some_names(extra)}")
    for key, of in spec.items():
        _check(value[key], of, path, key if where == "its data" else f"{where}, {key}")


def _check_array(text: str, shape: tuple[int, ...], path: str, where: str) -> None:
    """Raise InputError unless a text holds finite numbers of this shape; its length is looked at first."""
    try:
        array = decode(text, shape)
    except ValueError as error:
        raise InputError(f"{path}: {where}: {error}") from error
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {where}: holds numbers that are not finite")


def _shown(value: Any) -> str:
    """A value in a message, cut short."""
    kinds = {dict: "an object", list: "a list", type(None): "nothing"}
    if type(value) in kinds:
        return kinds[type(value)]
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        text = "a huge number"
    return text if len(text) <= 60 else f"{text[:60]}..."

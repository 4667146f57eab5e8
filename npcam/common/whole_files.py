"""A stranger's file read whole, as bytes, text or JSON, where it is no longer than such a file may be."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.files import open_file


def read_bytes(path: str | Path, most: int, advice: str) -> bytes:
    """The bytes of a file.

    Args:
        path: where it is.
        most: how many bytes it may have.
        advice: what to do where no such file is, or one that is longer, as the end of the message.

    Raises:
        InputError: it cannot be read, or is longer.

    >>> read_bytes("README.md", 10, "give a shorter file")
    Traceback (most recent call last):
    npcam.common.errors.InputError: README.md: is longer than 10 bytes; give a shorter file
    """
    try:
        with open_file(path, advice) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) > most:
        raise InputError(f"{path}: is longer than {most:,} bytes; {advice}")
    return data


def read_text(path: str | Path, most: int, advice: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark.

    Raises:
        InputError: as `read_bytes`, or it is not UTF-8.
    """
    try:
        return read_bytes(path, most, advice).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def parse_unique(text: str, path: str | Path, unwanted: Container[str] = ()) -> Any:
    """Parse JSON in which no object says the same key twice: one of the two would be lost.

    Args:
        text: the JSON.
        path: its file, for messages.
        unwanted: keys whose values are let go as soon as they are read, for their memory.

    Raises:
        InputError: it is no JSON, is nested too deeply, or has a key twice.

    >>> parse_unique('{"a": [1], "b": 2}', "boxes.json", unwanted=("b",))
    {'a': [1]}
    >>> parse_unique('{"a": 1, "a": 2}', "boxes.json")
    Traceback (most recent call last):
    npcam.common.errors.InputError: boxes.json: is not valid JSON (the key "a" is there twice)
    """

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError(f"the key {json.dumps(_twice(pairs)[:80])} is there twice")
        for key in [key for key in found if key in unwanted]:
            del found[key]
        return found

    try:
        return json.loads(text, object_pairs_hook=keep)
    except RecursionError:
        raise InputError(f"{path}: is not valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise InputError(f"{path}: is not valid JSON ({str(error).splitlines()[0]})") from error


def _twice(pairs: list[tuple[str, Any]]) -> str:
    """The first key that was there before."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return key

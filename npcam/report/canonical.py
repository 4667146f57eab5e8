"""A report's data as text: the same data give the same bytes, and nothing in them ends a script element."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from npcam.common.web import in_script
from npcam.shapes import Array

SEAL = "sha256"  # the key of the hash over all else


def canonical(data: Mapping[str, Any]) -> str:
    r"""The data as JSON in ASCII: keys sorted, no spaces, a line for all else and one for each photograph.

    Args:
        data: plain values, the photographs under "photos".

    Raises:
        ValueError: a number that is not finite.

    >>> print(canonical({"photos": [{"b": 1.5, "a": "<é>"}], "npcam": "0.1.0"}))
    {"npcam":"0.1.0","photos":[
    {"a":"\u003c\u00e9>","b":1.5}
    ]}
    """
    photos = ",\n".join(in_script(photo, sort_keys=True) for photo in data["photos"])
    texts = {key: in_script(value, sort_keys=True) for key, value in data.items() if key != "photos"}
    texts["photos"] = f"[\n{photos}\n]"
    return "{" + ",".join(f"{in_script(key)}:{texts[key]}" for key in sorted(texts)) + "}"


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with the SHA-256 of their text without it, under `SEAL`.

    >>> sorted(sealed({"photos": []}))
    ['photos', 'sha256']
    """
    return {**data, SEAL: seal(data)}


def seal(data: Mapping[str, Any]) -> str:
    """The SHA-256 of the data's text without the seal, in hex."""
    text = canonical({key: value for key, value in data.items() if key != SEAL})
    return sha256_of(text.encode("ascii"))


def sha256_of(data: bytes) -> str:
    """The SHA-256 of bytes, in hex.

    >>> sha256_of(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def encode(array: Array) -> str:
    """An array's numbers as float32, little-endian, in base64.

    >>> encode(np.array([1.0]))
    'AACAPw=='
    """
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode("ascii")


def encoded_length(count: int) -> int:
    """How many letters so many numbers take.

    >>> encoded_length(1)
    8
    """
    return 4 * -(-4 * count // 3)


def decode(text: str, shape: tuple[int, ...]) -> Array:
    """The array of a text that `encode` made, float32.

    Raises:
        ValueError: it has not as many letters as such an array takes, which is looked at before anything is
            decoded; or it is no base64.

    >>> decode("AACAPw==", (1,))
    array([1.], dtype=float32)
    """
    count = 1
    for side in shape:
        count *= side
    if len(text) != encoded_length(count):
        msg = f"has {len(text):,} letters; {encoded_length(count):,} make {count:,} numbers"
        raise ValueError(msg)
    data = base64.b64decode(text, validate=True)
    if len(data) != 4 * count:
        msg = f"holds {len(data):,} bytes; {count:,} numbers take {4 * count:,}"
        raise ValueError(msg)
    return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)

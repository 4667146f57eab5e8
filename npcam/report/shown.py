"""The picture in a report's page, held against the photograph that it should show."""

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.images.photos import open_photo
from npcam.report.canonical import sha256_of
from npcam.report.photograph import bounds, farthest, shrunk
from npcam.report.verdict import Difference, Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = ("red", "green", "blue")


class _Header(NamedTuple):
    """What a JPEG says of itself: its (width, height), quantisation tables, and pixels of each channel."""

    size: tuple[int, int]
    tables: dict[int, list[int]]
    channels: list[tuple[int, int]]


def compare_picture(
    verdict: Verdict,
    where: str,
    stated: dict[str, Any],
    shown: bytes,
    photo: "Image",
    made: bytes,
    found: dict[str, Any],
) -> None:
    """Compare the picture's bytes with their hash, and its pixels with the photograph's.

    Where the bytes are those that this machine makes of the photograph, nothing is left to ask. Where they
    are not, another encoder may have made them: then it has to be a JPEG as npcam makes them, of the same
    quantisation, and each block of it within what quantising may do to the photograph.

    Args:
        verdict: what is found goes there.
        where: which photograph, for messages.
        stated: what the report says of the picture.
        shown: its bytes.
        photo: the photograph, decoded.
        made: the JPEG that this machine makes of it.
        found: what is to be said of that.
    """
    if not verdict.same(f"{where}, picture, sha256", stated["sha256"], sha256_of(shown)):
        return
    for key in ("mime", "width", "height"):
        if not verdict.same(f"{where}, picture, {key}", stated[key], found[key]):
            return
    if shown == made:
        verdict.compared += 1
        return
    usual = _header(made)
    try:
        header = _header(shown)
        if header != usual:
            names = ("picture, its own size", "picture, its quantisation", "picture, its channels")
            for name, one, other in zip(names, header, usual, strict=True):
                verdict.same(f"{where}, {name}", str(one), str(other))
            return
        pixels = np.asarray(open_photo(io.BytesIO(shown)))
    except InputError as error:
        verdict.differences.append(Difference(f"{where}, picture", "a JPEG", f"none: {error}"))
        return
    apart, allowed = farthest(pixels, np.asarray(shrunk(photo))), bounds(usual.tables)
    verdict.compared += pixels.size
    worst = int(np.argmax(apart - allowed))
    if not (apart <= allowed).all():
        verdict.differences.append(
            Difference(
                f"{where}, picture, {COLOURS[worst]}",
                f"a block within {allowed[worst]:.1f} levels of the photograph",
                f"one {apart[worst]:.1f} levels off",
            )
        )
        return
    verdict.notes.append(
        f"{where}: the picture was encoded elsewhere; its blocks are up to {apart[worst]:.1f} levels off "
        f"({allowed[worst]:.1f} are allowed)"
    )


def _header(data: bytes) -> _Header:
    """What a JPEG says of itself; nothing is decoded.

    Raises:
        InputError: it is none.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            tables = {int(i): list(one) for i, one in image.quantization.items()}  # type: ignore[attr-defined]
            channels = [(one[1], one[2]) for one in image.layer]  # type: ignore[attr-defined]
            return _Header(image.size, tables, channels)
    except Exception as error:  # damaged bytes make decoders raise nearly anything
        raise InputError(f"the picture cannot be read ({str(error)[:80]})") from error

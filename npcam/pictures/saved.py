"""Pictures as files that say of what they are, so that a later run knows its own and nobody else's."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from npcam.common.errors import InputError
from npcam.common.files import open_file, replacing
from npcam.common.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {"png": ".png", "jpeg": ".jpg"}
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PARTS = 100  # of a file in front of its pixels that are looked at: a profile of colours may take many
LONGEST_MARK = 1000  # bytes
MAX_JPEG_SIDE = 65_500  # pixels; libjpeg writes no more, although it reads 65,535
QUALITY = 92  # of JPEG, with colours as fine as brightness: letters and thin lines stay clean
_MARK = re.compile(rb"npcam [^;]*(?:; photo ([0-9a-f]{64}); weights ([0-9a-f]{64}))?")


class Origin(NamedTuple):
    """Of what a picture is: SHA-256 of the photograph's file and of the weights file; empty if not said."""

    photo: str = ""
    weights: str = ""


def save_picture(image: "Image", path: Path, origin: Origin, profile: bytes | None = None) -> None:
    """Write a PNG or a JPEG, as its name ends, that is whole or not there, and says of what it is.

    Args:
        image: RGB.
        path: where; the folder is there.
        origin: of what it is.
        profile: the colours' ICC profile, the photograph's.

    Raises:
        InputError: it cannot be written, or has more pixels on a side than JPEGs have.
    """
    suffix = path.suffix.lower()
    if suffix != ".png" and max(image.size) > MAX_JPEG_SIDE:
        found = (
            f"{path}: has {max(image.size):,} pixels on its longer side, {MAX_JPEG_SIDE:,} at most in a JPEG"
        )
        raise InputError(f"{found}; write a PNG, or make it smaller")
    words = f"npcam {__version__}"
    if origin.photo:
        words += f"; photo {origin.photo}; weights {origin.weights}"
    colours = {"icc_profile": profile if (profile or b"")[16:20] == b"RGB " else None}
    with replacing(path, durable=False) as unfinished:
        if suffix == ".png":
            from PIL.PngImagePlugin import PngInfo

            info = PngInfo()
            info.add_text("Software", words)
            image.save(unfinished, format="PNG", compress_level=4, pnginfo=info, exif=b"", **colours)
        else:
            image.save(
                unfinished,
                format="JPEG",
                quality=QUALITY,
                subsampling=0,
                comment=words.encode(),
                exif=b"",
                **colours,
            )


def origin_of(file: BinaryIO) -> Origin | None:
    """Of what npcam's picture in an open file is; None for anybody else's file.

    >>> import io
    >>> origin_of(io.BytesIO(b"GIF89a"))
    """
    head = file.read(len(PNG))
    words = _png_software(file) if head == PNG else _jpeg_comment(file) if head.startswith(JPEG) else b""
    found = _MARK.fullmatch(words)
    return None if found is None else Origin(*((part or b"").decode() for part in found.groups()))


def is_picture_name(path: str | Path) -> bool:
    """Whether a name ends as one of the pictures that npcam draws."""
    return str(path).lower().endswith((".png", ".jpg", ".jpeg"))


def is_own(path: str | Path) -> bool:
    """Whether a file is a picture that npcam drew."""
    try:
        with open_file(path, "") as file:
            return origin_of(file) is not None
    except (OSError, InputError):
        return False


def is_jpeg(path: str | Path) -> bool:
    """Whether a file is a JPEG, whatever it is called."""
    try:
        with open_file(path, "") as file:
            return file.read(len(JPEG)) == JPEG
    except (OSError, InputError):
        return False


def _png_software(file: BinaryIO) -> bytes:
    """What a PNG says of the program that made it: the chunk `tEXt`, in front of its pixels."""
    for _ in range(PARTS):
        size, kind = int.from_bytes(file.read(4)), file.read(4)
        if kind == b"tEXt" and size < LONGEST_MARK:
            words = file.read(size)
            if words.startswith(b"Software\0"):
                return words.removeprefix(b"Software\0")
            size = 0
        elif kind in (b"IDAT", b""):
            break
        file.seek(size + 4, os.SEEK_CUR)
    return b""


def _jpeg_comment(file: BinaryIO) -> bytes:
    """A JPEG's comment: the segment COM of ITU-T T.81, in front of its tables."""
    file.seek(2)
    for _ in range(PARTS):
        marker, size = file.read(2), int.from_bytes(file.read(2)) - 2
        if marker[:1] != b"\xff" or marker in (b"\xff\xda", b"\xff\xdb") or size < 0:
            break
        if marker == b"\xff\xfe":
            words = file.read(size) if size < LONGEST_MARK else b""
            return words if len(words) == size else b""
        file.seek(size, os.SEEK_CUR)
    return b""

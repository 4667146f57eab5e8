"""What a picture's file says of itself, held against the limits before anything is decoded.

A few kilobytes may declare a hundred million pixels, or draw them a thousand times.
"""

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from npcam.common.errors import InputError
from npcam.common.limits import (
    MAX_ICON_SIDE,
    MAX_JPEG_SCANS,
    MAX_JPEG_SEGMENTS,
    MAX_PHOTO_BYTES,
    MAX_PHOTO_SIDE,
)

if TYPE_CHECKING:
    from PIL.Image import Image

# EXIF's orientations, and Pillow's names of what turns them upright.
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# Bytes that Pillow keeps for a pixel of a mode; four for those that are not here.
_MODES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
# Bytes that a decoder takes for a pixel besides those; as measured, rounded up.
_DECODERS = {"WEBP": 14, "AVIF": 12}
_JPEG2000 = 6  # for each channel of a pixel
_WHOLE_FILE = ("WEBP", "AVIF", "TIFF")  # formats whose files are read into memory
_PNG = b"\x89PNG\r\n\x1a\n"
_SOS, _EOI = 0xDA, 0xD9
_ALONE = (0x01, 0xD8)  # markers that no length follows
# Within a scan, 0xFF is followed by 0 or by a restart marker; any other byte begins a segment.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)


def check_file(file: BinaryIO, name: str) -> int:
    """Look through a file whose format hides what it costs; the place in the file is lost.

    Returns:
        Its size in bytes.

    Raises:
        InputError: too large a file, a JPEG of too many scans, or an icon that holds a picture
            larger than any icon.
    """
    size = file.seek(0, os.SEEK_END)
    if size > MAX_PHOTO_BYTES:
        raise InputError(f"{name}: has {size:,} bytes, {MAX_PHOTO_BYTES:,} at most; make it smaller first")
    file.seek(0)
    head = file.read(4)
    if head.startswith(b"\xff\xd8\xff"):
        _check_jpeg(file, name)
    elif head == b"\0\0\1\0":
        _check_icon(file, name)
    return size


def check_size(image: "Image", file_size: int, name: str, turn: bool = False) -> None:
    """See to it that a picture that was opened, and not decoded yet, can be decoded and drawn on.

    Args:
        image: the picture, of which Pillow has read the header.
        file_size: bytes of its file.
        name: of the file, for the message.
        turn: whether it will be turned upright.

    Raises:
        InputError: it has too many pixels.
    """
    width, height = image.size
    if max(width, height) > MAX_PHOTO_SIDE:
        msg = f"{name}: has too many pixels in a row ({width:,}x{height:,}, {MAX_PHOTO_SIDE:,} at most)"
        raise InputError(f"{msg}; cut it first")
    pixels, mode = width * height, _MODES.get(image.mode, 4)
    decoded = mode * pixels + _decoder_bytes(image, file_size)
    # To RGB, for numbers of 32 bits by way of 8; then either turned, or with the heat map beside it.
    made_rgb = 0 if image.mode == "RGB" else mode + 4 + (image.mode in ("I", "F"))
    needed = max(decoded, pixels * max(made_rgb, 8 if turn else 5))
    if needed > MAX_PHOTO_BYTES:
        msg = f"{name}: has too many pixels ({width:,}x{height:,} take {needed / 1e6:,.0f} MB, "
        raise InputError(f"{msg}{MAX_PHOTO_BYTES / 1e6:,.0f} at most); make it smaller first")


def orientation(image: "Image") -> int:
    """What a picture's EXIF says of how it lies, 1 for upright."""
    with suppress(Exception):  # damaged EXIF is no reason to refuse good pixels
        return int(image.getexif().get(0x0112, 1))
    return 1


def how_it_lies(turn: int | None) -> tuple[str, ...]:
    """A note on a photograph that its EXIF would turn, and that was not turned.

    >>> how_it_lies(3)
    ('is upside down (EXIF orientation 3, not heeded, as in Keras); exif_transpose turns it upright',)
    """
    if turn is None:
        return ()
    told = {2: "is mirrored", 3: "is upside down", 4: "is mirrored and upside down"}
    found = f"{told.get(turn, 'lies on its side')} (EXIF orientation {turn}, not heeded, as in Keras)"
    return (f"{found}; exif_transpose turns it upright",)


def _decoder_bytes(image: "Image", file_size: int) -> int:
    """What the decoder needs besides the picture that it makes."""
    kind, pixels = str(image.format), image.size[0] * image.size[1]
    needed = file_size if kind in _WHOLE_FILE else 0
    if kind == "TIFF":
        return needed + _strip_bytes(image)
    if kind in ("JPEG", "MPO"):
        return needed + _coefficient_bytes(image)
    if kind == "JPEG2000":
        return needed + _JPEG2000 * len(image.getbands()) * pixels
    return needed + _DECODERS.get(kind, 0) * pixels


def _strip_bytes(image: "Image") -> int:
    """A TIFF's strip or tile, which is unpacked as a whole (TIFF 6.0, tags 258, 278, 322 and 323)."""
    width, height = image.size
    tags = image.tag_v2  # type: ignore[attr-defined]  # of a TiffImageFile
    try:
        bits = sum(int(n) for n in tags.get(258, (1,)))
        across, rows = int(tags.get(322, width)), int(tags.get(323, tags.get(278, height)))
    except (TypeError, ValueError):
        bits, across, rows = 64, width, height
    return max(0, across) * max(0, min(rows, height)) * max(bits, 8) // 8


def _coefficient_bytes(image: "Image") -> int:
    """A progressive JPEG's coefficients, two bytes each, which are all kept until the last scan."""
    if "progressive" not in image.info:
        return 0
    layers = [(across, down) for _, across, down, _ in image.layer]  # type: ignore[attr-defined]
    whole = max(across for across, _ in layers) * max(down for _, down in layers)
    width, height = image.size
    return int(2 * width * height * sum(across * down for across, down in layers) / max(1, whole))


def _check_jpeg(file: BinaryIO, name: str) -> None:
    """Count a JPEG's scans from marker to marker (ITU-T T.81, annex B)."""
    file.seek(0)
    data = file.read(MAX_PHOTO_BYTES)
    at, scans, segments = 2, 0, 0
    while marker := _MARKER.search(data, at):
        kind, at = marker[1][0], marker.end()
        segments += 1
        scans += kind == _SOS
        if scans > MAX_JPEG_SCANS or segments > MAX_JPEG_SEGMENTS:
            found = f"{MAX_JPEG_SCANS} scans" if scans > MAX_JPEG_SCANS else f"{MAX_JPEG_SEGMENTS:,} segments"
            raise InputError(f"{name}: a JPEG of more than {found}; save it again with an image editor")
        if kind == _EOI:
            return
        if kind not in _ALONE:
            at += max(2, int.from_bytes(data[at : at + 2]))


def _check_icon(file: BinaryIO, name: str) -> None:
    """Look at the header of each picture in an ICO file: Pillow decodes one as soon as it opens the file."""
    file.seek(4)
    count = int.from_bytes(file.read(2), "little")
    entries = file.read(16 * count)
    for i in range(0, len(entries) - 15, 16):
        file.seek(int.from_bytes(entries[i + 12 : i + 16], "little"))
        head = file.read(24)
        if head.startswith(_PNG):
            width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
        else:  # a bitmap, with its mask below it
            width = abs(int.from_bytes(head[4:8], "little", signed=True))
            height = abs(int.from_bytes(head[8:12], "little", signed=True)) // 2
        if max(width, height) > MAX_ICON_SIDE:
            msg = f"{name}: an icon with a picture of {width:,}x{height:,} has too many pixels; "
            raise InputError(f"{msg}{MAX_ICON_SIDE:,} on a side at most; give the picture itself")

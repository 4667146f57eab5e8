"""A photograph from a file, of whatever format and mode, decoded once and safely."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose

Photo = Union[str, "os.PathLike[str]", BinaryIO, "Image", Array]

# Formats that Pillow decodes within the process. EPS is not among them (it starts Ghostscript), nor
# are the stubs that claim HDF5 files as pictures. Pillow before 11.3 has no AVIF: it comes last.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "TGA", "JPEG2000", "PCX", "ICO", "WEBP", "AVIF")

# What people give by mistake, recognised by its first bytes.
_NOT_PHOTOS = (
    (b"\x89HDF", "an HDF5 file, perhaps weights"),
    (b"PK\x03\x04", "a zip archive, perhaps a .keras model"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"<", "an SVG drawing or a web page"),
)


def open_photo(photo: Photo, exif_transpose: bool = False) -> "Image":
    """A photograph decoded once, at its own size, in RGB.

    Args:
        photo: a file's path, a binary file, a Pillow image, or pixels (H, W, 3) uint8.
        exif_transpose: turn it upright, as its EXIF orientation says.

    Returns:
        A Pillow image in mode RGB, converted by Pillow as Keras has it converted. It is `photo`
        itself where that is one already.

    Raises:
        InputError: no such file, not a photograph, a damaged one, or an array of another kind.

    >>> open_photo(np.zeros((2, 3, 3), np.uint8)).size  # Pillow says (width, height)
    (3, 2)
    """
    from PIL import Image

    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or photo.size == 0:
            msg = f"photo: expected an array (H, W, 3) of uint8, RGB, got {photo.shape} of {photo.dtype}"
            raise InputError(msg)
        return Image.fromarray(np.ascontiguousarray(photo))
    if isinstance(photo, Image.Image):
        return _decode(photo, "photo", exif_transpose)
    if isinstance(photo, (str, os.PathLike)):
        path = Path(photo)
        try:
            with require_file(path, "give the path of a photograph").open("rb") as file:
                return _open_file(file, str(path), exif_transpose)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{path}: cannot be read ({reason}); check its permissions") from error
    if hasattr(photo, "read"):
        return _open_file(photo, str(getattr(photo, "name", "photo")), exif_transpose)
    msg = f"photo: expected a path, a binary file, a Pillow image or an array, got {type(photo).__name__}"
    raise InputError(msg)


def _open_file(file: BinaryIO, name: str, exif_transpose: bool) -> "Image":
    """Decode an open file, whatever its name says it is."""
    from PIL import Image, UnidentifiedImageError

    head = file.read(16)
    if not head:
        raise InputError(f"{name}: is empty (0 bytes); get the photograph again")
    file.seek(0)
    try:
        with _quiet(), Image.open(file, formats=FORMATS) as image:
            return _decode(image, name, exif_transpose)
    except (UnidentifiedImageError, KeyError) as error:  # KeyError: a format this Pillow lacks
        kind = next(
            (kind for magic, kind in _NOT_PHOTOS if head.startswith(magic)), "no picture that npcam reads"
        )
        if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1"):
            kind = "a HEIC picture"
        msg = f"{name}: is {kind}; give a photograph as JPEG, PNG, WebP, GIF, BMP or TIFF"
        raise InputError(msg) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(_damage(name, error)) from error


def _decode(image: "Image", name: str, exif_transpose: bool) -> "Image":
    """Read all pixels, convert them to RGB, and turn them upright if asked to."""
    try:
        with _quiet():
            image.load()
            turn = _turn(image) if exif_transpose else None
            rgb = image if image.mode == "RGB" else image.convert("RGB")
            return rgb if turn is None else rgb.transpose(turn)
    except Exception as error:  # damaged bytes make decoders raise nearly anything
        raise InputError(_damage(name, error)) from error


def _damage(name: str, error: Exception) -> str:
    """The message for a picture that cannot be decoded."""
    from PIL import Image

    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return f"{name}: has too many pixels ({reason}); make it smaller first"
    return f"{name}: is damaged or truncated ({reason}); get the photograph again"


def _turn(image: "Image") -> "Transpose | None":
    """How to turn a photograph upright: its EXIF orientation, 2 to 8, as Pillow's Transpose; else None."""
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    with suppress(Exception):  # damaged EXIF is no reason to refuse good pixels
        return turns.get(image.getexif().get(0x0112, 1))
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's remarks on odd but readable files from the user."""
    logger = logging.getLogger("PIL")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

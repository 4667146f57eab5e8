"""A photograph from a file, of whatever format and mode, decoded once and safely."""

import io
import os
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, BinaryIO, Union

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.kinds import kind_of_photo
from npcam.common.pictures import TURNS, check_file, check_size, orientation
from npcam.common.quiet import quiet
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

Photo = Union[str, "os.PathLike[str]", BinaryIO, "Image", Array]

# Formats that Pillow decodes within the process. EPS is not among them (it starts Ghostscript), nor
# are the stubs that claim HDF5 files as pictures. Pillow before 11.3 has no AVIF: it comes last.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "JPEG2000", "PCX", "ICO", "WEBP", "AVIF")
# TGA has no signature, and takes an icon for one of its own: it is tried when all others have passed.
LAST_FORMAT = "TGA"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_photo(photo: Photo, exif_transpose: bool = False) -> "Image":
    """A photograph decoded once, at its own size, in RGB.

    Args:
        photo: a file's path, a binary file, a Pillow image, or pixels (H, W, 3) uint8.
        exif_transpose: turn it upright, as its EXIF orientation says.

    Returns:
        A Pillow image in mode RGB, converted by Pillow as Keras has it converted. It is `photo`
        itself where that is one already. A turn that its EXIF asks for, and that was not made, is
        in its `info` as "orientation", 2 to 8.

    Raises:
        InputError: no such file, not a photograph, a damaged one, one with more pixels than the limits
            allow, or an array of another kind.

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
        name = os.fsdecode(photo)
        try:
            with open_file(name, "give the path of a photograph") as file:
                return _open_file(file, name, exif_transpose)
        except OSError as error:
            raise InputError(f"{name}: cannot be read ({error.strerror or error})") from error
    if hasattr(photo, "read"):
        return _open_file(photo, str(getattr(photo, "name", "photo")), exif_transpose)
    msg = f"photo: expected a path, a binary file, a Pillow image or an array, got {type(photo).__name__}"
    raise InputError(msg)


def _open_file(file: BinaryIO, name: str, exif_transpose: bool) -> "Image":
    """Decode an open file, whatever its name says it is."""
    from PIL import UnidentifiedImageError

    head = file.read(16)
    if not head:
        raise InputError(f"{name}: is empty (0 bytes); get the photograph again")
    size = check_file(file, name)
    try:
        with (
            quiet(head.startswith(_TIFF)),
            _unmapped(file, head, size) as source,
            _identified(source) as image,
        ):
            check_size(image, size, name, exif_transpose)
            return _decode(image, name, exif_transpose)
    except UnidentifiedImageError as error:
        msg = f"{name}: is {kind_of_photo(head)}; give a photograph as JPEG, PNG, WebP, GIF, BMP or TIFF"
        raise InputError(msg) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(_damage(name, error)) from error


def _unmapped(file: BinaryIO, head: bytes, size: int) -> AbstractContextManager[BinaryIO]:
    """The file, or for TIFF its bytes; they are let go at the end, where Pillow would keep them.

    libtiff maps a file into memory: the process would be killed if somebody cut it short meanwhile.
    """
    file.seek(0)
    return io.BytesIO(file.read(size)) if head.startswith(_TIFF) else nullcontext(file)


def _identified(file: BinaryIO) -> "Image":
    """A picture whose format is known, not decoded yet."""
    from PIL import Image, UnidentifiedImageError

    file.seek(0)
    with suppress(UnidentifiedImageError, KeyError):  # KeyError: a format this Pillow lacks
        return Image.open(file, formats=FORMATS)
    file.seek(0)
    return Image.open(file, formats=(LAST_FORMAT,))


def _decode(image: "Image", name: str, exif_transpose: bool) -> "Image":
    """Read all pixels, convert them to RGB, and turn them upright if asked to."""
    from PIL import Image

    try:
        with quiet(image.format == "TIFF"):
            image.load()
            turn = orientation(image)
            rgb = image if image.mode == "RGB" else image.convert("RGB")
            if exif_transpose and turn in TURNS:
                rgb = rgb.transpose(getattr(Image.Transpose, TURNS[turn]))
                rgb.info = {
                    key: value for key, value in rgb.info.items() if key not in ("exif", "orientation")
                }
            elif turn in TURNS:
                rgb.info["orientation"] = turn
            return rgb
    except Exception as error:  # damaged bytes make decoders raise nearly anything
        raise InputError(_damage(name, error)) from error


def _damage(name: str, error: Exception) -> str:
    """The message for a picture that cannot be decoded."""
    from PIL import Image

    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, (Image.DecompressionBombError, MemoryError)):
        return f"{name}: has too many pixels ({reason}); make it smaller first"
    return f"{name}: is damaged or truncated ({reason}); get the photograph again"

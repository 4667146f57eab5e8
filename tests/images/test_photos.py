"""Photographs of every mode and format, and everything that is none."""

import io
import struct
import warnings

import numpy as np
import pytest
from helpers.pictures import picture, saved
from PIL import Image, ImageOps

from npcam import InputError
from npcam.images.photos import open_photo

ORIENTATION = 0x0112


def test_every_form_of_a_photograph_gives_the_same_pixels(tmp_path):
    """A path, a str, a binary file, a Pillow image and an array are one photograph."""
    image = picture()
    path = tmp_path / "photo.png"
    image.save(path)
    with path.open("rb") as file:
        forms = [path, str(path), file, io.BytesIO(path.read_bytes()), image, np.asarray(image)]
        for form in forms:
            np.testing.assert_array_equal(np.asarray(open_photo(form)), np.asarray(image))


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation(orientation, file_format):
    """Each EXIF orientation is turned as Pillow's exif_transpose turns it, and only on demand."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = saved(picture(), file_format, exif=exif)
    upright = open_photo(io.BytesIO(data), exif_transpose=True)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(upright), np.asarray(ImageOps.exif_transpose(image)))
    assert open_photo(io.BytesIO(data)).size == (23, 17)


def test_damaged_exif_does_not_refuse_the_photograph():
    """Good pixels with nonsense for EXIF are read, without a warning."""
    data = saved(picture(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffnonsense")
    assert open_photo(io.BytesIO(data), exif_transpose=True).size == (23, 17)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 300), (20_000, 1), (20_000, 8_000)])
def test_sizes(tmp_path, width, height):
    """From a single pixel to 160 megapixels, without Pillow's warning about large pictures."""
    path = tmp_path / "photo.png"
    Image.new("L", (width, height), 7).save(path, compress_level=1)
    image = open_photo(path)
    assert image.size == (width, height)
    assert image.getpixel((width - 1, height - 1)) == (7, 7, 7)


def png_of(width, height):
    """A PNG that declares a size and holds nothing."""
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


JPEG = saved(picture(size=(200, 200)), "JPEG")
PNG = saved(picture(size=(200, 200)), "PNG")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes"),
        (b"a few words about a cat", "picture that npcam reads"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"\x93NUMPY" + bytes(100), "NumPy"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"<!doctype html><p>404", "web page"),
        (bytes(4) + b"ftypheic" + bytes(100), "HEIC"),
        (JPEG[: len(JPEG) // 2], "damaged or truncated"),
        (JPEG[:20], "picture"),
        (PNG[: len(PNG) // 2], "damaged or truncated"),
        (png_of(60_000, 60_000), "too many pixels"),
        (png_of(100, 100), "damaged or truncated"),
    ],
)
def test_what_is_no_photograph_is_said_in_one_line(tmp_path, data, said):
    """One line names the file and what is wrong with it; nothing is warned about beside it."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        open_photo(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA"])
def test_damaged_bytes_never_raise_anything_else(file_format):
    """Flipped and missing bytes give pixels or an InputError in one line."""
    rng = np.random.default_rng(1)
    good = np.frombuffer(saved(picture(), file_format), np.uint8)
    for _ in range(150):
        data = good.copy()
        data[rng.integers(0, min(len(data), 200), 4)] = rng.integers(0, 256, 4)
        try:
            open_photo(io.BytesIO(data[: rng.integers(1, len(data) + 1)].tobytes()), exif_transpose=True)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017  # most of them are read


def test_paths_that_lead_nowhere(tmp_path):
    """A missing file, a directory and a pipe without end are refused, not waited for."""
    import os

    os.mkfifo(tmp_path / "pipe")
    for name, said in [("none.jpg", "no such file"), (".", "directory"), ("pipe", "regular"), ("a\0b", "a")]:
        with pytest.raises(InputError, match=said):
            open_photo(str(tmp_path / name))


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        None,
        7,
    ],
)
def test_other_things_are_refused(photo):
    """Arrays of another shape or dtype, and what is no photograph at all."""
    with pytest.raises(InputError, match="photo: expected"):
        open_photo(photo)


def test_palette_with_transparency_is_read_without_a_warning():
    """Pillow warns about such a palette; a reader of npcam's output never sees it."""
    data = saved(picture("P"), "PNG", transparency=bytes(range(256)))
    with warnings.catch_warnings(), pytest.warns(UserWarning, match="Palette"):
        Image.open(io.BytesIO(data)).convert("RGB")
    assert open_photo(io.BytesIO(data)).mode == "RGB"

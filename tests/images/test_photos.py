"""Photographs of every mode and format, and everything that is none."""

import errno
import io
import logging
import os
import re
import struct
import warnings

import numpy as np
import pytest
from helpers.pictures import picture, saved
from helpers.unreadable import refuse_to_open
from PIL import Image, ImageOps, features

from npcam import InputError
from npcam.images import photos
from npcam.images.photos import open_photo

ORIENTATION = 0x0112


def test_every_form_of_a_photograph_gives_the_same_pixels(tmp_path):
    """A path, a str, a binary file, a Pillow image and an array are one photograph."""
    image = picture()
    path = tmp_path / "photo.png"
    image.save(path)
    with path.open("rb") as file:
        forms = [path, str(path), file, io.BytesIO(path.read_bytes()), image, np.asarray(image)]
        for form in [*forms, np.asfortranarray(image), np.asarray(image)[:, ::-1][:, ::-1]]:
            np.testing.assert_array_equal(np.asarray(open_photo(form)), np.asarray(image))
    assert open_photo(image) is image


@pytest.mark.parametrize(
    ("file_format", "feature"),
    [
        *[(name, None) for name in ("BMP", "PCX", "ICO", "TGA", "PPM", "TIFF", "PNG", "GIF")],
        *[("JPEG", "jpg"), ("JPEG2000", "jpg_2000"), ("WEBP", "webp"), ("AVIF", "avif")],
    ],
)
def test_every_format(file_format, feature):
    """Each format gives the pixels that Pillow finds in it, by whatever name."""
    with warnings.catch_warnings(action="ignore"):  # Pillow's of a feature that it does not know
        if feature and not features.check(feature):
            pytest.skip(f"this Pillow has no {file_format}")
    options = {"sizes": [(32, 32)]} if file_format == "ICO" else {}
    data = saved(picture(size=(32, 32)), file_format, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == file_format
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(np.asarray(open_photo(io.BytesIO(data))), expected)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation(orientation, file_format):
    """Each EXIF orientation is turned as Pillow's exif_transpose turns it, and only on demand."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = saved(picture(), file_format, exif=exif)
    upright = open_photo(io.BytesIO(data), exif_transpose=True)
    told = orientation if 2 <= orientation <= 8 else None
    assert open_photo(io.BytesIO(data)).info.get("orientation") == told
    if told:
        assert {"exif", "orientation"}.isdisjoint(upright.info)  # or it would be turned once more
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(upright), np.asarray(ImageOps.exif_transpose(image)))
    assert open_photo(io.BytesIO(data)).size == (23, 17)


def test_a_photograph_without_exif_stays_as_it_is():
    """Asked to be turned upright, what says nothing of its orientation is not turned."""
    image = picture()
    np.testing.assert_array_equal(np.asarray(open_photo(image, exif_transpose=True)), np.asarray(image))


def test_damaged_exif_does_not_refuse_the_photograph():
    """Good pixels with nonsense for EXIF are read, without a warning."""
    data = saved(picture(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffnonsense")
    assert open_photo(io.BytesIO(data), exif_transpose=True).size == (23, 17)


def test_exif_that_cannot_be_read_does_not_refuse_the_photograph(monkeypatch):
    """Whatever Pillow raises at it, the pixels are good, and stay as they lie."""

    def broken(_):
        raise SyntaxError("not a TIFF file")

    data = saved(picture(), "PNG")
    monkeypatch.setattr(Image.Image, "getexif", broken)
    found = open_photo(io.BytesIO(data), exif_transpose=True)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(picture()))


@pytest.mark.slow
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
        (b"a few words about a cat", "no picture that npcam reads"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, perhaps weights"),
        (b"PK\x03\x04" + bytes(100), "a zip archive, perhaps a .keras model"),
        (b"\x93NUMPY" + bytes(100), "a NumPy array"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript document"),
        (b"<!doctype html><p>404", "an SVG drawing or a web page"),
        (bytes(4) + b"ftypheic" + bytes(100), "a HEIC picture"),
        (bytes(4) + b"ftypheix" + bytes(100), "a HEIC picture"),
        (bytes(4) + b"ftypmif1" + bytes(100), "a HEIC picture"),
        (bytes(4) + b"ftypisom" + bytes(100), "no picture that npcam reads"),
        (bytes(4) + b"fropheic" + bytes(100), "no picture that npcam reads"),
        (JPEG[:20], "no picture that npcam reads"),
    ],
)
def test_what_is_no_photograph_is_said_in_one_line(tmp_path, data, said):
    """One line names the file, what it is, and what to give; nothing is warned about beside it."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        open_photo(path)
    expected = f"{path}: is {said}; give a photograph as JPEG, PNG, WebP, GIF, BMP or TIFF"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("data", "said", "advice"),
    [
        (b"", "is empty (0 bytes)", "get the photograph again"),
        (JPEG[: len(JPEG) // 2], r"is damaged or truncated \(.+\)", "get the photograph again"),
        (PNG[: len(PNG) // 2], r"is damaged or truncated \(.+\)", "get the photograph again"),
        (png_of(100, 100), r"is damaged or truncated \(.+\)", "get the photograph again"),
        (png_of(60_000, 60_000), r"has too many pixels \(.*3600000000 pixels.*\)", "make it smaller first"),
    ],
)
def test_damage_is_said_in_one_line(tmp_path, data, said, advice):
    """By a path or as an open file: its name, what is wrong, Pillow's reason, and what to do."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    said = said if "\\" in said else re.escape(said)
    for form, name in ((path, str(path)), (io.BytesIO(data), "photo")):
        with pytest.raises(InputError) as caught:
            open_photo(form)
        assert re.fullmatch(f"{re.escape(name)}: {said}; {advice}", str(caught.value))


@pytest.fixture
def odd(monkeypatch):
    """A Pillow image that decodes with a remark, a warning and, if one is set, an error."""
    image, errors = picture(), []

    def load(_):
        logging.getLogger("PIL.TiffImagePlugin").error("a tag of no known type")
        warnings.warn("odd, but readable", UserWarning, stacklevel=1)
        if errors:
            raise errors[0]

    monkeypatch.setattr(Image.Image, "load", load)
    image.errors = errors
    return image


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "has too many pixels (MemoryError); make it smaller first"),
        (
            OSError("ends\n at  byte 7"),
            "is damaged or truncated (ends at byte 7); get the photograph again",
        ),
        (OSError("x" * 300), f"is damaged or truncated ({'x' * 200}); get the photograph again"),
        (EOFError(), "is damaged or truncated (EOFError); get the photograph again"),
    ],
)
def test_reasons(odd, error, said):
    """The reason is a single line of at most 200 characters, or the error's name where it has no words."""
    odd.errors.append(error)
    with pytest.raises(InputError) as caught:
        open_photo(odd)
    assert str(caught.value) == f"photo: {said}"


@pytest.mark.parametrize("error", [None, OSError("broken")])
def test_remarks_on_odd_files_are_not_passed_on(odd, caplog, error):
    """Neither Pillow's log nor its warnings reach the user, and logging is afterwards as it was."""
    logger = logging.getLogger("PIL")
    logger.setLevel(logging.INFO)
    try:
        if error is None:
            open_photo(odd)
        else:
            odd.errors.append(error)
            with pytest.raises(InputError):
                open_photo(odd)
        assert caplog.records == []
        assert logger.level == logging.INFO
        odd.errors.clear()
        with pytest.warns(UserWarning, match="odd"):
            odd.load()
        assert len(caplog.records) == 1
    finally:
        logger.setLevel(logging.NOTSET)


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
    os.mkfifo(tmp_path / "pipe")
    found = {"none.jpg": "no such file", "": "is a directory", "pipe": "not a regular file"}
    for name, said in found.items():
        with pytest.raises(InputError) as caught:
            open_photo(str(tmp_path / name))
        assert str(caught.value) == f"{tmp_path / name}: {said}; give the path of a photograph"
    with pytest.raises(InputError, match=r"^a\\x00b: no such file; give the path of a photograph$"):
        open_photo("a\0b")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError("gone"), "gone"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, error, reason):
    """The system's reason stands in the line, whether it does not open the file or stops reading it."""
    path = tmp_path / "photo.png"
    path.write_bytes(PNG)
    with monkeypatch.context() as patch:
        refuse_to_open(patch, path, error)
        with pytest.raises(InputError) as caught:
            open_photo(path)
    assert str(caught.value) == f"{path}: cannot be read ({reason}); check its permissions"

    class Gone(io.BytesIO):
        def read(self, *_):
            raise error

    monkeypatch.setattr(photos, "open_file", lambda *_: Gone())
    with pytest.raises(InputError) as caught:
        open_photo(path)
    assert str(caught.value) == f"{path}: cannot be read ({reason})"


ARRAY = "expected an array (H, W, 3) of uint8, RGB"


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (np.zeros((4, 4), np.uint8), f"{ARRAY}, got (4, 4) of uint8"),
        (np.zeros((4, 4, 4), np.uint8), f"{ARRAY}, got (4, 4, 4) of uint8"),
        (np.zeros((1, 4, 4, 3), np.uint8), f"{ARRAY}, got (1, 4, 4, 3) of uint8"),
        (np.zeros((1, 4, 3, 4), np.uint8), f"{ARRAY}, got (1, 4, 3, 4) of uint8"),
        (np.zeros((4, 4, 3), np.float32), f"{ARRAY}, got (4, 4, 3) of float32"),
        (np.zeros((0, 4, 3), np.uint8), f"{ARRAY}, got (0, 4, 3) of uint8"),
        (None, "expected a path, a binary file, a Pillow image or an array, got NoneType"),
        (7, "expected a path, a binary file, a Pillow image or an array, got int"),
    ],
)
def test_other_things_are_refused(photo, said):
    """Arrays of another shape or dtype, and what is no photograph at all."""
    with pytest.raises(InputError) as caught:
        open_photo(photo)
    assert str(caught.value) == f"photo: {said}"


def test_the_smallest_array():
    """One pixel is a photograph."""
    assert open_photo(np.full((1, 1, 3), 9, np.uint8)).getpixel((0, 0)) == (9, 9, 9)


def test_palette_with_transparency_is_read_without_a_warning():
    """Pillow warns about such a palette; a reader of npcam's output never sees it."""
    data = saved(picture("P"), "PNG", transparency=bytes(range(256)))
    with warnings.catch_warnings(), pytest.warns(UserWarning, match="Palette"):
        Image.open(io.BytesIO(data)).convert("RGB")
    assert open_photo(io.BytesIO(data)).mode == "RGB"

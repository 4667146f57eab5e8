"""What a picture's file declares: a few kilobytes bring nothing down, and what people photograph is read."""

import io
import struct
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.pictures import picture, saved
from helpers.program import peak_memory
from PIL import Image

from npcam import InputError
from npcam.common import pictures
from npcam.common.limits import MAX_ICON_SIDE, MAX_JPEG_SCANS, MAX_JPEG_SEGMENTS, MAX_PHOTO_SIDE
from npcam.common.pictures import check_file, check_size
from npcam.images.photos import open_photo


def png(width, height, bits=1):
    """A black PNG of grey levels, whatever its size, without its pixels in memory."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes((width * bits + 7) // 8 + 1)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return pictures._PNG + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def progressive(scans, size=(64, 48)):
    """A progressive JPEG whose last scan is there several times, so that it has so many in all."""
    data = saved(picture("L", size), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * (1 + scans - data.count(b"\xff\xda")) + data[-2:]


def refusal(data):
    """What npcam says of a picture."""
    with pytest.raises(InputError) as caught:
        open_photo(io.BytesIO(data))
    return str(caught.value)


def test_scans():
    """As many as the limit are read; one more is refused before anything is decoded."""
    assert open_photo(io.BytesIO(progressive(MAX_JPEG_SCANS))).size == (64, 48)
    found = f"a JPEG of more than {MAX_JPEG_SCANS} scans"
    assert refusal(progressive(MAX_JPEG_SCANS + 1)) == f"photo: {found}; save it again with an image editor"


def test_segments():
    """Comments without end are no photograph; bytes within a scan, of any value, are no segments."""
    data = saved(picture("L"), "JPEG")
    comments = b"\xff\xfe\x00\x02" * MAX_JPEG_SEGMENTS
    assert f"more than {MAX_JPEG_SEGMENTS:,} segments" in refusal(data[:2] + comments + data[2:])
    noise = saved(picture(size=(900, 700)), "JPEG", quality=100, restart_marker_blocks=1)
    assert noise.count(b"\xff\x00") + noise.count(b"\xff\xd0") > 500
    check_file(io.BytesIO(noise), "noise")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (
            (13300, 13300),
            "has too many pixels (13,300x13,300 take 884 MB, 872 at most); make it smaller first",
        ),
        ((1, MAX_PHOTO_SIDE + 1), "has too many pixels in a row (1x65,536, 65,535 at most); cut it first"),
        ((MAX_PHOTO_SIDE + 1, 1), "has too many pixels in a row (65,536x1, 65,535 at most); cut it first"),
    ],
)
def test_pixels(size, said):
    """Of one bit each: a file of 21 KB, whose pixels would take as many bytes as there are."""
    assert refusal(png(*size)) == f"photo: {said}"


def test_the_longest_side():
    """As long as the limit is a photograph."""
    assert open_photo(io.BytesIO(png(MAX_PHOTO_SIDE, 1))).size == (MAX_PHOTO_SIDE, 1)


def icon(width, height, kind):
    """An ICO file whose picture declares that size: a PNG, or a bitmap with its mask below."""
    if kind == "PNG":
        data = png(width, height)
    else:
        data = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 32, 0, 0, 0, 0, 0, 0)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(data), 22) + data


@pytest.mark.parametrize("kind", ["PNG", "bitmap"])
def test_icons(kind):
    """Pillow decodes an icon as soon as it opens the file: its pictures' headers are read before."""
    side = MAX_ICON_SIDE + 1
    found = f"photo: an icon with a picture of {side:,}x2 has too many pixels; {MAX_ICON_SIDE:,} on a side"
    assert refusal(icon(side, 2, kind)).startswith(found)
    check_file(io.BytesIO(icon(MAX_ICON_SIDE, 2, kind)), "icon")
    for cut in range(4, len(icon(16, 16, kind)), 7):
        check_file(io.BytesIO(icon(16, 16, kind)[:cut]), "icon")  # Pillow says what is damaged


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"progressive": True, "quality": 95, "subsampling": 0}])
def test_a_photograph_of_24_megapixels(tmp_path, options):
    """Is explained in less than a gigabyte, as a progressive JPEG, too, whose coefficients are all kept."""
    tile = np.random.default_rng(0).integers(0, 256, (125, 125, 3)).astype(np.uint8)
    large = np.tile(tile.repeat(8, axis=0).repeat(8, axis=1), (4, 6, 1))
    Image.fromarray(large).save(tmp_path / "a.jpg", **options)
    status, said, peak = peak_memory("explain", tmp_path / "a.jpg", "-o", tmp_path)
    assert (status, said) == (0, "")
    assert peak < 2**30


def declared(mode, file_format, bands=3, tags=None, progressive=False):
    """What Pillow tells of a picture of 10x20 pixels of which it has read the header."""
    return SimpleNamespace(
        size=(10, 20),
        mode=mode,
        format=file_format,
        tag_v2=tags or {},
        getbands=lambda: "RGBA"[:bands],
        info={"progressive": 1} if progressive else {},
        layer=[(1, 2, 2, 0), (2, 1, 1, 0), (3, 1, 1, 0)],  # colours at half the size, as usual
    )


@pytest.mark.parametrize(
    ("image", "turn", "each"),
    [
        (declared("RGB", "PNG"), False, 5),  # a heat map beside it
        (declared("RGB", "PNG"), True, 8),
        (declared("L", "PNG"), False, 5),
        (declared("P", "GIF"), True, 8),
        (declared("RGBA", "PNG"), False, 8),
        (declared("I;16", "PNG"), False, 6),
        (declared("I", "PNG"), False, 9),
        (declared("F", "TIFF", tags={258: (32,)}), False, 9),
        (declared("RGB", "WEBP"), False, 4 + 14 + 0.25),
        (declared("RGB", "AVIF"), False, 4 + 12 + 0.25),
        (declared("RGB", "JPEG2000"), False, 4 + 6 * 3),
        (declared("RGBA", "JPEG2000", bands=4), False, 4 + 6 * 4),
        (declared("RGB", "JPEG"), False, 5),
        (declared("RGB", "JPEG", progressive=True), False, 4 + 2 * 1.5),
        (declared("RGB", "MPO", progressive=True), False, 4 + 2 * 1.5),
        (declared("RGB", "TIFF", tags={258: (8, 8, 8), 278: 15}), False, 4 + 0.25 + 3 * 15 / 20),
        (declared("RGB", "TIFF", tags={258: (8, 8, 8), 278: 9999}), False, 4 + 0.25 + 3),
        (declared("RGB", "TIFF", tags={258: (8, 8, 8), 322: 30, 323: 16}), False, 4 + 0.25 + 3 * 3 * 0.8),
        (declared("RGB", "TIFF", tags={258: (16, 16, 16), 322: "wide"}), False, 4 + 0.25 + 8),
        (declared("1", "TIFF"), True, 8),
    ],
)
def test_bytes_of_a_pixel(monkeypatch, image, turn, each):
    """As many as the limit are allowed and not one more, in a file of 50 bytes for 200 pixels."""
    needed = round(200 * each)
    monkeypatch.setattr(pictures, "MAX_PHOTO_BYTES", needed)
    check_size(image, 50, "photo", turn)
    monkeypatch.setattr(pictures, "MAX_PHOTO_BYTES", needed - 1)
    with pytest.raises(InputError, match=r"^photo: has too many pixels \(10x20 take"):
        check_size(image, 50, "photo", turn)


def test_bytes_of_a_file(monkeypatch):
    """As many as the limit are looked through."""
    data = saved(picture("L"), "PNG")
    monkeypatch.setattr(pictures, "MAX_PHOTO_BYTES", len(data))
    assert check_file(io.BytesIO(data), "photo") == len(data)
    monkeypatch.setattr(pictures, "MAX_PHOTO_BYTES", len(data) - 1)
    with pytest.raises(InputError, match=r"^photo: has \d+ bytes, \d+ at most; make it smaller first"):
        check_file(io.BytesIO(data), "photo")

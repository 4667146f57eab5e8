"""Pictures as files: whole, with their colours and nothing else of the photograph, and known again."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import npcam
from npcam import InputError
from npcam.pictures.saved import (
    LONGEST_MARK,
    Origin,
    is_jpeg,
    is_own,
    is_picture_name,
    origin_of,
    save_picture,
)

ORIGIN = Origin("0123456789abcdef" * 4, "fedcba9876543210" * 4)
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
NAMES = ("a.png", "a.PNG", "a.jpg", "a.jpeg", "a.JPG")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own to write in."""
    monkeypatch.chdir(tmp_path)


def png(text):
    """The bytes of a small PNG with such words in it."""
    info = PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    file = io.BytesIO()
    Image.new("RGB", (9, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def jpeg(**options):
    """The bytes of a small JPEG."""
    file = io.BytesIO()
    Image.new("RGB", (9, 8)).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("origin", [ORIGIN, Origin()])
def test_what_is_written_is_known_again(name, origin):
    """The format is what the name says; a PNG has the very pixels, a JPEG those of the same quality."""
    save_picture(Image.fromarray(PIXELS), Path(name), origin)
    with Image.open(name) as image:
        assert image.format == ("PNG" if name.lower().endswith("png") else "JPEG")
        said = image.info["Software"] if image.format == "PNG" else image.info["comment"].decode()
        found = np.asarray(image.convert("RGB"))
    assert said.startswith(f"npcam {npcam.__version__}")
    assert (ORIGIN.photo in said, ORIGIN.weights in said) == (origin == ORIGIN,) * 2
    other = io.BytesIO()
    Image.fromarray(PIXELS).save(other, "JPEG", quality=92, subsampling=0)
    expected = PIXELS if name.lower().endswith("png") else np.asarray(Image.open(other))
    assert np.array_equal(found, expected)
    with Path(name).open("rb") as file:
        assert origin_of(file) == origin
    assert is_own(name)
    assert is_picture_name(name)
    assert is_jpeg(name) == (not name.lower().endswith("png"))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_the_photographs_colours_and_nothing_else(name):
    """An RGB profile goes with the picture; one for grey, EXIF, comments and thumbnails do not."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    large = profile + bytes(100_000)  # so large that a JPEG has it in two pieces, in front of the comment
    grey = profile[:16] + b"GRAY" + profile[20:]
    image = Image.fromarray(PIXELS)
    image.info = {
        "exif": b"Exif\0\0MM",
        "comment": b"secret",
        "icc_profile": grey,
        "dpi": (7, 7),
        "Title": "t",
    }
    for given, expected in ((profile, profile), (large, large), (grey, None), (b"", None), (None, None)):
        save_picture(image, Path(name), ORIGIN, given)
        with Image.open(name) as found:
            assert found.info.get("icc_profile") == expected
            assert not found.getexif()
            assert not {"Title", "exif"} & set(found.info)
        assert b"secret" not in Path(name).read_bytes()
        assert is_own(name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_the_same_bytes(name):
    """Nothing of the time or the place is in it."""
    for path in (name, f"b{name}"):
        save_picture(Image.fromarray(PIXELS), Path(path), ORIGIN)
    assert Path(name).read_bytes() == Path(f"b{name}").read_bytes()


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_whole_or_not_there(name, monkeypatch):
    """A disk that fills up leaves the old picture, and no unfinished one."""
    save_picture(Image.fromarray(PIXELS), Path(name), ORIGIN)
    before = Path(name).read_bytes()

    def full(_, file, **__):
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match=rf"^{name}: writing failed \(.*\); nothing was changed$"):
        save_picture(Image.fromarray(PIXELS), Path(name), Origin())
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == {name: before}


def test_the_longest_jpeg():
    """One pixel more is refused before the library has its say, and is fine as a PNG."""
    for name in ("a.jpg", "a.png"):
        save_picture(Image.new("RGB", (65_500, 1)), Path(name), ORIGIN)
    save_picture(Image.new("RGB", (1, 65_501)), Path("a.png"), ORIGIN)
    with pytest.raises(
        InputError, match=r"^b\.jpg: has 65,501 pixels on its longer side, 65,500 at most in a "
    ):
        save_picture(Image.new("RGB", (1, 65_501)), Path("b.jpg"), ORIGIN)
    assert not Path("b.jpg").exists()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png({"Title": "a cat", "Software": "npcam 0.0.1"}), Origin()),
        (jpeg(comment=b"npcam 0.0.1"), Origin()),
        (jpeg(comment=f"npcam 9; photo {'a' * 64}; weights {'b' * 64}".encode()), Origin("a" * 64, "b" * 64)),
        (b"", None),
        (b"old", None),
        (png({}), None),
        (png({"Software": "GIMP"}), None),
        (png({"Software": "GIMP", "Comment": "Software\0npcam 0.1.0"}), None),
        (png({"Comment": "npcam 1"}), None),
        (png({"Software": "npcamera 1"}), None),
        (png({"Software": "npcam 1; photo of a cat"}), None),
        (png({"Software": "npcam 1" + "x" * LONGEST_MARK}), None),
        (png({f"Title{n}": "x" for n in range(120)} | {"Software": "npcam 1"}), None),  # too late
        (png({"Software": "npcam 1"})[:40], None),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, None),
        (jpeg(), None),
        (jpeg(comment=b"npcamera 1"), None),
        (jpeg(comment=f"npcam 9; photo {'a' * 63}; weights {'b' * 64}".encode()), None),
        (b"\xff\xd8\xff", None),
        (b"\xff\xd8\xff\xfe\0\0", None),
        (b"\xff\xd8\xff\xfe\0\x20npcam 1", None),  # ends before it should
        (b"\xff\xd8" + b"\xff\xe0\0\x02" * 150 + b"\xff\xfe\0\x09npcam 1", None),
        (b"\xff\xd8\xff\xe0\0\0\xff\xfe\0\x09npcam 1", None),
        (b"GIF89a", None),
    ],
)
def test_whose_a_file_is(data, expected):
    """This or an earlier npcam's; another program's, text, and damaged files are not."""
    assert origin_of(io.BytesIO(data)) == expected
    Path("a.png").write_bytes(data)
    assert is_own("a.png") == (expected is not None)


def test_what_is_no_file_is_nobodys():
    """Nothing, a folder, a pipe, a name with a NUL: not npcam's, and not waited for."""
    os.mkfifo("pipe")
    for path in ("gone.png", ".", "pipe", "a\0b"):
        assert not is_own(path)
        assert not is_jpeg(path)


def test_a_picture_that_was_edited():
    """A PNG that another program saved again keeps no mark of npcam's: it is that program's."""
    save_picture(Image.fromarray(PIXELS), Path("a.png"), ORIGIN)
    with Image.open("a.png") as image:
        image.copy().save("a.png")
    assert not is_own("a.png")

"""What `npcam explain` writes: the names of its files, and whose file is written over."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from npcam import InputError
from npcam.cli.outputs import (
    ClassNames,
    map_path,
    output_names,
    overlay_path,
    require_own,
    save_map,
    save_overlay,
)

MAP = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    ("photos", "names"),
    [
        (["a.jpg"], ["a_cam"]),
        (["x/a.tar.gz", "y/a.tar.png"], ["a.tar_cam", "a.tar_cam-2"]),
        (["a.jpg", "a-2.jpg", "b.jpg", "a.png"], ["a_cam", "a-2_cam", "b_cam", "a_cam-2"]),
        (["a.jpg", "a.png", "a_cam-2.jpg"], ["a_cam", "a_cam-2", "a_cam-2_cam"]),
        (["a.jpg", "maps/a_cam.png"], ["a_cam-2", "a_cam_cam"]),
        (["a.jpg", "maps/../maps/a_cam.npy"], ["a_cam-2", "a_cam_cam"]),
        (["a.jpg", "a_cam.png"], ["a_cam", "a_cam_cam"]),  # lies elsewhere
        (["a\0.jpg", "a.jpg"], ["a\0_cam", "a_cam"]),
    ],
)
def test_names_of_the_files(photos, names):
    """After the photograph, with a number where there was one of that name; none is a photograph's own."""
    assert output_names(photos, Path("maps")) == [Path("maps", name) for name in names]


def test_a_photograph_by_another_path():
    """A link to a photograph, or its second name, is that photograph: no overlay takes its place."""
    Path("maps").mkdir()
    Path("b.png").write_bytes(b"1")
    os.link("b.png", "maps/a_cam.png")
    Path("maps/a_cam-2.png").symlink_to(Path("c.png").absolute())
    assert output_names(["a.png", "b.png", "c.png"], Path("maps")) == [
        Path("maps", name) for name in ("a_cam-3", "b_cam", "c_cam")
    ]


def test_names_that_fit():
    """A photograph's name of 255 bytes, in letters of one byte or three, leaves room for `_cam-99999.png`."""
    for stem in ("x" * 251, "\u30cd" * 83):
        first, second = output_names([f"{stem}.png", f"b/{stem}.png"], Path())
        assert first != second
        for path in (overlay_path(first), map_path(second)):
            path.write_bytes(b"")
            assert path.name.startswith(stem[:70])


def png(text):
    """The bytes of a small PNG with such words in it."""
    info = PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    file = io.BytesIO()
    Image.new("RGB", (9, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def npy(array):
    """The bytes of an array as NumPy saves it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_its_own_may_be_written_over():
    """Overlays and maps of this or an earlier npcam, and nothing at all."""
    require_own(Path("a.png"))
    save_overlay(Image.new("RGB", (9, 8)), Path("a.png"))
    with Image.open("a.png") as image:
        assert image.info["Software"].startswith("npcam ")
    save_map(MAP, Path("a.npy"))
    Path("b.png").write_bytes(png({"Title": "a cat", "Software": "npcam 0.0.1"}))
    for name in ("a.png", "a.npy", "b.png"):
        require_own(Path(name))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old",
        png({}),
        png({"Software": "GIMP"}),
        png({"Comment": "npcam 1"}),
        png({"Software": "npcamera 1"}),
        png({"Title": "x" * 5000, "Software": "npcam 1"}),  # so late that nobody looks there
        png({"Software": "npcam 1"})[:40],
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 40,
        npy(MAP),
        npy(np.zeros((2, 2, 2), np.float32)),
        npy(MAP)[:60],
    ],
)
def test_all_else_may_not(data):
    """Another program's pictures and arrays, text, damaged files."""
    Path("a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"^a\.png: is there, and npcam did not make it; move it or choose "):
        require_own(Path("a.png"))


def test_what_is_no_file_is_not_written_over():
    """A folder or a pipe at the overlay's place; nothing waits for the pipe."""
    Path("a.png").mkdir()
    os.mkfifo("b.png")
    for name, said in (("a.png", "is a directory"), ("b.png", "not a regular file")):
        with pytest.raises(InputError, match=f"^{name}: {said}; choose another -o$"):
            require_own(Path(name))


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_map_is_an_npy_file(dtype, order):
    """NumPy reads back the same numbers from it, of the same width; the header is a whole one."""
    array = np.asarray(MAP.astype(dtype), order=order)
    save_map(array, Path("a.npy"))
    found = np.load("a.npy", allow_pickle=False)
    assert (found.dtype, found.shape) == (array.dtype.newbyteorder("<"), array.shape)
    assert np.array_equal(found, array)
    assert (Path("a.npy").stat().st_size - array.nbytes) % 64 == 0


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("chelsea_cam", "cat", "chelsea_cat_cam"),
        ("chelsea_cam-2", "cat", "chelsea_cat_cam-2"),
        ("a_cam_cam", "garbage_truck", "a_cam_garbage_truck_cam"),
        ("chelsea_cam", "cat versus dog", "chelsea_cat_versus_dog_cam"),
        ("chelsea_cam", "../x/\x1b[2J\nb", "chelsea_.._x_2J_b_cam"),
        ("chelsea_cam", "\u732b", "chelsea_\u732b_cam"),
    ],
)
def test_names_with_a_class(name, words, expected):
    """The class stands before `_cam`; what makes folders or lines of a name is an underscore."""
    assert ClassNames([]).path(Path("maps", name), words) == Path("maps", expected)


def test_names_with_a_class_are_given_once():
    """Two classes of one name, two photographs that come to the same, and a photograph that is read."""
    Path("a_cat_cam-2.png").write_bytes(b"1")
    names = ClassNames(["a.jpg", "a_cat_cam-2.png"])
    found = [names.path(Path(name), words).name for name, words in (("a_cam", "cat"), ("a_cam", "cat"))]
    assert found == ["a_cat_cam", "a_cat_cam-3"]
    one, other = names.path(Path("a_cam"), "b_c"), names.path(Path("a_b_cam"), "c")
    assert (one.name, other.name) == ("a_b_c_cam", "a_b_c_cam-2")


@pytest.mark.parametrize("letter", ["x", "\u30cd"])
def test_names_with_a_class_fit(letter):
    """A name of 255 bytes and a class of 500 letters still make a file."""
    stem = output_names([f"{letter * (250 // len(letter.encode()))}.png"], Path())[0]
    names = ClassNames([])
    for _ in range(2):
        overlay_path(names.path(stem, letter * 500)).write_bytes(b"")
    assert len(list(Path().iterdir())) == 2

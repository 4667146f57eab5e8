"""Whose files are written over: npcam's own of before, and nothing else."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npcam import InputError
from npcam.cli.commands import main
from npcam.cli.outputs import LONGEST_END, output_names, require_own, save_map, save_overlay


def explain(*words, weights):
    return main(["explain", *map(str, words), "--weights", weights])


def test_its_own_are_written_over(narrow, photo, capsys):
    """Twice the same: the second overlay and map take the first ones' places."""
    for _ in range(2):
        assert explain(photo, "--save-map", weights=narrow) == 0
    assert capsys.readouterr().err == ""
    assert sorted(os.listdir()) == ["cat.png", "cat_cam.npy", "cat_cam.png"]  # noqa: PTH208
    require_own(Path("cat_cam.png"))
    require_own(Path("cat_cam.npy"))


def picture_of_another(path):
    Image.new("RGB", (5, 5)).save(path)


def picture_with_words(path):
    """A PNG that names another program, and npcam only where that says nothing."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", "GIMP")
    info.add_text("Comment", "Software\0npcam 0.1.0")
    Image.new("RGB", (5, 5)).save(path, pnginfo=info)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cat_cam.png", picture_of_another),
        ("cat_cam.png", picture_with_words),
        ("cat_cam.png", lambda path: path.write_bytes(b"")),
        ("cat_cam.npy", lambda path: np.save(path, np.zeros((7, 7), np.float32))),
        ("cat_cam.npy", lambda path: path.write_text("words")),
    ],
)
def test_another_programs_file_is_kept(narrow, photo, capsys, name, make):
    """One line, nothing is computed for it, and the bytes are what they were; the next photograph is done."""
    make(Path(name))
    before = Path(name).read_bytes()
    shutil.copy(photo, "dog.png")
    assert explain(photo, "dog.png", "--save-map", weights=narrow) == 2
    said = "is there, and npcam did not make it; move it or choose another -o"
    assert capsys.readouterr().err == f"npcam: {name}: {said}\n"
    assert Path(name).read_bytes() == before
    assert Path("dog_cam.png").is_file()


def test_a_link_in_an_overlays_place(narrow, photo, capsys):
    """To the photograph itself: the overlay has another name; to another program's file: it is kept."""
    Path("cat_cam.png").symlink_to(photo)
    assert explain(photo, weights=narrow) == 0
    assert Path("cat_cam-2.png").is_file()
    picture_of_another("other.png")
    before = Path("other.png").read_bytes()
    Path("cat_cam.png").unlink()
    Path("cat_cam.png").symlink_to("other.png")
    assert explain(photo, weights=narrow) == 2
    assert "cat_cam.png: is there, and npcam did not make it" in capsys.readouterr().err
    assert Path("other.png").read_bytes() == before


def test_a_map_is_read_by_numpy(tmp_path):
    """With the mark in its header it is an .npy file as any other, of either float type."""
    for dtype in (np.float32, np.float64):
        array = np.random.default_rng(0).normal(size=(7, 9)).astype(dtype)
        save_map(array, tmp_path / "a.npy")
        found = np.load(tmp_path / "a.npy")
        assert np.array_equal(found, array)
        assert found.dtype == dtype
        require_own(tmp_path / "a.npy")


def test_an_overlay_that_was_edited(tmp_path):
    """Saved again by another program, which keeps no mark of npcam's, it is that program's."""
    path = tmp_path / "a.png"
    save_overlay(Image.new("RGB", (5, 5)), path)
    require_own(path)
    with Image.open(path) as image:
        assert image.text["Software"].startswith("npcam ")
        image.copy().save(path)
    with pytest.raises(InputError, match="npcam did not make it"):
        require_own(path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.mkdir()])
def test_what_is_no_file(tmp_path, make):
    """A pipe or a folder in the overlay's place is not waited for."""
    make(tmp_path / "a.png")
    with pytest.raises(InputError, match="choose another -o"):
        require_own(tmp_path / "a.png")


def test_a_photograph_is_never_written_over(tmp_path, monkeypatch):
    """By whatever path the photographs are named: `x_cam.png` beside `x.png` is one of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("x.png", "x_cam.png"):
        Path(name).write_bytes(b"")
    os.link("x_cam.png", "second.png")
    Path("link.png").symlink_to("x_cam.png")
    for other in ("x_cam.png", "./x_cam.png", tmp_path / "x_cam.png", "second.png", "link.png"):
        first, _ = output_names(["x.png", str(other)], Path())
        assert first == Path("x_cam-2")


def test_the_longest_names(tmp_path):
    """Names that are as long as they can be, of two photographs that begin alike, give two names that fit."""
    photos = ["é" * 120 + "a.png", "é" * 120 + "b.png"]
    names = [path.name for path in output_names(photos, tmp_path)]
    assert len(set(names)) == 2
    assert all(len(f"{name}.png".encode()) <= 255 for name in names)
    assert all(name.startswith("é" * ((255 - LONGEST_END) // 2)) for name in names)

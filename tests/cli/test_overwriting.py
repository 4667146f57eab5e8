"""Whose files are written over: npcam's own of before, and nothing else."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npcam.cli.commands import main
from npcam.cli.names import require_map
from npcam.pictures.saved import is_own


def explain(*words, weights):
    return main(["explain", *map(str, words), "--weights", weights])


def test_its_own_are_written_over(narrow, photo, capsys):
    """Twice the same: the second overlay and map take the first ones' places."""
    for _ in range(2):
        assert explain(photo, "--save-map", weights=narrow) == 0
    assert capsys.readouterr().err == ""
    assert sorted(os.listdir()) == ["cat.png", "cat_cam.npy", "cat_cam.png"]  # noqa: PTH208
    assert is_own("cat_cam.png")
    require_map(Path("cat_cam.npy"))


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
    assert is_own(f"{Path.cwd().name}_cat_cam.png")
    assert not is_own(photo)
    picture_of_another("other.png")
    before = Path("other.png").read_bytes()
    Path("cat_cam.png").unlink()
    Path("cat_cam.png").symlink_to("other.png")
    assert explain(photo, weights=narrow) == 2
    assert "cat_cam.png: is there, and npcam did not make it" in capsys.readouterr().err
    assert Path("other.png").read_bytes() == before

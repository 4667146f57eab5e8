"""`npcam layers`: slides as files, and what it refuses."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from npcam.cli.commands import main
from npcam.common.hashes import sha256_file
from npcam.pictures.saved import Origin, origin_of


def layers(*words, weights):
    return main(["layers", *map(str, words), "--weights", weights])


@pytest.mark.parametrize(
    "words", [[], ["--layer", "conv2_block1_out"], ["--layer", "conv1_conv", "--top", "3"]]
)
def test_png_and_svg(narrow, photo, capsys, words):
    """Both are of a slide's size, say of what they are, and are written over by a later run."""
    for _ in range(2):
        assert layers(photo, *words, "-o", "a.png", weights=narrow) == 0
        assert layers(photo, *words, "-o", "a.svg", weights=narrow) == 0
    assert capsys.readouterr().err == ""
    with Image.open("a.png") as picture:
        assert picture.size == (1920, 1080)
    with Path("a.png").open("rb") as file:
        assert origin_of(file) == Origin(sha256_file(photo), sha256_file(narrow))
    text = Path("a.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert (root.get("width"), root.get("height")) == ("1920", "1080")
    assert f"photo {sha256_file(photo)}; weights {sha256_file(narrow)} -->" in text.splitlines()[1]
    said = " ".join(node.text for node in root.iter("{http://www.w3.org/2000/svg}text"))
    assert ("the 3 strongest of 4 maps" in said) == ("--top" in words)
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "a.svg", "cat.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a.pdf"], "a.pdf: expected a name that ends in .png or .svg; choose another -o"),
        (["-o", "a.png", "--top", "4"], "--top says how many maps of a layer to draw; add --layer NAME"),
        (["-o", "a.png", "--layer", "avg_pool"], "npcam: avg_pool: has no maps, but (32,)"),
        (["-o", "a.png", "--layer", "conv1_con"], "no layer is called 'conv1_con'; did you mean conv1_conv"),
        (["-o", "a.png", "--layer", "conv1_conv", "--top", "0"], "expected a whole number from 1 up"),
        (["-o", "a.png", "--interpolation", "magic"], "magic"),
        (["-o", "cat.png"], "cat.png: is the input cat.png itself; choose another -o"),
        (["-o", "no/a.svg"], "no/a.svg: cannot write here"),
        ([], "the following arguments are required: -o/--output"),
    ],
)
def test_refuses(narrow, photo, capsys, words, said):
    """One line, status 2, and nothing is written."""
    assert layers(photo, *words, weights=narrow) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("npcam: ")
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["cat.png"]


@pytest.mark.parametrize("name", ["a.png", "a.svg"])
def test_other_programs_files_are_not_written_over(narrow, photo, capsys, name):
    """Whatever is there and not npcam's stays as it is."""
    Path(name).write_bytes(b'<?xml version="1.0"?><svg/>')
    assert layers(photo, "-o", name, weights=narrow) == 2
    assert (
        f"{name}: is there, and npcam did not make it; move it or choose another -o"
        in capsys.readouterr().err
    )
    assert Path(name).read_bytes() == b'<?xml version="1.0"?><svg/>'


def test_a_photograph_that_is_none(narrow, capsys):
    """A file that is missing, and one that is no photograph."""
    Path("text.jpg").write_text("no picture")
    for name in ("missing.jpg", "text.jpg"):
        assert layers(name, "-o", "a.svg", weights=narrow) == 2
        assert name in capsys.readouterr().err
    assert not Path("a.svg").exists()

"""`npcam explore`: the page's file, and what it refuses."""

from pathlib import Path

import pytest

from npcam.cli import main


def test_it_writes_the_page_and_says_where(narrow, photo, capsys):
    """Into a folder that is made for it, with the photograph's name and the classes in it."""
    assert main(["explore", photo, "--weights", narrow, "-o", "new/page.html"]) == 0
    assert capsys.readouterr().out == "new/page.html\n"
    text = Path("new/page.html").read_text("utf-8")
    assert "<title>narrow: every number of a network</title>" in text
    assert f'"verify_options":" --weights {narrow}"' in text
    assert '"name":"cat.png","size":[90,60]' in text
    assert '"class_names":["cat","dog","cow","cock","crow"]' in text


def test_without_a_photograph_it_waits_for_one(narrow):
    """The place of the photograph is empty."""
    assert main(["explore", "--weights", narrow, "-o", "page.html"]) == 0
    empty = '<script type="application/json" id="photo-data">{}</script>'
    assert empty in Path("page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jpg", "-o", "page.html"], "none.jpg: no such file"),
        (["-o", "cat.png"], "-o cat.png: is no page's name; give one that ends in .html"),
        (["cat.png", "-o", "cat.png/page.html"], "cat.png: cannot make this folder"),
        (["-o", "page.html", "--weights", "none.h5"], "none.h5: no such file"),
        (["-o", "."], "-o .: is no page's name"),
        ([], "the following arguments are required: -o/--output"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, said, narrow, photo, capsys):
    """Status 2, nothing written, the photograph as it was."""
    if "--weights" not in arguments:
        arguments = [*arguments, "--weights", narrow]
    before = Path(photo).read_bytes()
    assert main(["explore", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("npcam: ")
    assert err.count("\n") == 1
    assert said in err
    assert [path.name for path in Path().iterdir()] == [photo]
    assert Path(photo).read_bytes() == before

"""What people name, as a list of photographs."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from npcam import InputError
from npcam.pictures.saved import Origin, save_picture
from npcam.stream.listing import list_photographs

ORIGIN = Origin("a" * 64, "b" * 64)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own to look through."""
    monkeypatch.chdir(tmp_path)


def made(*names):
    """Files of such names, with the folders that they lie in; nothing is in them."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def drawn(*names):
    """Pictures that npcam drew."""
    for name in names:
        save_picture(Image.new("RGB", (9, 8)), Path(name), ORIGIN)


def found(*named, stdin=None):
    """The photographs alone, where nothing else is to be said."""
    listing = list_photographs(named, None if stdin is None else io.BytesIO(stdin))
    assert listing[1:] == ((), ())
    return list(listing.photos)


def test_a_folder_and_all_below():
    """Sorted by their paths, which begin as the folder was named; by their endings, in capitals as well."""
    made(
        "p/b.jpg", "p/a/c.PNG", "p/a/d/e.tiff", "p/a.webp", "p/notes.txt", "p/a/table.csv", "p/jpg", "q/z.jpg"
    )
    expected = ["a.webp", "a/c.PNG", "a/d/e.tiff", "b.jpg"]
    assert found("p") == [f"p/{name}" for name in expected]
    assert found("./p") == [f"./p/{name}" for name in expected]
    assert found("p/") == [f"p/{name}" for name in expected]
    assert found(str(Path("p").absolute())) == [str(Path("p", name).absolute()) for name in expected]
    assert found("q", "p") == ["q/z.jpg", *(f"p/{name}" for name in expected)]
    assert found(".")[0] == "./p/a.webp"


def test_hidden_ones_are_left_out():
    """Files and folders whose names begin with a dot, unless they are named themselves."""
    made("p/a.jpg", "p/.b.jpg", "p/.c/d.jpg", "p/e/.f/g.jpg")
    assert found("p") == ["p/a.jpg"]
    assert found("p/.c", "p/.b.jpg") == ["p/.c/d.jpg", "p/.b.jpg"]
    assert found("**/*.jpg") == ["p/a.jpg"]
    assert found("*/.*.jpg") == ["p/.b.jpg"]


def test_files_are_taken_as_they_are_named():
    """Whatever they are called, as often as they are named; whether they are there is seen later."""
    made("a.jpg", "text", "b[1].jpg")
    named = ["text", "gone.jpg", "a.jpg", "a.jpg", "b[1].jpg", "a\0.jpg", ""]
    assert found(*named) == named


@pytest.mark.parametrize("order", [("p", "p/a.jpg"), ("p/a.jpg", "p"), ("p/*", "./p/a.jpg"), ("p", "p/../p")])
def test_a_photograph_is_taken_once(order):
    """A file and its folder, in any order and by any path; a pattern and a folder."""
    made("p/a.jpg", "p/b.jpg")
    photos = found(*order)
    assert sorted(map(os.path.abspath, photos)) == [os.path.abspath(f"p/{n}.jpg") for n in "ab"]  # noqa: PTH100


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("p/*.jpg", ["p/a.jpg", "p/b.jpg"]),
        ("p/?.jpg", ["p/a.jpg", "p/b.jpg"]),
        ("p/[ab].*", ["p/a.jpg", "p/b.jpg"]),
        ("p/**/*.jpg", ["p/a.jpg", "p/b.jpg", "p/q/c.jpg", "p/q/r/d.jpg"]),
        ("**/c.jpg", ["p/q/c.jpg"]),
        ("./**/c.jpg", ["./p/q/c.jpg"]),
        ("**/q/**/*.jpg", ["p/q/c.jpg", "p/q/r/d.jpg"]),
        ("*/q/**", ["p/q/c.jpg", "p/q/r/d.jpg", "p/q/r/e.txt"]),
        ("p**/*.jpg", ["p/a.jpg", "p/b.jpg"]),
        ("p/q*", ["p/q/c.jpg", "p/q/r/d.jpg"]),
        ("*", ["p/a.jpg", "p/b.jpg", "p/q/c.jpg", "p/q/r/d.jpg"]),
    ],
)
def test_patterns(pattern, expected):
    """As a shell means them; `**` is any number of folders; a folder that fits stands for its pictures."""
    made("p/b.jpg", "p/a.jpg", "p/q/c.jpg", "p/q/r/d.jpg", "p/q/r/e.txt")
    assert found(pattern) == expected


def test_a_pattern_from_the_root(tmp_path):
    """An absolute one gives absolute paths."""
    made("p/a.jpg")
    assert found(f"{tmp_path}/**/*.jpg") == [f"{tmp_path}/p/a.jpg"]
    assert found(f"{tmp_path}/*") == [f"{tmp_path}/p/a.jpg"]


def test_a_folder_with_signs_in_its_name():
    """What a pattern finds in it is found, although its name looks like a pattern."""
    made("p/[x]*/a.jpg", "p/x/b.jpg")
    assert found("p/[x]*") == ["p/[x]*/a.jpg"]
    assert found("p/**/*.jpg") == ["p/[x]*/a.jpg", "p/x/b.jpg"]


def test_links():
    """Links to files are files; those to folders are not followed, which is said, unless they are named."""
    made("p/a.jpg", "else/b.jpg")
    Path("p/link.jpg").symlink_to("a.jpg")
    Path("p/broken.jpg").symlink_to("nothing.jpg")
    Path("p/more").symlink_to(Path("else").absolute())
    for named in ("p", "p/**/*.jpg"):
        listing = list_photographs([named])
        assert listing.photos == ("p/a.jpg", "p/broken.jpg", "p/link.jpg")
        assert listing.notes == ("links to folders are not followed: p/more; name those that are meant",)
    assert found("p/more") == ["p/more/b.jpg"]


def test_links_in_circles():
    """Two links that lead up would double the paths with every level: it still ends at once."""
    made("p/q/a.jpg")
    for name in ("one", "two", "three"):
        Path("p/q", name).symlink_to(Path("p").absolute())
    for named in ("p", "**/*.jpg", "p/**", "**/q/**/a.jpg"):
        listing = list_photographs([named])
        assert listing.photos == ("p/q/a.jpg",)
        assert listing.notes[0].startswith("links to folders are not followed: ")
        assert all(f"p/q/{name}" in listing.notes[0] for name in ("one", "two", "three"))
    Path("itself").symlink_to("itself")
    assert found("itself") == ["itself"]


def test_pictures_by_npcam_are_left_out():
    """By what is in them and not by their names, and counted; named themselves, they are taken."""
    made("p/a.jpg", "p/b_cam.png")
    drawn("p/a_cam.jpg", "p/a_cam.png", "p/sheet.PNG", "p/other.jpeg")
    said = ("4 of the pictures found were drawn by npcam, and are left out",)
    for named in ("p", "p/*", "**/*.*"):
        assert list_photographs([named]) == (("p/a.jpg", "p/b_cam.png"), (), said)
    assert found("p/a_cam.jpg") == ["p/a_cam.jpg"]


def test_nothing_there():
    """An empty folder, one with npcam's own pictures alone, a pattern that fits no name: each is named."""
    made("empty/text", "own/text", "p/a.jpg")
    drawn("own/a_cam.png")
    listing = list_photographs(["empty", "own", "p", "*.gif", "x/**/*.jpg"])
    nothing = "holds no pictures; name a folder that does"
    no_file = "no file is called like this; give a photograph's path"
    assert listing.photos == ("p/a.jpg",)
    assert listing.errors == (
        ("empty", f"empty: {nothing}"),
        ("own", f"own: {nothing}"),
        ("*.gif", f"*.gif: {no_file}"),
        ("x/**/*.jpg", f"x/**/*.jpg: {no_file}"),
    )


def test_a_folder_without_permission(monkeypatch):
    """It is named, once for each that was meant to be searched, and the rest is found."""
    made("p/a.jpg", "p/secret/b.jpg", "p/z/c.jpg", "shut/d.jpg")
    scandir = os.scandir

    def guarded(path="."):
        if str(path).endswith(("secret", "shut")):
            raise PermissionError(13, os.strerror(13), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    reason = f"cannot be looked into ({os.strerror(13)}); check its permissions"
    for named in ("p", "p/**/*.jpg", "p/**/**/*.jpg"):
        listing = list_photographs([named])
        assert listing.photos == ("p/a.jpg", "p/z/c.jpg")
        assert listing.errors == (("p/secret", f"p/secret: {reason}"),)
    listing = list_photographs(["shut", "p/z"])
    assert listing == (("p/z/c.jpg",), (("shut", f"shut: {reason}"),), ())


@pytest.mark.parametrize(
    "data",
    [
        b"a b.jpg\np\n\xff.jpg\n",
        b"a b.jpg\r\np\r\n\r\n\xff.jpg",
        b"a b.jpg\0p\0\xff.jpg\0",
    ],
)
def test_a_list_on_standard_input(data):
    """A path a line, or one before each NUL; folders in it are searched, and names need not be text."""
    made("p/c.jpg", "x.jpg")
    assert found("-", stdin=data) == ["a b.jpg", "p/c.jpg", os.fsdecode(b"\xff.jpg")]
    assert found("x.jpg", "-", stdin=data)[0] == "x.jpg"


def test_names_with_line_feeds_in_a_list():
    """Where there are NULs, lines are no ends, and neither are spaces."""
    assert found("-", stdin=b" a\nb.jpg \0c\rd.jpg\0") == [" a\nb.jpg ", "c\rd.jpg"]


@pytest.mark.parametrize("data", [None, b"", b"\n \n", b"\0\0"])
def test_no_list(data):
    """Standard input that is closed or empty is one line that says what is expected."""
    with pytest.raises(
        InputError, match=r"^-: standard input has no list; one path a line, as `find` prints "
    ):
        list_photographs(["-"], None if data is None else io.BytesIO(data))


def test_a_list_twice_and_one_without_an_end(monkeypatch):
    """It is there once; more bytes than any list has are not read."""
    with pytest.raises(InputError, match=r"^-: the list on standard input is there once; name it once$"):
        list_photographs(["-", "-"], io.BytesIO(b"a.jpg"))
    monkeypatch.setattr("npcam.stream.listing.MAX_LIST_BYTES", 8)
    assert found("-", stdin=b"12345678") == ["12345678"]
    with pytest.raises(InputError, match=r"^-: the list has more than 8 bytes; give it in parts$"):
        list_photographs(["-"], io.BytesIO(b"123456789"))


def test_names_that_are_no_text():
    """Folders and files whose bytes are no UTF-8 are found by a folder and by a pattern."""
    name = os.fsdecode(b"p/\xff/\xfe.jpg")
    made(name)
    assert found("p") == found("p/**/*.jpg") == found("p/*/*") == [name]

"""Class names from files of every form, and from files of none."""

import io
import json
import os

import pytest
from helpers.unreadable import refuse_to_open

from npcam import InputError
from npcam.common import whole_files
from npcam.convert import class_names
from npcam.convert.class_names import read_class_names

NAMES = ("cat", "golf ball", "Füchse")
WNIDS = ("n02121808", "n03445777", "n02119789")


@pytest.mark.parametrize(
    ("text", "wnids"),
    [
        ("cat\ngolf ball\nFüchse", None),
        ("cat\rgolf ball\rFüchse\r", None),
        ("\ufeffcat\r\n golf ball \r\nFüchse\r\n\r\n", None),
        ("n02121808 cat\nn03445777\tgolf ball\nn02119789 Füchse\n", WNIDS),
        ("n02121808,cat\nn03445777, golf ball\nn02119789 , Füchse\n", WNIDS),
        (json.dumps(NAMES), None),
        (f"\n {json.dumps(NAMES)}", None),
        (json.dumps({2: "Füchse", 0: "cat", 1: "golf ball"}), None),
        (json.dumps({"golf ball": 1, "Füchse": 2, "cat": 0}), None),
        (json.dumps({k: [WNIDS[k], NAMES[k]] for k in (2, 1, 0)}), WNIDS),
        (json.dumps([list(pair) for pair in zip(WNIDS, NAMES, strict=True)]), WNIDS),
    ],
)
@pytest.mark.parametrize("name", ["names.txt", "names"])
def test_every_form(tmp_path, name, text, wnids):
    """The same names from text and from each JSON form, whatever their order there and the file's name."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read_class_names(path) == (NAMES, wnids)
    assert read_class_names(str(path)).wnids == wnids


@pytest.mark.parametrize(
    "lines",
    [
        ["n02121808 cat", "dog"],
        ["n02121808", "n02084071"],
        ["n0212180 cat", "n02084071 dog"],
        ["n021218088 cat", "n02084071 dog"],
        ["n02121808 cat", "m02084071 dog"],
    ],
)
def test_what_only_some_lines_have_is_part_of_the_names(tmp_path, lines):
    """WordNet ids are n and eight digits in every line, with a name after them; else they are names."""
    (tmp_path / "names.txt").write_text("\n".join(lines))
    assert read_class_names(tmp_path / "names.txt") == (tuple(lines), None)


FORMS = 'expected ["cat", ...], {"0": "cat", ...} or {"0": ["n02121808", "cat"], ...}'
UNUSABLE = "is empty, too long or not printable"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds no class names; write one per line"),
        (b"\n \n", "holds no class names; write one per line"),
        (b"{}", "holds no class names; write one per line"),
        (b"[]", "holds no class names; write one per line"),
        (b"cat\n\ndog\n", f"the name of class 1 {UNUSABLE}: ''"),
        (b'["cat", " "]', f"the name of class 1 {UNUSABLE}: ' '"),
        (b"cat\nd\x1bog\n", f"the name of class 1 {UNUSABLE}: 'd\\x1bog'"),
        (b"c" * 501, f"the name of class 0 {UNUSABLE}: '{'c' * 40}'"),
        (b"\xff\xfe\x00c", "is not UTF-8 text; save it as UTF-8"),
        (b'{"0": "cat", "0": "dog"}', 'is not valid JSON (the key "0" is there twice)'),
        (b'{"0": "cat", "2": "dog"}', "2 names, but none for class 1; number them from 0"),
        (b'{"1": "cat", "2": "dog"}', "2 names, but none for class 0; number them from 0"),
        (b'{"cat": 0, "dog": 2}', "2 names, but none for class 1; number them from 0"),
        (b'{"cat": 0, "dog": 0}', "two names have the same index; number them from 0"),
        (b'["cat", 3]', FORMS),
        (b'{"cat": false, "dog": true}', "2 names, but none for class 0; number them from 0"),
        (b'{"0": true}', FORMS),
        (b'[["n02121808", "cat"], ["n02084071"]]', FORMS),
        (b'[["n02121808", "cat"], ["n02084071", "dog", "hound"]]', FORMS),
        (b'[["n02121808", "cat"], ["n02084071", 7]]', FORMS),
        (b'[["n02121808", "cat"], "n0"]', FORMS),
    ],
)
def test_unusable_files(tmp_path, data, said):
    """One line names the file and what is wrong with it."""
    path = tmp_path / "names.txt"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_class_names(path)
    assert str(caught.value) == f"{path}: {said}"


@pytest.mark.parametrize(
    ("name", "text"), [("a.txt", "[" * 100_000), ("a.txt", '["cat", '), ("a.JSON", "cat")]
)
def test_broken_json(tmp_path, name, text):
    """By its first character or its name it is JSON, but it is none: Python's reason on one line."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"^[^\n]*: is not valid JSON \([^\n]+\)$"):
        read_class_names(tmp_path / name)


def test_the_longest_name(tmp_path):
    """Names of up to 500 characters; one more is refused above."""
    (tmp_path / "names.txt").write_text("c" * 500)
    assert read_class_names(tmp_path / "names.txt").names == ("c" * 500,)


def test_the_largest_file(tmp_path, monkeypatch):
    """A file of as many bytes as the limit is read, a larger one is not."""
    path = tmp_path / "names.txt"
    with path.open("wb") as file:
        file.truncate(8 * 2**20 + 1)
    with pytest.raises(InputError) as caught:
        read_class_names(path)
    advice = "give a text or JSON file of class names"
    assert str(caught.value) == f"{path}: is longer than {8 * 2**20:,} bytes; {advice}"
    monkeypatch.setattr(class_names, "MAX_NAMES_FILE", 7)
    path.write_text("cat\ndog")
    assert read_class_names(path).names == ("cat", "dog")
    path.write_text("cats\ndog")
    with pytest.raises(InputError, match="is longer than 7 bytes"):
        read_class_names(path)


def test_no_file(tmp_path):
    """A missing file, a directory, and a pipe without end, which is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    found = {"none": "no such file", "": "is a directory", "pipe": "not a regular file"}
    for name, said in found.items():
        with pytest.raises(InputError) as caught:
            read_class_names(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {said}; give a text or JSON file of class names"


@pytest.mark.parametrize(
    ("error", "reason"), [(PermissionError(13, os.strerror(13)), os.strerror(13)), (OSError("gone"), "gone")]
)
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, error, reason):
    """One that the system does not open, and one that it stops reading: its reason stands in the line."""
    path = tmp_path / "names.txt"
    path.write_text("cat")
    with monkeypatch.context() as patch:
        refuse_to_open(patch, path, error)
        with pytest.raises(InputError) as caught:
            read_class_names(path)
    assert str(caught.value) == f"{path}: cannot be read ({reason}); check its permissions"

    class Gone(io.BytesIO):
        def read(self, *_):
            raise error

    monkeypatch.setattr(whole_files, "open_file", lambda *_: Gone())
    with pytest.raises(InputError) as caught:
        read_class_names(path)
    assert str(caught.value) == f"{path}: cannot be read ({reason})"

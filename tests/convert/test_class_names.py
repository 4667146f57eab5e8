"""Class names from files of every form, and from files of none."""

import json

import pytest

from npcam import InputError
from npcam.convert.class_names import read_class_names

NAMES = ("cat", "golf ball", "Füchse")
WNIDS = ("n02121808", "n03445777", "n02119789")


@pytest.mark.parametrize(
    ("text", "wnids"),
    [
        ("cat\ngolf ball\nFüchse", None),
        ("\ufeffcat\r\n golf ball \r\nFüchse\r\n\r\n", None),
        ("n02121808 cat\nn03445777\tgolf ball\nn02119789 Füchse\n", WNIDS),
        (json.dumps(NAMES), None),
        (json.dumps({2: "Füchse", 0: "cat", 1: "golf ball"}), None),
        (json.dumps({"golf ball": 1, "Füchse": 2, "cat": 0}), None),
        (json.dumps({k: [WNIDS[k], NAMES[k]] for k in (2, 1, 0)}), WNIDS),
    ],
)
def test_every_form(tmp_path, text, wnids):
    """The same names from text and from each JSON form, whatever their order there."""
    path = tmp_path / "names.txt"
    path.write_bytes(text.encode())
    assert read_class_names(path) == (NAMES, wnids)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no class names"),
        (b"\n \n", "no class names"),
        (b"cat\n\ndog\n", "class 1 is empty"),
        (b"cat\nd\x1bog\n", "not printable"),
        (b"c" * 600, "too long"),
        (b"\xff\xfe\x00c", "UTF-8"),
        (b"[" * 100_000, "JSON"),
        (b'["cat", ', "JSON"),
        (b'{"0": "cat", "0": "dog"}', "twice"),
        (b'{"0": "cat", "2": "dog"}', "none for class 1"),
        (b'["cat", 3]', "expected"),
        (b"{}", "no class names"),
        (b"x" * (9 * 2**20), "larger than"),
    ],
)
def test_unusable_files(tmp_path, data, said):
    """One line names the file and what is wrong with it."""
    path = tmp_path / "names.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as caught:
        read_class_names(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path):
    """A missing file and a directory."""
    for path, said in [(tmp_path / "none", "no such file"), (tmp_path, "directory")]:
        with pytest.raises(InputError, match=said):
            read_class_names(path)

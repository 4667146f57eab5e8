"""Lists of the photographs to take."""

import pytest
from helpers.labelled import touch, write

from npcam import InputError
from npcam.datasets.image_sets import chosen
from npcam.datasets.places import Places, files_below


@pytest.fixture
def places(tmp_path):
    """Four photographs of a tree."""
    names = ("JPEGImages/1.jpg", "JPEGImages/2.jpg", "JPEGImages/a.b.jpg", "train/n01440764/1_1.jpg")
    return Places(tmp_path, files_below(touch(tmp_path, *names), (".jpg",))[0])


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("1\n2\n", ["JPEGImages/1.jpg", "JPEGImages/2.jpg"]),
        ("2.jpg 1\r\n\r\n", ["JPEGImages/2.jpg"]),
        ("JPEGImages/2.jpg", ["JPEGImages/2.jpg"]),
        ("a.b", ["JPEGImages/a.b.jpg"]),
        ("1  1\n2 -1\na.b  0\n", ["JPEGImages/1.jpg", "JPEGImages/a.b.jpg"]),
        ("n01440764/1_1 1\n", ["train/n01440764/1_1.jpg"]),
    ],
)
def test_names_with_and_without_folders_and_suffix(places, tmp_path, text, taken):
    """As PASCAL VOC and ILSVRC write them; -1 in a list of one class is a photograph without it."""
    found, notes = chosen(places, write(tmp_path / "val.txt", text))
    assert list(found.pictures) == taken
    assert notes == [f"{len(taken)} of 4 photographs are in {tmp_path}/val.txt, and no others are taken"]


def test_names_of_no_photograph(places, tmp_path):
    """They are counted."""
    _, notes = chosen(places, write(tmp_path / "val.txt", "1\n7\nImages/2\n8 -1\n"))
    assert notes[1] == f"2 names of {tmp_path}/val.txt not in the folder (first: 7, Images/2)"


@pytest.mark.parametrize(("text", "first"), [("7\n", r" \(first: 7\)"), ("", ""), ("1 -1\n", "")])
def test_a_list_of_nothing(places, tmp_path, text, first):
    """It is an error, not an empty data set."""
    with pytest.raises(
        InputError, match=rf"val\.txt: none of its \d names? is of a photograph in \S+{first}; give"
    ):
        chosen(places, write(tmp_path / "val.txt", text))

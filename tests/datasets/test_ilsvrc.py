"""Kaggle's solutions and the words of WordNet ids."""

import pytest
from helpers.labelled import write

from npcam import InputError
from npcam.datasets.ilsvrc import find_solutions, find_synsets, is_solution, read_solution, with_wnids
from npcam.datasets.photographs import Listed, TrueBox
from npcam.datasets.places import Places

HEADER = "ImageId,PredictionString\n"


def test_boxes_of_a_row():
    """Corners count from 0 and belong to the box; a photograph is told by its name alone."""
    text = (
        HEADER
        + "v1,n03995372 85 1 499 272 \nv2,n01440764 0 0 9 9 n01440764 10 20 19 24\nv3,n01440764 1 1 2 2\n"
    )
    listed, notes = read_solution(text, "s.csv", ["val/v1.JPEG", "v2.JPEG"])
    assert listed == {
        "val/v1.JPEG": Listed(None, None, (TrueBox("n03995372", (85, 1, 500, 273)),), "s.csv, line 2"),
        "v2.JPEG": Listed(
            None,
            None,
            (TrueBox("n01440764", (0, 0, 10, 10)), TrueBox("n01440764", (10, 20, 20, 25))),
            "s.csv, line 3",
        ),
    }
    assert notes == []


def test_boxes_without_an_area():
    """They are left out, and it is said."""
    listed, notes = read_solution(
        HEADER + "v1,n03995372 85 9 499 7 n03995372 1 2 3 4\n", "s.csv", ["v1.JPEG"]
    )
    assert listed["v1.JPEG"].boxes == (TrueBox("n03995372", (1, 2, 4, 5)),)
    assert notes == [
        "1 box without an area left out: s.csv, line 2: the box [85, 9, 500, 8] is empty "
        "(x0 < x1 and y0 < y1 expected)"
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("v1\n", "s.csv, line 2: expected a WordNet id and four numbers for each box, found "),
        ("v1,\n", "s.csv, line 2: expected a WordNet id and four numbers"),
        (
            "v1,n01440764 1 2 3\n",
            "s.csv, line 2: expected a WordNet id and four numbers for each box, found n014",
        ),
        ("v1,tench 1 2 3 4\n", "s.csv, line 2: expected a WordNet id and four numbers"),
        ("v1,n01440764 1 2 3 x\n", "s.csv, line 2: expected a number of pixels, got 'x'"),
        ("v1,n01440764 1 2 3 4\nv1,n01440764 1 2 3 4\n", "s.csv, line 3: v1 is there twice; keep one row"),
        ('v1,"n01440764 1 2 3 4\n', "s.csv, line 3: is not valid CSV"),
        ("same,n01440764 1 2 3 4\n", "s.csv, line 2: a/same.JPEG and b/same.JPEG are both called same"),
        (f"v1,{'n01440764 1 2 3 4 ' * 1001}\n", "s.csv, line 2: 1001 boxes in one photograph"),
    ],
)
def test_unusable_rows(rows, said):
    """One line names the file and the line; rows of other photographs are not looked at."""
    with pytest.raises(InputError) as caught:
        read_solution(HEADER + rows + "other,x\n", "s.csv", ["v1.JPEG", "a/same.JPEG", "b/same.JPEG"])
    assert str(caught.value).startswith(said)


def test_the_header_tells():
    """Box lists have another one."""
    assert is_solution("ImageId,PredictionString\r\nv1,n0 1 2 3 4")
    assert is_solution("ImageId,PredictionString")
    assert not is_solution("photo,class,x0,y0,x1,y1\n")


def test_folders_that_are_wordnet_ids():
    """They are the class of what lies in them, boxes or not; other photographs stay as they are."""
    listed = {
        "train/n01440764/1.JPEG": Listed(None, (5, 5), (), "x"),
        "val/2.JPEG": Listed(None, None, (), "y"),
    }
    pictures = ["train/n01440764/1.JPEG", "train/n01440764/9.JPEG", "val/2.JPEG", "n01440764.JPEG"]
    found = with_wnids(listed, Places("photos", dict.fromkeys(pictures, "")))
    assert found == {
        "train/n01440764/1.JPEG": Listed("n01440764", (5, 5), (), "x"),
        "train/n01440764/9.JPEG": Listed("n01440764", None, (), "train/n01440764/9.JPEG"),
        "val/2.JPEG": listed["val/2.JPEG"],
    }
    found = with_wnids({}, Places("train/n01440764", {"1.JPEG": ""}))
    assert found == {"1.JPEG": Listed("n01440764", None, (), "1.JPEG")}


@pytest.mark.parametrize(
    "below", ["", "ILSVRC", "ILSVRC/Data", "ILSVRC/Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/train/n01440764"]
)
def test_what_lies_above(tmp_path, below):
    """From anywhere in Kaggle's tree its files are found."""
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    write(tmp_path / "LOC_val_solution.csv", HEADER)
    write(
        tmp_path / "LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\n\nnonsense\nn01443537 goldfish\n"
    )
    assert find_solutions(tmp_path / below) == [tmp_path.resolve() / "LOC_val_solution.csv"]
    assert find_synsets(tmp_path / below) == {"n01440764": "tench, Tinca tinca", "n01443537": "goldfish"}


def test_other_folders_are_not_looked_into(tmp_path):
    """A folder that is none of ILSVRC's takes nothing from above it."""
    (tmp_path / "photos/cat").mkdir(parents=True)
    write(tmp_path / "LOC_val_solution.csv", HEADER)
    write(tmp_path / "LOC_synset_mapping.txt", "n01440764 tench\n")
    assert find_solutions(tmp_path / "photos/cat") == []
    assert find_synsets(tmp_path / "photos/cat") == {}

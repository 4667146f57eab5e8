"""Classes under the names that data sets have for them."""

import pytest

from npcam import InputError
from npcam.datasets.classes import Classes


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("garbage truck", 7),
        ("garbage_truck", 7),
        ("Garbage-Truck", 7),
        ("7", 7),
        ("truck", None),
        ("14", None),
    ],
)
def test_names_as_people_write_them(bundled, name, index):
    """Blanks, underscores, capitals and indices; a part of a name is no name."""
    assert Classes(bundled, []).find(name) == index


def test_wordnet_ids(imagenet):
    """Those of the model."""
    classes = Classes(imagenet, [])
    assert [classes.find(name) for name in ("n01440764", "n03028079", "n00000000")] == [1, 4, None]


def test_why_a_name_is_no_class(imagenet):
    """A name that two classes share is said to be that."""
    classes = Classes(imagenet, [])
    assert classes.find("crane") is None
    assert classes.find("zebra") is None
    assert classes.unknown == {"crane": "names 2 classes", "zebra": ""}


def test_folders_that_are_numbers(bundled):
    """They are indices where folders alone give the classes, and parts of a large set elsewhere."""
    classes = Classes(bundled, [])
    assert classes.find_folder("3", by_index=True) == 3
    assert classes.find_folder("3", by_index=False) is None
    assert classes.find_folder("cat", by_index=False) == 1
    assert classes.find_folder("", by_index=True) is None


def test_a_model_without_names_takes_folders_in_their_order(nameless):
    """As many folders as classes, in alphabetical order, and it is said; indices stay indices."""
    classes = Classes(nameless, ["b", "e", "a", "d", "c"])
    assert [classes.find(name) for name in "abcde"] == [0, 1, 2, 3, 4]
    assert classes.find("4") == 4
    assert classes.notes == [
        "the model has no class names: the 5 folders in alphabetical order are taken for its classes 0 to 4 "
        "(first: a, b, c and 2 more)"
    ]


@pytest.mark.parametrize("folders", [["a", "b", "c", "d"], ["0", "1", "2", "3", "4"]])
def test_other_folders_of_a_model_without_names(nameless, folders):
    """Another number of folders means nothing; digits mean themselves. Nothing is taken for granted."""
    classes = Classes(nameless, folders)
    assert classes.notes == []
    assert classes.find(folders[3]) == (3 if folders[3] == "3" else None)


def test_a_model_with_names_is_not_told_by_the_order(imagenet):
    """Five unknown folders are not its five classes."""
    classes = Classes(imagenet, ["a", "b", "c", "d", "e"])
    assert classes.find("a") is None
    assert classes.notes == []


def test_words_for_wordnet_ids(bundled):
    """A model without ids is told by ILSVRC's words for them, any of the synonyms; and it is said."""
    words = {"n01440764": "tench, Tinca tinca", "n03394916": "x, French horn, horn", "n02999410": "chain"}
    classes = Classes(bundled, [], words)
    assert [classes.find(wnid) for wnid in (*words, "n00000001")] == [13, 6, None, None]
    assert classes.translations() == [
        "2 WordNet ids that the model lacks, by LOC_synset_mapping.txt: "
        "n01440764 is tench, n03394916 is French horn"
    ]
    assert Classes(bundled, []).translations() == []


def test_more_classes_than_any_data_set_has(bundled, monkeypatch):
    """The names are counted, each once; a list of millions would keep npcam busy for hours."""
    monkeypatch.setattr("npcam.datasets.classes.MAX_LISTED_CLASSES", 3)
    classes = Classes(bundled, [])
    assert [classes.find(name) for name in ("cat", "a", "b", "cat", "a")] == [1, None, None, 1, None]
    with pytest.raises(InputError, match=r"names more than 3 classes \(one is c\); the largest"):
        classes.find("c")

"""Which XML is of which photograph."""

import pytest
from helpers.labelled import touch, write, xml

from npcam import InputError
from npcam.datasets.places import Places, files_below
from npcam.datasets.trees import find_xml, read_trees


def pairs(folder, annotations=None):
    """{photograph: XML} as they are matched, both by name, and the notes."""
    places = Places(folder, files_below(folder, (".jpg", ".png"))[0])
    found = files_below(annotations, (".xml",))[0] if annotations else find_xml(folder)
    listed, _, notes = read_trees(found, places)
    paths = {path: name for name, path in found.items()}
    return {name: paths[entry.where] for name, entry in listed.items()}, notes


def tree(folder, *names):
    """Photographs and XML, each XML naming the JPEG of its own name."""
    for name in names:
        if name.endswith(".xml"):
            file = name.rpartition("/")[2].replace(".xml", ".jpg")
            write(folder / name, xml([("cat", 11, 21, 20, 25)], filename=file))
        else:
            touch(folder, name)
    return folder


@pytest.mark.parametrize(
    ("picture", "annotation"),
    [
        ("1.jpg", "1.xml"),
        ("cat/1.jpg", "cat/1.xml"),
        ("JPEGImages/1.jpg", "Annotations/1.xml"),
        ("VOC2012/JPEGImages/1.jpg", "VOC2012/Annotations/1.xml"),
        ("images/train/1.jpg", "annotations/train/1.xml"),
        ("images/cat/1.jpg", "annotations/1.xml"),
        ("images/1.jpg", "annotations/xmls/1.xml"),
        ("Data/CLS-LOC/train/n01440764/1.jpg", "Annotations/CLS-LOC/train/n01440764/1.xml"),
        ("ILSVRC/Data/CLS-LOC/val/1.jpg", "ILSVRC/Annotations/CLS-LOC/val/1.xml"),
        ("ILSVRC2012_img_val/1.jpg", "ILSVRC2012_bbox_val_v3/val/1.xml"),
    ],
)
def test_one_photograph_and_its_xml(tmp_path, picture, annotation):
    """In one folder, or in folders beside each other, as the data sets have them."""
    assert pairs(tree(tmp_path, picture, annotation)) == ({picture: annotation}, [])


@pytest.mark.parametrize(
    ("picture", "annotation"),
    [
        ("cat/1.jpg", "cat/2.xml"),
        ("a/b/1.jpg", "c/d/1.xml"),
        ("a/b/c/1.jpg", "d/1.xml"),
    ],
)
def test_what_is_no_pair(tmp_path, picture, annotation):
    """Another name, or a place that has nothing to do with the photograph's; the XML is then told of."""
    found, notes = pairs(tree(tmp_path, picture, annotation))
    assert found == {}
    assert notes == [f"1 XML file of no photograph that is taken (first: {annotation})"]


@pytest.mark.parametrize(("before", "after"), [("", ""), ("images/", "annotations/")])
def test_the_same_name_in_several_folders(tmp_path, before, after):
    """Each XML goes to the photograph of its own class; a dog without XML gets no cat's."""
    names = [f"{before}{c}/1.jpg" for c in ("cat", "cow", "dog")]
    tree(tmp_path, *names, f"{after}cat/1.xml", f"{after}cow/1.xml")
    assert pairs(tmp_path) == ({names[0]: f"{after}cat/1.xml", names[1]: f"{after}cow/1.xml"}, [])


def test_two_years_of_pascal_voc(tmp_path):
    """The same name in both: each year's own."""
    found, _ = pairs(
        tree(tmp_path, *(f"{y}/{f}" for y in ("07", "12") for f in ("JPEGImages/1.jpg", "Annotations/1.xml")))
    )
    assert found == {f"{y}/JPEGImages/1.jpg": f"{y}/Annotations/1.xml" for y in ("07", "12")}


def test_masks_of_the_same_name(tmp_path):
    """The photograph is the one that the XML names."""
    tree(
        tmp_path,
        "JPEGImages/1.jpg",
        "SegmentationClass/1.png",
        "SegmentationObject/1.png",
        "Annotations/1.xml",
    )
    assert pairs(tmp_path) == ({"JPEGImages/1.jpg": "Annotations/1.xml"}, [])


def test_a_photograph_twice_under_one_xml(tmp_path):
    """Where the XML names neither, it is not guessed."""
    tree(tmp_path, "a/1.png", "b/1.png", "Annotations/1.xml")
    with pytest.raises(InputError, match=r"Annotations/1\.xml: fits a/1\.png, b/1\.png alike; write the one"):
        pairs(tmp_path)


def test_two_xml_files_for_one_photograph(tmp_path):
    """The nearer one counts; of two as near neither is guessed."""
    tree(tmp_path, "a/1.jpg", "a/1.xml", "b/1.xml")
    assert pairs(tmp_path) == (
        {"a/1.jpg": "a/1.xml"},
        ["1 XML file of no photograph that is taken (first: b/1.xml)"],
    )
    tree(tmp_path, "c/1.xml")
    (tmp_path / "a/1.xml").unlink()
    with pytest.raises(InputError, match=r"a/1\.jpg: both .*b/1\.xml and .*c/1\.xml fit it; remove one"):
        pairs(tmp_path)


@pytest.mark.parametrize(
    ("folder", "annotation"),
    [
        ("VOC2012/JPEGImages", "VOC2012/Annotations/1.xml"),
        ("ILSVRC/Data/CLS-LOC/val", "ILSVRC/Annotations/CLS-LOC/val/1.xml"),
        ("ILSVRC/Data/CLS-LOC/train/n01440764", "ILSVRC/Annotations/CLS-LOC/train/n01440764/1.xml"),
    ],
)
def test_a_folder_inside_a_tree(tmp_path, folder, annotation):
    """Given the photographs' own folder, the tree's Annotations are found."""
    tree(tmp_path, f"{folder}/1.jpg", annotation, f"{annotation[:-5]}2.xml")
    found, notes = pairs(tmp_path / folder)
    assert found == {"1.jpg": "1.xml"}
    assert notes == ["1 XML file of no photograph that is taken (first: 2.xml)"]


def test_annotations_of_something_else(tmp_path):
    """A folder above that is called Annotations is only taken beside Data or JPEGImages."""
    tree(tmp_path, "photos/1.jpg", "Annotations/1.xml")
    assert find_xml(tmp_path / "photos") == {}


def test_boxes_in_a_folder_of_their_own(tmp_path):
    """Anywhere, when it is given: with the same folders in it, or none."""
    tree(
        tmp_path,
        "photos/cat/1.jpg",
        "photos/dog/1.jpg",
        "photos/dog/2.jpg",
        "xml/cat/1.xml",
        "xml/dog/1.xml",
        "flat/2.xml",
    )
    assert pairs(tmp_path / "photos", tmp_path / "xml")[0] == {
        "cat/1.jpg": "cat/1.xml",
        "dog/1.jpg": "dog/1.xml",
    }
    assert pairs(tmp_path / "photos", tmp_path / "flat")[0] == {"dog/2.jpg": "2.xml"}


def test_ilsvrc_and_empty_boxes_are_told(tmp_path):
    """Whether the XML is ImageNet's, and how many boxes hold nothing."""
    touch(tmp_path, "1.jpg", "2.jpg")
    write(tmp_path / "1.xml", xml([("n01440764", 5, 5, 9, 9), ("n01440764", 5, 9, 9, 5)]))
    write(tmp_path / "2.xml", xml([("n01440764", 5, 5, 9, 9)]))
    places = Places(tmp_path, files_below(tmp_path, (".jpg",))[0])
    listed, ilsvrc, notes = read_trees(find_xml(tmp_path), places)
    assert ilsvrc
    assert [len(entry.boxes) for entry in listed.values()] == [1, 1]
    assert len(notes) == 1
    assert notes[0].startswith(
        f"1 box without an area left out: {tmp_path}/1.xml, object 2: the box [5, 9, 10, 6]"
    )

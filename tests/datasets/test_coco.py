"""COCO's instances."""

import pytest
from helpers.labelled import touch

from npcam import InputError
from npcam.datasets.coco import is_coco, read_coco
from npcam.datasets.photographs import TrueBox
from npcam.datasets.places import Places, files_below


def instances(**changes):
    """Two photographs, three boxes."""
    return {
        "images": [
            {"id": 1, "file_name": "1.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "2.jpg", "width": 50, "height": 40},
        ],
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 17, "bbox": [10, 20, 30.5, 40], "iscrowd": 0},
            {"id": 6, "image_id": 1, "category_id": 18, "bbox": [0, 0, 100, 80]},
            {"id": 7, "image_id": 2, "category_id": 17, "bbox": [-5, -1.5, 15, 11.5]},
        ],
    } | changes


@pytest.fixture
def places(tmp_path):
    """A folder with both photographs and one that is not listed."""
    touch(tmp_path / "val", "1.jpg", "2.jpg", "3.jpg")
    return Places(tmp_path / "val", files_below(tmp_path / "val", (".jpg",))[0])


def read(places, **changes):
    return read_coco(instances(**changes), "i.json", places)


def test_left_top_width_and_height_become_edges(places):
    """Each photograph has its boxes with their categories' names, clipped to the stated picture."""
    listed, notes, ids = read(places)
    assert listed["1.jpg"].boxes == (TrueBox("cat", (10, 20, 40.5, 60)), TrueBox("dog", (0, 0, 100, 80)))
    assert listed["2.jpg"].boxes == (TrueBox("cat", (0, 0, 10, 10)),)
    assert [entry.size for entry in listed.values()] == [(100, 80), (50, 40)]
    assert (list(listed), notes) == (["1.jpg", "2.jpg"], [])
    assert listed["1.jpg"].label is None
    assert ids.images == {"1.jpg": 1, "2.jpg": 2}
    assert ids.categories == {"cat": 17, "dog": 18}


def test_crowds_empty_boxes_and_images_elsewhere(places):
    """Each kind of what is left out is counted, and its first named."""
    found = instances()
    found["annotations"] += [
        {"id": 8, "image_id": 1, "category_id": 17, "bbox": [1, 2, 3, 4], "iscrowd": 1},
        {"id": 9, "image_id": 1, "category_id": 17, "bbox": [1, 2, 0, 4]},
        {"id": 10, "image_id": 3, "category_id": 17, "bbox": [1, 2, 3, 4], "iscrowd": 1},
        {"id": 11, "image_id": 1, "category_id": 17, "bbox": [100, 2, 3, 4]},
    ]
    found["images"].append({"id": 3, "file_name": "far.jpg"})
    listed, notes, _ = read_coco(found, "i.json", places)
    assert listed == read(places)[0]
    assert notes == [
        "1 image of i.json not in the folder (first: far.jpg)",
        "1 crowd left out (iscrowd; first in: 1.jpg)",
        "2 boxes without an area left out (first: i.json, annotation 9: the box [1, 2, 1, 6] is empty "
        "(x0 < x1 and y0 < y1 expected))",
    ]


def test_ids_that_are_text_and_no_sizes(places):
    """As other programs write it."""
    listed, _, _ = read(
        places,
        images=[{"id": "a", "file_name": "3.jpg"}],
        annotations=[{"id": "x", "image_id": "a", "category_id": 18, "bbox": [1, 2, 300, 400]}],
    )
    assert listed["3.jpg"].size is None
    assert listed["3.jpg"].boxes == (TrueBox("dog", (1, 2, 301, 402)),)


BOX = {"id": 5, "image_id": 1, "category_id": 17, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": None}, 'i.json: has no list "images"; expected COCO'),
        ({"categories": {}}, 'i.json: has no list "categories"'),
        ({"categories": [{"id": 17, "name": "a"}] * 2}, "two categories have the same id"),
        ({"categories": [{"name": "a"}]}, "i.json, category 0: has no id"),
        ({"images": [7]}, "i.json, image 0: has no id"),
        ({"images": [{"id": 1}]}, "i.json, image 0: has no file_name"),
        ({"images": [{"id": 1, "file_name": "1.jpg"}] * 2}, "i.json, image 1: the id 1 is there twice"),
        (
            {"images": [{"id": n, "file_name": "1.jpg"} for n in (1, 2)]},
            "i.json: two images are the same file",
        ),
        ({"images": [{"id": 1, "file_name": "1.jpg", "width": 5}]}, "i.json, image 0: states only one of"),
        ({"images": [{"id": 1, "file_name": "x.jpg"}]}, "i.json: none of its 1 image is in "),
        ({"images": []}, "i.json: none of its 0 images is in "),
        ({"annotations": ["x"]}, "i.json, annotation number 0: has no id"),
        (
            {"annotations": [BOX | {"image_id": 9}]},
            "i.json, annotation 5: its image_id '9' is not in the file",
        ),
        ({"annotations": [BOX | {"image_id": [1]}]}, "annotation 5: its image_id '[1]' is not in the file"),
        ({"annotations": [BOX | {"category_id": None}]}, "annotation 5: its category_id 'None' is not in"),
        ({"annotations": [BOX | {"bbox": [1, 2, 3]}]}, "i.json, annotation 5: has no bbox of four numbers"),
        ({"annotations": [BOX | {"bbox": None}]}, "i.json, annotation 5: has no bbox of four numbers"),
        (
            {"annotations": [BOX | {"bbox": [1, 2, float("nan"), 4]}]},
            "annotation 5: expected a number of pixels",
        ),
        ({"annotations": [BOX | {"bbox": [1, 2, "3", None]}]}, "annotation 5: expected a number of pixels"),
        ({"annotations": [BOX] * 1001}, "i.json, annotation 5: 1001 boxes in one photograph"),
    ],
)
def test_unusable_files(places, changes, said):
    """One line names the file and the entry."""
    with pytest.raises(InputError) as caught:
        read(places, **changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "found", [{}, [], {"images": 3, "annotations": [], "categories": {}}, {"images": []}]
)
def test_other_json_is_no_coco(found):
    """Two of the three lists have to be there."""
    assert not is_coco(found)
    assert is_coco({"images": [], "annotations": []})

"""Boxes as CSV and as JSON."""

import json

import pytest
from helpers.labelled import touch

from npcam import InputError
from npcam.common.whole_files import parse_unique
from npcam.datasets.box_list import read_csv, read_json
from npcam.datasets.photographs import Listed, TrueBox
from npcam.datasets.places import Places, files_below


@pytest.fixture
def places(tmp_path):
    """A folder with three photographs."""
    touch(tmp_path / "dev", "cat/1.jpg", "cat/2.jpg", "3.jpg")
    return Places(tmp_path / "dev", files_below(tmp_path / "dev", (".jpg",))[0])


HEADER = "photo,class,x0,y0,x1,y1\n"


def test_a_row_for_each_box(places):
    """Boxes of one photograph are together, in their order, wherever their rows stand."""
    text = HEADER + "cat/1.jpg,cat,1,2,3,4\n3.jpg,dog,0.5,0,9,9\ncat/1.jpg,dog,5,6,7,8\n"
    assert read_csv(text, "b.csv", places) == (
        {
            "cat/1.jpg": Listed(
                None, None, (TrueBox("cat", (1, 2, 3, 4)), TrueBox("dog", (5, 6, 7, 8))), "b.csv, line 2"
            ),
            "3.jpg": Listed(None, None, (TrueBox("dog", (0.5, 0, 9, 9)),), "b.csv, line 3"),
        },
        [],
    )


def test_csv_as_programs_write_it(places):
    """Columns in any order and others between, quotes, blanks, CR LF, empty lines, sizes."""
    text = "Width, x1,y1,class,x0,y0,HEIGHT,confidence,Photo\r\n\r\n"
    text += '"100",30,40, "golf ball", 10 ,20,80,.5,"cat/1.jpg"\r\n'
    listed, _ = read_csv(text, "b.csv", places)
    assert listed["cat/1.jpg"] == Listed(
        None, (100, 80), (TrueBox("golf ball", (10, 20, 30, 40)),), "b.csv, line 3"
    )


def test_a_row_without_a_box_says_the_class(places):
    """For photographs that are to be classified and have no box; further boxes of that class may follow."""
    listed, _ = read_csv(
        HEADER + "3.jpg,dog,,,,\ncat/1.jpg,cat,,,,\ncat/1.jpg,cat,1,2,3,4\n", "b.csv", places
    )
    assert listed["3.jpg"][:3] == ("dog", None, ())
    assert listed["cat/1.jpg"][:3] == ("cat", None, (TrueBox("cat", (1, 2, 3, 4)),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "photo,class,x0,y0,x1\n",
            "b.csv: its header lacks y1; expected photo,class,x0,y0,x1,y1, found photo, cl",
        ),
        (
            "photo;class;x0;y0;x1;y1\n",
            "its header lacks photo, class, x0, y0, x1, y1; expected photo,class,x0,",
        ),
        ("cat/1.jpg,cat,1,2,3,4\n", "its header lacks photo, class, x0, y0, x1, y1; expected"),
        (
            "\n",
            "its header lacks photo, class, x0, y0, x1, y1; expected photo,class,x0,y0,x1,y1, found nothing",
        ),
        ("photo,class,x0,y0,x1,y1,x0\n", "its header names a column twice"),
        (HEADER + "3.jpg,cat,1,2,3\n", "b.csv, line 2: 5 fields under a header of 6"),
        (HEADER + "3.jpg,cat,1,2,3,4\n3.jpg,cat,1,2,3,4,5\n", "b.csv, line 3: 7 fields under a header of 6"),
        (HEADER + ",cat,1,2,3,4\n", "b.csv, line 2: names no photo"),
        (HEADER + "3.jpg,,1,2,3,4\n", "b.csv, line 2: names no class"),
        (HEADER + "3.jpg,cat,1,2,,4\n", "b.csv, line 2: expected a number of pixels, got ''"),
        (HEADER + "3.jpg,cat,1,nan,3,4\n", "b.csv, line 2: expected a number of pixels, got 'nan'"),
        (HEADER + "3.jpg,cat,3,2,3,4\n", "b.csv, line 2: the box [3, 2, 3, 4] is empty"),
        (HEADER + '3.jpg,"cat,1,2,3,4\n', "b.csv, line 2: is not valid CSV (unexpected end of data)"),
        (HEADER + f"3.jpg,{'c' * 140_000},1,2,3,4\n", "b.csv, line 2: is not valid CSV (field larger than"),
        (HEADER + "3.jpg,cat,1,2,3,4\n" * 1001, "b.csv, line 2: 1001 boxes in one photograph, 1000 at most"),
        (
            HEADER + "3.jpg,cat,,,,\n3.jpg,dog,1,2,3,4\n",
            "line 2: 3.jpg has a row of a class without a box, and",
        ),
        (HEADER, "b.csv: it names no photograph in "),
        (HEADER + "x.jpg,cat,1,2,3,4\n../3.jpg,cat,1,2,3,4\n", "b.csv: none of its 2 paths is in "),
    ],
)
def test_unusable_csv(places, text, said):
    """One line names the file, its line, and what is expected."""
    with pytest.raises(InputError) as caught:
        read_csv(text, "b.csv", places)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("100,80", "100,81"), "other rows of 3.jpg state another size, or none; state one"),
        (("100,80", ","), "other rows of 3.jpg state another size, or none; state one"),
        (("100,",), "states only one of width and height"),
        (("100,0",), "states a picture of 100x0; expected whole pixels"),
        (("2,80",), "the box [2, 2, 3, 4] lies outside of the picture, 2x80"),
    ],
)
def test_unusable_sizes(places, rows, said):
    """Two sizes for a photograph, half a size, none that a picture has, one that the box lies outside of."""
    text = HEADER.replace("\n", ",width,height\n") + "".join(f"3.jpg,cat,2,2,3,4,{row}\n" for row in rows)
    with pytest.raises(InputError) as caught:
        read_csv(text, "b.csv", places)
    assert f"b.csv, line 2: {said}" in str(caught.value)


def test_photographs_elsewhere_are_counted(places, tmp_path):
    """A list may be of more than the folder: of both halves of a data set."""
    text = HEADER + "dev/3.jpg,cat,1,2,3,4\ntrain/1.jpg,cat,1,2,3,4\n../../x.jpg,cat,1,2,3,4\n"
    listed, notes = read_csv(text, tmp_path / "b.csv", places)
    assert list(listed) == ["3.jpg"]
    assert notes == [
        f"2 of 3 photographs of {tmp_path}/b.csv are not in the folder (first: train/1.jpg, ../../x.jpg)"
    ]


def test_json_entries(places, tmp_path):
    """Class, size and boxes; what an entry or a box may lack."""
    found = {
        "dev/cat/1.jpg": {
            "class": "cat",
            "width": 100,
            "height": 80,
            "boxes": [{"class": "cat", "xyxy": [1, 2.5, 3, 400]}, {"class": "dog", "xyxy": [5, 6, 7, 8]}],
        },
        "dev/cat/2.jpg": {"class": "cat"},
        "dev/3.jpg": {"boxes": [{"xyxy": [-1, 2, 3, 4]}]},
    }
    path = tmp_path / "boxes.json"
    listed, notes = read_json(found, path, places)
    assert notes == []
    assert listed == {
        "cat/1.jpg": Listed(
            "cat",
            (100, 80),
            (TrueBox("cat", (1, 2.5, 3, 80)), TrueBox("dog", (5, 6, 7, 8))),
            f"{path}, dev/cat/1.jpg",
        ),
        "cat/2.jpg": Listed("cat", None, (), f"{path}, dev/cat/2.jpg"),
        "3.jpg": Listed(None, None, (TrueBox(None, (0, 2, 3, 4)),), f"{path}, dev/3.jpg"),
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], 'b.json: is no JSON of boxes; expected {"cat/1.jpg": {"class": "cat", "boxes"'),
        ("x", "b.json: is no JSON of boxes; expected"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1}], "b.json: is a list of COCO results"),
        ({}, "b.json: it names no photograph in "),
        ({"x.jpg": {}}, "b.json: none of its 1 path is in "),
        ({"3.jpg": {}, "./3.jpg": {}}, "b.json, ./3.jpg: 3.jpg is there twice"),
        ({"3.jpg": []}, "b.json, 3.jpg: is no entry of boxes"),
        ({"3.jpg": {"boxes": {}}}, "b.json, 3.jpg: is no entry of boxes"),
        ({"3.jpg": {"class": 3}}, "b.json, 3.jpg: its class is no text"),
        ({"3.jpg": {"width": 3}}, "b.json, 3.jpg: states only one of width and height"),
        ({"3.jpg": {"boxes": [[1, 2, 3, 4]]}}, 'b.json, 3.jpg, box 0: has no "xyxy"'),
        ({"3.jpg": {"boxes": [{"xyxy": 5}]}}, 'b.json, 3.jpg, box 0: has no "xyxy"'),
        ({"3.jpg": {"boxes": [{"xyxy": [1, 2, 3]}]}}, "b.json, 3.jpg, box 0: a box of 3 numbers"),
        ({"3.jpg": {"boxes": [{"xyxy": [1, 2, 3, None]}]}}, "3.jpg, box 0: expected a number of pixels"),
        (
            {"3.jpg": {"boxes": [{"xyxy": [1, 2, 3, float("nan")]}]}},
            "3.jpg, box 0: expected a number of pixels",
        ),
        ({"3.jpg": {"boxes": [{"xyxy": [1, 2, 1, 4]}]}}, "3.jpg, box 0: the box [1, 2, 1, 4] is empty"),
        ({"3.jpg": {"boxes": [{"class": [], "xyxy": [1, 2, 3, 4]}]}}, "3.jpg, box 0: its class is no text"),
        ({"3.jpg": {"boxes": [0] * 1001}}, "b.json, 3.jpg: 1001 boxes in one photograph"),
    ],
)
def test_unusable_json(places, found, said):
    """One line names the file, the entry and the box; NaN is read by Python's JSON, and refused here."""
    with pytest.raises(InputError) as caught:
        read_json(parse_unique(json.dumps(found), "b.json"), "b.json", places)
    assert said in str(caught.value)

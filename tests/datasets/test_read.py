"""Whole data sets of every kind, as `npcam evaluate` is given them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.labelled import boxes, names, touch, write, xml
from PIL import Image

from npcam import InputError, load_model
from npcam.datasets.photographs import Photograph, boxes_on
from npcam.datasets.read import read_dataset
from npcam.images.photos import open_photo
from npcam.model import Model


def test_a_folder_for_each_class(tmp_path, bundled):
    """Names as people write them, in any depth below; sorted by name; each has its path."""
    touch(
        tmp_path,
        "golf ball/2.JPG",
        "golf ball/1.png",
        "garbage_truck/a/b/3.jpeg",
        "1/4.webp",
        "cat/notes.txt",
    )
    found = read_dataset(tmp_path, None, bundled)
    assert list(names(found).items()) == [
        ("1/4.webp", 1),
        ("garbage_truck/a/b/3.jpeg", 7),
        ("golf ball/1.png", 9),
        ("golf ball/2.JPG", 9),
    ]
    assert all(Path(photograph.path) == tmp_path / photograph.name for photograph in found.photographs)
    assert (found.kind, found.notes, boxes(found)) == ("folders", (), {})


def test_folders_of_wordnet_ids(tmp_path, imagenet, bundled):
    """By the model's ids, else by ILSVRC's words for them where they lie beside."""
    touch(tmp_path, "n01440764/1.JPEG", "n00000001/1.JPEG")
    found = read_dataset(tmp_path, None, imagenet)
    assert names(found) == {"n01440764/1.JPEG": 1}
    write(tmp_path / "LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\n")
    found = read_dataset(tmp_path, None, bundled)
    assert names(found) == {"n01440764/1.JPEG": 13}
    assert found.notes[0] == (
        "1 WordNet id that the model lacks, by LOC_synset_mapping.txt: n01440764 is tench"
    )


def test_what_fits_no_class_is_told(tmp_path, imagenet):
    """Folders that are no class, that are several classes, and photographs in no folder."""
    touch(tmp_path, "tench/1.jpg", "zebra/1.jpg", "zebra/2.jpg", "crane/1.jpg", "loose.jpg")
    found = read_dataset(tmp_path, None, imagenet)
    assert names(found) == {"tench/1.jpg": 1}
    assert found.notes == (
        "1 photograph left out, in no class's folder",
        "3 photographs left out, in folders that are no class of the model: "
        "crane (1, names 2 classes), zebra (2)",
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["dev/cat/1.jpg", "zebra/1.jpg"], "its folders are dev, zebra"),
        (["1.jpg"], "it has photographs, but no folders"),
    ],
)
def test_no_folder_fits(tmp_path, bundled, files, said):
    """A few of the folders are named, and a few of the model's classes."""
    touch(tmp_path, *files)
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path, None, bundled)
    assert str(caught.value) == (
        f"{tmp_path}: expected a folder for each class of the model "
        f"(cassette_player, cat, chain_saw and 11 more); {said}"
    )


def test_a_model_without_names(tmp_path, nameless):
    """Folders by their order, which is said; else by indices."""
    touch(tmp_path, *(f"a/{name}/1.jpg" for name in "edcba"), "b/0/1.jpg", "b/3/1.jpg", "c/x/1.jpg")
    found = read_dataset(tmp_path / "a", None, nameless)
    assert [photograph.label for photograph in found.photographs] == [0, 1, 2, 3, 4]
    assert "in alphabetical order are taken for its classes 0 to 4" in found.notes[0]
    assert names(read_dataset(tmp_path / "b", None, nameless)) == {"0/1.jpg": 0, "3/1.jpg": 3}
    with pytest.raises(InputError, match=r"for each class of the model \(0 to 4\); its folders are x"):
        read_dataset(tmp_path / "c", None, nameless)


def test_links(tmp_path, bundled):
    """Photographs elsewhere are taken and told of; folders elsewhere are not entered, and told of."""
    touch(tmp_path, "all/cat/1.jpg", "all/cat/2.jpg", "far/3.jpg")
    (tmp_path / "all/cat/3.jpg").symlink_to(tmp_path / "far/3.jpg")
    (tmp_path / "all/cat/4.jpg").symlink_to(tmp_path / "all/cat/2.jpg")
    (tmp_path / "all/dog").symlink_to(tmp_path / "far")
    found = read_dataset(tmp_path / "all", None, bundled)
    assert list(names(found)) == [f"cat/{n}.jpg" for n in (1, 2, 3, 4)]
    assert found.notes == (
        "1 folder is a link and was not entered: dog",
        "1 photograph is a link to a place outside of the folder: cat/3.jpg",
    )


def test_pascal_voc(tmp_path, bundled):
    """One class of the model's in a photograph gives it its class; several give it none."""
    objects = {
        "1": [("cat", 11, 21, 20, 25), ("person", 1, 1, 50, 50), ("cat", 31, 31, 40, 40)],
        "2": [("cat", 11, 21, 20, 25), ("dog", 31, 31, 40, 40)],
        "3": [("person", 11, 21, 20, 25)],
        "4": [],
    }
    for name, found in objects.items():
        touch(tmp_path, f"JPEGImages/{name}.jpg")
        write(tmp_path / f"Annotations/{name}.xml", xml(found, filename=f"{name}.jpg"))
    touch(tmp_path, "JPEGImages/5.jpg", "SegmentationClass/1.png")
    for folder, start in ((tmp_path, "JPEGImages/"), (tmp_path / "JPEGImages", "")):
        found = read_dataset(folder, None, bundled)
        assert [photograph[1:] for photograph in found.photographs] == [
            (f"{start}1.jpg", 1, ((10, 20, 20, 25), (30, 30, 40, 40)), (100, 80))
        ]
        assert found.kind == "PASCAL VOC"
        others = "2 photographs" if start else "1 photograph"
        assert found.notes == (
            f"{others} left out, not in any annotation and in no class's folder",
            f"1 photograph left out, with objects of several of the model's classes (first: {start}2.jpg)",
            "2 photographs left out, without an object of the model's classes "
            f"(first: {start}3.jpg, {start}4.jpg)",
            "1 box of other classes than the photograph's left out: person (1)",
        )


def test_one_set_of_pascal_voc(tmp_path, bundled):
    """A list of ImageSets takes its photographs and no others; the XML stays where it is."""
    for name in "123":
        touch(tmp_path, f"JPEGImages/{name}.jpg")
        write(tmp_path / f"Annotations/{name}.xml", xml([("cat", 11, 21, 20, 25)], filename=f"{name}.jpg"))
    chosen = write(tmp_path / "ImageSets/Main/val.txt", "1\n3\n")
    found = read_dataset(tmp_path, chosen, bundled)
    assert list(boxes(found)) == ["JPEGImages/1.jpg", "JPEGImages/3.jpg"]
    assert found.notes == (
        f"2 of 3 photographs are in {chosen}, and no others are taken",
        "1 XML file of no photograph that is taken (first: Annotations/2.xml)",
    )


def test_ilsvrc(tmp_path, imagenet):
    """Training photographs by their folder, with boxes or without; validation's by their XML; test's not."""
    data, annotations = tmp_path / "ILSVRC/Data/CLS-LOC", tmp_path / "ILSVRC/Annotations/CLS-LOC"
    train = "train/n01440764/n01440764_1"
    touch(
        data,
        f"{train}.JPEG",
        "train/n01440764/n01440764_2.JPEG",
        "val/v1.JPEG",
        "val/v2.JPEG",
        "test/t1.JPEG",
    )
    write(annotations / f"{train}.xml", xml([("n01440764", 0, 0, 99, 79), ("n02979186", 1, 1, 5, 5)]))
    write(annotations / "val/v1.xml", xml([("n03028079", 10, 20, 19, 24)]))
    write(
        tmp_path / "LOC_val_solution.csv",
        "ImageId,PredictionString\nv2,n02979186 10 20 19 24\nv1,n00000001 1 1 2 2\n",
    )
    found = read_dataset(tmp_path, None, imagenet)
    start = "ILSVRC/Data/CLS-LOC/"
    expected = {
        f"{start}{train}.JPEG": (1, ((0, 0, 100, 80),)),
        f"{start}train/n01440764/n01440764_2.JPEG": (1, ()),
        f"{start}val/v1.JPEG": (4, ((10, 20, 20, 25),)),
        f"{start}val/v2.JPEG": (2, ((10, 20, 20, 25),)),
    }
    assert {photograph.name: photograph[2:4] for photograph in found.photographs} == expected
    assert found.kind == "ILSVRC CLS-LOC"
    assert found.notes == (
        "1 photograph left out, not in any annotation and in no class's folder",
        "1 box of other classes than the photograph's left out: n02979186 (1)",
    )
    for part in ("val", "train", "train/n01440764"):
        found = read_dataset(data / part, None, imagenet)
        below = {f"{start}{part}/{photograph.name}": photograph[2:4] for photograph in found.photographs}
        inside = {name: said for name, said in expected.items() if name.startswith(f"{start}{part}/")}
        assert below == inside
        assert found.kind == "ILSVRC CLS-LOC"


def test_ilsvrc_boxes_in_a_folder_or_file_of_their_own(tmp_path, imagenet):
    """The photographs here, their XML or Kaggle's solutions anywhere else."""
    touch(tmp_path, "img_val/v1.JPEG", "img_val/v2.JPEG")
    write(tmp_path / "bbox/val/v1.xml", xml([("n03028079", 10, 20, 19, 24)]))
    solution = write(
        tmp_path / "LOC_val_solution.csv", "ImageId,PredictionString\nv1,n03028079 10 20 19 24\n"
    )
    for given in (tmp_path / "bbox", tmp_path / "bbox/val", solution):
        found = read_dataset(tmp_path / "img_val", given, imagenet)
        assert boxes(found) == {"v1.JPEG": ((10, 20, 20, 25),)}
        assert (found.kind, names(found)) == ("ILSVRC CLS-LOC", {"v1.JPEG": 4})
        assert found.notes == (f"1 photograph left out, not in {given} and in no class's folder",)


def instances(*annotations):
    return json.dumps(
        {
            "images": [{"id": n, "file_name": f"{n}.jpg", "width": 100, "height": 80} for n in (1, 2, 3)],
            "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "person"}],
            "annotations": [
                {"id": k, "image_id": image, "category_id": category, "bbox": [10, 20, 10, 5]}
                for k, (image, category) in enumerate(annotations)
            ],
        }
    )


def test_coco(tmp_path, bundled):
    """Photographs of one class of the model's; folders named by numbers say nothing."""
    touch(tmp_path / "val", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "7/4.jpg")
    path = write(tmp_path / "i.json", instances((1, 1), (1, 3), (2, 1), (2, 2), (3, 3)))
    found = read_dataset(tmp_path / "val", path, bundled)
    assert found.kind == "COCO"
    assert boxes(found) == {"1.jpg": ((10, 20, 20, 25),)}
    assert found.notes == (
        f"2 photographs left out, not in {path} and in no class's folder",
        "1 photograph left out, with objects of several of the model's classes (first: 2.jpg)",
        "1 photograph left out, without an object of the model's classes (first: 3.jpg)",
        "1 box of other classes than the photograph's left out: person (1)",
    )


def test_class_folders_with_boxes_for_some(tmp_path, bundled):
    """The folder gives the class, also of photographs without boxes and of those with several classes."""
    touch(tmp_path / "dev", "cat/1.jpg", "cat/2.jpg", "dog/3.jpg", "dog/4.jpg")
    text = "photo,class,x0,y0,x1,y1\ncat/1.jpg,cat,1,2,3,4\ncat/1.jpg,dog,5,6,7,8\ndog/3.jpg,cat,1,2,3,4\n"
    found = read_dataset(tmp_path / "dev", write(tmp_path / "dev/b.csv", text), bundled)
    assert names(found) == {"cat/1.jpg": 1, "cat/2.jpg": 1, "dog/3.jpg": 5, "dog/4.jpg": 5}
    assert boxes(found) == {"cat/1.jpg": ((1, 2, 3, 4),)}
    assert found.notes == (
        "2 boxes of other classes than the photograph's left out: cat (1), dog (1)",
        "1 photograph without a box, as all its boxes are of other classes (first: dog/3.jpg)",
    )


def test_the_class_that_json_says(tmp_path, bundled):
    """It counts where it is one of the model's; else the folder's does, and the boxes of that word stay."""
    touch(tmp_path, "a/1.jpg", "dog/2.jpg", "a/3.jpg", "a/4.jpg")
    springer = {"class": "English springer", "xyxy": [1, 2, 3, 4]}
    entries = {
        "a/1.jpg": {
            "class": "Golf Ball",
            "boxes": [{"xyxy": [1, 2, 3, 4]}, {"class": "9", "xyxy": [5, 6, 7, 8]}],
        },
        "dog/2.jpg": {
            "class": "English springer",
            "boxes": [springer, {"class": "dog", "xyxy": [5, 6, 7, 8]}],
        },
        "a/3.jpg": {"class": "zebra", "boxes": []},
    }
    found = read_dataset(tmp_path, write(tmp_path / "b.json", json.dumps(entries)), bundled)
    assert names(found) == {"a/1.jpg": 9, "dog/2.jpg": 5}
    assert boxes(found) == dict.fromkeys(("a/1.jpg", "dog/2.jpg"), ((1, 2, 3, 4), (5, 6, 7, 8)))
    assert found.notes == (
        f"1 photograph left out, not in {tmp_path}/b.json and in no class's folder",
        "1 photograph left out, of a class that the model does not have (first: a/3.jpg)",
    )


def test_a_list_and_a_folder_that_disagree(tmp_path, bundled):
    """Neither is believed."""
    touch(tmp_path, "dog/1.jpg")
    path = write(tmp_path / "b.json", '{"dog/1.jpg": {"class": "cat"}}')
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path, path, bundled)
    assert str(caught.value) == (
        f"{path}, dog/1.jpg: its class is cat, but the photograph lies in the folder dog; correct one of them"
    )


OBJECT = (12, 7, 31, 26)  # the edges of a white object on a black picture of 60 x 40
LISTS = {
    "voc": lambda: xml([("cat", 13, 8, 31, 26)], (60, 40), "1.png"),
    "ilsvrc": lambda: xml([("cat", 12, 7, 30, 25)], (60, 40), "1.png", "ILSVRC_2012"),
    "csv": lambda: "photo,class,x0,y0,x1,y1\nphotos/1.png,cat,12,7,31,26\n",
    "json": lambda: (
        '{"photos/1.png": {"class": "cat", "boxes": [{"class": "cat", "xyxy": [12, 7, 31, 26]}]}}'
    ),
    "coco": lambda: json.dumps(
        {
            "images": [{"id": 1, "file_name": "1.png", "width": 60, "height": 40}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [12, 7, 19, 19]}],
        }
    ),
    "half": lambda: "photo,class,x0,y0,x1,y1,width,height\nphotos/1.png,cat,6,3.5,15.5,13,30,20\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_box_holds_the_objects_pixels_and_no_others(tmp_path, bundled, kind):
    """In every format the box of a white object is where the picture's white pixels are."""
    x0, y0, x1, y1 = OBJECT
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[y0:y1, x0:x1] = 255
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photos/1.png")
    name = (
        "xml/1.xml" if kind in ("voc", "ilsvrc") else f"list.{'json' if kind in ('json', 'coco') else 'csv'}"
    )
    path = write(tmp_path / name, LISTS[kind]())
    (photograph,) = read_dataset(
        tmp_path / "photos", path.parent if path.suffix == ".xml" else path, bundled
    ).photographs
    decoded = np.asarray(open_photo(photograph.path))
    (box,) = boxes_on(photograph, decoded.shape[1], decoded.shape[0])
    white = np.argwhere(decoded[..., 0] == 255)
    (top, left), (bottom, right) = white.min(0), white.max(0) + 1
    assert box.tolist() == [left, top, right, bottom]


@pytest.mark.parametrize("kind", [*LISTS, "solution"])
def test_damaged_lists(tmp_path, bundled, imagenet, kind):
    """Whatever bytes are changed, lost or doubled: that photograph, or one line that says where."""
    rng = np.random.default_rng(0)
    touch(tmp_path, "photos/1.png")
    solution = "ImageId,PredictionString\n1,n01440764 12 7 30 25\n"
    text = LISTS.get(kind, lambda: solution)().replace("photos/", "").encode()
    path = write(tmp_path / ("xml/1.xml" if kind in ("voc", "ilsvrc") else "list"), "")
    given = path.parent if path.suffix else path
    model = imagenet if kind == "solution" else bundled
    outcomes, lines = [], []
    for _ in range(300):
        data = bytearray(text)
        place, span = int(rng.integers(len(data))), int(rng.integers(1, 4))
        noise = rng.integers(0, 256, span).astype(np.uint8).tobytes()
        data[place : place + span] = (noise, b"", data[place : place + span] * 2)[rng.integers(3)]
        path.write_bytes(data)
        try:
            found = read_dataset(tmp_path / "photos", given, model)
            outcomes.append([photograph.name for photograph in found.photographs])
        except InputError as error:
            lines.append(str(error))
    assert outcomes == [["1.png"]] * len(outcomes)
    assert all(str(tmp_path) in line for line in lines)
    assert outcomes
    assert lines


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("b.csv", b"", ": is empty; give boxes as CSV"),
        ("b.csv", b"photo,class\n", ": its header lacks x0, y0, x1, y1"),
        ("b.csv", b"\xff\xfep\0h\0", ": is not UTF-8 text; save it as UTF-8"),
        ("b.json", b"{", ": is not valid JSON (Expecting property name"),
        ("b.json", b"[" * 100_000, ": is not valid JSON (nested too deeply)"),
        ("b.json", b'{"cat/1.jpg": ' * 100_000, ": is not valid JSON (nested too deeply)"),
        (
            "b.json",
            b'{"cat/1.jpg": {}, "cat/1.jpg": {}}',
            ': is not valid JSON (the key "cat/1.jpg" is there twice)',
        ),
        ("b.json", b'{"cat/1.jpg": ' + b"9" * 5000 + b"}", ": is not valid JSON (Exceeds the limit"),
        ("b.json", b'{"../x.jpg": {}}', ": none of its 1 path is in "),
        ("b.xml", b"<annotation/>", ": is XML of one photograph; give the folder that it lies in"),
        ("b.txt", b"x\n", ": none of its 1 name is of a photograph in "),
        ("s.csv", b"ImageId,PredictionString\nx,y\n", ": has no photograph of "),
    ],
)
def test_unusable_lists(tmp_path, bundled, name, data, said):
    """One line names the file and says what was expected."""
    touch(tmp_path, "cat/1.jpg")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path, tmp_path / name, bundled)
    assert str(caught.value).startswith(f"{tmp_path / name}{said}")


def test_a_list_that_is_too_long(tmp_path, bundled, monkeypatch):
    """It is refused before it is parsed."""
    monkeypatch.setattr("npcam.datasets.read.MAX_BOX_LIST", 100)
    touch(tmp_path, "cat/1.jpg")
    write(tmp_path / "b.json", " " * 101)
    with pytest.raises(InputError, match=r"b\.json: is longer than 100 bytes; give boxes as CSV"):
        read_dataset(tmp_path, tmp_path / "b.json", bundled)


@pytest.mark.parametrize(
    ("folder", "given", "said"),
    [
        ("nowhere", None, "nowhere: no such folder; give one"),
        ("file", None, "file: is no folder; give one"),
        ("nul\0", None, "no such folder; give one"),
        ("empty", None, "empty: holds no photograph (.jpg, .jpeg, .jpe"),
        ("photos", "nowhere.csv", "nowhere.csv: no such file; give boxes as CSV"),
        ("photos", "empty", "empty: holds no XML; give boxes as CSV"),
        ("photos", "stray", "stray: none of its XML files is of a photograph in "),
    ],
)
def test_what_is_not_there(tmp_path, bundled, folder, given, said):
    """Folders and files that are missing, empty, or of something else."""
    touch(tmp_path, "file", "photos/cat/1.jpg", "empty/x.txt", "stray/2.xml")
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path / folder, tmp_path / given if given else None, bundled)
    assert said in str(caught.value)


def test_nothing_of_the_models_classes_is_left(tmp_path, bundled):
    """What was left out, and why, is the error's reason."""
    touch(tmp_path, "1.jpg")
    path = write(tmp_path / "b.csv", "photo,class,x0,y0,x1,y1\n1.jpg,zebra,1,2,3,4\n")
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path, path, bundled)
    assert str(caught.value) == (
        f"{tmp_path}: no photograph of the model's classes; 1 photograph left out, without an object of the "
        "model's classes (first: 1.jpg)"
    )


def test_a_network_without_a_top(tmp_path, bundled):
    """It tells no classes apart."""
    weights = bundled.weights
    tensors = {layer: arrays for layer, arrays in weights.tensors.items() if layer != "predictions"}
    backbone = replace(
        weights,
        tensors=tensors,
        class_names=None,
        architecture=replace(weights.architecture, activation=None),
    )
    touch(tmp_path, "cat/1.jpg")
    with pytest.raises(InputError, match=r"has no top .* so it cannot be measured on labelled photographs"):
        read_dataset(tmp_path, None, Model(backbone))


def test_relative_paths(tmp_path, monkeypatch):
    """The folder and the list as somebody types them."""
    touch(tmp_path / "photos/dev", "cat/1.jpg")
    write(
        tmp_path / "photos/boxes.json",
        '{"dev/cat/1.jpg": {"boxes": [{"class": "cat", "xyxy": [1, 2, 3, 4]}]}}',
    )
    monkeypatch.chdir(tmp_path)
    found = read_dataset("photos/dev", "photos/boxes.json", load_model())
    assert found.photographs == (
        Photograph(str(Path("photos/dev/cat/1.jpg")), "cat/1.jpg", 1, ((1.0, 2.0, 3.0, 4.0),), None),
    )

"""Detections, read back from JSON."""

import json

import pytest
from helpers.evaluated import rows

from npcam.common.errors import InputError
from npcam.localise.coco_results import write_coco


def test_a_detection_for_each_box(tmp_path):
    """Photographs with a box, in order: the box's corner and size, and the probability of its class."""
    count, without = write_coco(tmp_path / "a.json", rows())
    assert without == 0
    found = json.loads((tmp_path / "a.json").read_text())
    with_box = [row for row in rows() if row.get("box")]
    assert count == len(found) == len(with_box) > 10
    for detection, row in zip(found, with_box, strict=True):
        x, y, width, height = detection["bbox"]
        assert [x, y, x + width, y + height] == row["box"]
        assert detection["image_id"] == row["photo"]
        assert detection["category_id"] == row["label"]
        assert detection["score"] == row["probability_of_class"]


def test_the_score_is_that_of_the_class_that_was_explained(tmp_path):
    """Where the predicted class was, its probability."""
    row = {**rows()[1], "label": 0, "predicted": 3, "explained": 3, "probability": 0.75}
    write_coco(tmp_path / "a.json", [row])
    (found,) = json.loads((tmp_path / "a.json").read_text())
    assert (found["category_id"], found["score"]) == (3, 0.75)


def test_numbers_of_a_coco_data_set(tmp_path):
    """Photographs and classes get the numbers that COCO's file has for them."""
    given = [row for row in rows() if row.get("box")]
    ids = {row["photo"]: 1000 + i for i, row in enumerate(given)}
    write_coco(tmp_path / "a.json", given, ids, {0: 17, 1: 18, 2: 21})
    found = json.loads((tmp_path / "a.json").read_text())
    assert [d["image_id"] for d in found] == list(ids.values())
    first, *others = ids
    known = {name: ids[name] for name in others}
    assert write_coco(tmp_path / "a.json", given, known, {0: 17, 1: 18, 2: 21}) == (len(others), 1)
    assert [d["category_id"] for d in found] == [(17, 18, 21)[row["label"]] for row in given]


def test_no_box_at_all(tmp_path):
    """An empty list is JSON, too."""
    assert write_coco(tmp_path / "a.json", rows(boxes=False)) == (0, 0)
    assert json.loads((tmp_path / "a.json").read_text()) == []


def test_whole_or_not_there(tmp_path):
    """Rows that fail in the middle leave nothing behind."""

    def failing():
        yield from rows()
        raise InputError("broken off")

    with pytest.raises(InputError, match="broken off"):
        write_coco(tmp_path / "a.json", failing())
    assert list(tmp_path.iterdir()) == []

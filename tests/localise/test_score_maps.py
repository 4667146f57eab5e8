"""Score maps and their metadata, read as wsolevaluation reads them."""

import numpy as np
import pytest
from helpers.evaluated import rows

from npcam.common.errors import InputError
from npcam.localise.score_maps import write_metadata, write_score_map


def unit_map(seed=0):
    """A map of noise that has both 0 and 1."""
    noise = np.random.default_rng(seed).random((224, 224), np.float32)
    return (noise - noise.min()) / np.ptp(noise)


def read(folder, stem):
    """A file's lines, taken apart at the commas: {name: [the rest of each of its lines]}."""
    lines = {}
    for line in (folder / f"{stem}.txt").read_text(encoding="utf-8").splitlines():
        name, *rest = line.split(",")
        lines.setdefault(name, []).append([int(text) for text in rest])
    return lines


def resized(box, size):
    """A box as the evaluator brings it to 224 x 224, from whole pixels."""
    (x0, y0, x1, y1), (w, h) = box, size
    return [int(x0 * 224.0 / w), int(y0 * 224.0 / h), int(x1 * 224.0 / w), int(y1 * 224.0 / h)]


def test_a_map_lies_where_its_photograph_does(tmp_path):
    """NAME.npy in the data set's tree, the very numbers, and nothing beside it."""
    scores = unit_map()
    path = write_score_map(tmp_path / "maps", "cat/a b.jpg", scores)
    assert path == tmp_path / "maps" / "cat" / "a b.jpg.npy"
    found = np.load(path, allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, scores)
    assert [file for file in (tmp_path / "maps").rglob("*") if file.is_file()] == [path]


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/x.jpg", "", "a\x00b"])
def test_no_map_lies_outside_of_its_folder(tmp_path, name):
    """A name that leads elsewhere is refused before anything is made."""
    with pytest.raises(InputError, match="leads out of"):
        write_score_map(tmp_path / "maps", name, unit_map())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        (unit_map().astype(np.float64), r"got float64 \(224, 224\)$"),
        (unit_map()[:100], r"got float32 \(100, 224\)$"),
        (unit_map() * np.float32(1.01), "not all from 0 to 1"),
        (unit_map() - np.float32(0.01), "not all from 0 to 1"),
        (np.where(np.eye(224, dtype=bool), np.float32(np.nan), unit_map()), "not all from 0 to 1"),
    ],
)
def test_no_score_map(tmp_path, scores, found):
    """What the evaluator would refuse, or read as something else, is not written."""
    with pytest.raises(InputError, match=found):
        write_score_map(tmp_path, "x.jpg", scores)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    """A file is where the class's folder should be: one line names it."""
    (tmp_path / "cat").write_text("")
    with pytest.raises(InputError, match=r"cat: cannot make this folder \(.*\); choose another --score-maps"):
        write_score_map(tmp_path, "cat/x.jpg", unit_map())


def test_metadata_in_whole_pixels(tmp_path):
    """Photographs with true boxes, each with its class, its size and all its boxes as they are."""
    assert write_metadata(tmp_path, rows()) == ()
    with_boxes = {row["photo"]: row for row in rows() if "true_boxes" in row}
    assert list(read(tmp_path, "image_ids")) == sorted(with_boxes)
    assert read(tmp_path, "class_labels") == {name: [[row["label"]]] for name, row in with_boxes.items()}
    sizes = {name: [[row["width"], row["height"]]] for name, row in with_boxes.items()}
    assert read(tmp_path, "image_sizes") == sizes
    assert read(tmp_path, "localization") == {name: row["true_boxes"] for name, row in with_boxes.items()}


def test_fractions_of_pixels_are_cut_off_once(tmp_path):
    """The evaluator arrives at the boxes that scaling the exact ones and cutting them off once gives."""
    rng = np.random.default_rng(1)
    given = {}
    for row in rows(200):
        if "true_boxes" in row:
            x, y = np.sort(rng.uniform(0, 160, 2)).round(1), np.sort(rng.uniform(0, 200, 2)).round(1)
            given[row["photo"]] = {**row, "true_boxes": [[float(v) for v in (x[0], y[0], x[1], y[1])]]}
    notes = write_metadata(tmp_path, given.values())
    assert notes == ("localization.txt and image_sizes.txt are in pixels of the score maps, 224 x 224",)
    sizes, boxes = read(tmp_path, "image_sizes"), read(tmp_path, "localization")
    twice = 0
    for name, row in given.items():
        size, box = (row["width"], row["height"]), row["true_boxes"][0]
        assert resized(boxes[name][0], sizes[name][0]) == resized(box, size)
        twice += resized([int(v) for v in box], size) != resized(box, size)
    assert twice > 50  # so cutting off before scaling would not do


@pytest.mark.parametrize("name", ["a,b.jpg", "a\nb.jpg"])
def test_names_that_would_be_other_lines(tmp_path, name):
    """They are left out of all four files, and named."""
    (note,) = write_metadata(tmp_path, [rows()[1], {**rows()[1], "photo": name}])
    assert note == f"{name}: has a comma or line feed in its name, so it is not in image_ids.txt"
    for stem in ("image_ids", "class_labels", "image_sizes", "localization"):
        assert list(read(tmp_path, stem)) == [rows()[1]["photo"]]

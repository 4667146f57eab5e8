"""Photographs measured in batches: rows against one explanation at a time, and against plain arithmetic."""

import json

import numpy as np
import pytest
from helpers.agreement import RELATIVE
from helpers.data_set import BAD, CLASSES, lively_network, make_data_set, patches
from PIL import Image

import npcam
from npcam.common.errors import InputError
from npcam.datasets.photographs import Photograph, boxes_on
from npcam.datasets.read import read_dataset
from npcam.explain import look
from npcam.images.photos import open_photo
from npcam.localise import evaluation
from npcam.localise.accuracy import metrics
from npcam.localise.evaluation import PICTURE, Evaluating, Settings, picture_path
from npcam.localise.measure import of_boxes
from npcam.localise.sheets import TRUE_BOX
from npcam.preprocessing import Preprocessing, Step
from npcam.stream.batches import Reading, cut
from npcam.stream.pool import in_order

NOTHING, KERAS = Settings(), Reading()  # no files; as Keras reads photographs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four photographs of each of five classes, and one that is no picture."""
    return make_data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network that takes them for different classes."""
    return npcam.load_model(lively_network(tmp_path_factory.mktemp("weights") / "lively.h5"))


@pytest.fixture(scope="module")
def photographs(folder, model):
    """Them with their boxes."""
    return read_dataset(folder / "photos", folder / "boxes.json", model).photographs


def evaluated(model, photographs, settings=NOTHING, reading=KERAS, workers=1):
    """The rows of photographs, in batches as `npcam evaluate` makes them."""
    work = Evaluating(model, photographs, reading, settings)
    return [row for rows in in_order(work, cut(len(photographs), 8), workers, work.stop) for row in rows]


def rounding(model, seen):
    """What rounding may do to a logit: `agreement.RELATIVE` of the sum of its terms' sizes."""
    top = model.layer("predictions")
    return RELATIVE * float((seen.features.mean(axis=(0, 1)) @ np.abs(top.kernel) + np.abs(top.bias)).max())


@pytest.mark.parametrize("predicted", [False, True])
@pytest.mark.parametrize("reading", [Reading(), Reading("bilinear", align="centers")])
def test_a_row_is_what_explaining_that_photograph_gives(model, photographs, predicted, reading):
    """Each photograph explained by itself: the same but for what a batch of eight may round otherwise.

    A logit is off by 1e-5 of the sum of its terms' sizes at most, a probability p by p times twice that.
    A box and a peak may move by a pixel of the input where a map's value lies on the border; that none does
    here but one in twenty says that the border is not what is compared.
    """
    rows = evaluated(model, photographs, Settings(predicted=predicted), reading)
    moved = 0
    assert [row["photo"] for row in rows] == [photograph.name for photograph in photographs]
    for row, photograph in zip(rows, photographs, strict=True):
        if photograph.name == BAD:
            continue
        how = {"interpolation": reading.interpolation, "align": reading.align}
        best = npcam.explain(model, photograph.path, **how)
        e = best if predicted else npcam.explain(model, photograph.path, target=photograph.label, **how)
        limit = 2 * rounding(model, e.seen)
        assert (row["label"], row["class"]) == (photograph.label, CLASSES[photograph.label])
        assert (row["predicted"], row["predicted_class"]) == (best.target, best.label)
        assert row["top"] == np.argsort(-e.seen.logits).tolist()
        assert row["explained"] == e.target
        assert (row["width"], row["height"]) == e.photo.size
        assert row["probability"] == pytest.approx(best.probability, rel=limit)
        assert row["probability_of_class"] == pytest.approx(
            float(e.probabilities[photograph.label]), rel=limit
        )
        assert abs(row["completeness"]) < limit
        moved += row["box"] != (e.box and list(e.box))
        if photograph.boxes:
            true = boxes_on(photograph, *e.photo.size)
            expected = of_boxes(e.heatmap, e.cam.shape, true.tolist(), e.photo.size[::-1])
            assert expected.keys() <= row.keys()
            assert row["true_boxes"] == expected["true_boxes"] == true.tolist()
            assert (row["centred_iou"], row["grid_iou"]) == (expected["centred_iou"], expected["grid_iou"])
            moved += any(row[name] != expected[name] for name in ("iou", "peak", "peak_hit"))
        else:
            assert not {"iou", "peak", "hits", "true_boxes", "grid_iou", "centred_iou"} & row.keys()
    assert moved <= 1
    assert len({row["predicted"] for row in rows if "error" not in row}) == 5
    assert {row["box"] is None for row in rows if "error" not in row} == {False, True}


@pytest.mark.parametrize("raw", [False, True])
def test_a_row_has_the_bits_of_its_batch(model, photographs, raw):
    """The same eight photographs in one batch: the same numbers to the last bit, the hits among them."""
    eight = [photograph for photograph in photographs if photograph.name != BAD][:8]
    rows = evaluated(model, eight, Settings(raw=raw))
    for row, photograph, seen in zip(
        rows, eight, look(model, [open_photo(one.path) for one in eight]), strict=True
    ):
        e = seen.explain(photograph.label)
        assert row["completeness"] == e.completeness
        assert row["probability_of_class"] == e.probability
        if photograph.boxes:
            true, size = boxes_on(photograph, *seen.photo.size).tolist(), seen.photo.size[::-1]
            expected = of_boxes(e.heatmap, e.cam.shape, true, size, raw)
            assert {name: row[name] for name in expected} == expected
        else:
            assert row["box"] == (e.box and list(e.box))
    assert len({row["hits"] for row in rows if "hits" in row}) > 3
    json.dumps(rows, allow_nan=False)


def plain_drop(model, path, raw, interpolation="nearest"):
    """The papers' share of one photograph, its probability after and before, and the explanation."""
    best = npcam.explain(model, path, interpolation=interpolation)
    pixels = npcam.load_image(path, model.photo_size, interpolation)
    x = model.preprocess(pixels[None]).astype(np.float64)
    scores = best.heatmap.astype(np.float64)
    low, high = (0.0, scores.max()) if raw else (scores.min(), scores.max())
    mask = np.clip((scores - low) / (high - low), 0, 1) if high > low else np.zeros_like(scores)
    assert mask.shape == x.shape[1:3]
    after = float(model.predict((x * mask[:, :, None]).astype(np.float32))[0, best.target])
    before = best.probability
    return max(0.0, before - after) / before, after, before, best


@pytest.mark.parametrize("raw", [False, True])
def test_average_drop_and_increase(model, photographs, raw):
    """The predicted class's map times the preprocessed photograph, whichever map is measured.

    after / before is off by the sum of what rounding does to both, each twice a logit's error.
    """
    rows = [row for row in evaluated(model, photographs, Settings(raw=raw)) if "error" not in row]
    paths = [photograph.path for photograph in photographs if photograph.name != BAD]
    found = metrics(rows)
    drops, rises = [], []
    for row, path in zip(rows, paths, strict=True):
        drop, after, before, e = plain_drop(model, path, raw)
        limit = 4 * rounding(model, e.seen) * after / before
        assert row["drop"] == pytest.approx(drop, abs=limit)
        assert row["increase"] == (after > before) or abs(after - before) <= limit * before
        drops.append(drop)
        rises.append(after > before)
    assert found["average_drop"]["value"] == pytest.approx(np.mean(drops), abs=1e-4)
    assert found["average_increase"]["value"] == np.mean(rises)
    assert 0 < np.mean(rises) < 1
    assert np.ptp(drops) > 0.1


@pytest.mark.parametrize(
    "front",
    [
        Preprocessing("model", (Step("divide", (2.0,)), Step("channels", (0, 0, 0))), grey=True),
        Preprocessing("model", (Step("subtract", (100.0,)), Step("enlarge", (2, 1)))),
    ],
    ids=["grey", "enlarge"],
)
def test_the_mask_fits_whatever_stands_in_front(tmp_path, photographs, front):
    """Grey photographs, and a network that enlarges them: the mask is laid over the network's own input."""
    model = npcam.load_model(lively_network(tmp_path / "w.h5", (64, 48), preprocessing=front))
    some = [photograph for photograph in photographs if photograph.name != BAD][:3]
    for row, photograph in zip(evaluated(model, some), some, strict=True):
        e = npcam.explain(model, photograph.path)
        assert e.heatmap.shape == (64, 48)
        photo = open_photo(photograph.path).convert("L" if front.grey else "RGB")
        pixels = np.atleast_3d(np.array(photo.resize(model.photo_size[::-1], Image.Resampling.NEAREST)))
        x = model.preprocess(pixels[None])
        mask = (e.heatmap - e.heatmap.min()) / np.float32(np.ptp(e.heatmap))
        after = float(model.predict(x * mask[None, :, :, None])[0, e.target])
        limit = 4 * rounding(model, e.seen) * after / e.probability
        assert row["drop"] == pytest.approx(max(0.0, 1 - after / e.probability), abs=limit)


def test_two_workers_make_the_same_rows_and_files(model, photographs, tmp_path):
    """Whoever does a batch: the same bits, the same pictures, the same score maps."""
    many = [*photographs, *(one._replace(name=f"again/{one.name}") for one in photographs)]
    found = []
    for workers in (1, 2):
        place = tmp_path / str(workers)
        settings = Settings(pictures=place / "pictures", score_maps=place / "maps")
        found.append(
            (
                evaluated(model, many, settings, workers=workers),
                {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()},
            )
        )
    assert found[0] == found[1]
    assert len(found[0][1]) == 2 * 2 * 20


def test_a_photograph_that_cannot_be_read(model, photographs):
    """It is told with the hash of its file; one that is not there without; the others are as without them."""
    gone = Photograph("nowhere.png", "cat/nowhere.png", 0)
    rows = evaluated(model, [gone, *photographs])
    assert rows[0] == {"photo": "cat/nowhere.png", "error": rows[0]["error"]}
    assert rows[0]["error"].startswith("nowhere.png: no such file")
    (bad,) = (row for row in rows if row["photo"] == BAD)
    assert set(bad) == {"photo", "error", "photo_sha256"}
    assert "is no picture that npcam reads" in bad["error"]
    assert sum("error" in row for row in rows) == 2
    assert metrics(rows)["unreadable"] == 2


def test_boxes_that_cannot_be_on_the_photograph(model, photographs):
    """One beyond it, and one of the picture turned: that photograph's error; a large one is clipped."""
    one = photographs[0]
    width, height = open_photo(one.path).size
    assert width != height
    beyond = one._replace(boxes=((width + 1.0, 0.0, width + 9.0, 9.0),))
    turned = one._replace(boxes=((0.0, 0.0, 9.0, 9.0),), size=(height, width))
    large = one._replace(boxes=((-5.0, -5.0, 1e9, 1e9),))
    rows = evaluated(model, [beyond, turned, large])
    assert "lies outside of the photograph" in rows[0]["error"]
    assert "turned; store it upright" in rows[1]["error"]
    assert rows[2]["true_boxes"] == [[0, 0, width, height]]


def test_a_linear_top_has_no_drop(tmp_path, photographs):
    """Its values are no probabilities: no drop, no increase, no calibration; all else is there."""
    model = npcam.load_model(lively_network(tmp_path / "w.h5", activation="linear"))
    rows = evaluated(model, photographs)
    assert not any({"drop", "increase"} & row.keys() for row in rows)
    assert any(row["probability"] > 1 for row in rows if "error" not in row)
    found = metrics(rows)
    nothing = ("average_drop", "average_increase", "calibration", "expected_calibration_error")
    assert [found[name] for name in nothing] == [None] * 4
    assert all(one["average_drop"] is one["average_increase"] is None for one in found["per_class"].values())
    assert found["top1"]["value"] == np.mean(
        [row["label"] == row["predicted"] for row in rows if "top" in row]
    )
    assert found["max_box_acc"]["v1"] is not None
    json.dumps(found, allow_nan=False)


def test_score_maps_of_another_size_are_refused(tmp_path, photographs):
    """wsolevaluation reads 224x224 alone: said before anything is computed or written."""
    model = npcam.load_model(lively_network(tmp_path / "w.h5", (40, 56)))
    with pytest.raises(InputError, match=r"--score-maps: have 224x224, this network's input 40x56"):
        Evaluating(model, photographs, Reading(), Settings(score_maps=tmp_path / "maps"))
    assert not (tmp_path / "maps").exists()
    assert "error" not in evaluated(model, photographs[:1])[0]


@pytest.mark.parametrize("raw", [False, True])
def test_score_maps_are_the_heat_maps_in_0_to_1(model, photographs, tmp_path, raw):
    """Minimum off and divided by the range, or with raw what is negative 0 and divided by the maximum."""
    eight = [photograph for photograph in photographs if photograph.name != BAD][:8]
    evaluated(model, eight, Settings(score_maps=tmp_path, raw=raw))
    seen = look(model, [open_photo(one.path) for one in eight])
    for photograph, one in zip(eight, seen, strict=True):
        found = np.load(tmp_path / f"{photograph.name}.npy", allow_pickle=False)
        scores = one.explain(photograph.label).heatmap.astype(np.float64)
        low = 0.0 if raw else scores.min()
        expected = np.maximum(scores - low, 0) / max(scores.max() - low, 1e-300)
        assert (found.dtype, found.shape) == (np.float32, (224, 224))
        np.testing.assert_array_max_ulp(found, expected.astype(np.float32), 1)


def test_small_pictures(model, photographs, tmp_path):
    """At most 240 pixels long, with the true boxes' lines in blue where the boxes are."""
    rng = np.random.default_rng(3)
    path = tmp_path / "large.png"
    Image.fromarray(patches(rng, 300, 480)).save(path)
    box = (100.0, 60.0, 400.0, 240.0)
    one = Photograph(str(path), "cat/large.png", 0, (box,))
    evaluated(model, [one, *photographs], Settings(pictures=tmp_path / "pictures"))
    files = {file.relative_to(tmp_path / "pictures").as_posix() for file in tmp_path.rglob("*.jpg")}
    assert files == {f"{p.name}.jpg" for p in [one, *photographs] if p.name != BAD}
    picture = Image.open(picture_path(tmp_path / "pictures", "cat/large.png"))
    assert picture.size == (PICTURE, 150)
    pixels = np.asarray(picture.convert("RGB"), int)
    near = np.abs(pixels - TRUE_BOX).max(axis=2) < 60  # JPEG
    assert near[30:120, 50].mean() > 0.8  # x 100 and y 60 to 240 at half the size
    assert near[30, 50:200].mean() > 0.8
    assert near[:25].mean() < 0.1


@pytest.mark.parametrize("where", ["pictures", "score_maps"])
def test_no_room_for_files_is_no_fault_of_a_photograph(model, photographs, tmp_path, monkeypatch, where):
    """It ends the run in one line, and no row says that a photograph cannot be read."""
    (tmp_path / "cat").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"cat: cannot make this folder"):
        evaluated(model, photographs, Settings(**{where: tmp_path}), workers=2)

    def full(*_):
        raise InputError("a.jpg: writing failed (No space left on device); nothing was changed")

    monkeypatch.setattr(
        evaluation, {"pictures": "save_picture", "score_maps": "write_score_map"}[where], full
    )
    with pytest.raises(InputError, match="No space left"):
        evaluated(model, photographs, Settings(**{where: tmp_path / "new"}))


def test_files_of_an_earlier_run_have_to_be_there(model, photographs, tmp_path):
    """A small picture or a score map that was removed is named; it would be missed in silence."""
    settings = Settings(pictures=tmp_path / "pictures", score_maps=tmp_path / "maps")
    rows = evaluated(model, photographs[:3], settings)
    work = Evaluating(model, photographs, Reading(), settings)
    work.require_written([*rows, {"photo": BAD, "error": "is empty"}])
    for path in (
        picture_path(tmp_path / "pictures", rows[2]["photo"]),
        tmp_path / f"maps/{rows[1]['photo']}.npy",
    ):
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(InputError, match=r"is missing, though cat/.* was measured"):
            work.require_written(rows)
        path.write_bytes(data)
    Evaluating(model, photographs, Reading(), Settings()).require_written(rows)


def test_one_that_is_stopped_gives_fewer_rows(model, photographs):
    """Nobody wants more results: the batch ends early, without masks for photographs that it left out."""
    work = Evaluating(model, photographs, Reading(), Settings())
    work.stop.set()
    assert work(range(8)) == []

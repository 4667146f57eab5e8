"""From a photograph to an explanation, against the same trip through Keras and SciPy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

import npcam
from npcam import InputError
from npcam.cam import scale_box

CHELSEA = Path(__file__).parent.parent / "examples" / "chelsea.png"


@pytest.fixture(scope="module")
def model():
    """The bundled model."""
    return npcam.load_model()


def test_the_cat_is_a_cat_and_the_map_points_at_it(model):
    """Chelsea's face fills the middle of the photograph; so does the map."""
    e = npcam.explain(model, CHELSEA)
    assert e.label == "cat"
    assert e.top(1)[0] == (e.target, "cat", e.probability)
    row, column = np.unravel_index(e.heatmap.argmax(), e.heatmap.shape)
    assert 20 < row < 215
    assert 20 < column < 215


def test_heat_map_and_probabilities_are_keras(keras, model):
    """The tutorial's own steps in Keras and SciPy give the same map, up to rounding."""
    from helpers.keras_models import keras_twin

    twin = keras_twin(keras, model.weights)
    pixels = keras.utils.img_to_array(keras.utils.load_img(CHELSEA, target_size=(224, 224)))
    found = twin(keras.applications.resnet50.preprocess_input(pixels[None]))
    maps = np.asarray(found["conv5_block3_out"])[0]
    kernel = model.weights.tensors["predictions"]["kernel"]
    e = npcam.explain(model, CHELSEA)
    factor = 224 / maps.shape[0]
    upsampled = zoom(maps, (factor, factor, 1), order=1)  # all maps first, as the tutorial has it
    expected = upsampled.reshape(224 * 224, -1) @ kernel[:, e.target]
    # features agree to 1e-5 of their maximum (tests/test_keras.py), and so does a weighted sum of them
    scale = maps.max() * np.abs(kernel[:, e.target]).sum()
    assert np.abs(e.heatmap.ravel() - expected).max() <= 1e-5 * scale
    assert np.abs(e.probabilities - np.asarray(found["predictions"])[0]).max() <= 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("target", [None, "dog", 12])
@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_the_map_accounts_for_the_logit(target, engine):
    """mean(cam) + bias - logit is 0 up to rounding, in float32 and far closer in float64."""
    for dtype in (np.float32, np.float64):
        model = npcam.load_model(dtype=dtype, engine=engine)
        e = npcam.explain(model, CHELSEA, target)
        x = npcam.preprocess_input(npcam.load_image(CHELSEA)[None])
        maps = model.activations(x, "conv5_block3_out")["conv5_block3_out"]
        weights, bias = model.class_weights(e.target)
        size = float((np.abs(maps).mean(axis=(0, 1, 2)) * np.abs(weights)).sum()) + abs(bias)
        # sums of 512 products and 49 positions on each side (Higham 2002, equation 3.5)
        assert abs(e.completeness) <= 2 * (512 + 49) * np.finfo(dtype).eps / 2 * size


def test_the_target_may_be_an_index_or_a_name(model):
    """Both lead to the same map; another class to another."""
    by_name, by_index = (npcam.explain(model, CHELSEA, t) for t in ("Dog", 5))
    assert by_name.target == by_index.target == 5
    assert np.array_equal(by_name.cam, by_index.cam)
    assert not np.array_equal(by_name.cam, npcam.explain(model, CHELSEA).cam)
    with pytest.raises(InputError, match="no such class"):
        npcam.explain(model, CHELSEA, "zebra")


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (640, 427)])
def test_overlay_and_box_are_in_the_photographs_pixels(model, size):
    """Whatever the photograph's size, the overlay has it and the box lies within."""
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8))
    e = npcam.explain(model, photo)
    assert e.overlay().size == size
    assert e.heatmap.shape == (224, 224)
    if e.box:
        x0, y0, x1, y1 = e.box
        assert 0 <= x0 < x1 <= size[0]
        assert 0 <= y0 < y1 <= size[1]


def test_options_reach_the_pixels(model):
    """Interpolation, EXIF turning and alignment change what they should."""
    plain = npcam.explain(model, CHELSEA)
    assert not np.array_equal(plain.cam, npcam.explain(model, CHELSEA, interpolation="bilinear").cam)
    centers = npcam.explain(model, CHELSEA, align="centers")
    assert np.array_equal(plain.cam, centers.cam)
    assert not np.array_equal(plain.heatmap, centers.heatmap)
    turned = Image.open(CHELSEA)
    turned.getexif()[0x0112] = 6
    assert npcam.explain(model, turned, exif_transpose=True).overlay().size == (300, 451)


@pytest.mark.parametrize(
    "targets", [["cat", "dog"], [5, "tench", 1], np.int64(3), "top3", ["dog", "top2"], ["cat", "Cat", 1]]
)
def test_several_targets_from_one_pass(model, targets, monkeypatch):
    """Each is what it is alone, and the network runs once; "top3" are the three most probable; none twice."""
    alone = npcam.explain(model, CHELSEA)
    order = [prediction.index for prediction in alone.top(3)]
    runs = []
    run = npcam.Model.run
    monkeypatch.setattr(npcam.Model, "run", lambda *a, **k: runs.append(1) or run(*a, **k))
    found = npcam.explain(model, CHELSEA, targets=targets)
    assert len(runs) == 1
    names = targets if isinstance(targets, list) else [targets]
    expected = []
    for name in names:
        some = order[: int(str(name)[3:])] if str(name).startswith("top") else [model.class_index(name)]
        expected += [index for index in some if index not in expected]
    assert [e.target for e in found] == expected
    for e in found:
        single = npcam.explain(model, CHELSEA, e.target)
        assert np.array_equal(e.cam, single.cam)
        assert (e.label, e.logit, e.box, e.completeness) == (
            *(single.label, single.logit),
            *(single.box, single.completeness),
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "cat", "targets": ["dog"]}, "explain: expected `target` or `targets`, not both"),
        ({"targets": []}, "targets: expected at least one class"),
        ({"targets": ["cat", "zebra"]}, "target 'zebra': no such class"),
        ({"targets": 2.5}, "target: expected a class's index or name, got float"),
        ({"targets": [None]}, "target: expected a class's index or name, got NoneType"),
        ({"targets": "top0"}, "target 'top0': no such class"),
        ({"threshold": 1.0}, "threshold 1.0: expected a share of the map's maximum, from 0 to below 1"),
        (
            {"threshold": float("nan")},
            "threshold nan: expected a share of the map's maximum, from 0 to below 1",
        ),
    ],
)
def test_what_explain_refuses(model, monkeypatch, options, said):
    """Nothing is computed for a class that is not there, or a threshold that is none."""
    monkeypatch.setattr(npcam.Model, "run", None)
    with pytest.raises(InputError) as caught:
        npcam.explain(model, CHELSEA, **options)
    assert str(caught.value).startswith(said)


def test_more_of_the_top_than_there_are_classes(model):
    """All of them."""
    assert len(npcam.explain(model, CHELSEA, targets="top99")) == 14


def test_threshold(model):
    """The box is the one of that threshold, carried to the photograph."""
    e = npcam.explain(model, CHELSEA, threshold=0.6)
    box = npcam.bounding_box(e.heatmap, 0.6)
    assert e.box == scale_box(box, (224, 224), (300, 451))
    assert e.box != npcam.explain(model, CHELSEA).box


def test_captions(model):
    """Names as people write them, and no class at 0.0% or 100.0% that is not there or not certain."""
    e = npcam.explain(model, CHELSEA, "garbage_truck")
    assert (e.label, e.title) == ("garbage_truck", "garbage truck <0.1%")
    for probability, shown in (
        (0.0, "0.0%"),
        (0.0006, "0.1%"),
        (0.5, "50.0%"),
        (0.99996, ">99.9%"),
        (1.0, "100.0%"),
    ):
        assert replace(e, probabilities=np.full(14, probability)).title == f"garbage truck {shown}"
    linear = replace(e, probabilities=np.full(14, 12.5), gives_probabilities=False)
    assert linear.title == "garbage truck 12.5"
    assert linear.caption == "garbage_truck 12.5"

"""Stability: each change made by hand, and explained from the start with `npcam.explain`."""

import io

import numpy as np
import pytest
import scipy.stats
from helpers.audited import pixels, small_model, subject
from PIL import Image

import npcam
from npcam.audit.stability import CHANGES, changed_inputs, iou, measure_stability, numbers
from npcam.cam import bounding_box, upsample_map
from npcam.images.preprocess import load_image


def test_the_inputs_of_each_change():
    """From the photograph's pixels: moved, mirrored, through a JPEG file, and resized the other way."""
    one = subject()
    model, found = one.model, changed_inputs(one)
    plain = load_image(pixels(), model.input_size)
    moved = plain.copy()
    moved[:, 1:] = plain[:, :-1]
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "JPEG", quality=50)
    file.seek(0)
    by_hand = {
        "shift": moved,
        "flip": plain[:, ::-1],
        "jpeg": load_image(file, model.input_size),
        "resizing": load_image(pixels(), model.input_size, "bilinear"),
    }
    assert set(found) == set(by_hand)
    for name, given in by_hand.items():
        assert (found[name] == model.preprocess(given[None])[0]).all(), name
        assert (found[name] != one.x).any(), name


def test_the_other_way_to_resize_is_nearest_for_all_but_nearest():
    """A bilinear subject is held against nearest."""
    one = subject(interpolation="bilinear")
    expected = one.model.preprocess(load_image(pixels(), one.model.input_size)[None])[0]
    assert (changed_inputs(one)["resizing"] == expected).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_each_number_is_that_of_an_explanation_from_the_start(seed):
    """`npcam.explain` of the changed photograph: correlation by SciPy, boxes by pixels that are in both."""
    one = subject(seed=seed)
    found = measure_stability(one)
    after = {
        "resizing": npcam.explain(one.model, pixels(seed), one.e.target, interpolation="bilinear"),
    }
    again = npcam.explain(one.model, pixels(seed), one.e.target, align="centers")
    maps = {"resizing": after["resizing"].heatmap, "alignment": again.heatmap}
    for name, heatmap in maps.items():
        r = scipy.stats.pearsonr(one.e.heatmap.ravel(), heatmap.ravel()).statistic
        assert found[name]["correlation"] == pytest.approx(r, abs=1e-5)
        assert found[name]["iou"] == pytest.approx(by_pixels(one.e.heatmap, heatmap), abs=1e-12)
    change = abs(after["resizing"].probability - one.e.probability)
    assert found["resizing"]["probability"] == pytest.approx(change, abs=1e-5)
    assert found["alignment"]["probability"] == 0


def by_pixels(one, other):
    """How far the boxes of two heat maps overlap, counted pixel by pixel."""
    filled = []
    for heatmap in (one, other):
        box = bounding_box(heatmap, 0.2)
        mask = np.zeros(heatmap.shape, bool)
        if box is not None:
            mask[box[1] : box[3], box[0] : box[2]] = True
        filled.append(mask)
    return (filled[0] & filled[1]).sum() / (filled[0] | filled[1]).sum()


def test_the_mirrored_map_is_mirrored_back():
    """The mirrored input run by itself; its map turned round with NumPy."""
    one = subject()
    name = one.model.last_activation
    features = one.model.activations(one.x[None, :, ::-1], name)[name][0]
    cam = features @ one.model.class_weights(one.e.target)[0]
    back = upsample_map(cam, one.model.input_size)[:, ::-1]
    r = scipy.stats.pearsonr(one.e.heatmap.ravel(), back.ravel()).statistic
    assert measure_stability(one)["flip"]["correlation"] == pytest.approx(r, abs=1e-5)


def test_boxes_that_are_not_there():
    """None twice is the same, None once is nothing in common."""
    assert iou(None, None) == 1
    assert iou((0, 0, 1, 1), None) == iou(None, (0, 0, 1, 1)) == 0
    assert iou((0, 0, 2, 2), (0, 0, 2, 2)) == 1


def test_numbers_by_hand():
    """The lowest correlation of all changes counts."""
    changes = {
        name: {"correlation": 0.9 - i / 10, "probability": 0.0, "iou": 1.0} for i, name in enumerate(CHANGES)
    }
    found = numbers(changes)
    assert found["stability"] == found["stability.alignment.correlation"] == pytest.approx(0.5)
    assert found["stability.flip.iou"] == 1


def test_a_photograph_of_the_inputs_own_size_needs_no_resizing():
    """Then nearest and bilinear give the same pixels, and the same map but for the batch's rounding."""
    model = small_model(input_size=(60, 80))
    found = measure_stability(subject(model))
    assert found["resizing"]["correlation"] == pytest.approx(1, abs=1e-6)
    assert found["resizing"]["iou"] == 1

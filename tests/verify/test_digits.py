"""The digits of an explanation, against runs that are rounded at random and against float64."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from helpers.monte_carlo import rounded_runs
from helpers.networks import random_tensors
from helpers.program import EXAMPLES, run

from npcam import explain, load_model
from npcam.cam import bounding_box, upsample_map
from npcam.model import Model
from npcam.resnet import Architecture
from npcam.verify.digits import THRESHOLD, _may_move, as_json, digits, in_words, significant_digits
from npcam.weights import Weights

pytestmark = pytest.mark.slow  # many runs, rounded at random

ARCH = Architecture(blocks=(1, 2, 1, 1), strides=(1, 2, 2, 1))


@pytest.fixture(scope="module")
def small():
    """A small network with maps of 4x6, and a photograph."""
    x = np.random.default_rng(1).uniform(-120, 150, (1, 8, 12, 3)).repeat(8, 1).repeat(8, 2)
    return Weights(ARCH, random_tensors(ARCH)), x.astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_logits_of_runs_rounded_at_random_are_as_far_apart_as_said(small, dtype):
    """Their deviation is 0.03 to 1 of the one expected; none is beyond 32 of it.

    What is expected counts the roundings within sums, too, and that the errors of a map's 24 places are
    the same, where those drawn at random are not: a fifth is left by that alone.
    """
    weights, x = small
    model = Model(weights, dtype, "reference")
    runs = np.array([z for z, _ in rounded_runs(weights, x, dtype, 40)])
    middle = runs.mean(axis=0)
    for target in range(5):
        found = digits(model, x, target)
        ratio = runs[:, target].std() / found.logit_deviation
        assert 0.03 < ratio < 1, ratio
        assert np.abs(runs[:, target] - middle[target]).max() < found.logit_error
        shown = significant_digits(middle[target], found.logit_error)
        assert abs(found.significant - shown) <= 1


def test_float32_is_as_far_from_float64_as_said(small):
    """Both engines: every logit within 32 deviations, and the digits that are called so agree."""
    weights, x = small
    exact = Model(weights, np.float64, "reference").logits(x)[0]
    for engine in ("reference", "fast"):
        model = Model(weights, np.float32, engine)
        logits = model.logits(x)[0]
        for target in range(5):
            found = digits(model, x, target)
            off = abs(float(logits[target]) - exact[target])
            assert off <= found.logit_error
            assert found.significant >= 3
            assert off < abs(exact[target]) * 10.0**-found.significant
            assert found.logit_error < 1e-3 * abs(exact[target])  # and it is no empty promise


def test_the_margin_is_that_of_the_first_two_classes(small):
    """Its deviation covers what rounded runs show of the difference, and is not thirty times that."""
    weights, x = small
    model = Model(weights, np.float16, "reference")
    found = digits(model, x, 0)
    runs = np.array([z for z, _ in rounded_runs(weights, x, np.float16, 40)])
    order = np.argsort(-runs.mean(axis=0))
    assert (found.first, found.second) == tuple(order[:2])
    gaps = runs[:, found.first] - runs[:, found.second]
    deviation = found.margin / found.margin_deviations
    assert found.margin == pytest.approx(gaps.mean(), abs=deviation)
    assert 0.03 < gaps.std() / deviation < 1


@pytest.mark.parametrize(("apart", "may_change"), [(0.0, True), (1e-7, True), (1e-2, False)])
def test_a_class_may_change_where_two_are_as_good_as_equal(small, apart, may_change):
    """The best class twice, with biases that are so far apart."""
    weights, x = small
    best = digits(Model(weights), x, 0).first
    top = {name: array.copy() for name, array in weights.tensors["predictions"].items()}
    twin = (best + 1) % 5
    top["kernel"][:, twin] = top["kernel"][:, best]
    top["bias"][twin] = top["bias"][best] - np.float32(apart)
    twins = replace(weights, tensors={**weights.tensors, "predictions": top})
    found = digits(Model(twins), x, 0)
    assert found.class_may_change == may_change
    assert {found.first, found.second} == {best, twin}
    assert found.margin == pytest.approx(apart, abs=1e-7)


@pytest.mark.parametrize("align", ["corners", "centers"])
def test_only_cells_near_the_threshold_change_sides(small, align):
    """In float16, over 30 runs: each cell that changes sides is among those called near, and so is a pixel.

    Where the box moves in a run, it was said that it may.
    """
    weights, x = small
    model = Model(weights, np.float16, "reference")
    runs = rounded_runs(weights, x, np.float16, 30)
    kernel = weights.tensors["predictions"]["kernel"].astype(np.float16).astype(np.float64)
    changing = 0
    for target in range(5):
        found = digits(model, x, target, align)
        assert found.cells == np.prod(runs[0][1].shape[:2])
        cams = [maps @ kernel[:, target] for _, maps in runs]
        heats = [upsample_map(cam, x.shape[1:3], align) for cam in cams]
        lines = [THRESHOLD * max(heat.max(), 0) for heat in heats]
        cells = np.array([cam > line for cam, line in zip(cams, lines, strict=True)])
        pixels = np.array([heat > line for heat, line in zip(heats, lines, strict=True)])
        assert np.sum(cells.any(axis=0) & ~cells.all(axis=0)) <= found.cells_near
        assert np.sum(pixels.any(axis=0) & ~pixels.all(axis=0)) <= found.pixels_near
        changing += int(np.sum(pixels.any(axis=0) & ~pixels.all(axis=0)))
        if len({bounding_box(heat) for heat in heats}) > 1:
            assert found.box_may_move
    assert changing > 0  # or nothing was shown


def test_in_float32_next_to_nothing_is_in_doubt(small):
    """The same in float32: the box stands, up to a pixel here and there."""
    weights, x = small
    for target in range(5):
        found = digits(Model(weights), x, target)
        assert found.pixels_near < 0.001 * x.shape[1] * x.shape[2]
        assert found.cells_near == 0


def test_a_box_that_cannot_move_does_not():
    """All ways in which pixels in doubt may fall, on 400 small pictures: the verdict is never wrong.

    It is cautious: where it says that a box may move, one does in most cases.
    """
    rng, said, moved = np.random.default_rng(0), 0, 0
    for _ in range(400):
        above = rng.random((4, 5)) < 0.5
        near = np.zeros_like(above)
        near.flat[rng.choice(20, size=rng.integers(1, 5), replace=False)] = True
        boxes = set()
        for falls in product([False, True], repeat=int(near.sum())):
            picture = above.copy()
            picture[near] = falls
            boxes.add(bounding_box(picture.astype(float)))
        may = _may_move(above, near)
        assert may or len(boxes) == 1
        said, moved = said + may, moved + (may and len(boxes) > 1)
    assert 0 < said < 400
    assert moved > 0.8 * said
    assert not _may_move(above, np.zeros_like(above))


def test_digits_of_numbers():
    """By hand: log10 of the number over its error, rounded down."""
    assert significant_digits(123.0, 1.0) == 2
    assert significant_digits(100.0, 0.1) == 3
    assert significant_digits(0.5, 1e-6) == 5
    assert significant_digits(1.0, 1.5) == 0
    assert significant_digits(0.0, 1e-6) == 0
    assert significant_digits(np.nan, 1.0) == significant_digits(1.0, np.inf) == 0


def test_a_network_of_one_class(small):
    """There is no second class, and no margin in JSON or in words."""
    weights, x = small
    top = {"kernel": weights.tensors["predictions"]["kernel"][:, :1], "bias": np.zeros(1, np.float32)}
    one = replace(weights, tensors={**weights.tensors, "predictions": top})
    found = as_json(digits(Model(one), x, 0))
    assert (found["second"], found["margin"], found["second_name"]) == (None, None, None)
    assert in_words({"logit": 1.0, "digits": found})[1] == "only one class"


def test_the_command_says_it(tmp_path):
    """In JSON as the library has it, and in three lines of text; nothing of it without the option."""
    photo = EXAMPLES / "chelsea.png"
    done = run("explain", photo, "--digits", "--json", "-o", tmp_path)
    (found,) = json.loads(done.stdout)
    model = load_model()
    e = explain(model, str(photo))
    pixels = np.asarray(e.photo.resize((224, 224), 0))
    expected = as_json(digits(model, model.preprocess(pixels[None]), e.target), model.class_names)
    name = expected.pop("second_name")
    assert found["digits"].pop("second_name") == name
    assert found["digits"] == pytest.approx(expected, rel=1e-12)
    found["digits"]["second_name"] = name
    text = run("explain", photo, "--digits", "-o", tmp_path).stdout.decode()
    lines = in_words(found)
    start = text.index("  digits        ")
    assert text[start:].startswith(f"  digits        {lines[0]}\n                {lines[1]}\n")
    assert "rounding cannot change the class" in lines[1]
    plain = run("explain", photo, "-o", tmp_path).stdout.decode()
    assert "digits" not in plain

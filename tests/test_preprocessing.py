"""What is done to pixels before a network sees them: against Keras's own functions, and loops."""

from dataclasses import replace

import numpy as np
import pytest

import npcam
from npcam import InputError
from npcam.model import Model
from npcam.preprocessing import MODES, Preprocessing, Step, preprocess
from npcam.resnet import Architecture
from npcam.weights import Weights, read_weights, write_weights
from npcam.weights.random import random_weights

SMALL = Architecture(blocks=(1, 1), strides=(1, 2))
PIXELS = np.random.default_rng(3).integers(0, 256, (2, 5, 7, 3)).astype(np.uint8)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_keras_modes(keras, mode):
    """The modes of Keras's `imagenet_utils.preprocess_input`, to the last bit, in float32 and float64."""
    for dtype in (np.float32, np.float64):
        x = PIXELS.astype(dtype)
        expected = keras.src.applications.imagenet_utils.preprocess_input(
            x.copy(), data_format="channels_last", mode=mode
        )
        found = preprocess(x, MODES[mode])
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


def test_modes_by_hand():
    """What each mode makes of one pixel, red 255, green 51, blue 0, written out in Python's own floats."""
    r, g, b = 255.0, 51.0, 0.0
    expected = {
        "caffe": [b - 103.939, g - 116.779, r - 123.68],
        "tf": [r / 127.5 - 1, g / 127.5 - 1, b / 127.5 - 1],
        "torch": [(r / 255 - 0.485) / 0.229, (g / 255 - 0.456) / 0.224, (b / 255 - 0.406) / 0.225],
        "unit": [1.0, 0.2, 0.0],
        "none": [r, g, b],
    }
    assert {
        mode.name: preprocess(np.array([[[r, g, b]]]), mode)[0, 0].tolist() for mode in MODES.values()
    } == (expected)


def test_unit_is_a_rescaling(keras):
    """`unit` is division by 255; Keras's Rescaling multiplies by 1/255, which rounds once more."""
    expected = np.asarray(keras.layers.Rescaling(1 / 255)(PIXELS.astype(np.float32)))
    found = preprocess(PIXELS, MODES["unit"])
    assert np.abs(found - expected).max() <= 2.0**-23  # two roundings of numbers up to 1
    assert np.array_equal(found, PIXELS.astype(np.float32) / np.float32(255))


def test_none_leaves_the_pixels():
    """`none` changes the type and nothing else, and the result is a copy."""
    x = PIXELS.astype(np.float32)
    found = preprocess(x, MODES["none"])
    assert np.array_equal(found, x)
    assert not np.shares_memory(found, x)


def test_steps_one_by_one():
    """Every operation, in order, against a loop over pixels."""
    steps = (
        Step("channels", (2, 0, 1)),
        Step("add", (1.0, 2.0, 3.0)),
        Step("multiply", (0.5,)),
        Step("enlarge", (2, 3)),
        Step("subtract", (4.0,)),
        Step("divide", (2.0, 4.0, 8.0)),
    )
    found = preprocess(PIXELS, Preprocessing("model", steps))
    assert found.shape == (2, 10, 21, 3)
    for n, i, j, k in np.ndindex(found.shape):
        value = float(PIXELS[n, i // 2, j // 3, (2, 0, 1)[k]])
        assert found[n, i, j, k] == ((value + (1, 2, 3)[k]) * 0.5 - 4) / (2, 4, 8)[k]


def test_grey_photographs():
    """One channel repeated; RGB pixels are refused there, and one channel where three are taken."""
    grey = Preprocessing("model", (Step("divide", (255.0,)), Step("channels", (0, 0, 0))), grey=True)
    found = preprocess(PIXELS[..., :1], grey)
    assert np.array_equal(found, np.repeat(PIXELS[..., :1].astype(np.float32) / np.float32(255), 3, axis=3))
    with pytest.raises(InputError, match=r"grey pixels \(N, H, W, 1\).*got shape \(2, 5, 7, 3\)"):
        preprocess(PIXELS, grey)
    with pytest.raises(InputError, match=r"RGB pixels \(N, H, W, 3\).*got shape \(2, 5, 7, 1\)"):
        preprocess(PIXELS[..., :1], MODES["none"])


def test_a_photograph_goes_through_the_files_preprocessing():
    """`explain` resizes to the size before enlarging, makes grey what must be, and maps all of it."""
    steps = (Step("enlarge", (2, 2)), Step("channels", (0, 0, 0)), Step("subtract", (100.0,)))
    weights = random_weights(SMALL, width=4, classes=3)
    weights = Weights(
        weights.architecture,
        weights.tensors,
        input_size=(64, 96),
        preprocessing=Preprocessing("model", steps, grey=True),
        assumed=("input_size",),
    )
    model = Model(weights)
    assert model.photo_size == (32, 48)
    photo = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    e = npcam.explain(model, photo)
    luminance = (photo @ np.array([19595, 38470, 7471]) + 0x8000) >> 16  # Pillow's mode "L"
    x = np.repeat(luminance[..., None] - 100.0, 3, axis=2).repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(model.predict(x[None].astype(np.float32))[0], e.probabilities)
    assert e.heatmap.shape == (64, 96)
    assert any("input size 64x96 is assumed" in note for note in e.notes)


def test_values_that_are_no_probabilities():
    """A linear top's outputs are its logits, and the caption shows no percentage."""
    arch = replace(SMALL, activation="linear")
    model = Model(random_weights(arch, width=4, classes=3))
    e = npcam.explain(model, PIXELS[0], target=1)
    assert not e.gives_probabilities
    assert e.probabilities[1] == np.float32(e.logit)
    assert e.caption == f"1 {e.logit:.4g}"


@pytest.mark.parametrize("name", [*MODES, "model"])
def test_the_file_keeps_it(tmp_path, name):
    """Written and read again it is the same, whatever it is."""
    odd = Preprocessing("model", (Step("multiply", (0.1, 1 / 3, 2.0)), Step("enlarge", (2, 1))))
    weights = random_weights(SMALL, width=4, classes=3)
    weights = Weights(
        weights.architecture, weights.tensors, (64, 64), MODES.get(name, odd), assumed=("preprocessing",)
    )
    write_weights(tmp_path / "w.h5", weights)
    found = read_weights(tmp_path / "w.h5")
    assert found.preprocessing == weights.preprocessing
    assert found.assumed == ("preprocessing",)
    assert found.photo_size == ((32, 64) if name == "model" else (64, 64))


BAD = {
    "an unknown operation": (Step("log", (1.0,)),),
    "a channel that is not there": (Step("channels", (0, 1, 3)),),
    "channels that are no three": (Step("channels", (0,)),),
    "numbers that do not fit": (Step("add", (1.0, 2.0)),),
    "a division by zero": (Step("divide", (0.0,)),),
    "infinity": (Step("add", (float("inf"),)),),
    "half a row": (Step("enlarge", (1.5, 1)),),
    "more than the size divides into": (Step("enlarge", (3, 1)),),
    "an endless list": (Step("add", (1.0,)),) * 40,
}


@pytest.mark.parametrize("steps", BAD.values(), ids=BAD)
def test_senseless_steps_are_refused(tmp_path, steps):
    """A file that states steps which no network has is refused by name, before anything runs."""
    weights = random_weights(SMALL, width=4, classes=3)
    bad = Weights(weights.architecture, weights.tensors, (64, 64), Preprocessing("model", steps))
    with pytest.raises(InputError, match="attribute preprocessing"):
        write_weights(tmp_path / "w.h5", bad)
    assert list(tmp_path.iterdir()) == []

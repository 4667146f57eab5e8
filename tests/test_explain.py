"""From a photograph to an explanation, against the same trip through Keras and SciPy."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

import npcam
from npcam import InputError

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

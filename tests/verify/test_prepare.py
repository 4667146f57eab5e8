"""What Keras is given, and what it is not given at all: models that declare more than a machine has."""

import numpy as np
import pytest
from helpers.handmade_keras import config_of, tensors_of, write_keras
from PIL import Image

from npcam import InputError
from npcam.common.limits import MAX_INPUT_PIXELS
from npcam.verify.against import run_keras_file
from npcam.verify.prepare import prepare_keras
from npcam.verify.trace import declared_shapes
from npcam.weights.random import random_weights


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own, with a photograph."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (60, 40), (200, 90, 9)).save("cat.png")


@pytest.mark.usefixtures("keras")
def test_a_size_that_a_file_declares():
    """A hundred million pixels in a file of 30 KB: one line, and Keras does not begin."""
    write_keras("k.keras", config_of(size=(9984, 9984)), tensors_of())
    with pytest.raises(InputError) as caught:
        run_keras_file("k.keras", "cat.png", None)
    found = f"photographs of 9,984x9,984 pixels, {MAX_INPUT_PIXELS:,} in all at most"
    assert str(caught.value) == f"k.keras: is for {found}; save it for smaller ones"


def test_a_layer_that_makes_a_small_picture_large(keras):
    """Declared sides are multiplied out before anything is run; a model without any is run as it is."""
    image = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(2, 3, name="conv1_conv")(keras.layers.UpSampling2D(200)(image))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    assert declared_shapes(model) == [(64, 64, 3), (12800, 12800, 3), (12798, 12798, 2), (2,)]
    weights = random_weights(width=2, classes=3)
    size = 8 * (64 * 64 * 3 + 12800 * 12800 * 3 + 12798 * 12798 * 2 + 2)  # as if all were float64
    with pytest.raises(InputError, match=f"^k: its layers put out {size:,} bytes .* at most; save it"):
        prepare_keras(keras, model, "cat.png", weights, "k")
    free = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    assert declared_shapes(free) == []
    assert declared_shapes(keras.Sequential([keras.layers.Conv2D(2, 3)])) == []
    assert prepare_keras(keras, free, "cat.png", weights, "k").x.dtype == np.float32

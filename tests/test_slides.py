"""Slides of a network: what stands on them is what the network computed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from npcam import InputError
from npcam.inside import drawn_maps
from npcam.model import Model
from npcam.pictures.slide import SIZE, Picture, Shape, Words, as_image
from npcam.resnet import Architecture
from npcam.slides import layer_slide, strip_slide
from npcam.stages import multiplications
from npcam.weights import Weights
from npcam.weights.random import random_weights

ARCH = Architecture(blocks=(1, 2), strides=(1, 2))


@pytest.fixture(scope="module")
def model():
    """A narrow network with class names."""
    made = random_weights(ARCH, width=8, classes=3)
    return Model(Weights(ARCH, made.tensors, input_size=(64, 96), class_names=("cat", "a_dog", "cow")))


@pytest.fixture(scope="module")
def photo():
    """A photograph of noise."""
    return np.random.default_rng(0).integers(0, 256, (50, 80, 3)).astype(np.uint8)


def of(kind, items):
    return [item for item in items if isinstance(item, kind)]


def boxes(items):
    return [item.box for item in of(Picture, items)]


@pytest.mark.parametrize("top", [1, 5, 16, 999])
def test_the_maps_of_a_layer(model, photo, top):
    """The same pictures as `feature_maps` draws, inside the slide, none over another, with their channels."""
    layer = "conv2_block1_out"
    items = layer_slide(model, photo, layer, top)
    x = model.preprocess(np.asarray(Image.fromarray(photo).resize((96, 64), Image.Resampling.NEAREST))[None])
    tiles, _ = drawn_maps(model.activations(x, layer)[layer][0], layer, top)
    _, *pictures = of(Picture, items)  # the first is the bar
    assert len(pictures) == len(tiles) == min(top, 32)
    for picture, tile in zip(pictures, tiles, strict=True):
        np.testing.assert_array_equal(np.asarray(picture.image), np.asarray(tile.image))
        x0, y0, x1, y1 = picture.box
        assert (x1 - x0) / (y1 - y0) == pytest.approx(96 / 64, rel=0.05)
    words = [item.text for item in of(Words, items)]
    assert sum(word.startswith("channel ") for word in words) == len(tiles)
    inside_and_apart(boxes(items))


def test_the_way_to_a_class(model, photo):
    """Each stage with its shape; all products counted; bars are as long as probabilities are large."""
    items = strip_slide(model, photo, "cat.jpg")
    words = [item.text for item in of(Words, items)]
    counts = multiplications(model.weights, (64, 96))
    assert f"{sum(counts.values()):,} multiplications" in words[1]
    for stage, shape in (("conv1", "32x48x8"), ("conv3", "8x12x64"), ("avg_pool", "64 numbers")):
        assert words[words.index(stage) + 1].startswith(shape)
    x = model.preprocess(np.asarray(Image.fromarray(photo).resize((96, 64), Image.Resampling.NEAREST))[None])
    shares = np.sort(model.predict(x)[0])[::-1]
    names = [word for word in words if word.endswith("%")]
    assert [name.split()[-1] for name in names] == [f"{share:.1%}" for share in shares]
    assert "a dog" in " ".join(names)
    inside_and_apart(boxes(items))
    bars = [item for item in of(Shape, items) if item.colour == (0, 114, 178)]
    lengths = [bar.corners[1][0] - bar.corners[0][0] for bar in bars]
    whole = next(item for item in of(Shape, items) if item.colour == (225, 225, 225))
    room = whole.corners[1][0] - whole.corners[0][0]
    assert lengths == [max(1, round(room * share)) for share in shares]
    assert as_image(items).size == SIZE


def test_a_network_without_a_top(model, photo):
    """Its way ends with its last maps: no classes and no bars."""
    weights = replace(
        model.weights,
        tensors={name: arrays for name, arrays in model.weights.tensors.items() if name != "predictions"},
        architecture=replace(ARCH, activation=None),
        class_names=None,
    )
    items = strip_slide(Model(weights), photo)
    words = [item.text for item in of(Words, items)]
    assert words[0] == "a photograph, from pixels to maps"
    assert "conv3" in words
    assert not [word for word in words if word.endswith("%") or word == "predictions"]


@pytest.mark.parametrize(
    ("layer", "said"),
    [("avg_pool", "avg_pool: has no maps"), ("conv9", "no layer is called 'conv9'")],
)
def test_refuses(model, photo, layer, said):
    """A layer without maps, and no such layer."""
    with pytest.raises(InputError, match=said):
        layer_slide(model, photo, layer)


def inside_and_apart(places):
    """No picture leaves the slide, and no two share a pixel."""
    taken = np.zeros(SIZE[::-1], int)
    for x0, y0, x1, y1 in places:
        assert 0 <= x0 < x1 <= SIZE[0]
        assert 0 <= y0 < y1 <= SIZE[1]
        taken[y0:y1, x0:x1] += 1
    assert taken.max() == 1

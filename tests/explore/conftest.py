"""Pages of networks, written once for all tests of the room."""

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.explore.page import write_explorer
from npcam.model import Model, load_model
from npcam.preprocessing import MODES
from npcam.resnet import Architecture
from npcam.weights import Weights

# As unlike the bundled network as npcam knows them: other strides and paddings, odd sizes, another top.
OTHER = Architecture(
    blocks=(2, 1), strides=(1, 2), stride_in=2, pool_padding=0, epsilon=1e-3, activation="sigmoid"
)


@pytest.fixture(scope="session")
def bundled(tmp_path_factory):
    """The bundled model and its page, which opens with no photograph."""
    path = tmp_path_factory.mktemp("bundled") / "explore.html"
    model = load_model(engine="reference")
    write_explorer(path, model, name="photos14")
    return model, path


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """A narrow network with random weights, and its page, which opens with random pixels."""
    path = tmp_path_factory.mktemp("other") / "explore.html"
    tensors = random_tensors(OTHER, width=5, classes=7)
    weights = Weights(OTHER, tensors, input_size=(51, 38), preprocessing=MODES["torch"], source="made up")
    model = Model(weights, engine="reference")
    pixels = np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8)
    write_explorer(path, model, pixels)
    return model, path, pixels

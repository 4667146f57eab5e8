"""What the tests of converting share: one small model of Keras's in each layout."""

from pathlib import Path
from typing import NamedTuple

import pytest


class Saved(NamedTuple):
    """A folder with a model in each layout, and how many numbers it has."""

    folder: Path
    parameters: int


@pytest.fixture(scope="session")
def saved(keras, tmp_path_factory):  # noqa: ARG001 -- what needs Keras is slow, or skipped
    """A ResNet of two blocks with two classes, as Keras saves it in each layout."""
    from helpers.keras_models import randomise, resnet, save_legacy

    folder = tmp_path_factory.mktemp("saved")
    model = randomise(resnet(blocks=(1, 1), width=4, classes=2))
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    save_legacy(model, folder / "whole.h5")
    save_legacy(model, folder / "weights.h5", whole=False)
    return Saved(folder, model.count_params())

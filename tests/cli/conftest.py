"""What the tests of the commands share."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors
from PIL import Image

import npcam
from npcam.resnet import Architecture
from npcam.weights import Weights, read_weights, write_weights


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own to write in."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def narrow(tmp_path_factory):
    """A weights file that is quickly run: two blocks, five classes with names, 40x56 pixels."""
    path = tmp_path_factory.mktemp("narrow") / "narrow.h5"
    arch = Architecture(blocks=(1, 1), strides=(1, 2))
    names = ("cat", "dog", "cow", "cock", "crow")
    tensors = random_tensors(arch, width=4, classes=5)
    write_weights(path, Weights(arch, tensors, input_size=(40, 56), class_names=names, source="made up"))
    return str(path)


@pytest.fixture
def alone(narrow):
    """The narrow network's weights alone in a file, `alone.h5`, as Keras 2 saved them."""
    tensors = read_weights(narrow).tensors
    with h5py.File("alone.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in [*[*tensors][:-1], "avg_pool", "predictions"]]
        for layer, arrays in {**tensors, "avg_pool": {}}.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in arrays]
            for name, array in arrays.items():
                group[f"{layer}/{name}:0"] = array
    return tensors


@pytest.fixture
def photo():
    """A photograph of noise, `cat.png`, in the test's folder."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("cat.png")
    return "cat.png"


@pytest.fixture
def run():
    """npcam in a process of its own."""

    def run(*arguments, **options):
        environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
        command = [sys.executable, "-W", "error", "-m", "npcam", *map(str, arguments)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.run(command, text=True, check=False, env=environment, **streams)

    return run

"""A small labelled folder of photographs that a narrow network takes for different classes."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from npcam import Model
from npcam.resnet import Architecture
from npcam.weights import Weights, write_weights

from .networks import random_tensors

CLASSES = ("cat", "dog", "cow", "cock", "crow")
BAD = "dog/no picture.png"


def lively_network(path, input_size=(224, 224), activation="softmax", **changes):
    """Write a narrow network whose probabilities differ from photograph to photograph; returns the path."""
    arch = Architecture(blocks=(1, 1), strides=(1, 2), activation=activation)
    tensors = random_tensors(arch, width=4)
    given = {"input_size": input_size, "class_names": CLASSES, "source": "made up", **changes}
    model = Model(Weights(arch, tensors, **given))
    pixels = np.stack([patches(np.random.default_rng(i), *model.photo_size) for i in range(20)])
    if model.weights.preprocessing.grey:
        pixels = pixels[..., :1]
    means = model.activations(model.preprocess(pixels), model.last_activation)[model.last_activation].mean(
        axis=(1, 2)
    )  # (20, K)
    # One direction in which photographs differ for each class.
    *_, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    kernel = directions[: len(CLASSES)].T.astype(np.float32)
    spread = ((means - means.mean(axis=0)) @ kernel).std(axis=0)
    assert spread.min() > 1e-4 * means.max(), "what differs between these photographs is rounding"
    kernel *= np.float32(2) / spread
    top = {"kernel": kernel, "bias": -(means.mean(axis=0) @ kernel)}
    write_weights(path, Weights(arch, {**tensors, "predictions": top}, **given))
    return str(path)


def patches(rng, height, width):
    """A photograph of a dozen rectangles of one colour each, (height, width, 3) uint8."""
    pixels = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(12):
        y, x = rng.integers(0, height - 8), rng.integers(0, width - 8)
        pixels[y : y + rng.integers(8, height), x : x + rng.integers(8, width)] = rng.integers(0, 256, 3)
    return pixels


def make_data_set(folder, each=4, seed=0, bad=True):
    """Write `photos/CLASS/N.png` and `boxes.json` into a folder; every third photograph has no boxes.

    One file that is no picture is among them, unless it is not wanted.
    """
    rng = np.random.default_rng(seed)
    boxes = {}
    for name in CLASSES:
        Path(folder, "photos", name).mkdir(parents=True)
        for i in range(each):
            height, width = (int(side) for side in rng.integers(40, 90, 2))
            Image.fromarray(patches(rng, height, width)).save(Path(folder, "photos", name, f"{i}.png"))
            x, y = int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2))
            near, far = [x, y, x + width // 3, y + height // 3], [x + 0.5, y, width + 9, height + 0.25]
            if len(boxes) % 3 != 2:
                given = [{"xyxy": near}, {"xyxy": far}] if i % 2 else [{"xyxy": far}]
                boxes[f"photos/{name}/{i}.png"] = {"class": name, "boxes": given}
            else:
                boxes[f"photos/{name}/{i}.png"] = {"class": name}
    if bad:
        Path(folder, "photos", BAD).write_text("no picture")
    Path(folder, "boxes.json").write_text(json.dumps(boxes))
    return Path(folder)

"""A small network and photographs to audit, quickly."""

import numpy as np
from PIL import Image

from npcam.audit.subject import make_subject
from npcam.explain import look
from npcam.images.photos import open_photo
from npcam.model import Model
from npcam.preprocessing import MODES
from npcam.resnet import Architecture
from npcam.weights import Weights
from npcam.weights.random import random_weights

SIZE = (40, 56)


def small_model(activation="softmax", seed=0, mode="caffe", input_size=SIZE, threads=1):
    """Two blocks, five classes, an input of 40 x 56 pixels; maps of 10 x 14 cells."""
    arch = Architecture(blocks=(1, 1), strides=(1, 1), activation=activation)
    tensors = random_weights(arch, 4, 5, seed).tensors
    names = ("cat", "dog", "cow", "hen", "owl")
    weights = Weights(arch, tensors, input_size=input_size, preprocessing=MODES[mode], class_names=names)
    return Model(weights, threads=threads)


def pixels(seed=0, size=(60, 80)):
    """A photograph that is smooth here and rough there, uint8."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (*size, 3))
    y, x = np.indices(size)
    smooth = np.stack([255 * y / size[0], 255 * x / size[1], np.full(size, 90)], axis=2)
    inside = ((y - size[0] / 3) ** 2 + (x - size[1] / 2) ** 2 < (size[0] / 4) ** 2)[..., None]
    return np.where(inside, rough, smooth).astype(np.uint8)


def subject(model=None, seed=0, target=None, **reading):
    """One photograph and its most probable class, or another."""
    model = small_model() if model is None else model
    (seen,) = look(model, [open_photo(pixels(seed))], **reading)
    return make_subject(seen, target, reading.get("interpolation", "nearest"))


def photographs(folder, count=3):
    """So many photographs in a folder for each of two classes; returns it."""
    for i in range(count):
        path = folder / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(i)).save(path)
    return folder

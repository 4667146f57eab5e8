"""Reports of made-up photographs, and what a careful forger makes of them."""

import copy
import json
import re
from pathlib import Path

import numpy as np
from helpers.networks import random_tensors
from PIL import Image

from npcam.model import load_model
from npcam.report.bundle import bundle, model_data, photo_data
from npcam.report.canonical import sealed
from npcam.report.explained import Options
from npcam.report.page import write_page
from npcam.report.read import read_report
from npcam.resnet import Architecture
from npcam.stream.batches import Batches, Reading
from npcam.weights import Weights, write_weights

NAMES = ("cat", "garbage_truck", "</script><b>", "cöck", "crow")
NOTES = ("a layer was left out",)
DATA = re.compile(r'(<script type="application/json" id="npcam-report">\s*)(.*?)(\s*</script>)', re.DOTALL)


def make_weights(path, seed=0):
    """A network that is quickly run: two blocks, five classes, a note, an assumption, a finding."""
    arch = Architecture(blocks=(1, 1), strides=(1, 2))
    drawn = random_tensors(arch, width=4, classes=5, seed=seed)
    tensors = {
        layer: {name: array.copy() for name, array in arrays.items()} for layer, arrays in drawn.items()
    }
    tensors["conv1_bn"]["gamma"][0] = 1e-40  # denormal: what `inspect` finds
    known = {"input_size": (40, 56), "class_names": NAMES, "source": "made up", "source_sha256": "ab" * 32}
    write_weights(path, Weights(arch, tensors, notes=NOTES, assumed=("preprocessing",), **known))
    return path


def make_photographs(folder):
    """Two photographs, `one.png` and `two.jpg`: blocks of colour with a little noise."""
    rng = np.random.default_rng(5)
    for name, (height, width) in (("one.png", (60, 90)), ("two.jpg", (84, 50))):
        blocks = rng.integers(0, 256, (height // 6, width // 5, 3)).repeat(6, axis=0).repeat(5, axis=1)
        noisy = np.clip(blocks + rng.integers(-9, 10, blocks.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / name, quality=90)
    return [str(folder / "one.png"), str(folder / "two.jpg")]


def make_parts(weights, photos, options=None, audit=None, **model):
    """The network's part of a report, and each photograph's."""
    options = options or Options(targets=("crow",), top=3, digits=True)
    network = load_model(weights, **{"threads": 1} | model)
    reading = Reading(options.interpolation, options.exif_transpose, options.align, options.threshold)
    found = Batches(network, photos, reading, lambda one: photo_data(one, options, audit))(range(len(photos)))
    return bundle(model_data(network, weights), options, [one.data for one in found]), [
        one.picture for one in found
    ]


def make_report(path, weights, photos, options=None, audit=None, **model):
    """A report; its path."""
    write_page(path, *make_parts(weights, photos, options, audit, **model))
    return Path(path)


def forge(path, change, to, pictures=lambda pictures: pictures):
    """A report with other data, as somebody makes it who knows npcam: sealed anew, on npcam's own page."""
    report = read_report(path)
    data = copy.deepcopy(report.data)
    change(data)
    write_page(
        to, sealed({key: value for key, value in data.items() if key != "sha256"}), pictures(report.pictures)
    )
    return to


def edit(path, change, to):
    """A report whose text somebody changed with an editor."""
    text = path.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    to.write_text(changed, encoding="utf-8")
    return to


def edit_data(path, change, to):
    """A report in whose text the data's JSON is changed; it may be no report's any more."""

    def in_page(text):
        return DATA.sub(lambda found: found[1] + change(found[2]) + found[3], text)

    return edit(path, in_page, to)


def with_data(change):
    """A change of the JSON's text out of one of its values."""

    def of_text(text):
        data = json.loads(text)
        change(data)
        return json.dumps(data).replace("<", "\\u003c")

    return of_text

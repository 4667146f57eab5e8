"""The page's numbers of every layer, judged by `npcam verify` as anybody's port is."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.in_node import LOAD, in_node

from npcam.cli import main
from npcam.explore.page import CHECKED
from npcam.images.preprocess import load_image
from npcam.weights import tensors_sha256, write_weights

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "examples" / "chelsea.png"
WRITE = f"""{LOAD}
const pixels = Uint8Array.from(Buffer.from(given.pixels, "hex"));
ANSWERS.run({{ pixels }});
ANSWERS.switch({{ names: ["conv3_block1"] }}); // plays no part in the record
require("node:fs").writeFileSync(given.path, Buffer.concat(ANSWERS.record()));
"""


def write_record(page, pixels, path):
    """The record that the page's button saves, written by Node."""
    in_node(page, WRITE, {"pixels": np.asarray(pixels).tobytes().hex(), "path": str(path)})


@pytest.fixture(scope="module")
def record(bundled, tmp_path_factory):
    """That of the bundled network, of one photograph."""
    path = tmp_path_factory.mktemp("record") / "page.npz"
    write_record(bundled[1], load_image(PHOTO), path)
    return path


@pytest.fixture(scope="module")
def report(record):
    """What `npcam verify` says of it: its exit status, and its JSON."""
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = main(["verify", str(PHOTO), "--against", str(record), "--json"])
    return status, json.loads(said.getvalue())


def test_verify_compares_every_layer_and_finds_none_off(report):
    """Status 0, all 177 layers, none missing and none beside them; the input has npcam's bits."""
    status, found = report
    assert (status, found["ok"], found["compared"]) == (0, True, 177)
    assert found["missing"] == found["extra"] == []
    assert found["layers"][0]["max_abs"] == 0


def test_page_and_docs_say_how_far_off_it_is(report, bundled):
    """Both say, of these weights alone, which share of what rounding may do the page's numbers take."""
    found = report[1]
    share = max(layer["max_abs"] / layer["expected"] for layer in found["layers"] if layer["expected"])
    said = CHECKED[tensors_sha256(bundled[0].weights.tensors)]
    layers, percent = re.fullmatch(r"(\d+) layers, none further off than (\d+) %", said).groups()
    assert said in " ".join((ROOT / "docs" / "explore.md").read_text().split())
    assert int(layers) == found["compared"]
    assert 0 < share < int(percent) / 100


def test_the_docs_say_what_two_switches_do(bundled):
    """The block and the batch norm of docs/explore.md, left out by the page: the share and the class it says."""
    body = f"""{LOAD}
    ANSWERS.run({{ pixels: Uint8Array.from(Buffer.from(given, "hex")) }});
    return [[], ["conv4_block2"], ["conv1_bn"]].map((names) => [...ANSWERS.switch({{ names }}).shown.probabilities]);
    """
    plain, block, norm = np.array(in_node(bundled[1], body, load_image(PHOTO).tobytes().hex()))
    names = bundled[0].class_names
    said = " ".join((ROOT / "docs" / "explore.md").read_text().split())
    assert f"conv4_block2 left out makes {100 * plain[1]:.1f} % into {100 * block[1]:.1f} %" in said
    assert f"conv1_bn left out makes it a {names[norm.argmax()].replace('_', ' ')}" in said
    assert names[1] == names[block.argmax()] == "cat"


def test_a_wrong_number_is_found(record, tmp_path):
    """One number of one layer changed by a hundredth of its size: verify ends with 1 and names the layer."""
    arrays = dict(np.load(record))
    assert len(arrays) == 177
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    maps = arrays["conv4_block2_2_conv"] = arrays["conv4_block2_2_conv"].copy()
    at = np.unravel_index(np.abs(maps).argmax(), maps.shape)
    maps[at] *= 1.01
    np.savez(tmp_path / "off.npz", **arrays)
    assert main(["verify", str(PHOTO), "--against", str(tmp_path / "off.npz"), "--quiet"]) == 1


def test_another_network_passes_too(other, tmp_path, capsys):
    """Other strides, paddings, epsilon, preprocessing, top and size: every layer within rounding."""
    model, page, pixels = other
    weights, photo, path = tmp_path / "other.h5", tmp_path / "photo.png", tmp_path / "page.npz"
    write_weights(weights, model.weights)
    from PIL import Image

    Image.fromarray(pixels).save(photo)
    write_record(page, load_image(photo, model.photo_size), path)
    options = ["--against", str(path), "--weights", str(weights), "--json"]
    assert main(["verify", str(photo), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["missing"], found["extra"]) == (True, [], [])

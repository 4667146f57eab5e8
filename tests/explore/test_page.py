"""The page as a file: what is in it, how large it is, and what is refused."""

import base64
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.common.errors import InputError
from npcam.explore.page import MOST_PARAMETERS, cost, packed, write_explorer
from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input
from npcam.model import Model
from npcam.resnet import RESNET50, Architecture
from npcam.weights import Weights
from npcam.weights.random import random_weights


def piece(page, name):
    """What stands in the page's script element of that id."""
    return re.search(rf'<script[^>]* id="{name}">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)[1]


def test_the_bundled_page_is_under_8_megabytes_and_has_every_bit(bundled):
    """All weights come out of the page as they went in, by the table that stands beside them."""
    model, path = bundled
    assert path.stat().st_size < 8_000_000
    planes = np.frombuffer(zlib.decompress(base64.b64decode(piece(path, "weights-data"))), np.uint8)
    numbers = np.ascontiguousarray(planes.reshape(4, -1).T).view("<f4")[:, 0]
    at = 0
    for layer, name, shape in json.loads(piece(path, "network-data"))["weights"]:
        size = int(np.prod(shape))
        found = numbers[at : at + size].reshape(shape)
        np.testing.assert_array_equal(found, model.weights.tensors[layer][name])
        at += size
    assert at == len(numbers) == 1_508_078


def test_the_photograph_is_given_as_npcam_resizes_it(other):
    """Its pixels for the network are `to_input`'s, its picture no larger than the page needs."""
    model, path, pixels = other
    photo = json.loads(piece(path, "photo-data"))
    wanted = to_input(open_photo(pixels), model.photo_size)
    assert base64.b64decode(photo["pixels"]) == wanted.tobytes()
    assert photo["size"] == [90, 70]
    assert photo["view"].startswith("data:image/jpeg;base64,")


def test_the_page_asks_for_nothing(bundled):
    """No address in it but its own icon, and a policy that allows none."""
    text = bundled[1].read_text("utf-8")
    without_weights = text.replace(piece(bundled[1], "weights-data"), "")
    assert re.findall(r"""(?:src|href)=["']([^"']+)""", without_weights) == ["data:,", "#look"]
    assert "http://" not in without_weights
    assert "https://" not in without_weights
    assert "default-src 'none'" in text
    assert "connect-src" not in text


def test_the_same_page_twice(other, tmp_path):
    """The same network and photograph give the same bytes."""
    model, path, pixels = other
    write_explorer(tmp_path / "again.html", model, pixels)
    assert (tmp_path / "again.html").read_bytes() == path.read_bytes()


def test_names_are_only_names(tmp_path):
    """A class or a file that is called like a tag stays text."""
    arch = Architecture(blocks=(1,), strides=(1,))
    names = ("</script><script>alert(1)</script>", "a & b", "\u202ec")
    weights = Weights(arch, random_tensors(arch, 4, 3), input_size=(40, 40), class_names=names)
    write_explorer(tmp_path / "a.html", Model(weights), name="</title><b>")
    text = (tmp_path / "a.html").read_text("utf-8")
    assert "alert(1)</script>" not in text
    assert "<title>&lt;/title&gt;&lt;b&gt;" in text
    found = json.loads(piece(tmp_path / "a.html", "network-data"))["class_names"]
    assert found[0].startswith("</script><script>alert(1)")


def test_a_network_too_large_is_refused(tmp_path):
    """ResNet-50 itself: the reason is named, and nothing is written."""
    arch = Architecture()
    model = Model(random_weights(arch, width=28, classes=10), engine="reference")
    assert cost(model)[0] > MOST_PARAMETERS
    with pytest.raises(InputError, match=r"parameters and takes [\d,]+ million products.*up to 4,000,000"):
        write_explorer(tmp_path / "a.html", model)
    assert list(tmp_path.iterdir()) == []


def test_a_network_too_slow_is_refused(tmp_path):
    """Few parameters, but pictures so large that a pass would take seconds."""
    weights = replace(random_weights(RESNET50, width=8, classes=10), input_size=(1400, 1400))
    with pytest.raises(InputError, match=r"million products for a photograph"):
        write_explorer(tmp_path / "a.html", Model(weights, engine="reference"))
    assert list(tmp_path.iterdir()) == []


def test_a_network_without_a_top_is_refused(tmp_path):
    """There is no class to explain."""
    arch = Architecture(blocks=(1,), strides=(1,), activation=None)
    tensors = {k: v for k, v in random_tensors(arch, 4, 3).items() if k != "predictions"}
    with pytest.raises(InputError, match="no top"):
        write_explorer(tmp_path / "a.html", Model(Weights(arch, tensors), engine="reference"))


def test_cost_counts_products(other):
    """As many as the loops of a convolution make: outputs times window times channels."""
    model = other[0]
    x = np.zeros((1, *model.input_size, 3), np.float32)
    products = sum(
        model.activations(x, layer)[layer].size * arrays["kernel"][..., 0].size
        for layer, arrays in model.weights.tensors.items()
        if layer.endswith("_conv")
    )
    assert cost(model)[1] == products


def test_packing_is_smaller_than_plain_compression(bundled):
    """Bytes that lie apart pack better than numbers as they are."""
    model = bundled[0]
    arrays = [array for arrays in model.weights.tensors.values() for array in arrays.values()]
    plain = zlib.compress(b"".join(array.tobytes() for array in arrays), 9)
    assert len(packed(model)) < 0.95 * len(plain)

"""Arrays without names: every way to run the network is told from the others, or refused."""

import itertools

import numpy as np
import pytest

from npcam.layers import layers
from npcam.resnet import RESNET50, Architecture
from npcam.verify.by_order import BACK, FRONT, INNER, JOIN, LINEAR, ORDERS, Way, blocks_of, tell

pytestmark = pytest.mark.slow  # every order of every network

SMALL = Architecture(blocks=(1, 2), strides=(1, 2))
KERAS = [layer.name for layer in layers(RESNET50)]


def channels(arch, width=8, classes=5):
    """How many channels every layer has in a network of this width."""
    found = {}
    for layer in layers(arch):
        stage = layer.name.split("_")[0]
        n = width * 2 ** (int(stage[4:]) - 2) if stage[:4] == "conv" and stage != "conv1" else width
        wide = layer.name.endswith(("_0_conv", "_0_bn", "_3_conv", "_3_bn", "_add", "_out"))
        found[layer.name] = n * 4 if wide else n
    found |= {"input_layer": 3, "conv1_pad": 3, "predictions": classes, "logits": classes}
    found["avg_pool"] = found[f"conv{len(arch.blocks) + 1}_block1_out"]
    return found


def test_the_way_of_keras_is_keras_order():
    """Everything by itself, the shortcut mixed: the 177 layers as Keras lists them, and the logits."""
    way = Way(INNER[0], LINEAR[0], JOIN[0], "mixed", (*FRONT, *BACK))
    assert [name for name in blocks_of(RESNET50, way) if name != "logits"] == KERAS


@pytest.mark.parametrize("ends", [(), ("input_layer", "pool1_pool", "avg_pool", "logits"), (*FRONT, *BACK)])
def test_every_way_is_told(ends):
    """From channels, and from a likeness that knows which array is which: the same layers come out."""
    expected = channels(SMALL)
    for parts in list(itertools.product(INNER, LINEAR, JOIN, ORDERS))[::19]:  # all of them take minutes
        names = blocks_of(SMALL, Way(*parts, ends))
        found = tell(
            [expected[n] for n in names],
            expected,
            SMALL,
            lambda i, name, names=names: float(names[i] == name),
        )
        assert found is not None
        assert found[1] == names


def test_an_order_that_is_none_is_refused():
    """Another number of channels, one array more or less than any way has, none at all."""
    expected = channels(SMALL)
    names = blocks_of(SMALL, Way(INNER[1], LINEAR[1], JOIN[0], "last", ("pool1_pool", "logits")))
    right = [expected[name] for name in names]

    def alike(_i, _name):
        return 0.0

    assert tell(right, expected, SMALL, alike) is not None
    for wrong in ([*right[:5], 99, *right[6:]], right[::-1], right[:-4], [3] * 3, []):
        assert tell(wrong, expected, SMALL, alike) is None


def test_a_network_without_a_top():
    """Its last block is the end."""
    arch = Architecture(blocks=(1,), strides=(1,), activation=None)
    way = Way(INNER[0], LINEAR[0], JOIN[0], "last", FRONT)
    assert blocks_of(arch, way)[-1] == "conv2_block1_out"
    expected = channels(SMALL)
    names = blocks_of(arch, way)
    found = tell([expected[n] for n in names], expected, arch, lambda i, n: float(names[i] == n))
    assert found[1] == names


def test_numbers_decide_between_equal_shapes():
    """A folded port and one that keeps its convolutions but not its batch norms look the same by shape."""
    expected = channels(SMALL)
    rng = np.random.default_rng(0)
    own = {name: rng.normal(size=20) for name in expected}
    for inner, linear in ((("bn", "relu"), ("bn",)), (("conv", "relu"), ("conv",))):
        names = blocks_of(SMALL, Way(inner, linear, JOIN[0], "second", ("pool1_pool",)))
        arrays = [own[name] + rng.normal(size=20) * 0.3 for name in names]

        def alike(i, name, arrays=arrays):
            return float(np.corrcoef(arrays[i], own[name])[0, 1])

        assert tell([expected[n] for n in names], expected, SMALL, alike)[1] == names

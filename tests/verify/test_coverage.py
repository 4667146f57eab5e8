"""Which layer is judged for one that a port does not give: the next that is given, on any way through."""

import itertools

import numpy as np
import pytest

from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.coverage import judged_with

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))
TABLE = layers(ARCH)
NAMES = [layer.name for layer in TABLE]
READERS = {name: [layer.name for layer in TABLE if name in layer.inputs] for name in NAMES}


def reachable(name, given):
    """What a layer that is not given leads to first, on every way: by walking them all."""
    found = set()
    for reader in READERS[name]:
        if reader in given or (reader == "predictions" and "logits" in given):
            found.add(reader)
        else:
            found |= reachable(reader, given)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_any_choice_of_layers(seed):
    """Against a walk along every path, for layers chosen at random, with the predictions or their logits."""
    rng = np.random.default_rng(seed)
    given = [name for name in NAMES if rng.random() < 0.3] + (["logits"] if seed % 2 else [])
    found = judged_with(ARCH, given)
    there = {*given, *(["predictions"] if "logits" in given else [])}
    assert not set(found) & there
    for name in NAMES:
        if name in there:
            continue
        ends = reachable(name, given)
        if "logits" not in given and name != "avg_pool":
            ends -= {"predictions"}
        assert (name in found) == bool(ends)
        if ends:
            assert found[name] in ends


def test_a_softmax_stands_for_its_own_top_only():
    """Predictions alone say nothing of the blocks; logits do."""
    assert judged_with(ARCH, ["predictions"]) == {"avg_pool": "predictions"}
    assert set(judged_with(ARCH, ["logits"])) == set(NAMES) - {"predictions"}
    assert judged_with(ARCH, NAMES) == judged_with(ARCH, []) == {}


def test_a_projection_is_judged_with_its_block():
    """A shortcut that is not given meets the main path in the sum."""
    given = [name for name in NAMES if "_0_" not in name and not name.endswith("_add")]
    found = judged_with(ARCH, given)
    for block, part in itertools.product(("conv2_block1", "conv3_block1"), ("0_conv", "0_bn", "add")):
        assert found[f"{block}_{part}"] == f"{block}_out"
    assert len(found) == 6

"""A layer's fault shown without npcam: the script is run in a child that cannot import it."""

import re
import subprocess
import sys

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.planted import ARCH, PLANTED
from helpers.ported import ported

from npcam.common.errors import InputError
from npcam.layers import layers
from npcam.verify.reproducer import reproducer, write_reproducer
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights

LINE = re.compile(r"(npcam|yours) is off by (\S+) at (\[.*\]): (\S+), where (\S+) is right")


pytestmark = pytest.mark.slow  # each script runs in a process of its own


@pytest.fixture(scope="module")
def small():
    """A small network, two photographs, and npcam's run."""
    weights = Weights(ARCH, random_tensors(ARCH))
    x = np.random.default_rng(1).uniform(-120, 150, (2, 33, 40, 3)).astype(np.float32)
    return weights, x, run_npcam(weights, x).activations


def shown(folder, found):
    """What the script prints, run where npcam cannot be imported: {side: (off, place)}."""
    paths = write_reproducer(folder, found)
    path = str(paths[1])
    run_it = f"exec(open({path!r}).read(), {{'__file__': {path!r}}})"
    code = f"import sys; sys.modules['npcam'] = None; {run_it}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True, cwd=folder
    )
    assert done.stderr == ""
    return {m[1]: (float(m[2]), m[3]) for m in map(LINE.fullmatch, done.stdout.splitlines())}


@pytest.mark.parametrize("name", [layer.name for layer in layers(ARCH) if "conv4" not in layer.name])
def test_every_layer_can_be_computed_by_its_script(small, tmp_path, name):
    """An honest run: both sides are off by float32's rounding only; padding and pooling by nothing."""
    weights, x, run = small
    found = shown(tmp_path, reproducer(weights, x, run, name, 1))
    largest = float(np.abs(run[name]).max())
    # 4608 products and 60 positions at most: sqrt(4608) u is 4e-6 of what is added up
    assert found["yours"][0] <= 1e-5 * largest
    assert found["npcam"][0] <= 2.0**-23 * largest


def test_a_fault_is_shown_as_large_as_it_is(small, tmp_path):
    """A flipped kernel: yours is off by what the two runs differ by, npcam by rounding."""
    weights, x, own = small
    words, layer = "kernel flipped by 180 degrees", "conv3_block2_2_conv"
    run = ported(weights, x, instead={layer: PLANTED[words][layer]}).activations
    found = shown(tmp_path, reproducer(weights, x, run, layer, 1))
    off = np.abs(run[layer][1:] - own[layer][1:])
    assert found["yours"][0] == pytest.approx(off.max(), rel=1e-2)
    assert found["yours"][1] == str([int(i) for i in np.unravel_index(off.argmax(), off.shape)])
    assert found["npcam"][0] < 1e-6 * np.abs(own[layer]).max()
    script = (tmp_path / "reproduce.py").read_text()
    assert len([line for line in script.split('"""')[2].splitlines() if line.strip()]) <= 18
    assert max(map(len, script.splitlines())) <= 120


def test_layers_in_between_are_computed_too(small, tmp_path):
    """From a block's end to the next, with the shortcut; and from npcam's input where none is given."""
    weights, x, run = small
    for name, given in (("conv3_block2_out", "conv3_block1_out"), ("conv2_block1_out", None)):
        few = {n: a for n, a in run.items() if n in (name, given)}
        found = reproducer(weights, x, few, name)
        assert ("input_layer" in found.arrays) == (given is None)
        assert shown(tmp_path, found)["yours"][0] <= 1e-5 * np.abs(run[name]).max()


def test_another_shape_is_told(small, tmp_path):
    """Without a traceback; where what leads to a layer does not fit it, nothing can be shown."""
    weights, x, run = small
    odd = {**run, "pool1_pool": run["pool1_pool"][:, 1:]}
    write_reproducer(tmp_path, reproducer(weights, x, odd, "pool1_pool"))
    done = subprocess.run(
        [sys.executable, tmp_path / "reproduce.py"], check=True, capture_output=True, text=True
    )
    assert "yours has the shape (1, 8, 10, 8) where (1, 9, 10, 8) is right" in done.stdout
    odd = {**run, "conv3_block1_0_bn": run["conv3_block1_0_bn"][:, 1:]}
    with pytest.raises(InputError, match="conv3_block1_add: what leads to it has shapes"):
        reproducer(weights, x, odd, "conv3_block1_add")

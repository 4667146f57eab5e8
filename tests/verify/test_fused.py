"""What a port has fused, told from its numbers: all layers of a kind together, and never from one alone."""

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.resnet import Architecture
from npcam.verify.fused import likeness, overwritten, refold
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights

ARCH = Architecture(blocks=(1, 2), strides=(1, 2))


@pytest.fixture(scope="module")
def own():
    """npcam's activations of a small network."""
    weights = Weights(ARCH, random_tensors(ARCH, width=4))
    x = np.random.default_rng(1).uniform(-120, 150, (1, 32, 40, 3)).astype(np.float32)
    return run_npcam(weights, x).activations


def named_for_convolutions(own, inner, linear):
    """What each convolution's name holds in a port that fuses so much into it, and what is left by itself."""
    parts = ("conv", "bn", "relu")
    found, truth = {}, {}
    for name, array in own.items():
        start, _, part = name.rpartition("_")
        deepest = linear if start.endswith(("_0", "_3")) else inner
        if part not in parts or f"{start}_conv" not in own:
            found[name], truth[name] = array, name
        elif part == deepest:
            found[f"{start}_conv"], truth[f"{start}_conv"] = array, name
        elif parts.index(part) > parts.index(deepest):
            found[name], truth[name] = array, name
    return found, truth


@pytest.mark.parametrize(
    ("inner", "linear"), [("conv", "conv"), ("bn", "bn"), ("relu", "bn"), ("relu", "conv")]
)
def test_what_is_folded_is_told(own, inner, linear):
    """Batch norms in convolutions, ReLUs too, or nothing; ends of blocks by themselves."""
    found, truth = named_for_convolutions(own, inner, linear)
    if inner == linear == "conv":
        found |= {name: a for name, a in own.items() if name.endswith("_bn")}
        truth |= {name: name for name in own if name.endswith("_bn")}
    renamed, said = refold(found, own, ARCH)
    assert renamed == truth
    assert bool(said) == (inner != "conv")


def test_one_wrong_layer_does_not_look_fused(own):
    """A convolution that by mistake holds its batch norm, of many that do not: it stays, to be blamed."""
    found = {name: array for name, array in own.items() if not name.endswith("_bn")}
    found["conv2_block1_2_conv"] = own["conv2_block1_2_bn"]
    renamed, said = refold(found, own, ARCH)
    assert (renamed, said) == ({name: name for name in found}, [])


def test_arrays_that_were_overwritten_in_place(own):
    """Batch norms that hold what the ReLU made of them, all of them, are not given; one is a mistake."""
    found = dict(own)
    for name in own:
        if name.endswith("_relu"):
            found[name.replace("_relu", "_bn")] = own[name]
        elif name.endswith("_out"):
            found[name.replace("_out", "_3_bn")] = found[name.replace("_out", "_add")] = own[name]
    renamed, said = overwritten(found, own, ARCH)
    gone = {name for name, layer in renamed.items() if not layer}
    assert gone == {n for n in own if n.endswith(("_bn", "_add")) and not n.endswith("_0_bn")}
    assert said == [f"overwritten in place: {len(gone)} arrays, first conv1_bn"]
    single = {**own, "conv1_bn": own["conv1_relu"]}
    assert overwritten(single, own, ARCH) == ({name: name for name in own}, [])


def test_a_relu_that_does_nothing_is_no_overwriting(own):
    """All ReLUs missing: equal, but with negative numbers. That is a mistake to be found."""
    found = {name: own.get(name.replace("_relu", "_bn"), array) for name, array in own.items()}
    assert overwritten(found, own, ARCH)[1] == []


def test_likeness():
    """A cosine: the same for any scale, -1 for what cannot be compared."""
    a = np.random.default_rng(0).normal(size=(2, 3))
    assert likeness(a, 7 * a) == pytest.approx(1, abs=1e-15)
    assert likeness(a, -a) == pytest.approx(-1, abs=1e-15)
    for other in (None, a[0], 0 * a, a * np.nan):
        assert likeness(a, other) == -1

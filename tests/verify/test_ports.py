"""Ports in PyTorch, honest ones and with planted mistakes: green, or the right layer is to blame.

Folded and joined or not, NCHW and NHWC, with torchvision's names and without any.
"""

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.torch_port import FAULTS, Port, nhwc

from npcam.resnet import Architecture
from npcam.verify.blame import with_cause
from npcam.verify.compare import verify
from npcam.verify.names import torchvision_names
from npcam.verify.port import read_port
from npcam.verify.run_npcam import run_npcam
from npcam.verify.telling import Naming
from npcam.weights import Weights

ARCH = Architecture(blocks=(1, 2, 1, 1))
pytestmark = pytest.mark.slow  # PyTorch takes seconds to start
CAUSES = {  # of each fault: the layer that it is in, and how the words for it begin
    "RGB for BGR": ("input_layer", "channels reversed (RGB for BGR)"),
    "mean not subtracted": ("input_layer", "mean not subtracted"),
    "NHWC read as NCHW": ("input_layer", "NHWC read as NCHW"),
    "pool padding missing": ("pool1_pad", "pool padding missing"),
    "conv1 padded on one side": ("conv1_pad", "SAME padding"),  # of 2 and 4, the last is never read
    "epsilon": ("conv3_block1_2_bn", "another epsilon, 0.001,"),
    "variance taken for deviation": ("conv3_block2_1_bn", "variance taken for deviation"),
    "ReLU missing": ("conv3_block2_2_relu", "ReLU missing"),
    "bias missing": ("conv3_block2_1_conv", "bias missing"),
    "kernel transposed": ("conv3_block2_2_conv", "kernel transposed (height and width)"),
    "kernel turned by 180 degrees": ("conv4_block1_2_conv", "kernel flipped by 180 degrees"),
    "kernel in another order": ("conv4_block1_1_conv", "kernel in another order: it lies as HWIO"),
    "weights of another layer": ("conv4_block1_2_bn", "weights of another layer, conv4_block1_1_bn"),
    "no shortcut": ("conv4_block1_add", "shortcut missing"),
    "another class order": ("predictions", "kernel's classes reversed, its bias's not"),
}
PLAIN = [(False, False), (True, False), (False, True), (True, True)]  # fold, join


@pytest.fixture(scope="module")
def small():
    """A network, a batch, and npcam's run."""
    weights = Weights(ARCH, random_tensors(ARCH, width=4))
    x = np.random.default_rng(1).uniform(-120, 150, (1, 64, 48, 3)).astype(np.float32)
    return weights, x, run_npcam(weights, x)


def judged(tmp_path, small, arrays, by_order):
    """What comes of a port's arrays, with the cause."""
    weights, _, own = small
    np.savez(tmp_path / "run.npz", *arrays.values() if by_order else (), **({} if by_order else arrays))
    run = read_port(tmp_path / "run.npz", own, weights, Naming(None, by_order))
    return run, with_cause(verify(weights, own, run), weights, own, run)


@pytest.mark.parametrize("by_order", [False, True])
@pytest.mark.parametrize("layout", [dict, nhwc])
@pytest.mark.parametrize(("fold", "join"), PLAIN)
def test_an_honest_port_is_green(tmp_path, small, fold, join, layout, by_order):
    """Every layer is compared, or judged with the next that is given; nothing is missing or extra."""
    arrays = layout(Port(*small[:2], fold, join).arrays)
    run, report = judged(tmp_path, small, arrays, by_order)
    assert report.ok, report.first_bad
    assert (report.missing, report.extra) == ((), ())
    assert len(report.rows) == len(arrays)
    assert len(report.rows) + len(report.not_given) == len(small[2].activations) - 1  # logits are no layer
    words = "NHWC" if layout is nhwc else "NCHW"
    assert f"layout: {words}, told from the shapes" in run.notes


@pytest.mark.parametrize(("fold", "join"), PLAIN)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_right_layer_is_blamed(tmp_path, small, fault, fold, join):
    """The layer with the mistake, or the next that is given after it; and the mistake, where it is."""
    layout, by_order = (nhwc, True) if fold == join else (dict, False)
    _, report = judged(tmp_path, small, layout(Port(*small[:2], fold, join, fault).arrays), by_order)
    assert not report.ok
    blamed = torchvision_names([FAULTS[fault]], ARCH).get(FAULTS[fault])
    blamed = {"layer2.1.relu_1": "conv3_block2_2_relu", "fc": "predictions"}.get(FAULTS[fault], blamed)
    row = report.first_bad
    assert blamed in (row.name, *row.covers)
    stands_for = [name for name in (*row.covers, row.name) if not name.endswith(("_pad", "layer"))]
    assert len(stands_for) <= 1 + 2 * join + fold
    layer, words = CAUSES[fault]
    assert report.cause.layer == layer
    assert report.cause.words.startswith(words)


def test_strides_in_the_3x3_are_named(tmp_path, small):
    """torchvision's v1.5, with names and without: the shapes show it, and it is said."""
    arrays = Port(*small[:2], v15=True).arrays
    for by_order in (False, True):
        run, report = judged(tmp_path, small, arrays, by_order)
        assert report.first_bad.name == "conv3_block1_1_conv"
        assert str(report.cause) == "conv3_block1_1_conv: stride in the 3x3 (v1.5)"
        said = "strides: in the 3x3 (as in v1.5) of conv3_block1, conv4_block1, conv5_block1"
        assert f"{said}; this network has them in the first 1x1" in run.notes


@pytest.mark.parametrize("kept", ["blocks", "outputs", "last"])
def test_gaps_are_judged_with_what_follows(tmp_path, small, kept):
    """A port that gives its blocks only is judged block by block; a fault in one is found there."""
    wanted = {"blocks": ("relu_2", "fc"), "outputs": ("relu", "relu_1", "relu_2", "fc"), "last": ("fc",)}[
        kept
    ]
    for fault in ("", "kernel transposed"):
        arrays = Port(*small[:2], fault=fault).arrays
        some = {name: a for name, a in arrays.items() if name.rsplit(".", 1)[-1] in wanted}
        _, report = judged(tmp_path, small, some, by_order=False)
        assert report.ok == (not fault)
        assert not report.missing
        if fault:
            last = {"blocks": "conv3_block2_out", "outputs": "conv3_block2_2_relu", "last": "predictions"}
            assert report.first_bad.name == last[kept]
            assert "conv3_block2_2_conv" in report.first_bad.covers
            named = "conv3_block2_2_conv: kernel transposed (height and width)"
            assert str(report.cause) == named if kept != "last" else report.cause is not None

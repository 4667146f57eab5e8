"""One mistake after the other, planted in a port that shares nothing with npcam's search for causes.

Each is planted in several layers, and looked for with all tensors at hand, with those of a port that
folds its batch norms and joins its ReLUs, and with the blocks' ends alone. What is claimed must be what
was planted, in words and in place; where two mistakes make the same numbers, either will do.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.planted import ARCH, CASES, MEAN, PLANTED, conv, dense, levels, normed
from helpers.ported import ported

from npcam import ops
from npcam.layers import layers
from npcam.preprocessing import MODES
from npcam.resnet import Architecture
from npcam.verify.alone import ALONE, FLOW
from npcam.verify.blame import with_cause
from npcam.verify.cause import NONE, Tolerance, fewer_bits, find_cause
from npcam.verify.compare import verify
from npcam.verify.mistakes import mistakes
from npcam.verify.part import Arithmetic, Part
from npcam.verify.record import Record
from npcam.verify.report import as_json, finding
from npcam.verify.rounding import roundoff_variance
from npcam.verify.run_npcam import run_npcam
from npcam.verify.steps import Network
from npcam.weights import Weights, cast

pytestmark = pytest.mark.slow  # every mistake in every kind of layer


@pytest.fixture(scope="module")
def small():
    """A small network of pixels' scale, a photograph's worth of pixels, and npcam's own run."""
    weights = Weights(ARCH, random_tensors(ARCH))
    pixels = np.random.default_rng(3).integers(0, 256, (1, 12, 16, 3)).repeat(4, 1).repeat(4, 2)
    speckle = np.random.default_rng(4).integers(-20, 21, pixels.shape)
    rgb = np.clip(pixels + speckle, 0, 255).astype(np.float32)  # (1, 48, 64, 3)
    x = rgb[..., ::-1] - MEAN
    return weights, np.ascontiguousarray(x), run_npcam(weights, x)


SAME_NUMBERS = {  # other names of the same mistake, where nothing tells them apart
    ("conv1_conv", "kernel's input channels reversed (BGR)"): [
        ("input_layer", "channels reversed (RGB for BGR), in the input or in the kernel of conv1_conv")
    ],
}
FUSED = ("_relu", "_out", "_pool", "predictions")
GIVEN = {
    "all": lambda _: True,
    "joined": lambda name: name.endswith(FUSED) or name == "input_layer",
    "no input": lambda name: name not in ("input_layer", "conv1_pad", "pool1_pad"),
    "blocks": lambda name: name.endswith(("_out", "predictions", "input_layer", "pool1_pool", "avg_pool")),
}


def judged(small, run, given="all"):
    """The report on a run, with its cause, from some of its tensors."""
    weights, _, own = small
    few = Record({name: a for name, a in run.activations.items() if GIVEN[given](name)})
    report = verify(weights, own, few, partial=True)
    return with_cause(report, weights, own, few)


def first_given(layer, given):
    """The first layer from one on, along the network's order, that is given; its shortcut's is the add's."""
    seen = set()
    for other_layer in layers(ARCH):
        if other_layer.name == layer or seen.intersection(other_layer.inputs):
            if GIVEN[given](other_layer.name):
                return other_layer.name
            seen.add(other_layer.name)
    return None


@pytest.mark.parametrize("given", list(GIVEN))
@pytest.mark.parametrize(("words", "layer"), CASES)
def test_what_was_planted_is_claimed_and_nothing_else(small, words, layer, given):
    """The words and the layer, from whatever tensors there are."""
    weights, x, _ = small
    run = ported(weights, x, instead={layer: PLANTED[words][layer]})
    report = judged(small, run, given)
    blamed = first_given(layer, given)
    if report.first_bad is None:  # -inf around a ReLU's output changes no maximum
        assert (words, given) in {("pool padding with -inf", g) for g in GIVEN if g != "all"}
        return
    assert report.first_bad.name == blamed
    if (words, given) == ("another photograph", "no input"):  # a stem of 8 filters tells too little
        assert report.cause.words == NONE
        return
    planted = {(layer, words), *SAME_NUMBERS.get((layer, words), ())}
    if given in ("joined", "blocks") and words == "ReLU before the sum":
        planted.add((layer.replace("add", "3_bn"), "a ReLU where none belongs"))
    claimed = report.cause.layer, report.cause.words
    assert any(claimed[0] == where and what in claimed[1] for where, what in planted), claimed
    layer = report.cause.layer
    assert as_json(report)["cause"] == f"{layer}: {report.cause.words}"
    assert f"  cause: {layer}: {report.cause.words}" in finding(report)


def test_nothing_is_claimed_of_what_is_no_usual_mistake(small):
    """A flipped sign, a scale of 1.01, noise: red, and none of the usual mistakes."""
    weights, x, _ = small
    noise = np.random.default_rng(5)

    def flipped(k):
        k = k.copy()
        k[0, 0, 1, 2] *= -1
        return k

    faults = {
        "conv1_conv": conv(2, kernel=lambda k: 1.01 * k),
        "conv3_block2_2_conv": conv(1, ((1, 1), (1, 1)), kernel=flipped),
        "conv2_block1_1_bn": normed(gamma=lambda g: np.roll(g, 1)),
        "conv3_block1_1_relu": lambda y, _: ops.relu(y) + noise.normal(size=y.shape) / 100,
        "avg_pool": lambda y, _: np.median(y, axis=(1, 2)),
        "predictions": dense(lambda z: ops.softmax(z / 2)),
        "input_layer": lambda y, _: y + noise.normal(size=y.shape).astype(np.float32) * 500,
    }
    for layer, fault in faults.items():
        for given in ("all", "joined", "no input"):
            report = judged(small, ported(weights, x, instead={layer: fault}), given)
            assert report.first_bad.name == first_given(layer, given)
            assert report.cause.words == NONE, (layer, given, report.cause)
            assert as_json(report)["cause"] == NONE
            assert as_json(report)["cause_in"] is None


EVERYWHERE = {
    "bias missing": lambda w: {**w, "bias": np.zeros_like(w["bias"])} if "bias" in w else w,
    "variance taken for deviation": lambda w: {
        **w,
        **({"moving_variance": w["moving_variance"] ** 2} if "gamma" in w else {}),
    },
    "weights quantised to 8 bits, one scale for each channel": lambda w: {
        **w,
        **({"kernel": levels(w["kernel"], 8)} if w.get("kernel", np.zeros(1)).ndim == 4 else {}),
    },
}


@pytest.mark.parametrize("words", EVERYWHERE)
def test_the_same_mistake_in_all_layers(small, words):
    """Seen in the blocks' ends alone, of which each has three or four of them; and with all tensors."""
    weights, x, _ = small
    change = EVERYWHERE[words]
    tensors = {n: change(w) if n != "predictions" else w for n, w in weights.tensors.items()}
    run = run_npcam(replace(weights, tensors=tensors), x)
    first = next(n for n in run.activations if n.endswith("bn" if "variance" in words else "conv"))
    report = judged(small, Record(run.activations))
    assert str(report.cause) == f"{first}: {words}"
    few = Record({n: a for n, a in run.activations.items() if n.endswith(("input_layer", "_out"))})
    report = judged(small, few)
    assert report.first_bad.name == "conv2_block1_out"
    said = f"{words}, in all 5 layers of its class from the last tensor given on"
    assert str(report.cause) == f"{first}: {said}"


def test_epsilon_everywhere_from_the_blocks_ends(small):
    """As in a port that set it once for all."""
    weights, x, _ = small
    run = run_npcam(replace(weights, architecture=replace(ARCH, epsilon=1e-3)), x)
    report = judged(small, Record(run.activations), "blocks")
    assert report.first_bad.name == "pool1_pool"
    assert str(report.cause) == "conv1_bn: another epsilon, 0.001, not 1.001e-05"
    few = Record({n: a for n, a in run.activations.items() if n.endswith("_out")})
    report = judged(small, few)
    said = "another epsilon, 0.001, in all 5 layers of its class from the last tensor given on"
    assert str(report.cause) == f"conv1_bn: {said}"


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("padding", ["SAME", "1 on each side"])
def test_a_stride_in_the_3x3_is_called_v15(small, given, padding):
    """With TensorFlow's padding or PyTorch's; from the middle tensors or from the blocks' ends."""
    weights, x, _ = small
    changed = {}
    for stage in (3, 4, 5):
        changed[f"conv{stage}_block1_1_conv"] = conv(1)
        around = ((1, 1), (1, 1)) if padding != "SAME" else ((0, 1), (0, 1))
        changed[f"conv{stage}_block1_2_conv"] = conv(2, around)
    report = judged(small, ported(weights, x, instead=changed), given)
    assert report.first_bad.name == first_given("conv3_block1_1_conv", given)
    assert str(report.cause) == "conv3_block1_1_conv: stride in the 3x3 (v1.5)"


def test_a_stage_without_its_stride_is_not_called_v15(small):
    """Stride 1 in the first 1x1, and none in the 3x3."""
    weights, x, _ = small
    other_arch = replace(weights, architecture=replace(ARCH, strides=(1, 1, 2, 2)))
    report = judged(small, run_npcam(other_arch, x))
    assert str(report.cause) == "conv3_block1_1_conv: stride 1, not 2"


@pytest.mark.parametrize("name", ["conv1_conv", "conv1_bn", "conv1_relu"])
def test_another_photograph_is_told_from_the_first_convolution(name):
    """Without the input: 64 filters tell which pixels they saw; another stem is not taken for it."""
    arch = Architecture(blocks=(1,), strides=(1,))
    weights = Weights(arch, random_tensors(arch, width=64, seed=2))
    rng = np.random.default_rng(6)
    x, y = (rng.integers(0, 256, (1, 40, 44, 3)).astype(np.float32) - MEAN for _ in range(2))
    own, run = run_npcam(weights, x), run_npcam(weights, y)
    few = Record({n: a for n, a in run.activations.items() if n == name or n.startswith("conv2")})
    report = with_cause(verify(weights, own, few, partial=True), weights, own, few)
    assert str(report.cause) == "input_layer: another photograph"
    few.activations[name] = few.activations[name][:, ::-1].copy()
    report = with_cause(verify(weights, own, few, partial=True), weights, own, few)
    assert report.cause.words == NONE


def test_an_input_that_is_scaled_is_called_so(small):
    """Contrast and brightness changed, channel by channel."""
    weights, x, _ = small
    scaled = lambda x, _: x * np.float32(0.9) + np.float32([1, 2, 3])  # noqa: E731
    report = judged(small, ported(weights, x, instead={"input_layer": scaled}))
    words = "mean or scale: npcam's input times 0.9, 0.9, 0.9, plus 1, 2, 3, channel by channel"
    assert str(report.cause) == f"input_layer: {words}"


def test_the_same_photograph_resized_in_another_way(small):
    """A smoother version of the same pixels."""
    weights, x, _ = small
    smooth = lambda x, _: np.rint((x + np.roll(x, 1, 1)) / 2 + MEAN) - MEAN  # noqa: E731
    report = judged(small, ported(weights, x, instead={"input_layer": smooth}))
    assert str(report.cause) == "input_layer: the same photograph, resized or decoded in another way"


def test_a_green_report_has_no_cause(small):
    """An honest port: green, and null in JSON; a cause of another epsilon comes from its fit, too."""
    weights, x, own = small
    report = judged(small, ported(weights, x))
    assert report.ok
    assert as_json(report)["cause"] is None
    odd = run_npcam(replace(weights, architecture=replace(ARCH, epsilon=7e-4)), x)
    report = judged(small, odd)
    assert str(report.cause) == "conv1_bn: another epsilon, 0.0007, not 1.001e-05"
    hashed = with_cause(verify(weights, own, odd), weights, own, odd)
    assert hashed.cause == report.cause


def test_short_float_types_are_recognised():
    """Numbers of bfloat16 and float16, and numbers that have more bits."""
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    short = (x.view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert fewer_bits(short) == "bfloat16"
    assert fewer_bits(x.astype(np.float16).astype(np.float32)) == "float16"
    assert fewer_bits(x) is None
    assert fewer_bits(np.arange(5.0)) is None  # whole numbers say nothing


def test_the_logits_tell_what_the_softmax_hides(small):
    """A bias that is the same for all classes too much, or predictions that are not given at all."""
    weights, _, own = small
    top = weights.tensors["predictions"]
    moved = {**own.activations, "logits": own.activations["avg_pool"] @ top["kernel"]}
    report = judged(small, Record(moved), "all")
    assert report.first_bad.name == "predictions"
    assert str(report.cause) == "predictions: bias missing"
    same = own.activations["logits"] + np.float32(1)
    report = judged(small, Record({**own.activations, "logits": same}))
    assert report.cause.words == NONE


@pytest.mark.parametrize(
    "name",
    [
        *("conv1_pad", "conv1_conv", "pool1_pad", "pool1_pool", "conv2_block1_2_conv", "conv3_block1_0_conv"),
        *("conv2_block1_1_bn", "conv2_block1_1_relu", "conv3_block2_add", "avg_pool", "predictions"),
    ],
)
def test_no_mistake_of_the_list_is_taken_for_another(small, name):
    """Each mistake that is tried on a layer is itself found, or one that makes the same numbers."""
    weights, x, own = small
    network = Network(cast(weights.tensors, np.float64), ARCH)
    how, limits = Arithmetic(roundoff_variance(np.float32)), Tolerance(ALONE, FLOW)
    part = Part(layers(ARCH), name, x, own.activations, *network)
    right, done = part.run().value, 0
    for mistake in (m for ways in mistakes(part.layers, network) for m in ways):
        made = part.run(mistake.steps)
        if made is None or (made.value.shape == right.shape and np.allclose(made.value, right, rtol=1e-3)):
            continue  # it does nothing to these numbers that shows
        planted = {**own.activations, name: made.value.astype(np.float32)}
        if mistake.seen_at or not np.isfinite(planted[name]).all():
            continue  # which asks for a second layer; a root of what is negative
        found = find_cause(network, MODES["caffe"], x, planted, name, how, limits)
        if found.words != mistake.words:
            every = (m for ways in mistakes(part.layers, network) for m in ways)
            again = next((m for m in every if m.words == found.words), None)
            assert again is not None, (mistake.words, found.words)
            same = part.run(again.steps).value
            np.testing.assert_allclose(same, made.value, rtol=1e-5, atol=1e-6, err_msg=found.words)
        done += 1
    assert done >= 3

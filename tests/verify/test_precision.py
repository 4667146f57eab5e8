"""TF32, bfloat16 and float16: honest runs are green with their precision, and one mistake makes them red.

The runs are simulated (`helpers/ported.py`): what is multiplied and stored is rounded on the bits.
"""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.planted import ARCH, CASES, NORMS, PLANTED, normed
from helpers.ported import ROUND, ported

from npcam.common.errors import InputError
from npcam.common.where import bundled_path
from npcam.preprocessing import MODES
from npcam.resnet import RESNET50, Architecture
from npcam.verify.alone import ALONE, ALONE_LOWER, FLOW, arithmetic
from npcam.verify.blame import with_cause
from npcam.verify.compare import verify
from npcam.verify.precision import FLOAT32, PRECISIONS, find_precision, rounded
from npcam.verify.record import Record, read_record
from npcam.verify.report import as_json, finding
from npcam.verify.rounding import estimates, exact, roundoff_variance, stored
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, cast, read_weights

pytestmark = pytest.mark.slow  # whole networks, in several precisions

LOWER = ("tf32", "bfloat16", "float16")
F16 = roundoff_variance(np.float16)
F32 = roundoff_variance(np.float32)
WAYS = ({}, {"small_norms": False}, {"folded": True})


def network(name):
    """A network and a batch: narrow with random weights, ResNet-50's depth, or the bundled model."""
    if name == "bundled":
        x = read_record("tests/reference/chelsea.h5").activations["input_layer"]
        return read_weights(bundled_path()), x[:, 60:156, 60:156]
    arch, width = (ARCH, 8) if name == "narrow" else (RESNET50, 16)
    pixels = np.random.default_rng(3).integers(0, 256, (1, 12, 16, 3)).repeat(4, 1).repeat(4, 2)
    x = pixels.astype(np.float32) - np.array(MODES["caffe"].steps[1].values, np.float32)
    return Weights(arch, random_tensors(arch, width)), x


@pytest.fixture(scope="module")
def narrow():
    """The narrow network, its batch and npcam's run."""
    weights, x = network("narrow")
    return weights, x, run_npcam(weights, x)


def judged(narrow, run, precision, **options):
    """The report on a run in a precision."""
    weights, _, own = narrow
    p = find_precision(precision)
    return with_cause(verify(weights, own, run, precision=p, partial=True, **options), weights, own, run, p)


@pytest.mark.parametrize("precision", LOWER)
def test_rounding_is_that_of_the_bits(precision):
    """Normal and subnormal numbers, ties, infinities: as integers on the bits, or NumPy's float16, round."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=20000) * 10.0 ** rng.uniform(-9, 6, 20000)).astype(np.float32)
    ties = np.float32(1) + np.arange(64, dtype=np.float32) * np.float32(2.0**-12)
    x = np.concatenate([x, ties, ties * 2**-20, [0, -0.0, np.inf, -np.inf, 65504, 65519.9, 65520]])
    x = x.astype(np.float32)
    assert np.array_equal(rounded(x, PRECISIONS[precision]), ROUND[precision](x).astype(np.float64))


def test_what_a_precision_says():
    """The unit roundoff is half the distance from 1 to the next number; there are four, by name."""
    for name in LOWER:
        p = PRECISIONS[name]
        step = 2.0**-p.bits
        assert p.factors == step / 2
        assert rounded(np.array([1 + 0.51 * step]), p) == 1 + step
        assert rounded(np.array([1 + 0.49 * step]), p) == 1
        assert p.stored == (0 if name == "tf32" else p.factors)
    assert (FLOAT32.factors, FLOAT32.stored, FLOAT32.floor) == (0, 0, 0)
    smallest = float(np.finfo(np.float16).smallest_subnormal)
    assert PRECISIONS["float16"].floor == pytest.approx((smallest / 2) ** 2 / 3)
    with pytest.raises(InputError, match="precision 'half': expected one of float32, tf32"):
        find_precision("half")


@pytest.mark.parametrize("precision", [*LOWER, "tf32, cut off", "bfloat16, cut off"])
@pytest.mark.parametrize("name", ["narrow", "deep", "bundled"])
def test_an_honest_run_is_green_with_its_precision_and_red_without(name, precision):
    """Batch norms apart or folded, their weights short or not, bits rounded or cut off; room is left."""
    weights, x = network(name)
    own = run_npcam(weights, x)
    for ways in WAYS:
        run = ported(weights, x, precision, **ways)
        report = verify(weights, own, run, precision=PRECISIONS[precision.split(",")[0]], partial=True)
        assert report.ok, (ways, report.first_bad)
        assert max(row.alone.times for row in report.rows) < 0.62
        assert max(row.found.times for row in report.rows if row.found) < 0.62
        assert not verify(weights, own, run, partial=True).ok
        if precision == "bfloat16":  # one that says more than it has
            assert not verify(weights, own, run, precision=PRECISIONS["float16"], partial=True).ok


@pytest.mark.parametrize("precision", LOWER)
def test_errors_of_a_layer_alone_are_as_expected(narrow, precision):
    """The root mean square is 0.15 to 1.1 of what is expected, layer by layer."""
    weights, x, _ = narrow
    run = ported(weights, x, precision).activations
    w, p = cast(weights.tensors, np.float64), PRECISIONS[precision]
    for layer, e in estimates(x, w, ARCH, F32, run, p):
        variance = np.mean(e.variance)
        if layer.kind in ("Conv2D", "BatchNormalization", "Add"):
            ratio = np.sqrt(np.mean((run[layer.name] - e.value) ** 2) / variance)
            assert 0.15 < ratio < 1.1, (layer.name, ratio)


def test_factors_and_what_is_stored_add_their_variances_to_a_convolution():
    """By hand, for a 1x1: two roundings of each product, one of the bias and one of the sum.

    In float16, for numbers with no more digits, those of half a subnormal; in TF32, what is cut off.
    """
    arch = Architecture(blocks=(1,), strides=(1,))
    rng = np.random.default_rng(1)
    x, kernel, bias = rng.normal(size=(1, 2, 2, 3)), rng.normal(size=(1, 1, 3, 4)), rng.normal(size=4)
    w = cast(random_tensors(arch, width=4), np.float64)
    w = {**w, "conv2_block1_1_conv": {"kernel": kernel, "bias": bias}}
    given, zero = {"pool1_pool": x}, np.zeros((1, 32, 32, 3))
    terms = np.einsum("nhwc,ck->nhwk", x * x, kernel[0, 0] ** 2)
    value = np.einsum("nhwc,ck->nhwk", x, kernel[0, 0]) + bias
    for p in (PRECISIONS["bfloat16"], PRECISIONS["float16"], PRECISIONS["tf32"]):
        found = next(
            e for layer, e in estimates(zero, w, arch, 0.0, given, p) if layer.name == "conv2_block1_1_conv"
        )
        u, s = p.factors**2 / 3, p.stored**2 / 3
        expected = 2 * u * terms + s * bias**2 + s * value**2 + (p.shrink * (value - bias)) ** 2
        floor = p.spacing**2 / 12
        small = np.sum(kernel[0, 0] ** 2, axis=0) + np.sum(x * x, axis=-1, keepdims=True) + 2
        np.testing.assert_allclose(found.variance, expected + floor * small, rtol=1e-12)
    assert stored(exact(x), PRECISIONS["tf32"]).variance.max() == 0  # what is stored has all bits


def test_float16_is_allowed_its_subnormals_and_not_its_overflow(narrow):
    """Numbers of 1e-6 have few digits left, and that is rounding; one beyond 65504 is not, and is named."""
    weights, x, _ = narrow
    tensors = {name: dict(arrays) for name, arrays in weights.tensors.items()}
    for scale, green in ((1e-6, True), (3e4, False)):
        bn = {**weights.tensors["conv2_block1_1_bn"]}
        bn["gamma"], bn["beta"] = bn["gamma"] * np.float32(scale), bn["beta"] * np.float32(scale)
        odd = replace(weights, tensors={**tensors, "conv2_block1_1_bn": bn})
        own, run = run_npcam(odd, x), ported(odd, x, "float16")
        assert np.isinf(run.activations["conv2_block1_1_bn"]).any() != green
        report = judged((odd, x, own), run, "float16")
        assert report.ok == green, report.first_bad
        if green:
            digits = np.abs(run.activations["conv2_block1_1_bn"] / own.activations["conv2_block1_1_bn"] - 1)
            assert digits.max() > 0.01
        else:
            words = "overflow of float16: numbers beyond 65504 became infinite or were cut off there"
            assert str(report.cause) == f"conv2_block1_1_bn: {words}"


# Mistakes that are smaller than the precision: nothing can tell them from it.
HIDDEN = (
    "weights quantised to 8 bits",
    "weights quantised to float16",
    "another epsilon",
    "pool padding with -inf",
    "leaky ReLU",
)


@pytest.mark.parametrize("precision", LOWER)
def test_a_planted_mistake_is_red_in_a_lower_precision(narrow, precision):
    """Each of the planted mistakes in one layer: the layer is blamed, and nothing wrong is claimed.

    Where the mistake is larger than the precision's rounding, its cause is found, too.
    """
    weights, x, _ = narrow
    firsts = dict(reversed(CASES))
    for words, layer in firsts.items():
        if words.startswith(HIDDEN) or words == "another photograph":
            continue
        run = ported(weights, x, precision, instead={layer: PLANTED[words][layer]})
        report = judged(narrow, run, precision)
        assert report.first_bad is not None, words
        assert report.first_bad.name == layer
        claimed = report.cause.words
        assert words in claimed, (words, layer, claimed)


def test_a_small_mistake_hides_in_bfloat16_and_shows_in_tf32(narrow):
    """An epsilon of 0.05 moves numbers by some hundredths: more than TF32's rounding of a batch norm."""
    weights, x, _ = narrow
    layer = NORMS[1]
    reports = {
        precision: judged(narrow, ported(weights, x, precision, instead={layer: normed(0.05)}), precision)
        for precision in LOWER
    }
    assert not reports["tf32"].ok
    assert str(reports["tf32"].cause).startswith(f"{layer}: another epsilon, 0.05")


@pytest.mark.parametrize("precision", LOWER)
def test_a_run_whose_precision_was_not_stated_is_told_what_it_looks_like(narrow, precision):
    """Red, and the cause names the option that would allow for it."""
    weights, x, _ = narrow
    report = judged(narrow, ported(weights, x, precision), "float32")
    assert not report.ok
    assert f"--precision {precision} allows for it" in str(report.cause)


def test_the_precision_stands_in_the_verdict(narrow):
    """In words and in JSON; tolerances of so many deviations."""
    weights, x, _ = narrow
    report = judged(narrow, ported(weights, x, "bfloat16"), "bfloat16")
    assert as_json(report)["precision"] == "bfloat16"
    assert "  --precision bfloat16: what is rounded to it is allowed for" in finding(report)
    run = {"conv1_conv": np.zeros(1, np.float16)}
    assert arithmetic(run, FLOAT32) == (roundoff_variance(np.float16), ALONE, FLOW) == (F16, 16, 32)
    assert arithmetic(run, PRECISIONS["float16"]) == (F32, ALONE_LOWER, FLOW) == (F32, 8, 32)


def test_an_ignored_layer_is_named_and_not_judged(narrow):
    """The rest is judged alone from there on: green where nothing else is off, red where something is."""
    weights, x, own = narrow
    fault = {"conv3_block1_2_conv": lambda x, w: np.zeros((*x.shape[:3], w["kernel"].shape[3]), x.dtype)}
    run = ported(weights, x, instead=fault)
    assert verify(weights, own, run).first_bad.name == "conv3_block1_2_conv"
    report = verify(weights, own, run, ignore=["conv3_block1_2_conv"])
    assert report.ok
    assert as_json(report)["ignored"] == ["conv3_block1_2_conv"]
    assert [row["name"] for row in as_json(report)["layers"] if row["ignored"]] == ["conv3_block1_2_conv"]
    said = "  --ignore: not judged: conv3_block1_2_conv; what comes after is judged alone, not in the flow"
    assert said in finding(report)
    assert finding(report)[0].startswith(f"{len(report.rows) - 1} layers compared, each within rounding")
    for second in ("conv2_block1_1_bn", "conv4_block1_1_bn"):  # before it and after it
        run = ported(weights, x, instead={**fault, second: normed(gamma=np.ones_like)})
        report = verify(weights, own, run, ignore=["conv3_block1_2_conv"])
        assert report.first_bad.name == second


def test_an_ignored_layer_may_be_missing(narrow):
    """It is not missed; a name that no layer has is an error that names near ones."""
    weights, _, own = narrow
    run = Record({n: a for n, a in own.activations.items() if n != "conv2_block1_1_bn"})
    assert not verify(weights, own, run).ok
    assert verify(weights, own, run, ignore=["conv2_block1_1_bn"]).ok
    with pytest.raises(InputError, match=r"no layer is called 'conv2_block1_1_nb'.* conv2_block1_1_bn"):
        verify(weights, own, run, ignore=["conv2_block1_1_nb"])

"""Who is off, and in which layer: networks that agree, and one planted fault after the other.

Each fault is planted in a Keras model, or in its weights, and `verify` gets npcam's right weights:
the first layer that it blames must be the one with the fault.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.agreement import photographs
from helpers.networks import random_tensors

from npcam.common.where import bundled_path
from npcam.resnet import RESNET50, Architecture
from npcam.verify.compare import verify
from npcam.verify.record import Record, chosen, read_record
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, read_weights

pytestmark = pytest.mark.slow  # whole networks, in float64

REFERENCE = Path(__file__).parents[1] / "reference"
SMALL = Architecture(blocks=(1, 2, 1, 1))
BLOCK = "conv3_block2"
ENGINES, ISOLATED = ("reference", "fast"), (False, True)


@pytest.fixture(scope="module")
def small():
    """A small network's weights, a batch, and npcam's own run."""
    weights, x = Weights(SMALL, random_tensors(SMALL)), photographs(2, 33, 48)
    return weights, x, run_npcam(weights, x)


def changed(weights, layer, name, change):
    """The same network with one tensor changed."""
    tensors = {key: dict(arrays) for key, arrays in weights.tensors.items()}
    tensors[layer][name] = change(tensors[layer][name].copy())
    return replace(weights, tensors=tensors)


def without_hashes(record):
    """A run of which only the numbers are known, as of a program that keeps no hashes."""
    return Record(record.activations, record.provenance)


def flip(bit, index):
    """A change of one bit of one number."""

    def change(array):
        array.view(np.uint32)[index] ^= np.uint32(1) << np.uint32(bit)
        return array

    return change


@pytest.mark.parametrize(
    ("engine", "isolated", "weights", "record"),
    [
        *(
            (engine, isolated, "narrow_weights.h5", "narrow.h5")
            for engine in ENGINES
            for isolated in ISOLATED
        ),
        ("reference", True, None, "chelsea.h5"),
        ("fast", False, None, "chelsea.h5"),
    ],
)
def test_npcam_agrees_with_what_keras_recorded(engine, isolated, weights, record):
    """A full record and one of the bundled model's stages, either engine: all of it is rounding."""
    network = read_weights(REFERENCE / weights if weights else bundled_path())
    reference = read_record(REFERENCE / record)
    own = run_npcam(network, reference.activations["input_layer"], engine)
    report = verify(network, own, reference, isolated=isolated, partial=True)
    assert report.ok, report.first_bad
    assert all(0 <= row.found.times <= 1 for row in report.rows)


def test_engines_agree_with_float64(small):
    """npcam's float32 engines against its own float64: rounding, and less of it than expected."""
    weights, x, own = small
    exact = run_npcam(weights, x, dtype=np.float64)
    for run in (own, run_npcam(weights, x, "fast")):
        for isolated in (False, True):
            assert verify(weights, run, exact, isolated=isolated, on_trial="npcam").ok
    rows = verify(weights, own, exact, on_trial="npcam").rows
    assert all(row.reference_error <= 1e-13 * row.found.largest for row in rows)
    assert [row.name for row in rows] == [name for name in own.activations if name != "logits"]


def transposed(kernel):
    """Height and width swapped."""
    return np.ascontiguousarray(kernel.transpose(1, 0, 2, 3))


WEIGHT_FAULTS = {
    "transposed kernel": (f"{BLOCK}_2_conv", "kernel", transposed),
    "transposed 1x1 kernel": ("conv4_block1_0_conv", "kernel", lambda k: k[..., ::-1].copy()),
    "dense kernel of another class order": ("predictions", "kernel", lambda k: k[:, ::-1].copy()),
    "RGB filters": ("conv1_conv", "kernel", lambda k: k[:, :, ::-1].copy()),
    "dropped bias": ("conv5_block1_3_conv", "bias", np.zeros_like),
    "dropped bias of the classes": ("predictions", "bias", np.zeros_like),
    "running_std taken for a deviation": (f"{BLOCK}_1_bn", "moving_variance", np.square),
    "deviation taken for a variance": (f"{BLOCK}_1_bn", "moving_variance", np.sqrt),
    "gamma of another channel": (f"{BLOCK}_3_bn", "gamma", lambda g: np.roll(g, 1)),
    "beta without its sign": ("conv1_bn", "beta", np.abs),
    "mean forgotten": ("conv2_block1_0_bn", "moving_mean", np.zeros_like),
    "flipped sign": (f"{BLOCK}_2_conv", "kernel", flip(31, (1, 2, 5, 3))),
    "flipped exponent": ("conv3_block1_0_conv", "kernel", flip(25, (0, 0, 5, 3))),
    "flipped bit 22 of the mantissa": (f"{BLOCK}_2_conv", "kernel", flip(22, (1, 2, 5, 3))),
    "flipped bit 18 of the mantissa": (f"{BLOCK}_2_conv", "kernel", flip(18, (1, 1, 5, 3))),
}


@pytest.mark.parametrize("fault", WEIGHT_FAULTS)
def test_a_wrong_tensor_is_found_by_what_it_does(small, fault):
    """The layer of the tensor is blamed, and alone it is the only one."""
    weights, x, own = small
    layer, name, change = WEIGHT_FAULTS[fault]
    other = without_hashes(run_npcam(changed(weights, layer, name, change), x))
    assert verify(weights, own, other).first_bad.name == layer
    alone = verify(weights, own, other, isolated=True)
    assert [row.name for row in alone.rows if not row.ok] == [layer]


@pytest.mark.parametrize("bit", range(0, 23, 2))
def test_any_flipped_bit_is_found_by_its_hash(small, bit):
    """Where both runs know their weights' hashes, the lowest bit of one weight shows."""
    weights, x, own = small
    other = run_npcam(changed(weights, f"{BLOCK}_2_conv", "kernel", flip(bit, (1, 2, 5, 3))), x)
    report = verify(weights, own, other)
    assert report.first_bad.name == f"{BLOCK}_2_conv"
    assert report.first_bad.other_weights == ("kernel",)


def test_the_lowest_bit_hides_in_rounding(small):
    """Without hashes the lowest bit of a mantissa is no more than rounding: honest, not blind."""
    weights, x, own = small
    other = run_npcam(changed(weights, f"{BLOCK}_2_conv", "kernel", flip(0, (1, 2, 5, 3))), x)
    assert verify(weights, own, without_hashes(other)).ok


def test_swapped_layers_blame_the_first(small):
    """Two layers of the same shape, each with the other's weights."""
    weights, x, own = small
    tensors = dict(weights.tensors)
    first, second = "conv3_block1_2_conv", "conv3_block2_2_conv"
    tensors[first], tensors[second] = tensors[second], tensors[first]
    other = without_hashes(run_npcam(replace(weights, tensors=tensors), x))
    assert verify(weights, own, other).first_bad.name == first
    alone = verify(weights, own, other, isolated=True)
    assert [row.name for row in alone.rows if not row.ok] == [first, second]


@pytest.mark.parametrize(
    ("change", "layer"),
    [
        ({"epsilon": 1e-3}, "conv1_bn"),
        ({"stride_in": 2}, "conv3_block1_1_conv"),
        ({"pool_padding": 0}, "pool1_pad"),
        ({"activation": "sigmoid"}, "predictions"),
        ({"strides": (1, 1, 2, 2)}, "conv3_block1_1_conv"),
    ],
    ids=str,
)
def test_another_architecture_is_found_where_it_begins(small, change, layer):
    """The same weights in a network that differs in one setting."""
    weights, x, own = small
    other = run_npcam(replace(weights, architecture=replace(SMALL, **change)), x)
    assert verify(weights, own, without_hashes(other)).first_bad.name == layer


def test_epsilon_is_told_where_no_number_shows_it():
    """Behind pixels a variance is in the thousands: 1e-3 for 1.001e-5 is less than one rounding."""
    weights = read_weights(bundled_path())
    x = read_record(REFERENCE / "chelsea.h5").activations["input_layer"][:, 60:156, 60:156]
    other = replace(weights, architecture=replace(weights.architecture, epsilon=1e-3))
    report = verify(weights, run_npcam(weights, x), without_hashes(run_npcam(other, x)))
    assert report.first_bad.name == "conv1_bn"
    assert report.first_bad.alone.ok
    second = next(row for row in report.rows if row.name == "conv2_block1_1_bn")
    assert second.epsilon == pytest.approx(1e-3, rel=1e-3)


def test_an_epsilon_off_by_a_thousandth_is_told_too():
    """1e-5 for 1.001e-5 everywhere: batch norms of small variance show it, and nothing else is blamed."""
    weights = read_weights(bundled_path())
    x = read_record(REFERENCE / "chelsea.h5").activations["input_layer"][:, 60:156, 60:156]
    other = replace(weights, architecture=replace(weights.architecture, epsilon=1e-5))
    report = verify(weights, run_npcam(weights, x), without_hashes(run_npcam(other, x)))
    bad = [row for row in report.rows if not row.ok]
    assert len(bad) > 5
    assert {row.kind for row in bad} == {"BatchNormalization"}
    assert report.first_bad.epsilon == pytest.approx(1e-5, rel=5e-4)  # half of what lies between the two


def test_rgb_for_bgr_blames_the_input(small):
    """The same network on other pixels is not off: its input is."""
    weights, x, own = small
    report = verify(weights, own, run_npcam(weights, x[..., ::-1].copy()))
    assert report.first_bad.name == "input_layer"
    alone = verify(weights, own, run_npcam(weights, x[..., ::-1].copy()), isolated=True)
    assert [row.name for row in alone.rows if not row.ok] == ["input_layer"]


def test_a_record_of_stages_blames_the_stage(small):
    """Between two recorded layers the fault lies in what leads to the second."""
    weights, x, own = small
    bad = run_npcam(changed(weights, f"{BLOCK}_2_conv", "kernel", transposed), x)
    stages = ["conv2_block1_out", "conv3_block1_out", "conv3_block2_out", "conv4_block1_out", "predictions"]
    for isolated, blamed in ((False, stages[2:]), (True, [stages[2]])):
        report = verify(weights, own, without_hashes(chosen(bad, stages)), isolated=isolated)
        assert [row.name for row in report.rows if not row.ok] == blamed


def test_nan_and_infinity_are_beyond_rounding(small):
    """A number on one side and none on the other; the same NaN on both is no difference."""
    weights, _, own = small
    for value in (np.nan, np.inf):
        broken = {name: a.copy() for name, a in own.activations.items()}
        broken["conv4_block1_1_relu"][0, 0, 0, 0] = value
        report = verify(weights, own, Record(broken))
        assert report.first_bad.name == "conv4_block1_1_relu"
        assert report.first_bad.found.max_abs == np.inf


def test_float16_is_given_its_own_rounding(small):
    """A run in half precision is far off for float32, and all of it is half precision's rounding."""
    weights, x, _ = small
    whole = np.rint(x[:1, :32, :32])  # pixels that half precision has, too
    half, own = run_npcam(weights, whole, dtype=np.float16), run_npcam(weights, whole)
    assert verify(weights, own, without_hashes(half)).ok
    claimed = Record({name: a.astype(np.float32) for name, a in half.activations.items()})
    assert verify(weights, own, claimed).first_bad.name == "conv1_conv"


def test_full_depth_with_more_layers_than_a_record_has():
    """ResNet-50 whole: 177 rows in Keras's order."""
    weights = Weights(RESNET50, random_tensors(RESNET50, width=4))
    own = run_npcam(weights, photographs(1, 32, 32))
    report = verify(weights, own, own)
    assert (len(report.rows), report.ok) == (177, True)

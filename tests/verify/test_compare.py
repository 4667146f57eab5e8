"""What a comparison is made of: each field of a row, and how far a layer may be off, to a hundredth.

Most runs here are npcam's own activations in float64, which round nothing beside float32; one number
is then moved by just less, or just more, than passes.
"""

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import naive, resnet
from npcam.common.errors import InputError
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.compare import verify
from npcam.verify.record import Record
from npcam.verify.rounding import estimates, roundoff_variance
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, cast

TINY = Architecture(blocks=(1,), strides=(1,))
F32, F64 = roundoff_variance(np.float32), roundoff_variance(np.float64)


def photographs():
    """Noise over the range that preprocessed photographs have."""
    return np.random.default_rng(1).uniform(-120, 150, (2, 32, 40, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def tiny():
    """A network of one block: its weights, a batch, npcam's run, and every activation in float64."""
    weights, x = Weights(TINY, random_tensors(TINY, width=4)), photographs()
    names = [layer.name for layer in layers(TINY)]
    exact = resnet.run(x.astype(np.float64), cast(weights.tensors, np.float64), TINY, names).activations
    return weights, x, run_npcam(weights, x), exact


def deviations(tiny, name, unit, given=None):
    """The standard deviation of rounding in each element of a layer."""
    weights, x, _, _ = tiny
    table = estimates(x, cast(weights.tensors, np.float64), TINY, unit, given)
    return next(np.sqrt(estimate.variance) for layer, estimate in table if layer.name == name)


def off(array, distance):
    """The array with the element of largest distance moved by that, and the element's index."""
    worst = np.unravel_index(np.argmax(distance), distance.shape)
    moved = array.copy()
    moved[worst] += distance[worst]
    return moved, tuple(map(int, worst))


def test_every_field_of_a_row(tiny):
    """Against float64: from the network's input for the errors, from the reference's for a layer alone."""
    weights, _, own, exact = tiny
    b = {name: a.astype(np.float32) for name, a in exact.items()}  # each layer off by one rounding
    b["conv2_block1_2_conv"], _ = off(b["conv2_block1_2_conv"], np.full((2, 8, 10, 4), 0.25))
    report = verify(weights, own, Record(b))
    assert [(row.name, row.kind) for row in report.rows] == [(x.name, x.kind) for x in layers(TINY)]
    assert (report.isolated, report.on_trial, report.ok) == (False, "reference", False)
    assert report.first_bad.name == "conv2_block1_2_conv"
    assert [row.name for row in report.rows if not row.ok][1] == "conv2_block1_2_bn"  # not from such inputs
    for row in report.rows:
        a, far = own.activations[row.name], np.abs(own.activations[row.name] - b[row.name].astype(float))
        assert (row.shape, row.reference_shape) == (a.shape, a.shape)
        assert row.found.max_abs == far.max()
        assert (row.found.value, row.found.reference) == (a[row.found.worst], b[row.name][row.found.worst])
        tolerance = 32 * deviations(tiny, row.name, 2 * F32)
        assert row.found.expected == pytest.approx(tolerance.max(), rel=1e-12)
        # two float64 computations of the exact value, which add in another order
        rounding = 1e-13 * np.abs(exact[row.name]).max()
        assert row.npcam_error == pytest.approx(np.abs(a - exact[row.name]).max(), abs=rounding)
        assert row.reference_error == pytest.approx(np.abs(b[row.name] - exact[row.name]).max(), abs=rounding)
        assert row.other_weights == ()
        assert (row.epsilon is None) == (row.name != "conv2_block1_2_bn")
    row = next(row for row in report.rows if row.name == "conv2_block1_2_conv")
    w = cast(weights.tensors, np.float64)["conv2_block1_2_conv"]
    by_itself = naive.conv2d(b["conv2_block1_1_relu"].astype(np.float64), **w, padding="same")
    assert row.alone.max_abs == pytest.approx(np.abs(by_itself - b[row.name]).max(), rel=1e-9)
    assert row.alone.value == pytest.approx(by_itself[row.alone.worst], rel=1e-12)
    assert row.alone.reference == b[row.name][row.alone.worst]
    assert row.reference_error > 0.2 > row.npcam_error


def test_rows_of_layers_alone(tiny):
    """What is found is the layer alone, and only the layer whose numbers were changed is blamed."""
    weights, _, own, exact = tiny
    b = {**exact, "predictions": exact["predictions"] + 1}
    for on_trial, npcam, reference in (
        ("reference", own, Record(b)),
        ("npcam", Record({**b, "input_layer": own.activations["input_layer"]}), own),
    ):
        report = verify(weights, npcam, reference, isolated=True, on_trial=on_trial)
        assert (report.isolated, report.on_trial) == (True, on_trial)
        assert [row.name for row in report.rows if not row.ok] == ["predictions"]
        assert all(row.found is row.alone for row in report.rows)
        assert report.rows[-1].found.reference - report.rows[-1].found.value == pytest.approx(1)


@pytest.mark.parametrize(("share", "ok"), [(0.99, True), (1.01, False)])
def test_a_layer_alone_may_be_16_deviations_off(tiny, share, ok):
    """In either program, whichever is on trial; the other one's numbers are another matter."""
    weights, x, own, exact = tiny
    exact = {**exact, "input_layer": x}  # float32, as the type of the whole run
    sixteen = 16 * share * deviations(tiny, "predictions", F32, exact)
    moved, worst = off(exact["predictions"], sixteen)
    for on_trial, npcam, reference in (
        ("reference", own, Record({**exact, "predictions": moved})),
        ("npcam", Record({**exact, "predictions": moved}), own),
    ):
        row = verify(weights, npcam, reference, isolated=True, on_trial=on_trial).rows[-1]
        assert row.ok == ok
        assert row.alone.worst == worst
        assert row.alone.times == pytest.approx(share, rel=1e-6)
        assert row.alone.expected == pytest.approx(sixteen.max() / share, rel=1e-6)


@pytest.mark.parametrize(("share", "ok"), [(0.99, True), (1.01, False)])
def test_in_the_flow_a_layer_may_be_32_deviations_off(tiny, share, ok):
    """The roundings of both programs add up; where all layers are shown alone, nothing is held to it."""
    weights, x, _, exact = tiny
    exact = {**exact, "input_layer": x}
    moved, worst = off(exact["predictions"], 32 * share * deviations(tiny, "predictions", 2 * F32))
    npcam = Record({**exact, "predictions": moved})
    row = verify(weights, npcam, Record(exact)).rows[-1]
    assert (row.ok, row.alone.ok, row.found.worst) == (ok, True, worst)
    assert row.found.times == pytest.approx(share, rel=1e-6)
    assert verify(weights, npcam, Record(exact), isolated=True).ok


@pytest.mark.parametrize(("share", "ok"), [(0.99, True), (1.01, False)])
def test_where_inputs_are_not_recorded_alone_means_from_the_last_that_are(tiny, share, ok):
    """Then roundings of several layers have added up, and 32 deviations pass, as in the flow."""
    weights, x, own, exact = tiny
    fewer = {"input_layer": x, "conv2_block1_out": exact["conv2_block1_out"]}
    moved, _ = off(exact["predictions"], 32 * share * deviations(tiny, "predictions", F32, fewer))
    row = verify(weights, own, Record({**fewer, "predictions": moved}), isolated=True).rows[-1]
    assert (row.name, row.ok) == ("predictions", ok)
    assert row.alone.times == pytest.approx(share, rel=1e-6)


def test_the_coarsest_float_type_of_each_run_is_what_rounds(tiny):
    """One array in float16 makes a run of float16; two runs' roundings add up."""
    weights, x, own, exact = tiny
    half = {**exact, "pool1_pad": exact["pool1_pad"].astype(np.float16)}
    units = {np.float64: F64, np.float32: F32, np.float16: roundoff_variance(np.float16)}
    for run, dtype in ((exact, np.float64), ({**exact, "input_layer": x}, np.float32), (half, np.float16)):
        row = verify(weights, own, Record(run)).rows[2]
        flow = deviations(tiny, "conv1_conv", F32 + units[dtype])
        assert row.found.expected == pytest.approx(32 * flow.max(), rel=1e-9)
        assert row.alone.expected == pytest.approx(
            16 * deviations(tiny, "conv1_conv", units[dtype]).max(), rel=1e-9
        )


def test_a_layer_that_only_the_reference_has(tiny):
    """It can be shown alone, not in the flow; what only npcam has is left out either way."""
    weights, x, _, exact = tiny
    npcam = Record({"input_layer": x, "conv1_conv": exact["conv1_conv"]})
    reference = Record({name: exact[name] for name in ("conv1_pad", "conv1_conv", "conv1_bn")})
    assert [row.name for row in verify(weights, npcam, reference).rows] == ["conv1_conv"]
    alone = verify(weights, npcam, reference, isolated=True)
    assert [row.name for row in alone.rows] == ["conv1_pad", "conv1_conv", "conv1_bn"]
    assert alone.ok
    assert [row.npcam_error is None for row in alone.rows] == [True, False, True]
    assert alone.rows[2].shape == alone.rows[2].reference_shape == (2, 16, 20, 4)
    # of npcam's layers alone, there is nothing to say where npcam has none
    for row in verify(weights, npcam, reference, isolated=True, on_trial="npcam").rows:
        assert row.ok
        assert (row.alone is None) == (row.name != "conv1_conv")


def test_another_shape_is_beyond_rounding(tiny):
    """On either side; there is no difference to show, nor an error where the shape is not float64's."""
    weights, x, own, exact = tiny
    cropped = {**exact, "conv1_bn": exact["conv1_bn"][:, 1:]}
    row = verify(weights, own, Record(cropped)).first_bad
    assert (row.name, row.shape, row.reference_shape) == ("conv1_bn", (2, 16, 20, 4), (2, 15, 20, 4))
    assert (row.found, row.alone, row.reference_error) == (None, None, None)
    assert row.npcam_error < 1e-4
    row = verify(weights, Record({**cropped, "input_layer": x}), own).first_bad
    assert (row.name, row.found, row.npcam_error) == ("conv1_bn", None, None)
    assert row.alone.ok
    smaller = verify(weights, Record({**cropped, "input_layer": x}), Record(cropped)).first_bad
    assert (smaller.name, smaller.found) == ("conv1_bn", None)  # the same in both, but not the network's


def test_inputs_that_do_not_fit_are_beyond_rounding(tiny):
    """A layer that cannot be computed from what the reference gave it has not passed."""
    weights, _, own, exact = tiny
    wider = np.concatenate([exact["avg_pool"]] * 2, axis=-1)
    for isolated in (False, True):
        rows = verify(weights, own, Record({**exact, "avg_pool": wider}), isolated=isolated).rows
        assert [row.name for row in rows if not row.ok] == ["avg_pool", "predictions"]
        assert rows[-1].alone is None


def test_weights_of_other_hashes_are_named(tiny):
    """Those that both runs know; by layer, in the order of npcam's run."""
    weights, _, own, _ = tiny
    npcam = {"conv1_bn/gamma": "1", "conv1_bn/beta": "2", "conv1_conv/bias": "3", "conv1_conv/kernel": "4"}
    reference = {"conv1_bn/beta": "0", "conv1_bn/gamma": "0", "conv1_conv/kernel": "4", "conv1_pad/x": "5"}
    report = verify(weights, Record(own.activations, {}, npcam), Record(own.activations, {}, reference))
    assert {row.name: row.other_weights for row in report.rows if not row.ok} == {
        "conv1_bn": ("gamma", "beta")
    }
    assert report.first_bad.other_weights == ("gamma", "beta")


def test_scales_that_no_epsilon_explains_are_said_to_be_that(tiny):
    """A batch norm whose channels are off at random, by more than rounding yet less than 16 deviations."""
    weights, x, own, exact = tiny
    w, shares = weights.tensors["conv1_bn"], np.array([1, -1, 1, -1]) * 6e-7
    scaled = (exact["conv1_bn"] - w["beta"]) * (1 + shares) + w["beta"]
    run = {"input_layer": x, "conv1_conv": exact["conv1_conv"], "conv1_bn": scaled}
    rows = {row.name: row for row in verify(weights, own, Record(run)).rows}
    assert math.isnan(rows["conv1_bn"].epsilon)
    assert rows["conv1_bn"].alone.ok
    assert not rows["conv1_bn"].ok


def test_what_was_found_does_not_change(tiny):
    """Neither a report nor its rows."""
    weights, _, own, _ = tiny
    report = verify(weights, own, own)
    for found in (report, report.rows[0], report.rows[0].found):
        with pytest.raises(FrozenInstanceError):
            found.ok = True


def test_the_first_bad_row_is_the_first(tiny):
    """And where none is bad, none."""
    weights, _, own, _ = tiny
    report = verify(weights, own, own)
    assert (report.ok, report.first_bad) == (True, None)
    rows = [replace(row, ok=row.name not in ("conv1_bn", "conv1_relu")) for row in report.rows]
    report = replace(report, rows=tuple(rows))
    assert (report.ok, report.first_bad.name) == (False, "conv1_bn")


def test_runs_without_a_common_layer_are_refused(tiny):
    """One line that names the first of what the reference has."""
    weights, _, own, _ = tiny
    others = {f"layer{n}": np.zeros((1, 2), np.float32) for n in range(6)}
    names = "layer0, layer1, layer2, layer3;"
    with pytest.raises(InputError, match=rf"^verify: no layer in common; the reference has {names} [^\n]*$"):
        verify(weights, own, Record(others))
    with pytest.raises(InputError, match=r"^verify: npcam's run has no input_layer; [^\n]*$"):
        verify(weights, Record({}), own)

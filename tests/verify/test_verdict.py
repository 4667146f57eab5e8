"""When a comparison may say yes: only of what it compared, and only where that is the whole network."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.common.errors import InputError
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.compare import verify
from npcam.verify.record import Record, chosen, read_record, write_record
from npcam.verify.report import as_csv, as_json, as_text, finding
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))
NAMES = [layer.name for layer in layers(ARCH)]
STAGES = ["input_layer", "conv2_block1_out", "conv3_block1_out", "avg_pool", "predictions"]
RELU = "conv2_block1_2_relu"


@pytest.fixture(scope="module")
def small():
    """A network of two blocks, a batch, and npcam's own run."""
    weights = Weights(ARCH, random_tensors(ARCH, width=4))
    x = np.random.default_rng(1).uniform(-120, 150, (1, 32, 40, 3)).astype(np.float32)
    return weights, x, run_npcam(weights, x)


def without(run, *names, **more):
    """A run that lacks some layers and has others."""
    kept = {name: array for name, array in run.activations.items() if name not in names}
    return Record(kept | more, run.provenance)


def moved(run, name):
    """A run with one layer's numbers spoilt."""
    return Record({**run.activations, name: run.activations[name] + 1}, run.provenance)


def verdict(report):
    """What every form of a report says, which must be the same: whether it is ok, and what it lacks."""
    plain = json.loads(json.dumps(as_json(report), allow_nan=False))
    assert plain["ok"] == report.ok
    assert (plain["compared"], len(plain["layers"])) == (len(report.rows), len(report.rows))
    assert (plain["missing"], plain["extra"]) == (list(report.missing), list(report.extra))
    text = finding(report)
    assert all(line.isprintable() for line in text)
    if report.missing:
        assert f"{len(report.missing)} missing: {report.missing[0]}" in "\n".join(text)
    assert as_text(report).startswith("\n".join(text) + "\n\n")
    return report.ok, plain["missing"], plain["extra"]


def test_a_whole_run_is_compared_whole(small):
    """Every layer of the network, none missing, none extra."""
    weights, _, own = small
    report = verify(weights, own, own)
    assert verdict(report) == (True, [], [])
    assert [row.name for row in report.rows] == NAMES
    assert finding(report)[0] == "33 layers compared, each within rounding"


@pytest.mark.parametrize("isolated", [False, True])
def test_a_layer_under_another_name_is_missing_and_extra(small, isolated):
    """Spoilt, and its ReLU dropped: no layer that is compared is off, and yet the run is not green."""
    weights, _, own = small
    spoilt = own.activations["conv2_block1_2_bn"] * 0
    run = without(own, "conv2_block1_2_bn", RELU, mystery=spoilt)
    for partial in (False, True):
        report = verify(weights, own, run, isolated=isolated, partial=partial)
        assert report.first_bad is None
        assert verdict(report) == (False, ["conv2_block1_2_bn", RELU], ["mystery"])
    first, _, *reasons = finding(verify(weights, own, run, isolated=isolated))
    assert first == (
        "31 layers compared, each within rounding; 2 missing: conv2_block1_2_bn, conv2_block1_2_relu; "
        "1 extra: mystery"
    )
    assert reasons == [
        "  status 1: what is missing was not compared; --partial allows that",
        "  status 1: nothing of npcam's can be compared with what is extra",
    ]


@pytest.mark.parametrize("isolated", [False, True])
def test_partial_allows_what_is_missing_and_judges_the_rest(small, isolated):
    """Nothing but the predictions: green only on demand, and never where they are wrong."""
    weights, _, own = small
    run = chosen(own, ["predictions"])
    report = verify(weights, own, run, isolated=isolated)
    assert verdict(report) == (False, NAMES[1:-1], [])
    assert len(report.rows) == 2
    report = verify(weights, own, run, isolated=isolated, partial=True)
    assert verdict(report) == (True, NAMES[1:-1], [])
    assert finding(report)[2:] == ["  --partial: only what was compared is judged"]
    report = verify(weights, own, moved(run, "predictions"), isolated=isolated, partial=True)
    assert verdict(report)[0] is False
    assert "status 1: what is missing" not in as_text(report)


def test_a_spoilt_layer_and_a_missing_one_are_both_named(small):
    """The first bad layer first, then what was not compared."""
    weights, _, own = small
    report = verify(weights, own, moved(without(own, RELU), "conv3_block1_1_bn"))
    lines = finding(report)
    assert "the first is conv3_block1_1_bn" in lines[0]
    assert f"  1 missing: {RELU}" in lines


def test_a_comparison_of_the_input_alone_is_none(small):
    """Both saw the same photograph, and nothing is known of what they made of it."""
    weights, x, own = small
    for run in ({}, {"input_layer": x}, {"input_layer": x, "mystery": x}):
        with pytest.raises(InputError, match="no layer in common"):
            verify(weights, own, Record(run), partial=True)
    empty = {name: array[:0] for name, array in own.activations.items()}
    with pytest.raises(InputError, match="no layer in common"):
        verify(weights, Record(empty), Record(empty))


def test_a_report_of_nothing_is_not_ok(small):
    """Whoever makes one: no row, no yes."""
    weights, _, own = small
    assert not replace(verify(weights, own, own), rows=()).ok


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(("sides", "words"), [("a", "npcam"), ("b", "yours"), ("ab", "npcam and yours")])
def test_nan_is_equal_to_nothing(small, sides, words, isolated):
    """On either side, or on both: off, and named."""
    weights, _, own = small
    name = "conv3_block1_1_relu"
    broken = own.activations[name].copy()
    broken[0, 1, 1, 1] = np.nan
    runs = [Record({**own.activations, **({name: broken} if side in sides else {})}) for side in "ab"]
    report = verify(weights, *runs, isolated=isolated)
    assert verdict(report)[0] is False
    row = next(row for row in report.rows if row.name == name)
    assert (row.ok, row.not_a_number) == (False, tuple({"a": "npcam", "b": "reference"}[s] for s in sides))
    assert f"  not a number (NaN) in {words}" in finding(report)
    assert f",{words.replace(' and ', ' ')}," in as_csv(report)


def test_a_variance_that_has_no_root_is_not_within_rounding(small):
    """NaN in npcam and in its own float64 alike: nobody knows what the network should have computed."""
    weights, x, _ = small
    tensors = {name: dict(arrays) for name, arrays in weights.tensors.items()}
    variance = tensors["conv2_block1_1_bn"]["moving_variance"].copy()
    variance[1] = -1
    tensors["conv2_block1_1_bn"]["moving_variance"] = variance
    broken = replace(weights, tensors=tensors)
    with np.errstate(invalid="ignore"):
        own, exact = run_npcam(broken, x), run_npcam(broken, x, dtype=np.float64)
    for isolated in (False, True):
        report = verify(broken, own, exact, on_trial="npcam", isolated=isolated)
        assert verdict(report)[0] is False
        assert report.first_bad.name == "conv2_block1_1_bn"
        assert report.first_bad.not_a_number == ("npcam", "reference")


def test_a_network_too_large_for_float64_is_not_within_rounding(small):
    """Where the variance overflows, no tolerance is known, and an infinite one would let all pass."""
    weights, _, own = small
    tensors = {name: dict(arrays) for name, arrays in weights.tensors.items()}
    tensors["conv1_conv"]["kernel"] = tensors["conv1_conv"]["kernel"].astype(np.float64) * 1e170
    huge = replace(weights, tensors=tensors)
    with np.errstate(all="ignore"):
        report = verify(huge, own, moved(own, "conv1_conv"))
    assert "conv1_conv" in [row.name for row in report.rows if not row.ok]


def test_another_shape_is_off_in_one_line(small):
    """As many lines as it takes to say so: one."""
    weights, _, own = small
    run = Record({**own.activations, "avg_pool": own.activations["avg_pool"][:, None, None]})
    report = verify(weights, own, run)
    assert verdict(report)[0] is False
    assert finding(report)[1:] == ["  its shape is [1, 32] in npcam, [1, 1, 1, 32] in yours"]


@pytest.mark.parametrize("isolated", [False, True])
def test_logits_are_compared_too(small, isolated):
    """They are a part of `predictions`, whose softmax may hide them: spoilt, of another shape, or NaN."""
    weights, _, own = small
    logits = own.activations["logits"]
    for other in (logits + 1, logits[:, 1:], logits * np.nan):
        run = Record({**own.activations, "logits": other})
        report = verify(weights, own, run, isolated=isolated)
        assert [row.name for row in report.rows if not row.ok] == ["predictions"]
        assert "its logits" in "\n".join(finding(report))
        report = verify(weights, run, own, isolated=isolated, on_trial="npcam")
        assert [row.name for row in report.rows if not row.ok] == ["predictions"]
    report = verify(weights, own, own, isolated=isolated)
    assert report.rows[-1].logits.ok
    assert as_json(report)["layers"][-1]["logits"]["times"] <= 1
    run = without(own, "avg_pool", logits=logits + 1)
    assert not verify(weights, own, run, isolated=isolated, partial=True).rows[-1].ok
    assert verify(weights, own, without(own, "logits"), isolated=isolated).ok  # they are no layer


def test_weights_of_layers_that_are_missing_still_count(small):
    """A record of the predictions knows the hashes of all weights: another bit in conv1_conv is not green."""
    weights, _, own = small
    few = chosen(own, ["predictions"])
    few = replace(few, tensors=own.tensors | {"conv1_conv/kernel": "0123456789abcdef"})
    report = verify(weights, own, few, partial=True)
    assert verdict(report)[0] is False
    assert report.first_bad is None
    assert as_json(report)["other_weights"] == ["conv1_conv"]
    said = "  missing layers whose weights are not the same, bit for bit: conv1_conv"
    assert said in finding(report)


def test_the_fast_engine_has_stages_only_by_design(small, tmp_path):
    """Green of what it has, and said to be no more; a file that has no more is missing layers."""
    weights, x, own = small
    fast, exact = run_npcam(weights, x, "fast"), run_npcam(weights, x, dtype=np.float64)
    others = [name for name in NAMES if name not in STAGES]
    said = "  stages only: npcam's fast engine keeps no other layers; only these were compared"
    for a, b, trial in ((own, fast, "reference"), (fast, exact, "npcam"), (fast, fast, "reference")):
        report = verify(weights, a, b, on_trial=trial)
        assert verdict(report) == (True, others, [])
        assert [row.name for row in report.rows] == STAGES
        assert finding(report)[2:] == [said]
        assert as_json(report)["stages_only"]
    # a file cannot claim to be by design what it is
    write_record(tmp_path / "fast.h5", fast)
    for a in (own, fast):
        report = verify(weights, a, read_record(tmp_path / "fast.h5"))
        assert verdict(report) == (False, others, [])


@pytest.mark.parametrize("name", [RELU, "conv3_block1_0_bn", "conv2_block1_out"])
def test_every_layer_of_a_record_is_compared_with_the_fast_engine(small, name):
    """Those that the engine lacks alone, from the record's own inputs: a spoilt one is not green."""
    weights, x, own = small
    fast = run_npcam(weights, x, "fast")
    assert verdict(verify(weights, fast, own)) == (True, [], [])
    report = verify(weights, fast, moved(own, name))
    assert report.first_bad.name == name
    assert not report.ok


def test_names_out_of_a_file_stay_on_their_line(small):
    """Whatever a stranger calls a layer, and however many there are."""
    weights, x, own = small
    names = ["a\nb", "\x1b[2J", "\udcff", "ü" * 5000, *(f"layer{n}" for n in range(20))]
    report = verify(weights, own, without(own, **dict.fromkeys(names, x)))
    ok, _, extra = verdict(report)
    assert (ok, extra) == (False, names)
    assert finding(report)[0].endswith("and 16 more")
    assert len(finding(report)[0]) < 1000
    finding(report)[0].encode("ascii")
    assert as_csv(report).count("\n") == 1 + len(NAMES)

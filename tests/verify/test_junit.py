"""JUnit XML: valid, a case for each layer of the network, failures exactly where the status is 1."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.ports import arrays

from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.cause import Cause
from npcam.verify.compare import verify
from npcam.verify.junit import as_junit
from npcam.verify.record import Record, chosen
from npcam.verify.report import explain_row
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights

ARCH = Architecture(blocks=(1,), strides=(1,))
NAMES = [layer.name for layer in layers(ARCH)]


@pytest.fixture(scope="module")
def reports():
    """Comparisons of every kind, by name."""
    weights = Weights(ARCH, random_tensors(ARCH, width=4))
    x = np.random.default_rng(1).uniform(-120, 150, (1, 32, 40, 3)).astype(np.float32)
    own = run_npcam(weights, x)
    bad = {**own.activations, "conv2_block1_2_conv": own.activations["conv2_block1_2_conv"] + 1}
    few = chosen(own, ["predictions"])
    port = Record(arrays(own, lambda name: not name.endswith("_pad")), fused=True)
    strange = Record({**own.activations, "a\x1b<b>\n&\ud800": x})
    hashes = replace(few, tensors=own.tensors | {"conv1_conv/kernel": "0123456789abcdef"})
    runs = {"good": own, "bad": Record(bad), "few": few, "port": port, "strange": strange}
    found = {name: verify(weights, own, run) for name, run in runs.items()}
    found["partial"] = verify(weights, own, few, partial=True)
    found["hashes"] = verify(weights, own, hashes, partial=True)
    found["cause"] = replace(found["bad"], cause=Cause("bias missing", "conv2_block1_2_conv"))
    found["ignored"] = verify(weights, own, Record(bad), ignore=["conv2_block1_2_conv", "conv2_block1_2_bn"])
    found["ignored, missing"] = verify(weights, own, few, partial=True, ignore=["conv1_pad"])
    found["fast"] = verify(weights, own, run_npcam(weights, x, "fast"))
    return found


KINDS = "good,bad,few,port,strange,partial,hashes,cause,ignored,fast"


@pytest.mark.parametrize("name", [*KINDS.split(","), "ignored, missing"])
def test_a_suite_fails_exactly_where_the_status_is_1(reports, name):
    """Its counts are those of its cases, and its cases are the network's layers and what is extra."""
    report = reports[name]
    root = ElementTree.fromstring(as_junit({"cat.png": report}))
    (suite,) = root
    cases = suite.findall("testcase")
    failures = [case.get("name") for case in cases if case.find("failure") is not None]
    skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
    assert (root.tag, suite.get("name")) == ("testsuites", "cat.png")
    assert bool(failures) == (not report.ok)
    for element in (root, suite):
        counts = [int(element.get(what)) for what in ("tests", "failures", "errors", "skipped")]
        assert counts == [len(cases), len(failures), 0, len(skipped)]
    named = [case.get("name") for case in cases]
    assert len(set(named)) == len(named) == len(NAMES) + len(report.extra)
    assert set(NAMES) <= set(named)
    assert {case.get("classname") for case in cases} == {"npcam.verify"}


def test_a_failure_says_what_is_wrong(reports):
    """The first line as its message, and all that is known of the layer."""
    report = reports["bad"]
    root = ElementTree.fromstring(as_junit({"x": report}))
    failure = root.find(".//testcase[@name='conv2_block1_2_conv']/failure")
    words = [line.strip() for line in explain_row(report, report.first_bad)]
    assert failure.text.split("\n") == words
    assert failure.get("message") == words[0]
    assert words[0].startswith("alone, it is off by 1")


def test_the_first_failure_says_the_cause(reports):
    """As its message; the others, which are off because it is, do not."""
    root = ElementTree.fromstring(as_junit({"x": reports["cause"]}))
    messages = [failure.get("message") for failure in root.iter("failure")]
    cause = "cause: conv2_block1_2_conv: bias missing"
    assert (messages[0], sum(cause in message for message in messages)) == (cause, 1)


def test_what_is_not_compared_says_why(reports):
    """Missing, allowed to be missing, judged with another, extra: each in its own words."""
    words = {}
    for name, report in reports.items():
        for case in ElementTree.fromstring(as_junit({"x": report})).iter("testcase"):
            for result in case:
                words.setdefault(name, set()).add((result.tag, result.get("message").split(";")[0]))
    assert words["few"] == {("failure", "missing: not compared")}
    assert words["partial"] == words["fast"] == {("skipped", "missing, which is allowed")}
    assert words["port"] == {("skipped", "not given")}
    assert words["ignored"] == {("skipped", "ignored, as it was asked for: not judged")}
    assert words["ignored, missing"] == words["ignored"] | words["partial"]
    assert words["strange"] == {("failure", "extra: only yours has it")}
    other = ("failure", "missing, and its weights are not the same, bit for bit")
    assert words["hashes"] == {other, ("skipped", "missing, which is allowed")}
    assert "good" not in words


def test_several_photographs_are_several_suites(reports):
    """The totals are the sums; a name that XML cannot hold is escaped."""
    data = as_junit({"a\x00.png": reports["good"], "b": reports["bad"]})
    root = ElementTree.fromstring(data)
    assert [suite.get("name") for suite in root] == ["a\\x00.png", "b"]
    assert int(root.get("tests")) == 2 * len(NAMES)
    assert root.get("failures") == root[1].get("failures") != "0"
    assert data.endswith(b"\n")
    assert b"\\x1b<b>" not in as_junit({"x": reports["strange"]})

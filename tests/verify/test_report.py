"""A comparison in words, JSON and CSV, and its errors for a plot: the same numbers in each."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.resnet import Architecture
from npcam.verify.cause import Cause
from npcam.verify.compare import Report, Row, verify
from npcam.verify.difference import Difference
from npcam.verify.place import Place
from npcam.verify.place import as_json as as_plain_place
from npcam.verify.record import Record
from npcam.verify.report import (
    as_csv,
    as_json,
    as_text,
    closeness,
    error_lines,
    finding,
    rows_that_matter,
)
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights

SMALL = Architecture(blocks=(1, 1), strides=(1, 2))


@pytest.fixture(scope="module")
def reports():
    """A good comparison, one with a fault, with other weights, with another shape, and with a NaN."""
    weights = Weights(SMALL, random_tensors(SMALL))
    x = np.random.default_rng(1).uniform(-120, 150, (1, 33, 40, 3)).astype(np.float32)
    own = run_npcam(weights, x)
    a = own.activations
    broken = {name: array.copy() for name, array in a.items()}
    broken["conv2_block1_2_conv"][0, 1, 2, 3] += 1
    no_number = {**a, "conv2_block1_add": np.full_like(a["conv2_block1_add"], np.nan)}
    cropped = {**a, "pool1_pool": a["pool1_pool"][:, 1:]}
    other = Record(a, {}, {**own.tensors, "conv1_bn/gamma": "0"})
    runs = {
        "good": own,
        "fault": Record(broken),
        "weights": other,
        "shape": Record(cropped),
        "nan": Record(no_number),
    }
    return {name: verify(weights, own, run) for name, run in runs.items()}


def test_json_is_plain_and_complete(reports):
    """What the command prints is valid JSON with the promised fields, whatever was found."""
    for name, report in reports.items():
        found = json.loads(json.dumps(as_json(report), allow_nan=False))
        assert found["ok"] == (name == "good")
        bad = [row["name"] for row in found["layers"] if not row["ok"]]
        assert found["first_bad"] == (bad[0] if bad else None)
        for row in found["layers"]:
            assert {"name", "shape", "max_abs", "max_rel", "expected", "ok", "ulp", "cosine", "worst"} <= set(
                row
            )
            if row["ok"]:
                assert row["max_abs"] <= row["expected"]
    fault = next(r for r in as_json(reports["fault"])["layers"] if r["name"] == "conv2_block1_2_conv")
    assert fault["worst"] == [0, 1, 2, 3]
    assert fault["other"] - fault["value"] == pytest.approx(1, abs=1e-5)


def test_the_text_says_what_was_found(reports):
    """A line per layer, a mark where it is beyond rounding, and the finding."""
    words = {
        "good": ["each within rounding"],
        "fault": ["the first is conv2_block1_2_conv (Conv2D)", "[0, 1, 2, 3]", "alone, it is off by"],
        "weights": ["the first is conv1_bn", "not the same, bit for bit: gamma"],
        "shape": ["the first is pool1_pool", "is [1, 9, 10, 8] in npcam, [1, 8, 10, 8] in yours"],
        "nan": ["the first is conv2_block1_add"],
    }
    for name, report in reports.items():
        text = as_text(report)
        assert text.count("<- beyond rounding") == sum(not row.ok for row in report.rows)
        for expected in words[name]:
            assert expected in text


def test_csv_has_the_same_numbers(reports):
    """A line per layer, numbers in full precision."""
    for report in reports.values():
        rows = list(csv.DictReader(io.StringIO(as_csv(report))))
        assert [row["name"] for row in rows] == [row.name for row in report.rows]
        plain = as_json(report)["layers"]
        assert [row["max_abs"] for row in rows] == [
            "" if r["max_abs"] is None else str(r["max_abs"]) for r in plain
        ]


FAR = Difference(
    max_abs=0.03125,
    max_rel=0.0078125,
    ulp=65536.0,
    cosine=0.99999999994,
    worst=(0, 1, 2, 3),
    value=1.23456789012,
    reference=-0.5,
    times=2.5,
    expected=0.0125,
    largest=4.0,
)
NEAR = replace(FAR, max_abs=1e-9, max_rel=2.5e-10, ulp=0.0021, times=0.25, worst=(0,), value=2.0)
GOOD = Row("conv1_bn", "BatchNormalization", (1, 8, 9, 4), (1, 8, 9, 4), NEAR, NEAR, 1e-8, 3e-8, ok=True)
BAD = replace(GOOD, name="conv1_conv", kind="Conv2D", found=FAR, alone=NEAR, npcam_error=0.25, ok=False)


def report(*rows, isolated=False, on_trial="reference", **more):
    """A comparison with these rows."""
    return Report(rows, isolated, on_trial, **more)


def test_json_by_hand():
    """Every field of a report and of its rows."""
    both = ("npcam", "reference")
    row = replace(BAD, other_weights=("bias",), epsilon=1e-3, logits=NEAR, not_a_number=both)
    more = {"cause": Cause("padding missing", "conv1_pad"), "precision": "tf32", "ignored": ("conv1_bn",)}
    good, row = replace(GOOD, ignored=True), replace(row, place=ONE)
    assert as_json(report(good, row, isolated=True, on_trial="npcam", **more)) == {
        "layers": [
            {
                "name": "conv1_bn",
                "kind": "BatchNormalization",
                "shape": [1, 8, 9, 4],
                "yours_shape": [1, 8, 9, 4],
                **NUMBERS["near"],
                "ok": True,
                "alone": NUMBERS["near"],
                "npcam_error": 1e-8,
                "yours_error": 3e-8,
                "other_weights": [],
                "epsilon": None,
                "logits": None,
                "not_a_number": [],
                **PLAIN,
                "ignored": True,
                "place": None,
            },
            {
                "name": "conv1_conv",
                "kind": "Conv2D",
                "shape": [1, 8, 9, 4],
                "yours_shape": [1, 8, 9, 4],
                **NUMBERS["far"],
                "ok": False,
                "alone": NUMBERS["near"],
                "npcam_error": 0.25,
                "yours_error": 3e-8,
                "other_weights": ["bias"],
                "epsilon": 1e-3,
                "logits": NUMBERS["near"],
                "not_a_number": ["npcam", "yours"],
                **PLAIN,
                "ignored": False,
                "place": as_plain_place(ONE),
            },
        ],
        "first_bad": "conv1_conv",
        "cause": "conv1_pad: padding missing",
        "cause_in": "conv1_pad",
        "compared": 2,
        "missing": [],
        "not_given": [],
        "extra": [],
        "other_weights": [],
        "partial": False,
        "stages_only": False,
        "ok": False,
        "isolated": True,
        "on_trial": "npcam",
        "precision": "tf32",
        "ignored": ["conv1_bn"],
    }
    found = as_json(report(GOOD))
    assert (found["first_bad"], found["ok"], found["isolated"], found["on_trial"]) == (
        None,
        True,
        False,
        "yours",
    )


PLAIN = {"covers": [], "yours_name": None, "before_activation": False, "photo": ""}
ONE = Place(1, 288, (0, 1, 2, 3), channels=(3,), rows=(1, 2), columns=(2, 3))


def test_the_place_in_words():
    """On a line of its own, after what is off."""
    lines = finding(report(replace(BAD, place=ONE)))
    assert "  where: 1 of 288 elements, at [0, 1, 2, 3]" in lines


NUMBERS = {
    "far": {
        "max_abs": 0.03125,
        "max_rel": 0.0078125,
        "expected": 0.0125,
        "times": 2.5,
        "ulp": 65536.0,
        "cosine": 0.99999999994,
        "value": 1.23456789012,
        "other": -0.5,
        "worst": [0, 1, 2, 3],
    },
}
NUMBERS["near"] = NUMBERS["far"] | {
    "max_abs": 1e-9,
    "max_rel": 2.5e-10,
    "ulp": 0.0021,
    "times": 0.25,
    "value": 2.0,
    "worst": [0],
}


def test_json_has_no_infinities():
    """What is no number is None, and so is all that is not known."""
    wild = replace(FAR, max_abs=math.inf, cosine=math.nan, value=-math.inf)
    row = replace(BAD, found=wild, alone=None, npcam_error=None, reference_error=math.inf, epsilon=math.nan)
    found = as_json(report(row))["layers"][0]
    none = {
        "max_abs",
        "cosine",
        "value",
        "alone",
        "npcam_error",
        "yours_error",
        "epsilon",
        "logits",
        "yours_name",
        "place",
    }
    assert {name for name, value in found.items() if value is None} == none
    row = replace(row, found=None)
    found = as_json(report(row))["layers"][0]
    none |= {"max_rel", "expected", "times", "ulp", "other", "worst"}
    assert {name for name, value in found.items() if value is None} == none


def test_csv_by_hand():
    """Headings, then a line for each layer; what is not known is empty."""
    row = replace(BAD, other_weights=("gamma", "beta"), epsilon=1e-3, not_a_number=("npcam", "reference"))
    none = {"found": None, "alone": None, "other_weights": (), "epsilon": None, "not_a_number": ()}
    bare = replace(row, **none, reference_shape=(2, 3))
    assert as_csv(report(row, bare)) == (
        "name,kind,shape,yours_shape,max_abs,max_rel,expected,times,ulp,cosine,value,other,ok,"
        "npcam_error,yours_error,epsilon,yours_name,before_activation,photo,ignored,"
        "worst,other_weights,not_a_number,covers,alone_max_abs,alone_expected,alone_times\n"
        "conv1_conv,Conv2D,1x8x9x4,1x8x9x4,0.03125,0.0078125,0.0125,2.5,65536.0,0.99999999994,"
        "1.23456789012,-0.5,False,0.25,3e-08,0.001,,False,,False,0x1x2x3,gamma beta,npcam yours,,"
        "1e-09,0.0125,0.25\n"
        "conv1_conv,Conv2D,1x8x9x4,2x3,,,,,,,,,False,0.25,3e-08,,,False,,False,,,,,,,\n"
    )


def test_the_table_by_hand():
    """Numbers end at the right, a mark stands behind a bad layer, and hyphens where nothing is known."""
    bare = replace(BAD, found=None, alone=None)
    assert as_text(report(BAD, GOOD, bare)).splitlines()[-4:] == [
        "layer       shape     max_abs  max_rel       ulp        cosine  expected  times  alone",
        "conv1_conv  1x8x9x4  3.12e-02  7.8e-03  6.55e+04  0.9999999999  1.25e-02    2.5   0.25"
        "  <- beyond rounding",
        "conv1_bn    1x8x9x4  1.00e-09  2.5e-10    0.0021  0.9999999999  1.25e-02   0.25   0.25",
        "conv1_conv  1x8x9x4         -        -         -             -         -      -      -"
        "  <- beyond rounding",
    ]


def test_the_rows_that_matter():
    """The first bad ones and the one before; or the ends of stages, and the row nearest to its limit."""
    names = ["input_layer", "conv1_conv", "conv1_relu", "conv2_block1_out", "conv2_block2_out", "avg_pool"]
    near = replace(NEAR, times=0.9)
    rows = [replace(GOOD, name=name) for name in names]
    rows[1] = replace(rows[1], alone=near)
    shown = [row.name for row in rows_that_matter(report(*rows))]
    assert shown == ["input_layer", "conv1_conv", "conv1_relu", "conv2_block2_out", "avg_pool"]
    bad = [replace(BAD, name=f"conv3_block{n}_out") for n in range(12)]
    mixed = report(*rows, bad[0], rows[1], *bad[1:])
    expected = ["avg_pool", *(row.name for row in bad[:8])]
    assert [row.name for row in rows_that_matter(mixed)] == expected
    assert rows_that_matter(report(BAD, GOOD)) == (BAD,)
    text = as_text(mixed, ["npcam: one", "yours: two"], every=False).split("\n\n")
    assert text[0] == "\n".join(finding(mixed))
    assert text[1] == "npcam: one\nyours: two"
    assert text[2].endswith("10 more layers; --all shows them")
    assert as_text(mixed, every=True).count("\n") == len(finding(mixed)) + 1 + 19 - 1 + 1
    assert closeness(rows[1]) == 0.9
    assert closeness(replace(GOOD, found=None, alone=None)) == math.inf


def test_the_sides_go_by_their_names():
    """Their name for a layer, the photograph, and what the other side is called, wherever it is named."""
    row = replace(BAD, their_name="stem.0", photo="cat.png", alone=FAR, covers=("conv1_pad",))
    found = replace(report(row), other="float64", not_given=("conv1_pad",))
    assert finding(found) == [
        "1 of 1 layer is beyond rounding; the first is conv1_conv (Conv2D), stem.0 in float64, on cat.png",
        "  judged from what float64 gave before: conv1_pad, conv1_conv",
        ALONE,
        "  worst at [0, 1, 2, 3]: float64 1.23456789, float64 -0.5",
        ERRORS.replace("yours", "float64"),
        "  1 layer not given by float64, each judged with the next that is: conv1_pad",
    ]
    assert list(error_lines(found)) == ["npcam", "float64", "expected"]


def test_the_finding_where_nothing_is_found():
    """How many layers, and which tests they have passed."""
    assert finding(report(GOOD, GOOD)) == [
        "2 layers compared, each within rounding",
        "  compared alone and in the flow",
    ]
    assert finding(report(GOOD, isolated=True)) == [
        "1 layer compared, each within rounding",
        "  compared alone",
    ]


HEAD = "2 of 3 layers are beyond rounding; the first is conv1_conv (Conv2D)"
IN_THE_FLOW = "  in the flow, it is off by 0.0312, 2.5 times what rounding explains"
ALONE = "  alone, it is off by 0.0312, 2.5 times what rounding explains"
ERRORS = "  in the flow, from npcam in float64, npcam is off by 0.25, yours by 3e-08"


@pytest.mark.parametrize(
    ("row", "options", "lines"),
    [
        (
            BAD,
            {},
            [IN_THE_FLOW, "  worst at [0, 1, 2, 3]: npcam 1.23456789, yours -0.5", ERRORS],
        ),
        (
            replace(BAD, alone=None),
            {},
            [IN_THE_FLOW, "  worst at [0, 1, 2, 3]: npcam 1.23456789, yours -0.5", ERRORS],
        ),
        (
            replace(BAD, alone=FAR),
            {},
            [ALONE, "  worst at [0, 1, 2, 3]: float64 1.23456789, yours -0.5", ERRORS],
        ),
        (
            replace(BAD, alone=FAR),
            {"on_trial": "npcam"},
            [ALONE, "  worst at [0, 1, 2, 3]: float64 1.23456789, npcam -0.5", ERRORS],
        ),
        (
            replace(BAD, alone=FAR, found=FAR),
            {"isolated": True},
            [ALONE, "  worst at [0, 1, 2, 3]: float64 1.23456789, yours -0.5"],
        ),
        (
            replace(BAD, found=None, alone=FAR, reference_shape=(1, 8, 9, 5)),
            {},
            ["  its shape is [1, 8, 9, 4] in npcam, [1, 8, 9, 5] in yours"],
        ),
        (
            replace(BAD, found=None, alone=None, npcam_error=None),
            {},
            ["  alone, it cannot be computed: yours has other shapes here"],
        ),
        (
            replace(BAD, found=None, alone=None, reference_error=None),
            {"on_trial": "npcam"},
            ["  alone, it cannot be computed: npcam has other shapes here"],
        ),
        (
            replace(BAD, found=NEAR, other_weights=("gamma", "beta"), reference_error=None),
            {},
            ["  these of its weights are not the same, bit for bit: gamma, beta"],
        ),
        (
            replace(BAD, found=NEAR, epsilon=0.00123456),
            {},
            ["  it computes as if its epsilon were 0.00123", ERRORS],
        ),
        (
            replace(BAD, found=NEAR, epsilon=math.nan),
            {},
            ["  its channels' scales are off, in a way that no epsilon explains", ERRORS],
        ),
    ],
)
def test_the_finding_says_what_is_wrong(row, options, lines):
    """Of the first bad layer: its shape, weights and epsilon, then the test that it has not passed."""
    assert finding(report(GOOD, row, BAD, **options)) == [HEAD, *lines]


def test_the_errors_of_a_plot():
    """Shares of the largest value, 4: both programs' errors and the tolerance, or a layer's own and its."""
    bare, zero = replace(BAD, found=None), replace(BAD, found=replace(FAR, largest=0.0), npcam_error=None)
    assert error_lines(report(GOOD, BAD, bare)) == {
        "npcam": [1e-8 / 4, 0.25 / 4, None],
        "yours": [3e-8 / 4, 3e-8 / 4, None],
        "expected": [0.0125 / 4, 0.0125 / 4, None],
    }
    assert error_lines(report(GOOD, BAD, bare, isolated=True)) == {
        "alone": [1e-9 / 4, 0.03125 / 4, None],
        "expected": [0.0125 / 4, 0.0125 / 4, None],
    }
    lines = error_lines(report(zero))  # a share of 0 is no number, but drawing it is no crash either
    assert lines["npcam"] == [None]
    assert lines["yours"][0] > 1e200

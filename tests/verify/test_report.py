"""A comparison in words, JSON, CSV and as a picture: the same numbers in each."""

import csv
import io
import json

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam.common.errors import InputError
from npcam.resnet import Architecture
from npcam.verify.compare import verify
from npcam.verify.plot import plot_errors
from npcam.verify.record import Record
from npcam.verify.report import as_csv, as_json, as_text, error_lines
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
    assert fault["reference"] - fault["value"] == pytest.approx(1, abs=1e-5)


def test_the_text_says_what_was_found(reports):
    """A line per layer, a mark where it is beyond rounding, and the finding."""
    words = {
        "good": ["each within rounding"],
        "fault": ["the first: conv2_block1_2_conv (Conv2D)", "[0, 1, 2, 3]", "alone, from its own input"],
        "weights": ["the first: conv1_bn", "not the same bits: gamma"],
        "shape": ["the first: pool1_pool", "shape: npcam [1, 9, 10, 8], reference [1, 8, 10, 8]"],
        "nan": ["the first: conv2_block1_add"],
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


def test_the_plot_draws_each_line(reports):
    """Both programs and what is expected, each in its colour; nothing to draw is said so."""
    report = reports["fault"]
    image = plot_errors(error_lines(report), [row.name for row in report.rows])
    colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert {(0, 114, 178), (213, 94, 0), (0, 158, 115)} <= colours
    with pytest.raises(InputError, match="nothing to draw"):
        plot_errors({"none": [0.0, None, float("inf")]}, ["a", "b", "c"])

"""`tools/measure_bundled.py`: the arithmetic on known answers, and the program on a few pictures."""

import json
import shutil
from pathlib import Path

import measure_bundled
import numpy as np
import pytest
from bundled import statistics
from helpers.made_up_photos import make_photographs

ROOT = Path(__file__).parents[2]


def test_wilsons_interval_is_the_published_one():
    # Newcombe 1998, table I: 81 of 263, method 3.
    found = statistics.share(np.arange(263) < 81)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert statistics.share([]).n == 0


def test_a_peak_may_lie_a_margin_outside_its_box():
    boxes = np.array([[10.0, 10.0, 20.0, 20.0], [50.0, 50.0, 60.0, 60.0]])
    assert statistics.near((15, 15), boxes, 0)
    assert statistics.near((45, 55), boxes, 5)
    assert not statistics.near((15, 55), boxes, 5)


def test_a_calibrated_forecast_has_no_error():
    right = np.arange(100) % 10 < 7
    table, error = statistics.calibration(np.full(100, 0.7), right)
    assert [(row.n, row.right.value) for row in table] == [(100, 0.7)]
    assert error == pytest.approx(0)


@pytest.fixture(scope="module")
def cats(tmp_path_factory):
    """The bundled cat as the only photograph of all the model's classes."""
    folder = tmp_path_factory.mktemp("cats")
    import npcam

    for name in npcam.load_model().class_names:
        (folder / name).mkdir()
        shutil.copy(ROOT / "examples" / "chelsea.png", folder / name)
    box = {"class": "cat", "xyxy": [0, 0, 451, 300]}
    entry = {"class": "cat", "width": 451, "height": 300, "boxes": [box]}
    (folder / "boxes.json").write_text(json.dumps({"cat/chelsea.png": entry}))
    return folder


@pytest.mark.slow
def test_the_program_counts_right_answers_and_boxes(cats, capsys):
    assert measure_bundled.main([str(cats), "--boxes", str(cats / "boxes.json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["all"]["right"]["value"] == pytest.approx(1 / 14)
    assert found["classes"]["cat"]["right"]["value"] == 1
    assert found["classes"]["cat"]["centred"]["value"] == 1
    assert found["classes"]["dog"]["box"]["n"] == 0
    assert found["completeness"] < 1e-4
    assert measure_bundled.main([str(cats), "--interpolation", "bilinear", "--align", "centers"]) == 0
    assert "expected calibration error" in capsys.readouterr().out


def test_photographs_of_other_classes_are_refused_in_one_line(tmp_path, capsys):
    photos = make_photographs(tmp_path, each=1)
    assert measure_bundled.main([str(photos / "dev")]) == 2
    assert "cassette_player" in capsys.readouterr().err

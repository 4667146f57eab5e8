"""The commands as people run them: words, files, exit status, and one line for each mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.child import started
from PIL import Image

import npcam
from npcam.cli.commands import main
from npcam.model import bundled_path

EXAMPLES = Path(__file__).parents[2] / "examples"
CHELSEA = str(EXAMPLES / "chelsea.png")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own to write in."""
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    """npcam in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    command = [sys.executable, "-W", "error", "-m", "npcam", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_explain_prints_and_draws():
    """Classes, target, box and completeness in words, and the overlay at the photograph's size."""
    done = run("explain", CHELSEA, "--save-map")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("cat", "%", "target", "box", "completeness", "chelsea_cam.png"):
        assert words in done.stdout
    with Image.open("chelsea_cam.png") as overlay:
        assert overlay.size == (451, 300)
    assert np.array_equal(np.load("chelsea_cam.npy"), npcam.explain(npcam.load_model(), CHELSEA).cam)


def test_explain_json_is_the_explanation(capsys):
    """Every field of the array is what `npcam.explain` gives, in full precision."""
    assert main(["explain", CHELSEA, "--json", "--top", "3", "--target", "dog", "-o", "maps/here"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    e = npcam.explain(npcam.load_model(), CHELSEA, "dog")
    assert found == {
        "photo": CHELSEA,
        "top": [p._asdict() for p in e.top(3)],
        "target": e.target,
        "label": "dog",
        "probability": e.probability,
        "logit": e.logit,
        "box": list(e.box),
        "completeness": e.completeness,
        "overlay": str(Path("maps/here/chelsea_cam.png")),
    }
    assert np.array_equal(np.asarray(Image.open(found["overlay"])), np.asarray(e.overlay()))


def test_one_bad_photograph_does_not_stop_the_others(capsys):
    """It is reported, in words and in JSON, and the exit status says so."""
    Path("bad.jpg").write_text("no photograph")
    assert main(["explain", "bad.jpg", CHELSEA, "--json"]) == 2
    out, err = capsys.readouterr()
    bad, good = json.loads(out)
    assert set(bad) == {"photo", "error"}
    assert good["label"] == "cat"
    assert err == f"npcam: {bad['error']}\n"


def test_photographs_of_one_name_do_not_hide_each_other(capsys):
    """Three inputs called cat give three pictures, and no input is written over."""
    for folder, suffix in (("a", ".png"), ("b", ".png"), (".", ".jpg")):
        Path(folder).mkdir(exist_ok=True)
        Image.open(CHELSEA).resize((40, 30)).save(Path(folder, f"cat{suffix}"))
    Image.open(CHELSEA).resize((40, 30)).save("cat_cam.png")
    before = Path("cat_cam.png").read_bytes()
    assert main(["explain", "a/cat.png", "b/cat.png", "cat.jpg", "cat_cam.png", "--json"]) == 0
    overlays = [e["overlay"] for e in json.loads(capsys.readouterr().out)]
    assert len(set(overlays)) == 4
    assert Path("cat_cam.png").read_bytes() == before


def test_summary_prints_the_plan():
    """How the engine computes each convolution, for one photograph and for many."""
    one, many = run("summary", "--plan"), run("summary", "--plan", "64")
    assert (one.returncode, one.stderr, many.returncode) == (0, "", 0)
    assert one.stdout.startswith("Layer")
    for words in ("conv5_block3_3_conv", "Winograd", "every 2 positions", "shortcut as one", "rows"):
        assert words in one.stdout
    assert "photographs" in many.stdout


def test_summary_prints_the_table():
    """The rows of Keras's summary, and the totals."""
    done = run("summary")
    assert (done.returncode, done.stderr) == (0, "")
    assert "conv5_block3_out (Activation)" in done.stdout
    assert "Total params: 1,508,078 (5.75 MB)" in done.stdout


def test_output_may_be_piped_into_head():
    """A reader that leaves early is no error."""
    command = f'"{sys.executable}" -m npcam summary | head -n 1'
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_is_quick_because_the_heavy_libraries_wait():
    """SciPy, h5py and Pillow are not imported before they are needed."""
    program = "import npcam, sys; print([m for m in ('scipy', 'h5py', 'PIL') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\n"


def bad_calls():
    """Wrong calls, and a word that the one line must hold."""
    with h5py.File("nan.h5", "w") as copy, h5py.File(bundled_path()) as source:
        for name in source:
            source.copy(name, copy)
        copy.attrs.update(source.attrs)
        copy["conv1_bn/beta"][0] = np.nan
    Path("half.png").write_bytes(Path(CHELSEA).read_bytes()[:90_000])
    Path("empty.jpg").write_bytes(b"")
    Image.new("1", (30_000, 30_000)).save("bomb.png")
    Path("file").write_text("in the way")
    return {
        "explain": ["explain"],
        "--help": ["expain", CHELSEA],
        "no such file": ["explain", "none.jpg"],
        "is a directory": ["explain", "."],
        "empty": ["explain", "empty.jpg"],
        "truncated": ["explain", "half.png"],
        "too many pixels": ["explain", "bomb.png"],
        "HDF5 file, perhaps weights": ["explain", str(bundled_path())],
        "not an HDF5 file": ["explain", CHELSEA, "--weights", CHELSEA],
        "NaN": ["explain", CHELSEA, "--weights", "nan.h5"],
        "no such class": ["explain", CHELSEA, "--target", "zebra"],
        "from 0 to 13": ["explain", CHELSEA, "--target", "14"],
        "viridis": ["explain", CHELSEA, "--colormap", "hot"],
        "opacity": ["explain", CHELSEA, "--alpha", "2"],
        "choose one of": ["explain", CHELSEA, "--interpolation", "cubic"],
        "whole number": ["explain", CHELSEA, "--top", "0"],
        "cannot make this folder": ["explain", CHELSEA, "-o", "file/maps"],
        "cannot write": ["convert", str(bundled_path()), "nowhere/w.h5"],
        "summary": ["summary", "--weights", "none.h5"],
    }


@pytest.mark.slow
def test_every_mistake_is_one_line_and_status_2(capsys):
    """No traceback, nothing written, and the line says what is wrong."""
    calls = bad_calls()
    before = {p: p.stat().st_mtime_ns for p in Path().rglob("*")}
    for words, arguments in calls.items():
        assert main(arguments) == 2, words
        out, err = capsys.readouterr()
        assert out == "", words
        assert err.startswith("npcam: ")
        assert err.count("\n") == 1, err
        if words not in ("cannot write", "summary"):
            assert words in err, err
    assert {p: p.stat().st_mtime_ns for p in Path().rglob("*")} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device to write to")
def test_a_full_disk_is_one_line():
    """Standard output that takes nothing more."""
    with Path("/dev/full").open("w") as full:
        environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
        command = [sys.executable, "-m", "npcam", "summary"]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert done.returncode == 2
    assert done.stderr.startswith("npcam: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_half_written_file(number):
    """Ctrl-C among a thousand photographs: whole pictures only, and no traceback."""
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    command = [sys.executable, "-m", "npcam", "explain", *[CHELSEA] * 1000, "-o", "maps"]
    with started(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        process.stdout.readline()  # the first one is done
        time.sleep(0.2)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    files = list(Path("maps").iterdir())
    assert files
    for file in files:
        with Image.open(file) as image:
            image.load()

"""Converting: the same bytes every time, whole files or none, class names, and one code for both programs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.keras_models import randomise, resnet

from npcam import InputError
from npcam.convert.class_names import ClassNames
from npcam.convert.conversion import convert
from npcam.weights import read_weights

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "convert_keras_weights.py"
pytestmark = pytest.mark.slow  # Keras makes the file that is converted


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small Keras model in a `.keras` file."""
    path = tmp_path_factory.mktemp("source") / "model.keras"
    randomise(resnet(blocks=(1, 1), width=8, classes=2)).save(path)
    return path


def test_same_bytes(source, tmp_path):
    """Two conversions, in one process and in another, at another time, are the same file."""
    convert(source, tmp_path / "a.h5")
    time.sleep(1.1)  # past the second that HDF5 would note
    convert(source, tmp_path / "b.h5")
    subprocess.run([sys.executable, TOOL, source, tmp_path / "c.h5"], check=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "c.h5").read_bytes()


def test_class_names(source, tmp_path):
    """Names from a sequence, with WordNet ids, from a file; and not as many as there are classes."""
    names = tmp_path / "names.txt"
    names.write_text("n00000001 cat\nn00000002 dog\n")
    expected = ClassNames(("cat", "dog"), ("n00000001", "n00000002"))
    for given, wnids in ((["cat", "dog"], None), (expected, expected.wnids), (names, expected.wnids)):
        convert(source, tmp_path / "a.h5", class_names=given)
        weights = read_weights(tmp_path / "a.h5")
        assert (weights.class_names, weights.wnids) == (("cat", "dog"), wnids)
    with pytest.raises(InputError, match="3 class names for 2 classes"):
        convert(source, tmp_path / "b.h5", class_names=["a", "b", "c"])
    assert not (tmp_path / "b.h5").exists()


def test_provenance(source, tmp_path):
    """The file says what it was made from, and by what."""
    weights = convert(source, tmp_path / "a.h5")
    assert weights.source == "model.keras"
    assert len(weights.source_sha256) == 64
    assert weights.converter.startswith("npcam ")
    assert read_weights(tmp_path / "a.h5").source_sha256 == weights.source_sha256


def test_source_and_destination_may_be_one(source, tmp_path):
    """Converting a file onto itself replaces it with the whole result."""
    path = tmp_path / "model.keras"
    path.write_bytes(source.read_bytes())
    convert(path, path)
    assert read_weights(path).source == "model.keras"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_at_any_moment(source, tmp_path):
    """A conversion that is killed leaves the old file, or the whole new one."""
    destination = tmp_path / "a.h5"
    convert(source, tmp_path / "new.h5")
    new = (tmp_path / "new.h5").read_bytes()
    for delay in (0.1, 0.3, 0.4, 0.5, 0.6, 0.8):
        destination.write_bytes(b"old")
        process = subprocess.Popen([sys.executable, TOOL, source, destination], stdout=subprocess.DEVNULL)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert destination.read_bytes() in (b"old", new)


def test_tool_refuses_in_one_line(tmp_path):
    """Status 2, one line on standard error, no file."""
    (tmp_path / "bad.keras").write_bytes(b"no")
    done = subprocess.run(
        [sys.executable, TOOL, tmp_path / "bad.keras", tmp_path / "out.h5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "bad.keras: not an HDF5 file" in done.stderr
    assert not (tmp_path / "out.h5").exists()

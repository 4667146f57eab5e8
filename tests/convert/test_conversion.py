"""Converting: the same bytes every time, whole files or none, class names, and one code for both programs."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.handmade_keras import config_of, tensors_of, write_h5, write_keras

from npcam import InputError
from npcam.convert.class_names import ClassNames
from npcam.convert.conversion import convert
from npcam.preprocessing import MODES
from npcam.weights import read_weights

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "convert_keras_weights.py"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small model of two classes in a `.keras` file."""
    path = tmp_path_factory.mktemp("source") / "model.keras"
    return write_keras(path, config_of(classes=2), tensors_of(classes=2))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Its weights without its configuration."""
    path = tmp_path_factory.mktemp("alone") / "weights.h5"
    return write_h5(path, config_of(classes=2), tensors_of(classes=2), whole=False)


@pytest.mark.slow
def test_same_bytes(saved, tmp_path):
    """Two conversions, in one process and in another, at another time, are the same file."""
    source = saved.folder / "model.keras"  # which Keras itself wrote
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
    given_wnids = [(["cat", "dog"], None), *[(n, expected.wnids) for n in (expected, names, str(names))]]
    for given, wnids in given_wnids:
        convert(source, tmp_path / "a.h5", class_names=given)
        weights = read_weights(tmp_path / "a.h5")
        assert (weights.class_names, weights.wnids) == (("cat", "dog"), wnids)
    convert(source, tmp_path / "a.h5")
    assert read_weights(tmp_path / "a.h5").class_names is None
    with pytest.raises(InputError, match="3 class names for 2 classes"):
        convert(source, tmp_path / "b.h5", class_names=["a", "b", "c"])
    assert not (tmp_path / "b.h5").exists()


def test_what_weights_alone_do_not_tell(alone, tmp_path):
    """The network and the activation are those that are asked for; what is returned is what is written."""
    wanted = {"keras": (1, 1.001e-5), "2018": (1, 1e-3), "2017": (0, 1e-3)}
    for (network, (padding, epsilon)), activation in zip(
        wanted.items(), ("linear", "sigmoid", "softmax"), strict=True
    ):
        path = tmp_path / f"{network}.h5"
        weights = convert(alone, path, network=network, activation=activation)
        for arch in (weights.architecture, read_weights(path).architecture):
            assert (arch.pool_padding, arch.epsilon, arch.activation) == (padding, epsilon, activation)
        assert read_weights(path).notes == weights.notes
    assert convert(alone, path).architecture.activation == "softmax"


def test_provenance(source, tmp_path):
    """The file says what it was made from, and by what."""
    weights = convert(source, tmp_path / "a.h5")
    assert weights.source == "model.keras"
    assert weights.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert weights.converter.startswith("npcam ")
    assert read_weights(tmp_path / "a.h5").source_sha256 == weights.source_sha256


def test_what_is_read_is_not_written_over(source, tmp_path):
    """The source or the file of class names, by whatever path, is no destination: it stays as it was."""
    path, names = tmp_path / "model.keras", tmp_path / "names.txt"
    path.write_bytes(source.read_bytes())
    names.write_text("cat\ndog\n")
    (tmp_path / "link.h5").symlink_to(path)
    os.link(names, tmp_path / "second.h5")
    for destination, read in ((path, path), (tmp_path / "link.h5", path), (tmp_path / "second.h5", names)):
        with pytest.raises(InputError) as caught:
            convert(path, destination, class_names=names)
        assert str(caught.value) == f"{destination}: is the input {read} itself; choose another destination"
    assert path.read_bytes() == source.read_bytes()
    assert names.read_text() == "cat\ndog\n"
    assert len(list(tmp_path.iterdir())) == 4


def test_preprocessing_and_size(source, alone, tmp_path):
    """What is said of them is written, and no longer assumed; what is not said is told as assumed."""
    path = tmp_path / "a.h5"
    for mode in MODES:
        weights = convert(alone, path, preprocessing=mode, input_size=(64, 96))
        for found in (weights, read_weights(path)):
            assert (found.preprocessing, found.input_size) == (MODES[mode], (64, 96))
            assert found.assumed == ("network", "activation")
    convert(alone, path, activation="softmax")
    found = read_weights(path)
    assert (found.preprocessing.name, found.input_size) == ("caffe", (224, 224))
    assert found.assumed == ("network", "preprocessing", "input_size")
    with pytest.raises(InputError, match="its configuration says input size 64x64, not 64x96; leave the opt"):
        convert(source, path, input_size=(64, 96))


@pytest.mark.slow
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


@pytest.mark.slow
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

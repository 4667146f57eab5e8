"""`npcam verify` and `npcam record` as people run them: exit status, JSON, files, one line for a mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import npcam
from npcam.cli.commands import main
from npcam.layers import layers
from npcam.model import bundled_path
from npcam.verify.record import read_record
from npcam.weights import read_weights, write_weights

REFERENCE = Path(__file__).parents[1] / "reference"
CHELSEA = str(Path(__file__).parents[2] / "examples" / "chelsea.png")
NARROW = str(REFERENCE / "narrow_weights.h5")
pytestmark = pytest.mark.slow  # most run whole networks in float64, or start processes


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own, with the narrow network's input in it."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", read_record(REFERENCE / "narrow.h5").activations["input_layer"])


def run(*arguments):
    """npcam in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    command = [sys.executable, "-m", "npcam", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_photograph_against_what_keras_recorded(capsys):
    """The bundled model on chelsea.png against Keras's record: status 0, every layer within rounding."""
    assert main(["verify", CHELSEA, "--against", str(REFERENCE / "chelsea.h5"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["first_bad"]) == (True, None)
    assert found["layers"][0] | {"max_abs": 0, "shape": [1, 224, 224, 3]} == found["layers"][0]
    assert found["runs"]["reference"]["made_by"].startswith("keras ")


def test_a_batch_against_float64_with_files(capsys):
    """A table on the terminal, CSV and PNG beside it, for both engines, alone and not."""
    for extra in ([], ["--isolated"], ["--engine", "fast"]):
        command = ["verify", "x.npy", "--weights", NARROW, "--against", "reference", *extra]
        assert main([*command, "--csv", "t.csv", "--plot", "p.png"]) == 0
        assert "each within rounding" in capsys.readouterr().out
        assert Path("p.png").read_bytes().startswith(b"\x89PNG")
        assert Path("t.csv").read_text().startswith("name,kind,shape,")


def test_a_wrong_layer_is_status_1(capsys):
    """A weights file with one number changed against the right one's record."""
    weights = read_weights(NARROW)
    weights.tensors["conv3_block2_2_bn"]["gamma"][1] *= 1.01
    write_weights("bad.h5", weights)
    for extra in ([], ["--isolated"]):
        command = [
            "verify",
            "x.npy",
            "--weights",
            "bad.h5",
            "--against",
            str(REFERENCE / "narrow.h5"),
            *extra,
        ]
        assert main([*command, "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["first_bad"] == "conv3_block2_2_bn"
        assert main(command) == 1
        assert "the first is conv3_block2_2_bn" in capsys.readouterr().out


def test_a_record_of_npcam(capsys):
    """All layers or some, in float32 or float64, to be verified against."""
    assert main(["record", "x.npy", "--weights", NARROW, "-o", "all.h5"]) == 0
    assert "178 layers" in capsys.readouterr().out
    command = ["record", "x.npy", "--weights", NARROW, "--dtype", "float64"]
    assert main([*command, "--layers", "conv5_block3_out,predictions", "-o", "some.h5"]) == 0
    record = read_record("some.h5")
    assert list(record.activations) == ["input_layer", "conv5_block3_out", "predictions"]
    assert record.activations["predictions"].dtype == np.float64
    assert record.provenance["input"] == "x.npy"
    for name in ("all.h5", "some.h5"):
        assert main(["verify", "x.npy", "--weights", NARROW, "--against", name]) == 0


def test_live_keras(keras, tmp_path, capsys):
    """Record a .keras model with Keras; verify against it, the record, and Keras from npcam's weights."""
    from helpers.networks import random_tensors

    from npcam.resnet import Architecture
    from npcam.verify.live_keras import build_keras_model
    from npcam.weights import Weights

    arch = Architecture(blocks=(1, 1), strides=(1, 2))
    weights = Weights(arch, random_tensors(arch, width=4))
    write_weights("m.h5", weights)
    build_keras_model(keras, weights).save("m.keras")
    backend = ["--backend", keras.backend.backend()]
    assert main(["record", "x.npy", "--keras", "m.keras", "-o", "k.h5", *backend]) == 0
    assert "from keras " in capsys.readouterr().out
    for against in ("k.h5", "m.keras"):
        assert main(["verify", "x.npy", "--weights", "m.h5", "--against", against, "--json", *backend]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["runs"]["reference"]["engine"].startswith(keras.backend.backend())
        assert [row["name"] for row in found["layers"]] == [layer.name for layer in layers(arch)]
    # a process of its own, which chooses the backend before Keras is there
    done = run("verify", "x.npy", "--weights", "m.h5", "--against", "keras", "--json", *backend)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["k.h5", "m.h5", "m.keras", "x.npy"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "x.npy"],
        ["verify", "missing.png", "--against", "reference"],
        ["verify", "x.npy", "--against", "missing.h5"],
        ["verify", "x.npy", "--against", "x.npy"],
        ["verify", "x.npy", "--against", "empty.keras"],
        ["verify", "x.npy", "--against", "strange.h5"],
        ["verify", "x.npy", "--against", "keras", "--backend", "theano"],
        ["verify", "x.npy", "--against", "reference", "--weights", "x.npy"],
        ["verify", "x.npy", "--against", "reference", "--engine", "slow"],
        ["verify", "x.npy", "--against", "reference", "--csv", "no/such/folder.csv"],
        ["verify", "small.npy", "--against", "reference"],
        ["record", "x.npy"],
        ["record", "x.npy", "-o", "no/such/folder.h5"],
        ["record", "x.npy", "-o", "r.h5", "--layers", "conv99"],
        ["record", "x.npy", "-o", "r.h5", "--keras", "missing.keras"],
        ["record", "x.npy", "-o", "r.h5", "--keras", "m.keras", "--weights", NARROW],
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line(arguments, capfd):
    """Status 2, one line on standard error, no traceback, no file left behind."""
    Path("empty.keras").write_bytes(b"")
    np.save("small.npy", np.zeros((1, 8, 8, 3), np.float32))
    with h5py.File("strange.h5", "w") as file:
        file["x"] = 1
    before = sorted(Path().iterdir())
    assert main(arguments) == 2
    error = capfd.readouterr().err
    assert error.startswith("npcam: ")
    assert error.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_verify_does_not_need_keras():
    """Records and engines are compared without Keras being imported, or installed."""
    code = (
        "import sys; sys.modules['keras'] = None\n"
        "from npcam.cli import main\n"
        f"sys.exit(main(['verify', {CHELSEA!r}, '--against', {str(REFERENCE / 'chelsea.h5')!r}]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert bundled_path().is_file()

"""`npcam verify` on a port with a fault, as people run it: its cause, its precision, pictures and scripts."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.ported import ported
from helpers.ports import arrays
from PIL import Image

from npcam import ops
from npcam.cli.commands import main
from npcam.verify.batch import read_input
from npcam.verify.record import Record, write_record
from npcam.weights import read_weights

LAYER = "conv3_block1_2_conv"


def flipped(x, w):
    """The 3x3 with its kernel turned."""
    return ops.conv2d(x, np.ascontiguousarray(w["kernel"][::-1, ::-1]), w["bias"], padding="same")


@pytest.fixture
def recorded(narrow, photo):
    """Write a record of a port of the narrow network, `run.h5`; returns the command that verifies it."""
    weights = read_weights(narrow)
    x = read_input(photo, (40, 56))

    def record(precision="float32", leave_out=(), **instead):
        run = ported(weights, x, precision, instead=instead)
        write_record("run.h5", Record({n: a for n, a in run.activations.items() if n not in leave_out}))
        return ["verify", photo, "--weights", narrow, "--against", "run.h5"]

    return record


def test_the_cause_in_words_and_in_json(recorded, capsys):
    """A flipped kernel is called so, in the layer where it is; an honest run has no cause."""
    command = recorded(**{LAYER: flipped})
    assert main(command) == 1
    assert f"  cause: {LAYER}: kernel flipped by 180 degrees\n" in capsys.readouterr().out
    assert main([*command, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["first_bad"], found["cause_in"]) == (LAYER, LAYER)
    assert found["cause"] == f"{LAYER}: kernel flipped by 180 degrees"
    bad = next(row for row in found["layers"] if row["name"] == LAYER)
    assert bad["place"]["off"] > 100
    assert main([*recorded(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cause"] is None


@pytest.mark.parametrize("precision", ["tf32", "bfloat16", "float16"])
def test_a_precision_is_stated(recorded, capsys, precision):
    """Green with it, red without it, and red with it where a kernel is flipped."""
    command = recorded(precision)
    assert main(command) == 1
    assert f"--precision {precision} allows for it" in capsys.readouterr().out
    assert main([*command, "--precision", precision, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == precision
    assert main([*recorded(precision, **{LAYER: flipped}), "--precision", precision]) == 1
    assert f"cause: {LAYER}: kernel flipped by 180 degrees" in capsys.readouterr().out


def test_a_layer_is_ignored(recorded, capsys):
    """Twice for two layers; the verdict names them, and the status is 0."""
    command = recorded(**{LAYER: flipped, "conv2_block1_1_bn": lambda x, _: x})
    assert main([*command, "--ignore", LAYER]) == 1
    capsys.readouterr()
    assert main([*command, "--ignore", LAYER, "--ignore", "conv2_block1_1_bn"]) == 0
    out = capsys.readouterr().out
    assert f"  --ignore: not judged: conv2_block1_1_bn, {LAYER};" in out
    assert main([*command, "--ignore", "zzz"]) == 2
    said = "no layer is called 'zzz', so it cannot be ignored; `npcam summary` lists them"
    assert said in capsys.readouterr().err


def test_an_unknown_precision_is_one_line(recorded, capsys):
    """With the four that there are, before anything is computed."""
    assert main([*recorded(), "--precision", "int8"]) == 2
    expected = "npcam: precision 'int8': expected one of float32, tf32, bfloat16, float16\n"
    assert capsys.readouterr().err == expected


def test_pictures_and_a_script(recorded, capsys):
    """A picture of the layer with a fault of its own, not of those after it; a script that NumPy runs."""
    command = recorded(**{LAYER: flipped})
    assert main([*command, "--heatmaps", "maps/here", "--reproducer", "bug"]) == 1
    assert [path.name for path in Path("maps/here").iterdir()] == [f"{LAYER}.png"]
    with Image.open(f"maps/here/{LAYER}.png") as picture:
        assert picture.format == "PNG"
    assert sorted(path.name for path in Path("bug").iterdir()) == [f"{LAYER}.npz", "reproduce.py"]
    err = capsys.readouterr().err
    assert f"maps/here: where layers are off: {LAYER}\n" in err
    assert "bug/reproduce.py: " in err
    done = subprocess.run(
        [sys.executable, "-I", "bug/reproduce.py"], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("npcam is off by ")
    assert "\nyours is off by " in done.stdout


def test_nothing_to_draw(recorded, capsys):
    """An honest run: a line that says so, and no folder."""
    assert main([*recorded(), "--heatmaps", "maps", "--reproducer", "bug"]) == 0
    assert not Path("maps").exists()
    assert not Path("bug").exists()
    err = capsys.readouterr().err
    assert "maps: no heat maps: no layer is off" in err
    assert "bug: no reproducer: no layer is off" in err


def test_a_folder_that_cannot_be_made(recorded, capsys):
    """One line with the option, status 2."""
    command = recorded(**{LAYER: flipped})
    for option in ("--heatmaps", "--reproducer"):
        assert main([*command, option, "cat.png/maps"]) == 2
        assert (
            f"cannot make this folder (Not a directory); choose another {option}" in capsys.readouterr().err
        )


def test_a_fault_behind_tensors_that_are_not_given(recorded, capsys):
    """Batch norm folded, ReLU joined: the ReLU is blamed, and the cause names the convolution."""
    left_out = (LAYER, LAYER.replace("conv", "bn").replace("bn3", "conv3"))
    command = recorded(leave_out=left_out, **{LAYER: flipped})
    assert main([*command, "--partial", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["first_bad"] == "conv3_block1_2_relu"
    assert found["cause"] == f"{LAYER}: kernel flipped by 180 degrees"


@pytest.fixture
def brought(narrow, photo):
    """Write arrays of a port that folds its batch norms, NCHW; returns the command that verifies them."""
    weights = read_weights(narrow)
    x = read_input(photo, (40, 56))

    def bring(precision="float32", keep=lambda _name: True, **instead):
        run = ported(weights, x, precision, folded=True, instead=instead)
        np.savez("run.npz", **arrays(run, keep, nchw=True))
        return ["verify", photo, "--weights", narrow, "--against", "run.npz"]

    return bring


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "float16"])
def test_a_port_in_any_precision(brought, capsys, precision):
    """Without input, convolutions and predictions: green as stated; RGB for BGR is named behind them."""

    def kept(name):
        return name not in ("input_layer", "conv1_pad", "predictions")

    assert main([*brought(precision, kept), "--precision", precision, "--quiet"]) == 0
    assert capsys.readouterr().out.endswith("layers compared, each within rounding\n")
    command = brought(precision, kept, input_layer=lambda x, _: x[..., ::-1])
    assert main([*command, "--precision", precision, "--quiet"]) == 1
    cause = "input_layer: channels reversed (RGB for BGR), in the input or in the kernel of conv1_conv"
    assert capsys.readouterr().out.endswith(f"; cause: {cause}\n")


def test_logits_that_are_off_have_a_place_and_a_script(brought, capsys):
    """A port that ends with its logits: their difference is shown, and drawn, before the softmax."""
    command = brought(keep=lambda name: name != "predictions")
    with np.load("run.npz") as run:
        spoilt = dict(run)
    spoilt["logits"][0, 2] += 1
    np.savez("run.npz", **spoilt)
    assert main([*command, "--heatmaps", "maps", "--reproducer", "fault"]) == 1
    classes = spoilt["logits"].size
    assert f"  where: 1 of {classes} elements, at [0, 2]\n" in capsys.readouterr().out
    assert Path("maps/predictions.png").is_file()
    done = subprocess.run(
        [sys.executable, "-I", "fault/reproduce.py"], check=True, capture_output=True, text=True
    )
    assert "\nyours is off by 1 at [0, 2]: " in done.stdout


def test_a_layer_that_is_not_given_cannot_be_ignored(brought, capsys):
    """The layer that is judged for it can, and then nothing of it is."""
    turned = {LAYER: lambda x, w: ops.conv2d(x, w["kernel"][::-1, ::-1].copy(), w["bias"], padding="same")}
    command = brought(**turned)
    assert main([*command, "--ignore", LAYER]) == 2
    name = LAYER.replace("_conv", "_bn")
    err = capsys.readouterr().err
    assert f"--ignore {LAYER}: {LAYER} is not given, and is judged with {name}; ignore that" in err
    assert main([*command, "--ignore", name, "--junit", "run.xml"]) == 0
    assert "<failure" not in Path("run.xml").read_text()


def test_the_worst_photograph_is_reproduced(narrow, photo, capsys):
    """Of several, the one where the first bad layer is furthest off."""
    with Image.open(photo) as picture:
        picture.rotate(180).save("dog.png")
    weights = read_weights(narrow)
    x = np.concatenate([read_input(path, (40, 56)) for path in (photo, "dog.png")])
    run = ported(weights, x).activations
    run["conv1_relu"][0, 5, 6, 1] += 1
    run["conv1_relu"][1, 7, 8, 2] += 2
    np.savez("run.npz", **arrays(Record(run)))
    command = ["verify", photo, "dog.png", "--weights", narrow, "--against", "run.npz"]
    assert main([*command, "--reproducer", "fault"]) == 1
    assert "the first is conv1_relu (Activation), on dog.png\n" in capsys.readouterr().out
    with np.load("fault/conv1_relu.npz") as found:
        assert np.array_equal(found["yours"], run["conv1_relu"][1:])

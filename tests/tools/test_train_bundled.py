"""`tools/train_bundled.py` on made-up photographs: a run, its resumption, its files, and its errors."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import train_bundled
from bundled import calibration
from bundled.checkpoint import read_checkpoint
from bundled.network import architecture
from helpers.made_up_photos import CLASSES, make_photographs
from helpers.needs import needs
from PIL import Image

import npcam
from npcam.cli.commands import main
from npcam.convert.conversion import convert
from npcam.preprocessing import MODES
from npcam.weights import read_weights

torch = needs("torch")
keras = needs("keras")

TOOLS = Path(__file__).parents[2] / "tools"


TINY = ("--batch", "6", "--width", "0.0625", "--precision", "float32", "--threads", "1")  # 3 steps an epoch
SCHEDULE = ("--phases", "2@32,1@64", "--cooldown", "1")
FIT = ("--last-stride", "1", "--cutmix", "0.5")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photographs(tmp_path_factory.mktemp("made-up"))


def train(*arguments):
    """The exit status of a run in this process."""
    return train_bundled.main([str(a) for a in arguments])


def checkpoint(folder):
    """What is in a checkpoint: about the run, and its arrays."""
    about, state = read_checkpoint(folder / "checkpoint.npz")
    return {**about, **state}


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("run") / "whole"
    boxes = ("--boxes", photos / "boxes.json", "--validate", photos / "dev")
    assert train(photos / "train", *TINY, *SCHEDULE, *FIT, *boxes, "--out", out) == 0
    return out


def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_weights_bit_for_bit(
    photos, whole, tmp_path, capsys
):
    # Begun with a longer schedule, too: what is over by step 4 is the same in both.
    begin = (photos / "train", *TINY, *FIT, "--boxes", photos / "boxes.json", "--out", tmp_path)
    assert train(*begin, "--phases", "9@32", "--cooldown", "1", "--steps", "4") == 0
    assert "stopped at step 4 of 27" in capsys.readouterr().err
    assert train(*begin, "--phases", "1@32,2@64", "--resume") == 2
    assert "its 4 steps had other sizes or rates" in capsys.readouterr().err
    assert train(*begin, *SCHEDULE, "--resume", "--seed", "1") == 2
    assert "begun with seed 0, now 1" in capsys.readouterr().err
    assert train(*begin, *SCHEDULE, "--resume") == 0

    expected, found = checkpoint(whole), checkpoint(tmp_path)
    assert found["step"] == expected["step"] == 9
    for kind in ("weights", "average", "optimizer"):
        assert list(expected[kind]) == list(found[kind])
        assert all(np.array_equal(expected[kind][name], found[kind][name]) for name in expected[kind])


def test_the_log_the_curve_and_the_recipe_are_there(whole):
    log = (whole / "log.csv").read_text().splitlines()
    assert log[0].startswith("step,epoch,size,rate,loss,box_loss,accuracy,validation_accuracy")
    assert log[-1].startswith("9,3,64,")
    with Image.open(whole / "curve.png") as curve:
        assert curve.size == (900, 480)
    recipe = json.loads((whole / "recipe.json").read_text())
    assert (recipe["seed"], recipe["photographs"], recipe["classes"]) == (0, 18, list(CLASSES))


def test_the_model_converts_and_explains(photos, whole, tmp_path, capsys):
    """By the command that the export says: the names are in the file, and nothing of it is assumed."""
    run = tmp_path / "a run"  # which a shell must be told in quotes
    shutil.copytree(whole, run)
    assert train(photos / "train", "--out", run, "--export") == 0
    said = capsys.readouterr().err.strip().split("\n")[-1]
    program, *arguments = shlex.split(said.removeprefix("for npcam's own file: "))
    assert program == "npcam"
    assert main(arguments) == 0
    weights = read_weights(run / "model.h5")
    assert weights.assumed == ()
    assert weights.preprocessing == MODES["caffe"]
    assert weights.architecture.strides == (1, 2, 2, 1)
    model = npcam.load_model(run / "model.h5")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3))
    assert np.array_equal(model.preprocess(pixels), npcam.preprocess_input(pixels))
    assert model.class_names == CLASSES
    e = npcam.explain(model, photos / "dev" / "red" / "0.png")
    assert e.cam.shape == (14, 14)
    assert abs(e.completeness) < 1e-5


def test_calibration_finds_the_temperature_that_was_taken_away():
    """Labels are drawn from softmax(logits), probabilities are softmax(2 logits): T is 2, within 5 errors.

    A label's Fisher information on 1 / T is the variance of its logit; T is known to T^2 / sqrt(n x that).
    """
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (20_000, 5))
    true, sharper = (np.exp(a) / np.exp(a).sum(1, keepdims=True) for a in (logits, 2 * logits))
    labels = (true.cumsum(1) > rng.random((len(true), 1))).argmax(1)
    variance = np.mean((true * (2 * logits) ** 2).sum(1) - (true * 2 * logits).sum(1) ** 2)
    error = 2**2 / np.sqrt(len(labels) * variance)
    assert calibration.temperature(sharper, labels) == pytest.approx(2, abs=5 * error, rel=0)


def test_a_calibrated_model_says_the_same_in_other_numbers(photos, whole, tmp_path, capsys):
    """The dense layer is divided by one number, which makes the true classes of --validate more probable."""
    shutil.copytree(whole, tmp_path / "run")
    more = ("--out", tmp_path / "run", "--export", "--calibrate")
    assert train(photos / "train", *more) == 2
    assert "--validate" in capsys.readouterr().err
    assert train(photos / "train", *more, "--validate", photos / "dev") == 0
    found = float(capsys.readouterr().err.split("temperature ")[1].split()[0])
    before, after = (keras.saving.load_model(run / "model.keras") for run in (whole, tmp_path / "run"))
    assert abs(found - 1) > 0.01
    for weight, other in zip(before.weights, after.weights, strict=True):
        old, new = np.asarray(weight), np.asarray(other)
        scale = found if weight.path.startswith("predictions/") else 1
        assert np.allclose(old, new * scale, rtol=1e-3 * (scale != 1), atol=0)  # T is printed with 3 decimals
    x = [
        npcam.preprocess_input(npcam.load_image(p, (224, 224))) for p in sorted((photos / "dev").glob("*/*"))
    ]
    labels = np.repeat(np.arange(3), 6)
    losses = [
        -np.log(np.asarray(m.predict_on_batch(np.stack(x)))[np.arange(18), labels]).mean()
        for m in (before, after)
    ]
    assert losses[1] < losses[0]


def test_a_run_starts_from_other_weights_npcams_or_keras(photos, whole, tmp_path):
    convert(whole / "model.keras", tmp_path / "model.h5")
    hashes = []
    for file in (tmp_path / "model.h5", whole / "model.keras"):
        out = tmp_path / file.suffix
        assert (
            train(photos / "train", *TINY, "--out", out, "--steps", "1", "--init", file, "--rate", "1e-9")
            == 0
        )
        hashes.append(json.loads((out / "recipe.json").read_text())["init_tensors_sha256"])
        before, after = checkpoint(whole)["average"], checkpoint(out)["average"]
        name = "conv1_conv/kernel"
        assert np.allclose(before[name], after[name], atol=1e-6)
    assert hashes[0] == hashes[1]


def test_ctrl_c_leaves_a_run_that_can_go_on(photos, tmp_path, monkeypatch):
    from bundled.learn_torch import TorchLearner

    step = TorchLearner.step
    steps = []

    def interrupted(self, batch, rate):
        steps.append(rate)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, rate)

    monkeypatch.setattr(TorchLearner, "step", interrupted)
    assert train(photos / "train", *TINY, *SCHEDULE, "--out", tmp_path) == 130
    assert checkpoint(tmp_path)["step"] == 2
    assert not list(tmp_path.glob(".*"))


def test_bad_usage_is_one_line(photos, whole, tmp_path, capsys):
    empty, damaged = tmp_path / "empty", tmp_path / "damaged"
    for name in ("cat", "dog"):
        (empty / name).mkdir(parents=True)
    shutil.copytree(photos / "train", damaged)
    (damaged / "red" / "0.png").write_bytes(b"no picture")
    (tmp_path / "boxes.json").write_text("[]")
    (tmp_path / "checkpoint.npz").write_bytes(b"no checkpoint")
    good, out, bundled = (
        photos / "train",
        ("--out", tmp_path / "out"),
        TOOLS.parent / "weights" / "photos14.h5",
    )
    for arguments, words in (
        ((tmp_path / "none", *out), "not a folder"),
        ((empty, *out), "no photograph"),
        ((damaged, *out), "0.png"),
        ((good, *out, "--boxes", tmp_path / "boxes.json"), "not a box file"),
        ((good, *out, "--phases", "3x128"), "EPOCHS@SIZE"),
        ((good, *out, "--batch", "0"), "from 1 up"),
        ((good, *out, "--resume"), "nothing to resume"),
        ((good, *out, "--export"), "no checkpoint"),
        ((good, "--out", tmp_path, "--export"), "not a checkpoint"),
        ((good, "--out", whole), "add --resume"),
        ((good, *out, "--init", tmp_path / "boxes.json"), "boxes.json"),
        ((good, *out, "--init", bundled, "--width", "0.5"), "give --width"),
    ):
        assert train(*arguments) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("train_bundled: ")
        assert words in said


def test_keras_takes_the_steps_that_pytorch_takes(photos, whole, tmp_path):
    """PyTorch, Keras, and Keras on PyTorch: after the same three steps of AdamW the losses agree to rounding.

    A step of AdamW is the rate wherever a gradient is much above 1e-8, so that rounding turns the sign
    of the smallest ones and with them the step: the weights may be 2 rates apart after each step.
    """
    begin = (photos / "train", *TINY, *FIT, "--phases", "1@32", "--boxes", photos / "boxes.json")
    begin = (*begin, "--init", whole / "model.keras", "--optimizer", "adamw")
    assert train(*begin, "--trainer", "torch", "--out", tmp_path / "torch") == 0
    assert train(*begin, "--trainer", "keras", "--out", tmp_path / "keras") == 0
    command = (sys.executable, TOOLS / "train_bundled.py", *begin, "--trainer", "keras")
    command = (*command, "--out", tmp_path / "keras-torch")  # a backend of its own needs a process of its own
    subprocess.run(map(str, command), env={**os.environ, "KERAS_BACKEND": "torch"}, check=True)
    expected = checkpoint(tmp_path / "torch")
    for out in ("keras", "keras-torch"):
        found = checkpoint(tmp_path / out)
        for key in ("loss", "box_loss", "accuracy"):
            assert found["rows"][-1][key] == pytest.approx(expected["rows"][-1][key], rel=1e-3)
        for name, array in expected["weights"].items():
            if not name.endswith(("moving_mean", "moving_variance")):
                assert np.abs(array - found["weights"][name]).max() <= 2 * 3 * 2e-3


def test_a_run_of_keras_is_resumed_bit_for_bit(photos, tmp_path):
    """Stopped after one step of three and resumed, on Keras's own backend."""
    begin = (photos / "train", *TINY, *FIT, "--phases", "1@32", "--trainer", "keras")
    assert train(*begin, "--out", tmp_path / "whole") == 0
    assert train(*begin, "--out", tmp_path / "parts", "--steps", "1") == 0
    assert train(*begin, "--out", tmp_path / "parts", "--resume") == 0
    expected, found = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts")
    for kind in ("weights", "average", "optimizer"):
        assert all(np.array_equal(expected[kind][name], found[kind][name]) for name in expected[kind])


def test_the_twin_in_pytorch_is_the_keras_network(whole):
    """The averaged weights give the same probabilities in Keras and in what PyTorch trains.

    Both are within a few hundred roundings of 6e-8 of the exact ones.
    """
    from bundled.torch_network import TorchResNet

    model = keras.saving.load_model(whole / "model.keras")
    x = np.random.default_rng(0).normal(0, 60, (2, 224, 224, 3)).astype(np.float32)
    twin = TorchResNet(architecture(last_stride=1), checkpoint(whole)["average"])
    with torch.no_grad():
        ours = torch.softmax(twin(torch.from_numpy(x).permute(0, 3, 1, 2))[0], 1).numpy()
    theirs = keras.ops.convert_to_numpy(model(x, training=False))
    assert np.abs(theirs - ours).max() < 1e-5

"""`npcam verify` and `npcam record` as people run them: exit status, JSON, files, one line for a mistake."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import npcam
from npcam.cli.commands import main
from npcam.layers import layers
from npcam.model import load_model
from npcam.verify.batch import read_input
from npcam.verify.compare import verify
from npcam.verify.plot import plot_errors
from npcam.verify.prepare import SAVED, in_words
from npcam.verify.record import read_record
from npcam.verify.report import as_csv, as_json, as_text, error_lines, finding
from npcam.verify.run_npcam import run_npcam
from npcam.weights import read_weights, write_weights

REFERENCE = Path(__file__).parents[1] / "reference"
CHELSEA = str(Path(__file__).parents[2] / "examples" / "chelsea.png")
NARROW = str(REFERENCE / "narrow_weights.h5")
pytestmark = pytest.mark.slow  # most run whole networks in float64, or start processes


@pytest.fixture(autouse=True)
def batch(elsewhere):  # noqa: ARG001  # which is the folder that this is written to
    """The input of Keras's record of the narrow network, `x.npy`, in the test's folder."""
    np.save("x.npy", read_record(REFERENCE / "narrow.h5").activations["input_layer"])


def test_a_photograph_against_what_keras_recorded(capsys):
    """The bundled model on chelsea.png against Keras's record: status 0, every layer within rounding."""
    command = ["verify", CHELSEA, "--against", str(REFERENCE / "chelsea.h5"), "--partial", "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["first_bad"]) == (True, None)
    assert found["layers"][0] | {"max_abs": 0, "shape": [1, 224, 224, 3]} == found["layers"][0]
    assert found["runs"]["yours"]["made_by"].startswith("keras ")


@pytest.mark.parametrize(
    ("words", "engine", "isolated"),
    [([], "reference", False), (["--isolated"], "reference", True), (["--engine", "fast"], "fast", False)],
)
def test_a_batch_against_float64_with_files(narrow, photo, capsys, words, engine, isolated):
    """A table on the terminal or JSON, CSV and PNG beside it, are those of the library's own comparison."""
    command = ["verify", photo, "--weights", narrow, "--against", "reference", *words]
    assert main([*command, "--csv", "t.csv", "--plot", "p.png", "--all"]) == 0
    out = capsys.readouterr().out
    weights = read_weights(narrow)
    x = read_input(photo, (40, 56))
    own, exact = run_npcam(weights, x, engine), run_npcam(weights, x, "reference", "float64")
    report = replace(verify(weights, own, exact, isolated=isolated, on_trial="npcam"), other="float64")
    found, origins, table = out.split("\n\n")
    first, given, second, given_too = origins.splitlines()
    assert first.startswith(f"npcam: npcam {npcam.__version__}, {engine} float32")
    assert second.startswith(f"float64: npcam {npcam.__version__}, reference float64")
    how = f"preprocessing: {in_words(weights.preprocessing, weights)}"
    assert (given, given_too) == (f"       {how}", f"         {how}")
    assert f"{found}\n\n{table}" == as_text(report) + "\n"
    assert Path("t.csv").read_bytes().decode() == as_csv(report)
    assert len(list(csv.reader(io.StringIO(Path("t.csv").read_text())))) == 1 + len(report.rows)
    with Image.open("p.png") as picture:
        names = [row.name for row in report.rows]
        drawn = plot_errors(error_lines(report), names, finding(report)[0][:120])
        assert np.array_equal(np.asarray(picture), np.asarray(drawn))
        assert picture.format == "PNG"
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found["runs"][key]["engine"] for key in found["runs"]} == {
        "npcam": own.provenance["engine"],
        "yours": exact.provenance["engine"],
    }
    del found["runs"], found["photos"]
    assert found == json.loads(json.dumps(as_json(report)))


def test_who_is_on_trial(narrow, photo, capsys):
    """Against npcam's own float64 it is npcam that may be wrong, against anything else it is the other."""
    assert main(["record", photo, "--weights", narrow, "-o", "r.h5"]) == 0
    capsys.readouterr()
    weights = read_weights(narrow)
    x = read_input(photo, (40, 56))
    report = verify(weights, run_npcam(weights, x), read_record("r.h5"), isolated=False, on_trial="reference")
    assert main(["verify", photo, "--weights", narrow, "--against", "r.h5", "--all"]) == 0
    found, origins, table = capsys.readouterr().out.split("\n\n")
    assert f"{found}\n\n{table}" == as_text(report) + "\n"
    assert [line.split(":")[0].strip() for line in origins.splitlines()] == [
        *("npcam", "preprocessing", "yours", "preprocessing")
    ]


def test_json_is_indented(narrow, photo, capsys):
    """For eyes, too."""
    assert main(["verify", photo, "--weights", narrow, "--against", "fast", "--json"]) == 0
    out = capsys.readouterr().out
    assert out == json.dumps(json.loads(out), indent=2) + "\n"
    assert main(["verify", photo, "--weights", narrow, "--against", "fast", "--plot", "p.PNG"]) == 0


def test_a_wrong_layer_is_status_1(capsys):
    """A weights file with one number changed against the right one's record."""
    model = load_model(NARROW)
    gamma = model.weights.tensors["conv3_block2_2_bn"]["gamma"].copy()
    gamma[1] *= 1.01
    write_weights("bad.h5", model.with_weights({"conv3_block2_2_bn": {"gamma": gamma}}).weights)
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
    record = read_record("all.h5")
    numbers = sum(array.size for array in record.activations.values())
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"all.h5: 178 layers, {numbers:,} numbers"
    assert second.startswith(f"  from npcam {npcam.__version__}")
    assert third == f"       preprocessing: {SAVED}"
    assert record.provenance["preprocessing"] == SAVED
    assert record.activations["predictions"].dtype == np.float32
    command = ["record", "x.npy", "--weights", NARROW, "--dtype", "float64"]
    assert main([*command, "--layers", "conv5_block3_out,predictions", "-o", "some.h5"]) == 0
    record = read_record("some.h5")
    assert list(record.activations) == ["input_layer", "conv5_block3_out", "predictions"]
    assert record.activations["predictions"].dtype == np.float64
    assert record.provenance["input"] == "x.npy"
    for name, partial in (("all.h5", []), ("some.h5", ["--partial"])):
        assert main(["verify", "x.npy", "--weights", NARROW, "--against", name, *partial]) == 0


def test_a_record_of_the_fast_engine(narrow, photo):
    """The stages alone; the input by its name without its folder."""
    Path("folder").mkdir()
    Path(photo).rename("folder/cat.png")
    command = ["record", "folder/cat.png", "--weights", narrow, "-o", "fast.h5"]
    assert main([*command, "--engine", "fast"]) == 0
    fast = read_record("fast.h5")
    assert fast.provenance["input"] == "cat.png"
    assert fast.provenance["engine"].startswith("fast")
    assert main([*command, "--engine", "reference"]) == 0
    assert 1 < len(fast.activations) < len(read_record("fast.h5").activations)


def test_the_verdict_comes_first_and_then_what_matters(narrow, photo, capsys):
    """One line for `--quiet`, some rows by default, every row for `--all`; the same verdict in each."""
    command = ["verify", photo, "--weights", narrow, "--against", "reference"]
    shown = {}
    for how in ("--quiet", "", "--all"):
        assert main([*command, *([how] if how else [])]) == 0
        shown[how] = capsys.readouterr().out.splitlines()
    verdict = "33 layers compared, each within rounding"
    assert [lines[0] for lines in shown.values()] == [verdict] * 3
    assert len(shown["--quiet"]) == 1
    table = shown["--all"][shown["--all"].index("") :]
    assert sum(line.startswith(("conv", "pool", "input", "avg", "pred")) for line in table) == 33
    rows = [
        line.split()[0] for line in shown[""] if line.startswith(("conv", "pool", "input", "avg", "pred"))
    ]
    ends = ["input_layer", "conv1_relu", "pool1_pool", "conv2_block1_out", "conv3_block1_out"]
    assert [name for name in rows if name in ends] == ends
    assert shown[""][-1] == f"{33 - len(rows)} more layers; --all shows them"
    assert all(
        "float64" in line or "reference" not in line for line in shown["--all"] if "npcam:" not in line
    )


def test_arrays_of_a_port(narrow, photo, capsys):
    """An .npz in NCHW under torchvision's names: green; one wrong number: its layer, by both names."""
    from helpers.ports import arrays

    assert main(["record", photo, "--weights", narrow, "-o", "r.h5"]) == 0
    names = {"conv1_conv": "conv1", "conv1_bn": "bn1", "conv2_block1_out": "layer1.0", "logits": "fc"}
    run = arrays(read_record("r.h5"), names.__contains__, nchw=True)
    np.savez("run.npz", **{names[name]: array for name, array in run.items()})
    command = ["verify", photo, "--weights", narrow, "--against", "run.npz", "--partial"]
    capsys.readouterr()
    assert main([*command, "--names", "torchvision"]) == 0
    out = capsys.readouterr().out
    for words in ("layout: NCHW", "names: torchvision's", "29 layers not given by yours", "yours: run.npz"):
        assert words in out
    run["conv1_bn"][0, 0, 0, 0] += 1
    np.savez("run.npz", **{names[name]: array for name, array in run.items()})
    assert main([*command, "--junit", "run.xml", "--plot", "run.png", "--csv", "run.csv"]) == 1
    assert "the first is conv1_bn (BatchNormalization), bn1 in yours" in capsys.readouterr().out
    assert b'<testcase classname="npcam.verify" name="conv1_bn">' in Path("run.xml").read_bytes()
    assert main([*command, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["runs"]["yours"]["notes"] == [
        "names: torchvision's, told from them",
        "layout: NCHW, told from the shapes",
    ]
    assert (found["on_trial"], found["first_bad"], len(found["not_given"])) == ("yours", "conv1_bn", 29)


def test_several_photographs(narrow, photo, capsys):
    """One verdict, with a line for each; status 1 if one of them is off."""
    from PIL import Image

    Image.open(photo).rotate(180).save("dog.png")
    command = ["verify", photo, "dog.png", "--weights", narrow, "--against"]
    assert main([*command, "fast", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photos"] == [
        {"photo": "cat.png", "ok": True, "first_bad": None, "cause": None},
        {"photo": "dog.png", "ok": True, "first_bad": None, "cause": None},
    ]
    whole = [npcam.record(npcam.load_model(narrow), p).activations for p in (photo, "dog.png")]
    run = {name: np.concatenate([one[name] for one in whole]) for name in whole[0]}
    run["avg_pool"][1, 3] += 1
    np.savez("run.npz", **run)
    assert main([*command, "run.npz"]) == 1
    out = capsys.readouterr().out
    assert "the first is avg_pool (GlobalAveragePooling2D), on dog.png\n" in out
    assert "cat.png: within rounding\n" in out
    assert "dog.png: first beyond rounding: avg_pool; cause: none of the usual mistakes\n" in out


def test_live_keras(keras, tmp_path, capsys, run):
    """Record a .keras model with Keras; verify against it, the record, and Keras from npcam's weights."""
    from helpers.networks import random_tensors

    from npcam.resnet import Architecture
    from npcam.verify.live_keras import build_keras_model
    from npcam.weights import Weights

    arch = Architecture(blocks=(1,), strides=(1,))
    weights = Weights(arch, random_tensors(arch, width=2))
    write_weights("m.h5", weights)
    build_keras_model(keras, weights).save("m.keras")
    backend = ["--backend", keras.backend.backend()]
    assert main(["record", "x.npy", "--keras", "m.keras", "-o", "k.h5", *backend]) == 0
    assert "from keras " in capsys.readouterr().out
    for against in ("k.h5", "m.keras"):
        assert main(["verify", "x.npy", "--weights", "m.h5", "--against", against, "--json", *backend]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["runs"]["yours"]["engine"].startswith(keras.backend.backend())
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
        ["verify", "x.npy", "--against", "keras", "--backend", "numpy"],
        ["verify", "x.npy", "x.npy", "--against", "reference"],
        ["verify", "x.npy", "--against", "nobody.npz"],
        ["verify", "x.npy", "--against", "bomb.npz"],
        ["verify", "x.npy", "--against", "nobody.npz", "--names", "missing.json"],
        ["verify", "x.npy", "--against", "nobody.npz", "--by-order"],
        ["verify", "x.npy", "--against", "reference", "--by-order"],
        ["verify", "x.npy", "--against", "nobody.npz", "--by-order", "--names", "keras"],
        ["verify", "x.npy", "--against", "reference", "--quiet", "--all"],
        ["verify", "x.npy", "--against", "reference", "--junit", "no/such/folder.xml"],
        ["verify", "x.npy", "--against", "reference", "--junit", "x.npy"],
        ["verify", "x.npy", "--against", "nobody.npz", "--junit", "nobody.npz"],
        ["verify", "x.npy", "--against", "reference", "--junit", "a", "--csv", "a"],
        ["verify", "x.npy", "--against", "reference", "--weights", "x.npy"],
        ["verify", "x.npy", "--against", "reference", "--engine", "slow"],
        ["record", "x.npy", "-o", "r.h5", "--dtype", "float16"],
        ["record", "x.npy", "-o", "r.h5", "--engine", "slow"],
        ["verify", "x.npy", "--against", "reference", "--csv", "no/such/folder.csv"],
        ["verify", "small.npy", "--against", "reference"],
        ["record", "x.npy"],
        ["record", "x.npy", "-o", "no/such/folder.h5"],
        ["record", "x.npy", "-o", "r.h5", "--layers", "conv99"],
        ["record", "x.npy", "-o", "r.h5", "--layers", ""],
        ["record", "x.npy", "-o", "r.h5", "--layers", "predictions,"],
        ["record", "x.npy", "-o", "r.h5", "--keras", "missing.keras"],
        ["record", "x.npy", "-o", "r.h5", "--keras", "m.keras", "--weights", NARROW],
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line(arguments, capfd):
    """Status 2, one line on standard error, no traceback, no file left behind."""
    Path("empty.keras").write_bytes(b"")
    np.savez("nobody.npz", arr_0=np.zeros((1, 8, 8, 3), np.float32))
    np.savez_compressed("bomb.npz", arr_0=np.zeros((2**25,), np.float32))
    np.save("small.npy", np.zeros((1, 8, 8, 3), np.float32))
    with h5py.File("strange.h5", "w") as file:
        file["x"] = 1
    before = sorted(Path().iterdir())
    assert main(arguments) == 2
    error = capfd.readouterr().err
    assert error.startswith("npcam: ")
    assert error.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_outputs_that_would_be_one_file_or_an_input(narrow, photo, capsys):
    """A table and a picture in one file, or over what is read: refused before anything is computed."""
    command = ["verify", photo, "--weights", narrow, "--against", "reference"]
    before = Path(photo).read_bytes()
    Path("link.png").symlink_to("p.png")
    for words, said in (
        (
            ["--csv", "p.png", "--plot", "link.png"],
            "link.png: two of --csv, --plot and --junit go to",
        ),
        (["--junit", "p.png", "--plot", "link.png"], "p.png: two of --csv, --plot and --junit go to"),
        (["--csv", photo], f"{photo}: is the input {photo} itself; choose another place"),
        (["--plot", narrow], f"{narrow}: is the input {narrow} itself; choose another place"),
    ):
        assert main([*command, *words]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"npcam: {said}")
    assert main(["record", photo, "--weights", narrow, "-o", photo]) == 2
    said = f"{photo}: is the input {photo} itself; choose another place for the record"
    assert capsys.readouterr() == ("", f"npcam: {said}\n")
    assert Path(photo).read_bytes() == before
    assert not Path("p.png").exists()


def test_weights_and_keras_are_two_things_to_record(capsys):
    """The line says which option is for what."""
    command = ["record", "x.npy", "-o", "r.h5", "--keras", "m.keras", "--weights", NARROW]
    assert main(command) == 2
    said = "give --weights for npcam or --keras for Keras, not both; see npcam record --help"
    assert capsys.readouterr().err == f"npcam: {said}\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("verify x.npy --against reference", "--against reference runs npcam"),
        ("verify x.npy --against fast", "--against fast runs npcam"),
        ("record x.npy -o r.h5", "npcam runs without --keras"),
    ],
)
def test_a_backend_without_keras(capsys, command, said):
    """An option that would do nothing is refused, before anything runs."""
    assert main([*command.split(), "--backend", "jax"]) == 2
    assert capsys.readouterr().err == f"npcam: --backend is Keras's, and {said}; leave it out\n"


def test_verify_does_not_need_keras(narrow, photo):
    """Records and engines are compared without Keras being imported, or installed."""
    assert main(["record", photo, "--weights", narrow, "-o", "r.h5"]) == 0
    code = (
        "import sys; sys.modules['keras'] = None\n"
        "from npcam.cli import main\n"
        f"sys.exit(main(['verify', {photo!r}, '--weights', {narrow!r}, '--against', 'r.h5']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(npcam.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr

"""`npcam convert`, `inspect`, `fetch` and `summary` as people run them."""

import hashlib
import json
from pathlib import Path

import pytest

import npcam
from npcam.cli.commands import main
from npcam.common import published
from npcam.convert import fetch
from npcam.convert.inspection import describe, inspect
from npcam.weights import read_weights


def test_convert(alone, capsys):
    """What was written, counted; and each note below it."""
    assert main(["convert", "alone.h5", "w.h5"]) == 0
    arrays = [a for layer in alone.values() for a in layer.values()]
    numbers = sum(a.size for a in arrays)
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == f"w.h5: {len(alone)} layers, {len(arrays)} arrays, {numbers:,} parameters"
    weights = read_weights("w.h5")
    said = [line.removeprefix("  note: ") for line in lines[1:-1]]
    assert said == [*weights.notes, *weights.assumptions]
    assert [line.split(" is assumed")[0].split()[0] for line in said] == [
        "no",  # configuration in the file
        "network",
        "preprocessing",
        "input",
        "activation",
    ]
    assert (weights.preprocessing.name, weights.input_size) == ("caffe", (224, 224))
    assert (weights.architecture.epsilon, weights.architecture.activation) == (1.001e-5, "softmax")
    assert weights.class_names is None


@pytest.mark.usefixtures("alone")
def test_convert_with_what_the_file_does_not_say():
    """The network, the activation and the names are those of the options."""
    Path("names.txt").write_text("a\nb\nc\nd\ne\n")
    options = ["--network", "2018", "--activation", "sigmoid", "--class-names", "names.txt"]
    assert main(["convert", "alone.h5", "w.h5", *options]) == 0
    weights = read_weights("w.h5")
    assert (weights.architecture.epsilon, weights.architecture.activation) == (1e-3, "sigmoid")
    assert weights.class_names == tuple("abcde")
    for name in ("2017", "keras"):
        assert main(["convert", "alone.h5", "w.h5", "--network", name]) == 0
        assert read_weights("w.h5").architecture.pool_padding == (name == "keras")
    for name in ("softmax", "linear"):
        assert main(["convert", "alone.h5", "w.h5", "--activation", name]) == 0
        assert read_weights("w.h5").architecture.activation == name


@pytest.mark.usefixtures("alone")
def test_convert_with_all_that_is_said(capsys):
    """Where the options say it, it is what they say, and nothing is assumed; then only notes are printed."""
    said = [
        "--preprocessing",
        "unit",
        "--input-size",
        "40x56",
        "--activation",
        "softmax",
        "--network",
        "keras",
    ]
    assert main(["convert", "alone.h5", "w.h5", *said]) == 0
    weights = read_weights("w.h5")
    assert (weights.preprocessing.name, weights.input_size, weights.assumed) == ("unit", (40, 56), ())
    assert "assumed" not in capsys.readouterr().out
    assert main(["convert", "alone.h5", "w.h5", "--input-size", "64"]) == 0
    weights = read_weights("w.h5")
    assert (weights.input_size, weights.assumed) == ((64, 64), ("network", "preprocessing", "activation"))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network", "2016"], "argument --network: invalid choice: '2016'"),
        (["--activation", "relu"], "argument --activation: invalid choice: 'relu'"),
        (["--preprocessing", "rgb"], "argument --preprocessing: invalid choice: 'rgb'"),
        (["--input-size", "big"], "argument --input-size: expected a number of pixels, or HEIGHTxWIDTH"),
        (["--input-size", "31"], "input size 31x31: sides of 32 to 10000 pixels expected"),
        (["--input-size", "64x10001"], "input size 64x10001: sides of 32 to 10000 pixels expected"),
        (["--input-size", "9999"], "input_size is (9999, 9999)"),
        (["--class-names", "none.txt"], "none.txt: no such file; give a text or JSON file of class names"),
        (["--class-names", "four.txt"], "alone.h5: 4 class names for 5 classes; give one per class"),
    ],
)
def test_convert_refuses_what_there_is_not(capsys, words, said):
    """One line, status 2, and nothing is written."""
    Path("four.txt").write_text("a\nb\nc\nd\n")
    assert main(["convert", "alone.h5", "w.h5", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err
    assert not Path("w.h5").exists()


@pytest.mark.usefixtures("alone")
def test_inspect(narrow, capsys):
    """In words, or as indented JSON; status 0 where it converts, 1 where not, 2 where nobody can read it."""
    Path("text.h5").write_text("not HDF5")
    for path, status in (("alone.h5", 0), (narrow, 1), ("text.h5", 2)):
        assert main(["inspect", path]) == status
        assert capsys.readouterr() == (describe(inspect(path)) + "\n", "")
        assert main(["inspect", path, "--json"]) == status
        out = capsys.readouterr().out
        assert out == json.dumps(inspect(path).to_json(), indent=2) + "\n"
        assert json.loads(out)["converts"] == (path == "alone.h5")
    assert main(["inspect", "none.h5"]) == 2
    assert capsys.readouterr() == ("", "npcam: none.h5: no such file; give the path of a weights file\n")


@pytest.mark.usefixtures("alone")
def test_fetch(tmp_path, monkeypatch, capsys):
    """The path of the converted file is printed; then the name is a name for `--weights`."""
    data = (tmp_path / "alone.h5").read_bytes()
    file = published.Official("resnet50", "published.h5", hashlib.md5(data).hexdigest())
    monkeypatch.setattr(published, "FILES", (file,))
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "cache"))
    assert main(["fetch", "resnet50", "--from", "alone.h5"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'cache' / 'resnet50.h5'}\n"
    assert main(["summary", "--weights", "resnet50"]) == 0
    asked = []
    monkeypatch.setattr(fetch, "fetch", lambda *arguments: asked.append(arguments))
    assert main(["fetch", "resnet101"]) == 0
    assert asked == [("resnet101", None)]


def test_summary(narrow, capsys):
    """The table that the library makes, of the bundled model or of another one."""
    for words, path in (([], None), (["--weights", narrow], narrow)):
        assert main(["summary", *words]) == 0
        out = capsys.readouterr().out
        assert out == npcam.load_model(path).summary() + "\n"
        numbers = (
            sum(a.size for arrays in read_weights(path).tensors.values() for a in arrays.values())
            if path
            else 1_508_078
        )
        assert f"Total params: {numbers:,} (" in out


def test_summary_does_not_prepare_the_engine(narrow, monkeypatch, capsys):
    """The table needs no more than the weights."""
    from npcam import model

    engines = []
    real = model.load_model
    monkeypatch.setattr(model, "load_model", lambda *a, **k: engines.append(k.get("engine")) or real(*a, **k))
    assert main(["summary", "--weights", narrow]) == 0
    assert main(["summary", "--weights", narrow, "--plan"]) == 0
    assert engines == ["reference", None]
    assert capsys.readouterr().err == ""


def test_plan(narrow, capsys):
    """How the engine computes each convolution, for one photograph and for many."""
    model = npcam.load_model(narrow)
    for words, photographs in (([], 1), (["1"], 1), (["2"], 2), (["64"], 64)):
        assert main(["summary", "--weights", narrow, "--plan", *words]) == 0
        assert capsys.readouterr().out == f"{model.plan(photographs)}\n"
    assert model.plan(1) != model.plan(64)


def test_the_bundled_models_plan(capsys):
    """Every trick that docs/performance.md names is in it."""
    assert main(["summary", "--plan"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Layer")
    for words in ("conv5_block3_3_conv", "Winograd", "every 2 positions", "shortcut as one", "rows"):
        assert words in out
    assert main(["summary", "--plan", "64"]) == 0
    assert "photographs" in capsys.readouterr().out

"""`npcam convert`, `inspect`, `fetch` and `summary` as people run them."""

import hashlib
from pathlib import Path

import pytest

import npcam
from npcam.cli.commands import main
from npcam.common import published
from npcam.convert import fetch
from npcam.weights import read_weights


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
@pytest.mark.parametrize("words", [["--network", "2016"], ["--activation", "relu"]])
def test_convert_refuses_what_there_is_not(capsys, words):
    """An unknown network or activation is bad usage."""
    assert main(["convert", "alone.h5", "w.h5", *words]) == 2
    assert "invalid choice" in capsys.readouterr().err


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

"""The recorders and the ONNX export, on models made on the spot from npcam's own weights.

ONNX Runtime and PyTorch run them, and `onnx.reference`, which is a third program: each is green, and
a model with a mistake in it is blamed for it.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.needs import needs
from helpers.networks import random_tensors
from helpers.torchvision_like import make, wrong

from npcam.resnet import Architecture
from npcam.verify.compare import verify
from npcam.verify.port import read_port
from npcam.verify.run_npcam import run_npcam
from npcam.verify.telling import Naming
from npcam.weights import Weights, write_weights

TOOLS = Path(__file__).parents[2] / "tools"
MODEL = Path(__file__).parents[1] / "helpers" / "torchvision_like.py"
SMALL = Architecture(blocks=(1, 2), strides=(1, 2))
pytestmark = pytest.mark.slow  # starts processes, and ONNX Runtime or PyTorch in them


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small network's file, a batch of two, and npcam's run."""
    monkeypatch.chdir(tmp_path)
    weights = Weights(SMALL, random_tensors(SMALL, width=4))
    write_weights("small.h5", weights)
    x = np.random.default_rng(1).uniform(-120, 150, (2, 40, 48, 3)).astype(np.float32)
    np.save("x.npy", x)
    return weights, x, run_npcam(weights, x)


def run(program, *arguments):
    """A tool in a process of its own."""
    command = [sys.executable, TOOLS / program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def judged(small, path="run.npz", by_order=False):
    """What comes of a run that a recorder wrote."""
    weights, _, own = small
    port = read_port(path, own, weights, Naming(None, by_order))
    return port, verify(weights, own, port)


@pytest.mark.parametrize("by_order", [False, True])
@pytest.mark.parametrize("fold", [False, True])
def test_onnxruntime(small, fold, by_order):
    """Exported, run by ONNX Runtime with every node recorded: green, by its names and by its order."""
    needs("onnx")
    needs("onnxruntime")
    options = ["--fold"] if fold else []
    done = run("export_onnx.py", "--weights", "small.h5", *options, "m.onnx")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("record_onnxruntime.py", "m.onnx", "x.npy", "-o", "run.npz", "--weights", "small.h5")
    assert (done.returncode, done.stderr) == (0, "")
    port, report = judged(small, by_order=by_order)
    assert report.ok, report.first_bad
    assert (report.missing, report.extra) == ((), ())
    assert len(report.not_given) == 2 + (
        len([n for n in small[0].tensors if n.endswith("_bn")]) if fold else 0
    )
    assert "layout: NCHW, told from the shapes" in port.notes


def test_a_mistake_in_an_onnx_model(small):
    """A kernel transposed in the file: that layer is to blame."""
    onnx = needs("onnx")
    needs("onnxruntime")
    run("export_onnx.py", "--weights", "small.h5", "m.onnx")
    model = onnx.load("m.onnx")
    (kernel,) = (i for i in model.graph.initializer if i.name == "conv3_block2_2_conv/kernel")
    value = onnx.numpy_helper.to_array(kernel).transpose(0, 1, 3, 2)
    kernel.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(value), kernel.name))
    onnx.save(model, "m.onnx")
    run("record_onnxruntime.py", "m.onnx", "x.npy", "-o", "run.npz", "--weights", "small.h5")
    assert judged(small)[1].first_bad.name == "conv3_block2_2_conv"


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize(
    ("activation", "stride_in"), [("softmax", 1), ("sigmoid", 2), ("linear", 1), (None, 2)]
)
def test_onnx_reference_agrees(activation, stride_in, fold):
    """The exported model, checked by onnx and run by its plain NumPy: npcam's last layer, to rounding."""
    onnx = needs("onnx")
    reference = needs("onnx.reference")
    from export_onnx import to_onnx

    arch = Architecture(blocks=(1, 1), strides=(1, 2), stride_in=stride_in, activation=activation)
    weights = Weights(arch, random_tensors(arch, width=4))
    model = onnx.load_from_string(to_onnx(weights, fold))
    onnx.checker.check_model(model, full_check=True)
    x = np.random.default_rng(1).uniform(-120, 150, (2, 32, 48, 3)).astype(np.float32)
    (found,) = reference.ReferenceEvaluator(model).run(None, {"x": x.transpose(0, 3, 1, 2)})
    own = run_npcam(weights, x).activations
    name = "predictions" if activation else "conv3_block1_out"
    expected = own[name] if activation else own[name].transpose(0, 3, 1, 2)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()  # as between npcam and Keras


def test_torch_by_hooks(small):
    """torchvision's modules with npcam's weights, ReLUs in place: green; another epsilon: that layer."""
    needs("torch")
    for function, first in (("make", None), ("wrong", "conv3_block2_2_bn")):
        done = run(
            "record_torch.py", f"{MODEL}:{function}", "x.npy", "-o", "run.npz", "--weights", "small.h5"
        )
        assert (done.returncode, done.stderr) == (0, "")
        for by_order in (False, True):
            _, report = judged(small, by_order=by_order)
            assert (report.missing, report.extra) == ((), ())
            assert (report.first_bad.name if report.first_bad else None) == first
            assert report.ok == (first is None)


def test_hooks_copy_at_once(small):
    """A batch norm is recorded before the ReLU writes over it, and no hook stays."""
    torch = needs("torch")
    from record_torch import record_module

    model = make()
    found = record_module(model, small[1])
    assert (found["bn1"] < 0).any()
    assert not (found["relu"] < 0).any()
    assert {"layer2.1.relu", "layer2.1.relu_1", "layer2.1.relu_2", "fc"} <= set(found)
    assert not any(module._forward_hooks for module in model.modules())
    with torch.inference_mode():
        again = model(torch.tensor(small[1].transpose(0, 3, 1, 2).copy())).numpy()
    assert np.array_equal(found["fc"], again)


@pytest.mark.parametrize("copy", [False, True])
def test_hooks_that_are_written_in_a_hurry(small, copy):
    """By name, so that a ReLU's last call is what stays, and blocks twice; and without a copy, so that ReLUs
    in place write over batch norms and sums: green all the same, and a wrong epsilon is found.
    """
    torch = needs("torch")
    for model, blamed in ((make(), None), (wrong(), "conv3_block2_2_bn")):
        found = {}

        def hook(name, found=found):
            def keep(_module, _inputs, output):
                found[name] = output.numpy().copy() if copy else output.numpy()

            return keep

        for name, module in model.named_modules():
            if name:
                module.register_forward_hook(hook(name))
        with torch.inference_mode():
            model.eval()(torch.tensor(small[1].transpose(0, 3, 1, 2).copy()))
        np.savez("run.npz", **found)
        port, report = judged(small)
        assert (report.missing, report.extra) == ((), ())
        assert any(note.startswith("overwritten in place") for note in port.notes) != copy
        if blamed:
            assert blamed in (report.first_bad.name, *report.first_bad.covers)
            assert len(report.first_bad.covers) <= 1
        else:
            assert report.ok, report.first_bad


@pytest.mark.parametrize("program", ["record_onnxruntime.py", "record_torch.py", "export_onnx.py"])
@pytest.mark.usefixtures("small")
def test_mistakes_are_one_line(program):
    """No such model, function or weights, an output that is an input: status 2, and nothing is written."""
    Path("net.py").write_text("x = 1\n")
    before = sorted(Path().iterdir())
    model = "none.onnx" if program == "record_onnxruntime.py" else "none.py:make"
    calls = [
        [model, "x.npy", "-o", "r.npz"],
        [model, "none.png", "-o", "r.npz"],
        [model, "x.npy", "-o", "x.npy"],
    ]
    if program == "record_torch.py":
        calls.append(["net.py:make", "x.npy", "-o", "r.npz"])
    if program == "export_onnx.py":
        calls = [["--weights", "none.h5", "m.onnx"], ["no/such/m.onnx"]]
    for call in calls:
        done = run(program, *call)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"{program.removesuffix('.py')}: ")
        assert done.stderr.count("\n") == 1
        assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("program", ["record_onnxruntime.py", "record_torch.py"])
def test_a_recorder_is_short(program):
    """Under 60 lines, to be read before it is run."""
    assert len((TOOLS / program).read_text().splitlines()) < 60

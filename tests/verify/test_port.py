"""Somebody's arrays as a run: to their layers, with npcam's axes, and what was found out in words."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors
from helpers.ports import arrays

from npcam.common.errors import InputError
from npcam.preprocessing import MODES, preprocess
from npcam.resnet import Architecture
from npcam.verify.compare import verify
from npcam.verify.port import read_port
from npcam.verify.report import as_json, finding
from npcam.verify.run_npcam import run_npcam
from npcam.verify.telling import Naming
from npcam.weights import Weights

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))


@pytest.fixture(scope="module")
def small():
    """A network of two blocks, a batch, and npcam's own run."""
    weights = Weights(ARCH, random_tensors(ARCH, width=4))
    x = np.random.default_rng(1).uniform(-120, 150, (1, 32, 40, 3)).astype(np.float32)
    return weights, x, run_npcam(weights, x)


def port(tmp_path, small, found, *naming):
    """A run of these arrays, out of an .npz."""
    np.savez(tmp_path / "run.npz", **found)
    return read_port(tmp_path / "run.npz", small[2], small[0], Naming(*naming))


def refused(tmp_path, small, found, reason, *naming):
    """The arrays are refused in one line."""
    with pytest.raises(InputError) as caught:
        port(tmp_path, small, found, *naming)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nchw", [False, True])
@pytest.mark.parametrize("form", ["npz", "folder", "h5"])
def test_every_form_gives_npcams_bits(tmp_path, small, form, nchw):
    """A file of each kind, in either layout: the activations come back, and are green."""
    weights, _, own = small
    found = arrays(own, nchw=nchw)
    if form == "npz":
        np.savez(tmp_path / "run", **found)
    elif form == "h5":
        with h5py.File(tmp_path / "run", "w") as file:
            for name, array in found.items():
                file[name] = array
    else:
        (tmp_path / "run").mkdir()
        for name, array in found.items():
            np.save(tmp_path / "run" / f"{name}.npy", array)
    path = tmp_path / ("run.npz" if form == "npz" else "run")
    run = read_port(path, own, weights, Naming())
    assert list(run.activations) == list(own.activations)
    assert all(np.array_equal(run.activations[name], a) for name, a in own.activations.items())
    assert run.notes == (
        "names: keras's, told from them",
        f"layout: {'NCHW' if nchw else 'NHWC'}, told from the shapes",
    )
    report = verify(weights, own, run)
    assert (report.ok, report.missing, report.extra, report.not_given) == (True, (), (), ())


def test_what_no_later_array_covers_is_missing(tmp_path, small):
    """The end of the network cut off: no later array says anything of it. Status 1, unless it is allowed."""
    weights, _, own = small
    run = port(tmp_path, small, arrays(own, lambda name: name.startswith(("conv1", "conv2"))))
    for partial in (False, True):
        report = verify(weights, own, run, partial=partial)
        assert report.ok == partial
        assert report.first_bad is None
        assert report.missing[0] == "conv3_block1_1_conv"
        assert report.missing[-2:] == ("avg_pool", "predictions")
        assert report.not_given == ("input_layer", "pool1_pad", "pool1_pool")
    only = port(tmp_path, small, arrays(own, lambda name: name == "predictions"))
    report = verify(weights, own, only)
    assert report.not_given == ("avg_pool",)
    assert not report.ok


def test_logits_stand_for_predictions(tmp_path, small):
    """A port that ends before the softmax is compared there, and that is said; a wrong one is off."""
    weights, _, own = small
    found = arrays(own, lambda name: name != "predictions")
    run = port(tmp_path, small, found)
    report = verify(weights, own, run)
    assert (report.ok, report.rows[-1].name, report.rows[-1].before_activation) == (True, "predictions", True)
    assert "  predictions were compared before their activation: yours gives logits only" in finding(report)
    for isolated in (False, True):
        wrong = port(tmp_path, small, {**found, "logits": found["logits"] + 1})
        report = verify(weights, own, wrong, isolated=isolated)
        assert report.first_bad.name == "predictions"
    softmax_missing = {**arrays(own), "predictions": found["logits"]}
    report = verify(weights, own, port(tmp_path, small, softmax_missing))
    assert report.first_bad.name == "predictions"


def test_an_onnx_models_output_is_logits_or_what_follows(tmp_path, small):
    """`output` is the last layer, whichever that is: by itself told by its numbers, else by its neighbour."""
    weights, _, own = small
    logits, probabilities = own.activations["logits"], own.activations["predictions"]
    base = {"conv1": own.activations["conv1_conv"], "layer2.0": own.activations["conv3_block1_out"]}
    for more, told in (
        ({"output": logits}, {"logits"}),
        ({"output": probabilities}, {"predictions"}),
        ({"fc": logits, "output": probabilities}, {"logits", "predictions"}),
        ({"/fc/Gemm_output_0": logits, "output": probabilities}, {"logits", "predictions"}),
    ):
        run = port(tmp_path, small, base | more)
        assert set(run.activations) & {"logits", "predictions"} == told
        assert verify(weights, own, run, partial=True).ok


def test_extra_arrays_are_named_and_copies_are_not_extra(tmp_path, small):
    """An array of no layer is status 1; one that repeats a layer's, in either layout, is a copy."""
    weights, _, own = small
    found = arrays(own, nchw=True)
    copies = {"flat": own.activations["avg_pool"].reshape(1, -1, 1), "turned": own.activations["conv1_bn"]}
    run = port(tmp_path, small, {**found, **copies})
    assert "copies of other arrays: flat, turned" in run.notes
    assert verify(weights, own, run).ok
    report = verify(weights, own, port(tmp_path, small, {**found, "mystery": np.ones((1, 2), np.float32)}))
    assert (report.ok, report.extra, report.first_bad) == (False, ("mystery",), None)


def test_steps_inside_of_a_layer_are_no_layers(tmp_path, small):
    """TensorFlow's sum without its bias, before the layer's output: left out, and named."""
    weights, _, own = small
    found = {}
    for name, array in arrays(own).items():
        if name == "conv1_conv":
            found["net/conv1_conv/Conv2D:0"] = array - weights.tensors["conv1_conv"]["bias"]
        found[f"net/{name}/Last:0"] = array
    run = port(tmp_path, small, found)
    assert "steps inside of layers, left out: net/conv1_conv/Conv2D:0" in run.notes[0]
    assert verify(weights, own, run).ok
    theirs = {"conv1_conv": "conv1", "conv1_bn": "bn1", "conv1_pad": "conv1_pad"}  # Keras's name among others
    run = port(tmp_path, small, {b: own.activations[a] for a, b in theirs.items()}, "torchvision")
    assert run.names == theirs


def test_two_arrays_of_one_layer(tmp_path, small):
    """The same numbers are one array, in any shape; other ones are refused."""
    _, _, own = small
    found = {"avgpool": own.activations["avg_pool"][:, :, None, None], "flatten": own.activations["avg_pool"]}
    assert port(tmp_path, small, found).names == {"avg_pool": "avgpool"}
    found["flatten"] = found["flatten"] + 1
    refused(tmp_path, small, found, "avgpool and flatten are both avg_pool, and not the same")


def test_a_map(tmp_path, small):
    """Names of one's own; null leaves an array out; what is not in the map goes by Keras's names."""
    weights, _, own = small
    names = {"conv1_conv": "stem.0", "conv1_bn": "stem.1"}
    found = {names.get(name, name): array for name, array in arrays(own).items()}
    (tmp_path / "map.json").write_text(json.dumps({**{b: a for a, b in names.items()}, "noise": None}))
    run = port(tmp_path, small, {**found, "noise": np.ones(3, np.float32)}, str(tmp_path / "map.json"))
    assert run.names["conv1_conv"] == "stem.0"
    assert run.notes[0] == "names: 3 of 35 arrays by map.json"
    report = verify(weights, own, run)
    assert (report.ok, report.extra) == (True, ())
    bad = {**found, "stem.1": found["stem.1"] + 1}
    report = verify(weights, own, port(tmp_path, small, bad, str(tmp_path / "map.json")))
    assert finding(report)[0].endswith("the first is conv1_bn (BatchNormalization), stem.1 in yours")
    assert as_json(report)["layers"][3]["yours_name"] == "stem.1"


def test_what_cannot_be_told_is_refused(tmp_path, small):
    """Names of nobody's, a map that names nothing, another order, another number of photographs."""
    _, _, own = small
    strange = {f"arr_{i}": a for i, a in enumerate(arrays(own).values())}
    advice = "(arr_0, arr_1, arr_2, arr_3 and 30 more); give --names MAP.json, or --by-order"
    refused(tmp_path, small, strange, f"no array has one of Keras's or torchvision's names {advice}")
    refused(tmp_path, small, strange, "no array has one of keras's names", "keras")
    (tmp_path / "map.json").write_text('{"stem": "conv1_conv"}')
    refused(tmp_path, small, strange, "names none of the arrays", str(tmp_path / "map.json"))
    backwards = dict(reversed(strange.items()))
    refused(tmp_path, small, backwards, "the arrays (34) are not this network's layers in order", None, True)
    twice = {name: np.concatenate([a] * 2) for name, a in arrays(own).items()}
    refused(tmp_path, small, twice, "arrays of 2 photographs, 1 given; give the same ones, in order")


def test_by_order(tmp_path, small):
    """Nameless, in NCHW, with a transposed input and a flattened average between: told, and said."""
    weights, x, own = small
    found = arrays(own, lambda name: not name.endswith(("_pad", "_conv")), nchw=True)
    order = {"x": x, **found}  # NHWC, then what a Transpose made of it
    flat = {"f": own.activations["avg_pool"].reshape(1, 1, 1, -1)}
    order = {**{n: order[n] for n in order if n not in ("logits", "predictions")}, **flat}
    order |= {"logits": found["logits"], "predictions": found["predictions"]}
    run = port(tmp_path, small, {f"node_{i}": a for i, a in enumerate(order.values())}, None, True)
    assert run.notes[0].startswith("by order: 23 arrays told by channels and likeness; batch norms folded")
    assert "copies left out: node_1, node_22" in run.notes[0]
    report = verify(weights, own, run)
    assert (report.ok, report.missing, report.extra) == (True, (), ())


def test_one_photograph_without_its_axis(tmp_path, small):
    """Arrays (C, H, W) and (C,) of one photograph."""
    weights, _, own = small
    found = {name: a[0] for name, a in arrays(own, nchw=True).items()}
    assert verify(weights, own, port(tmp_path, small, found)).ok


def test_float64_of_a_float32_program(tmp_path, small):
    """Saved in double precision, it is judged by the precision that it was computed in."""
    weights, _, own = small
    found = {name: a.astype(np.float64) for name, a in arrays(own).items()}
    run = port(tmp_path, small, found)
    assert run.notes[0] == "float64 in which every number is a float32: taken for float32"
    assert verify(weights, own, run).ok
    exact = run_npcam(weights, small[1], dtype=np.float64)
    run = port(tmp_path, small, arrays(exact))
    assert not any("float32" in note for note in run.notes)
    assert verify(weights, own, run).ok


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "unit"])
def test_a_port_may_prepare_the_photograph_in_another_order(tmp_path, small, mode):
    """One multiplication and one addition, in float64: rounding. Another mean is not, whatever the mode."""
    weights, _, _ = small
    pixels = np.random.default_rng(3).integers(0, 256, (1, 32, 40, 3)).astype(np.float32)
    weights = replace(weights, preprocessing=MODES[mode])
    own = run_npcam(weights, preprocess(pixels, MODES[mode]))
    probe = preprocess(np.float64([[[0, 0, 0], [1, 1, 1]]]), MODES[mode])
    order = pixels[..., ::-1] if mode == "caffe" else pixels
    theirs = (order.astype(np.float64) * (probe[0, 1] - probe[0, 0]) + probe[0, 0]).astype(np.float32)
    for x, green in ((theirs, True), (theirs * np.float32(1 + 1e-5) + np.float32(1e-4), False)):
        run = run_npcam(weights, x)
        for keep in (lambda _: True, lambda name: name != "input_layer"):
            np.savez(tmp_path / "run.npz", **arrays(run, keep))
            report = verify(weights, own, read_port(tmp_path / "run.npz", own, weights, Naming()))
            assert report.ok == green
            if not green:
                assert report.first_bad.name == ("input_layer" if keep("input_layer") else "conv1_pad")

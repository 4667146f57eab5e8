"""npcam's engines as runs: what each records, that it is what the network computes, and how it came about."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import naive, resnet
from npcam.common.errors import InputError
from npcam.common.version import __version__
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.record import array_sha256, tensor_hashes
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, cast, tensors_sha256

ARCH = Architecture(blocks=(1, 2, 1), strides=(1, 2, 2))


@pytest.fixture(scope="module")
def network():
    """A small network's weights, a batch, and all of its activations and logits in float64."""
    weights = Weights(ARCH, random_tensors(ARCH, width=4), source="small.h5")
    x = np.random.default_rng(1).uniform(-120, 150, (2, 33, 40, 3)).astype(np.float32)
    names = [layer.name for layer in layers(ARCH)]
    return weights, x, resnet.run(x.astype(np.float64), cast(weights.tensors, np.float64), ARCH, names)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_reference_engine_records_every_layer(network, dtype):
    """In Keras's order, and the logits last; in its float type, the network's own bits."""
    weights, x, exact = network
    run = run_npcam(weights, x, dtype=dtype)
    assert list(run.activations) == [*(layer.name for layer in layers(ARCH)), "logits"]
    assert all(array.dtype == dtype for array in run.activations.values())
    assert np.array_equal(run.activations["input_layer"], x)
    # float32's own rounding through 36 layers, far below what any mistake would make
    tolerance = 1e-5 if dtype == np.float32 else 1e-15
    for name, array in {**exact.activations, "logits": exact.logits}.items():
        assert np.abs(run.activations[name] - array).max() <= tolerance * np.abs(array).max(), name
    assert np.array_equal(naive.softmax(run.activations["logits"]).argmax(1), exact.logits.argmax(1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_fast_engine_records_the_stages(network, dtype):
    """The last activation of each, the head, and the logits; the same numbers up to rounding."""
    weights, x, exact = network
    run = run_npcam(weights, x, "fast", dtype)
    stages = ["conv2_block1_out", "conv3_block2_out", "conv4_block1_out"]
    assert list(run.activations) == ["input_layer", *stages, "avg_pool", "predictions", "logits"]
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for name, array in run.activations.items():
        expected = exact.logits if name == "logits" else exact.activations[name]
        assert array.dtype == dtype
        assert np.abs(array - expected).max() <= tolerance * np.abs(expected).max(), name


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_network_without_a_top(network, engine):
    """Ends with the last stage; there are no logits."""
    weights, x, exact = network
    tensors = {name: arrays for name, arrays in weights.tensors.items() if name != "predictions"}
    run = run_npcam(Weights(replace(ARCH, activation=None), tensors), x, engine)
    assert list(run.activations)[-1] == "conv4_block1_out"
    expected = exact.activations["conv4_block1_out"]
    assert np.abs(run.activations["conv4_block1_out"] - expected).max() <= 1e-5 * expected.max()


@pytest.mark.parametrize(("engine", "dtype"), [("reference", np.float32), ("fast", np.float64)])
def test_a_run_says_how_it_came_about(network, engine, dtype):
    """Versions, the model's file, and the hashes of weights and input; epsilon counts as a tensor."""
    weights, x, _ = network
    run = run_npcam(weights, x, engine, dtype)
    assert run.provenance == {
        "made_by": f"npcam {__version__}",
        "engine": f"{engine} {np.dtype(dtype).name}, numpy {np.__version__}",
        "model": "small.h5",
        "weights_sha256": tensors_sha256(weights.tensors),
        "input_sha256": array_sha256(x),
    }
    hashes = tensor_hashes(weights.tensors)
    epsilon = tensor_hashes({"": {"": np.array(1.001e-5)}})["/"]
    norms = [layer.name for layer in layers(ARCH) if layer.kind == "BatchNormalization"]
    assert run.tensors == hashes | {f"{name}/epsilon": epsilon for name in norms}


def test_what_cannot_be_run_is_one_line(network):
    """An engine that there is not, and a batch that is none."""
    weights, x, _ = network
    with pytest.raises(InputError, match="slow"):
        run_npcam(weights, x, "slow")
    for engine in ("reference", "fast"):
        with pytest.raises(InputError, match="expected a batch"):
            run_npcam(weights, x[0], engine)

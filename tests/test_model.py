"""A weights file turned into something to call."""

import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import random_tensors

import npcam
from npcam import InputError
from npcam.layers import LayerArrays
from npcam.model import Model
from npcam.resnet import Architecture, last_activation
from npcam.weights import Weights, tensors_sha256, write_weights

ARCH = Architecture(blocks=(1, 1), strides=(1, 2))
X = np.random.default_rng(4).uniform(-120, 150, (3, 48, 40, 3)).astype(np.float32)


def small(activation="softmax", **options):
    """A small model with random weights."""
    arch = Architecture(ARCH.blocks, ARCH.strides, activation=activation)
    tensors = random_tensors(arch, width=4)
    return Model(Weights(arch, tensors, input_size=(48, 40)), **options)


def test_both_engines_and_types_agree():
    """float32 and float64, fast and reference, one at a time and in a batch: the same probabilities."""
    exact = small(dtype=np.float64, engine="reference").predict(X)
    assert np.abs(exact.sum(axis=1) - 1).max() < 8 * np.finfo(float).eps
    for engine in ("fast", "reference"):
        for dtype in (np.float32, np.float64):
            model = small(dtype=dtype, engine=engine)
            found = model.predict(X)
            assert found.dtype == dtype
            # ten convolutions of up to 147 terms; logits are of order 1 and softmax's slope is below 1
            assert np.abs(found - exact).max() < 10 * np.sqrt(147) * np.finfo(dtype).eps
            alone = np.concatenate([model.predict(x[None]) for x in X])
            assert np.abs(found - alone).max() < 10 * np.sqrt(147) * np.finfo(dtype).eps


def test_predict_is_the_activation_of_the_logits():
    """Softmax, sigmoid and linear tops, as the file says."""
    for activation, formula in {
        "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "linear": lambda z: z,
    }.items():
        model = small(activation, dtype=np.float64)
        assert np.allclose(model.predict(X), formula(model.logits(X)), rtol=1e-14, atol=0)
        assert model.gives_probabilities == (activation != "linear")


def test_the_weights_of_a_class():
    """With them, the averages of the last maps make the class's logit: w_k and its bias."""
    model = small(dtype=np.float64)
    averages = model.activations(X)[last_activation(ARCH)].mean((1, 2))
    logits = model.logits(X)
    for index in range(model.classes):
        weights, bias = model.class_weights(index)
        np.testing.assert_allclose(averages @ weights + bias, logits[:, index], rtol=1e-12, atol=1e-12)


def test_activations_by_one_name_several_or_none():
    """The keys are what was asked for; None gives every layer in the network's order."""
    model = small()
    assert list(model.activations(X, "conv1_relu")) == ["conv1_relu"]
    assert list(model.activations(X, ["avg_pool", "conv1_bn"])) == ["avg_pool", "conv1_bn"]
    everything = model.activations(X)
    assert next(iter(everything)) == "input_layer"
    assert len(everything) == 7 + 2 * 12 + 2
    error = np.abs(everything["predictions"] - model.predict(X)).max()  # one pass folds, the other does not
    assert error < 10 * np.sqrt(147) * np.finfo(np.float32).eps


def test_a_backbone_gives_activations_and_says_what_is_missing():
    """include_top=False: maps yes, classes no."""
    model = small(activation=None)
    assert model.activations(X, model.last_activation)["conv3_block1_out"].shape == (3, 6, 5, 32)
    assert model.classes == 0
    with pytest.raises(InputError, match=r"^this network has no top"):
        model.predict(X)
    converted = Model(replace(model.weights, source="resnet50.keras"))
    with pytest.raises(InputError, match=r"^the network of resnet50\.keras has no top"):
        converted.predict(X)
    with pytest.raises(InputError, match="no top"):
        npcam.explain(model, np.zeros((9, 9, 3), np.uint8))


def test_one_model_serves_many_threads():
    """Eight threads at once get the bits that one gets alone."""
    model = small()
    expected = model.logits(X)
    found = {}

    def work(i):
        found[i] = [model.logits(X) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(y, expected) for ys in found.values() for y in ys)


def test_the_bundled_model_is_the_listed_file():
    """load_model() finds it, and its checksum is the one in weights/SHA256SUMS."""
    from npcam.common.hashes import sha256_file
    from npcam.common.where import bundled_path

    model = npcam.load_model()
    assert len(model.class_names) == model.classes
    assert model.input_size == (224, 224)
    sums = dict(
        reversed(line.split()) for line in (bundled_path().parent / "SHA256SUMS").read_text().splitlines()
    )
    assert sums[bundled_path().name] == sha256_file(bundled_path())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.predict(X[0]), r"\(N, H, W, 3\)"),
        (lambda m: m.predict(np.zeros((1, 31, 64, 3), np.float32)), "from 32x32 up"),
        (
            lambda m: m.predict(X.astype(np.uint8)),
            r"^expected .* floats, got uint8; apply model.preprocess first",
        ),
        (lambda m: m.activations(X, "conv1_rule"), "did you mean conv1_relu"),
        (lambda m: m.activations(X, ["zzz"]), "npcam summary"),
        (lambda m: npcam.load_model(engine="quick"), '"fast" or "reference"'),  # noqa: ARG005
        (lambda m: npcam.load_model(dtype=int), "float type"),  # noqa: ARG005
        (lambda m: npcam.load_model("examples/chelsea.png"), "is a picture"),  # noqa: ARG005
    ],
)
def test_bad_input_is_named(call, words):
    """What does not fit says what was found and what was expected."""
    with pytest.raises(InputError, match=words):
        call(small())


def test_a_model_from_a_file_is_the_model_in_memory(tmp_path):
    """write_weights and load_model lose nothing."""
    model = small()
    write_weights(tmp_path / "small.h5", model.weights)
    assert np.array_equal(npcam.load_model(tmp_path / "small.h5").predict(X), model.predict(X))


def test_a_layer_with_its_weights(model_of_notebooks):
    """Each weight by its name, as it is in the file and read-only; what is not there is said."""
    model = model_of_notebooks
    for name, arrays in model.weights.tensors.items():
        layer = model.layer(name)
        assert layer.layer.name == name
        for weight, array in arrays.items():
            found = getattr(layer, weight)
            assert np.array_equal(found, array)
            assert not found.flags.writeable
            assert weight in dir(layer)
    assert repr(model.layer("conv1_bn")).startswith("conv1_bn (BatchNormalization): ")
    assert repr(model.layer("avg_pool")) == "avg_pool (GlobalAveragePooling2D): no weights"
    with pytest.raises(AttributeError, match=r"^conv1_conv has no gamma; it has kernel, bias$"):
        model.layer("conv1_conv").gamma  # noqa: B018
    with pytest.raises(InputError, match=r"^no layer is called 'conv1'; did you mean conv1_"):
        model.layer("conv1")
    copied = pickle.loads(pickle.dumps(LayerArrays(model.layer("predictions").layer, {"bias": np.ones(3)})))
    assert np.array_equal(copied.bias, np.ones(3))


def test_what_a_notebook_shows_of_a_model(model_of_notebooks):
    """A card with network, classes, size, source and hash, every name escaped; tables line by line."""
    model = model_of_notebooks
    card = model._repr_html_()
    for shown in ("ResNet-50", "1,508,078 parameters", "14: cassette player, cat", "224x224 pixels"):
        assert shown in card
    assert tensors_sha256(model.weights.tensors) in card
    odd = replace(model.weights, class_names=("<b>", *model.class_names[1:]), source="a&b")
    card = npcam.Model(odd)._repr_html_()
    assert "<b>" not in card
    assert "&lt;b&gt;" in card
    assert "a&amp;b" in card
    for table in (model.summary(), model.plan()):
        assert repr(table) == str(table) == f"{table}"
        assert isinstance(table, str)
        assert "\n" in repr(table)


@pytest.fixture(scope="module")
def model_of_notebooks():
    """The bundled model."""
    return npcam.load_model()

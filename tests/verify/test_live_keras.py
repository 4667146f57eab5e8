"""Live Keras as a witness: models as people build, name and nest them, and faults planted in them."""

import numpy as np
import pytest
from helpers.keras_models import keras, randomise, resnet, with_old_names, without

from npcam.common.errors import InputError
from npcam.images.preprocess import load_image, preprocess_input
from npcam.keras_files import read_keras
from npcam.verify.against import run_keras_file
from npcam.verify.compare import verify
from npcam.verify.live_keras import build_keras_model, import_keras, keras_input
from npcam.verify.record import Record
from npcam.verify.run_keras import run_keras
from npcam.verify.run_npcam import run_npcam
from npcam.weights import tensors_sha256

SIZE = 40


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A Keras model, npcam's conversion of it, a batch, and npcam's run."""
    model = randomise(resnet(size=SIZE))
    path = tmp_path_factory.mktemp("keras") / "good.keras"
    model.save(path)
    weights = read_keras(path)
    x = np.random.default_rng(1).uniform(-120, 150, (2, SIZE, SIZE, 3)).astype(np.float32)
    return model, path, weights, x, run_npcam(weights, x)


def compare(good, model):
    """What `verify` says of a Keras model, going by its numbers alone."""
    _, _, weights, x, own = good
    run = run_keras(keras, model, x, weights.architecture)
    return verify(weights, own, Record(run.activations, run.provenance))


def edited(model, changes):
    """The same model with some layers' settings changed, or other layers in their place."""

    def clone(layer):
        change = changes.get(layer.name, changes.get(type(layer).__name__, {}))
        if isinstance(change, dict):
            return layer.__class__.from_config({**layer.get_config(), **change})
        return change

    other = keras.models.clone_model(model, clone_function=clone)
    for layer in other.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return other


@pytest.mark.parametrize("isolated", [False, True])
def test_a_model_and_its_conversion_agree(good, isolated):
    """Every layer of Keras's within rounding of npcam's, hashes of the weights equal."""
    model, _, weights, x, own = good
    run = run_keras(keras, model, x, weights.architecture, "good.keras")
    assert run.provenance["weights_sha256"] == tensors_sha256(weights.tensors)
    assert run.tensors == own.tensors
    report = verify(weights, own, run, isolated=isolated)
    assert report.ok, report.first_bad
    # the input layers aside, which Keras numbers
    assert [row.name for row in report.rows][1:] == [layer.name for layer in model.layers][1:]


FAULTS = {
    "epsilon": ({"BatchNormalization": {"epsilon": 1e-3}}, "conv1_bn"),
    "epsilon of one layer": ({"conv3_block2_2_bn": {"epsilon": 1e-3}}, "conv3_block2_2_bn"),
    "padding on the wrong side": ({"conv1_pad": {"padding": ((2, 4), (2, 4))}}, "conv1_pad"),
    "pool padding of nothing": ({"pool1_pad": {"padding": 0}}, "pool1_pad"),
    "average for maximum": (
        {"pool1_pool": keras.layers.AveragePooling2D(3, 2, name="pool1_pool")},
        "pool1_pool",
    ),
    "maximum for average": ({"avg_pool": keras.layers.GlobalMaxPooling2D(name="avg_pool")}, "avg_pool"),
    "no ReLU": ({"conv2_block1_2_relu": {"activation": "linear"}}, "conv2_block1_2_relu"),
    "leaky ReLU": ({"conv3_block1_1_relu": {"activation": "leaky_relu"}}, "conv3_block1_1_relu"),
    "GELU after the sum": ({"conv3_block1_out": {"activation": "gelu"}}, "conv3_block1_out"),
    "difference for sum": (
        {"conv4_block1_add": keras.layers.Subtract(name="conv4_block1_add")},
        "conv4_block1_add",
    ),
    "sigmoid for softmax": ({"predictions": {"activation": "sigmoid"}}, "predictions"),
    "a ReLU too many": ({"conv3_block2_2_conv": {"activation": "relu"}}, "conv3_block2_2_conv"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_model_is_found(good, fault):
    """One layer set otherwise: that one is blamed."""
    changes, blamed = FAULTS[fault]
    _, _, weights, x, own = good
    run = run_keras(keras, edited(good[0], changes), x, weights.architecture)
    for isolated in (False, True):
        assert verify(weights, own, Record(run.activations), isolated=isolated).first_bad.name == blamed


@pytest.mark.parametrize(
    ("make", "blamed"),
    [
        (lambda: resnet(size=SIZE, stride_in=2), "conv3_block1_1_conv"),
        (lambda: without(resnet(size=SIZE), "pool1_pad"), "pool1_pad"),
    ],
    ids=["stride in the 3x3", "pool padding missing"],
)
def test_a_fault_in_the_structure_is_found(good, make, blamed):
    """torchvision's stride, and the network of 2017, with the right weights in it."""
    other = make()
    for layer in other.layers:
        if layer.weights:
            layer.set_weights(good[0].get_layer(layer.name).get_weights())
    assert compare(good, other).first_bad.name == blamed


def test_other_names_and_nested_models_are_looked_into(good, tmp_path):
    """The names of 2017, a nested backbone, and a softmax that is a layer of its own."""
    x = good[3]
    old = randomise(with_old_names(resnet(size=SIZE)))
    inner = resnet(size=SIZE, top=None)
    y = keras.layers.GlobalAveragePooling2D()(inner(inner.input))
    y = keras.layers.Dropout(0.5)(y)
    nested = randomise(keras.Model(inner.input, keras.layers.Dense(3, activation="softmax")(y)))
    y = keras.layers.Dense(4, name="scores")(resnet(size=SIZE, top="pooled").output)
    inner = resnet(size=SIZE, top="pooled")
    y = keras.layers.Activation("softmax")(keras.layers.Dense(4, name="scores")(inner.output))
    split = randomise(keras.Model(inner.input, y))
    for model in (old, nested, split):
        model.save(tmp_path / "m.keras")
        weights = read_keras(tmp_path / "m.keras")
        report = verify(
            weights, run_npcam(weights, x), run_keras(keras, model, x, weights.architecture, "m.keras")
        )
        assert report.ok, (model.name, report.first_bad)
        assert len(report.rows) == len(resnet(size=SIZE).layers)


def test_npcams_weights_make_a_keras_model(good):
    """A model built from the converted weights gives the bits of the one they were converted from."""
    model, _, weights, x, _ = good
    built = build_keras_model(keras, weights)
    assert [layer.name for layer in built.layers][1:] == [layer.name for layer in model.layers][1:]
    expected = run_keras(keras, model, x, weights.architecture).activations
    found = run_keras(keras, built, x, weights.architecture).activations
    for name, array in expected.items():
        assert np.array_equal(found[name], array), name


def test_a_model_that_npcam_cannot_run_can_be_recorded(good, tmp_path):
    """A model with a fault is no ResNet of npcam's, but its layers still go by their names."""
    edited(good[0], {"conv3_block1_1_relu": {"activation": "elu"}}).save(tmp_path / "bad.keras")
    np.save(tmp_path / "x.npy", good[3])
    record = run_keras_file(str(tmp_path / "bad.keras"), str(tmp_path / "x.npy"), None)
    report = verify(good[2], good[4], record)
    assert report.first_bad.name == "conv3_block1_1_relu"


def test_keras_prepares_photographs_to_the_same_bits(tmp_path):
    """Keras's functions and npcam's, on the same file."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    expected = keras_input(keras, tmp_path / "p.png", (32, 48))
    assert np.array_equal(preprocess_input(load_image(tmp_path / "p.png", (32, 48)))[None], expected)


def test_a_backend_is_chosen_once():
    """Keras runs on the backend that it was imported with; another one needs another process."""
    assert import_keras(None) is keras
    assert import_keras(keras.backend.backend()) is keras
    other = "torch" if keras.backend.backend() != "torch" else "jax"
    with pytest.raises(InputError, match="runs on"):
        import_keras(other)
    with pytest.raises(InputError, match="choose one of"):
        import_keras("theano")

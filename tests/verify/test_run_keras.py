"""A Keras model as a run: every layer's own numbers, under npcam's names, however the model names them."""

from dataclasses import replace

import numpy as np
import pytest

from npcam.common.errors import InputError
from npcam.layers import layers
from npcam.resnet import Architecture
from npcam.verify.record import array_sha256
from npcam.verify.run_keras import first_convolution_input, layer_names, run_keras
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, tensors_sha256

ARCH = Architecture(blocks=(1,), strides=(1,))
NAMES = [layer.name for layer in layers(ARCH)]
ORDER = [*NAMES, "logits"]


@pytest.fixture(scope="module")
def models(keras):
    """The helpers that build Keras models; skipped without Keras."""
    assert keras
    from helpers import keras_models

    return keras_models


@pytest.fixture(scope="module")
def build(models):
    """A function that builds a narrow ResNet of one block, with random weights."""

    def built(**options):
        return models.randomise(models.resnet((1,), 4, 3, 32, **options))

    return built


@pytest.fixture(scope="module")
def plain(build):
    """The network with Keras's own names."""
    return build()


@pytest.fixture(scope="module")
def x():
    """A preprocessed batch."""
    return np.random.default_rng(1).uniform(-120, 150, (2, 32, 32, 3)).astype(np.float32)


def outputs(keras, model, x):
    """{layer: what it puts out}, by a model that has them all as outputs."""
    made = {layer.name: layer.output for layer in model.layers[1:]}
    return {n: np.asarray(y) for n, y in keras.Model(model.input, made)(x, training=False).items()}


def tensors(model):
    """The model's weights by layer and name."""
    return {
        layer.name: {v.name: np.asarray(v.value) for v in layer.weights}
        for layer in model.layers
        if layer.weights
    }


def close(found, expected):
    """Whether two float32 runs of the same layers agree, far below what a mistake would make."""
    return np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_every_layer_is_recorded(keras, plain, x):
    """Each layer's own output, in the network's order, from the input to the logits."""
    run = run_keras(keras, plain, x, ARCH, "m.keras")
    assert list(run.activations) == ORDER
    assert np.array_equal(run.activations["input_layer"], x)
    for name, array in outputs(keras, plain, x).items():
        assert run.activations[name].dtype == np.float32
        assert close(run.activations[name], array), name
    w = tensors(plain)["predictions"]
    assert close(run.activations["logits"], run.activations["avg_pool"] @ w["kernel"] + w["bias"])


def test_a_run_says_how_it_came_about(keras, plain, x):
    """Keras and its backend, the file, and hashes as npcam has them of the same weights and input."""
    run = run_keras(keras, plain, x, ARCH, "m.keras")
    name = keras.backend.backend()
    assert run.provenance["made_by"] == f"keras {keras.__version__}"
    assert run.provenance["engine"].startswith(f"{name} ")
    assert run.provenance["model"] == "m.keras"
    assert run.provenance["weights_sha256"] == tensors_sha256(tensors(plain))
    assert run.provenance["input_sha256"] == array_sha256(x)
    assert run.tensors == run_npcam(Weights(ARCH, tensors(plain)), x).tensors
    assert run_keras(keras, plain, x, ARCH).provenance["model"] == ""


def test_a_model_is_left_as_it_was(keras, plain, x):
    """No layer is watched any more, whether the run went well or not, and the softmax is in its place."""
    run_keras(keras, plain, x, ARCH)
    with pytest.raises(InputError) as caught:
        run_keras(keras, plain, x[..., :2], ARCH, "m.keras")
    assert str(caught.value).startswith("m.keras: Keras cannot run it on an input of shape (2, 32, 32, 2) (")
    assert "\n" not in str(caught.value)
    assert not any("call" in vars(layer) for layer in plain.layers)
    assert plain.get_layer("predictions").activation is keras.activations.softmax


def test_a_model_with_other_names(keras, plain, x):
    """Layers go by what they do: names that say nothing, and numbers for those without weights."""

    def renamed(layer):
        config = layer.get_config()
        number = config.pop("name")
        return type(layer).from_config(
            config | ({"name": f"layer_{NAMES.index(number)}"} if layer.weights else {})
        )

    model = keras.models.clone_model(plain, clone_function=renamed)
    model.set_weights(plain.get_weights())
    assert not {layer.name for layer in model.layers[1:]} & set(NAMES)
    run, expected = run_keras(keras, model, x, ARCH, "m.keras"), run_keras(keras, plain, x, ARCH)
    assert list(run.activations) == ORDER
    for name, array in expected.activations.items():
        assert np.array_equal(run.activations[name], array), name
    assert run.provenance["weights_sha256"] == expected.provenance["weights_sha256"]
    assert run.tensors == expected.tensors


def test_padding_that_is_missing_is_not_made_up(keras, plain, x):
    """Where npcam has a padding and the model has none, the pool's input is what the ReLU put out."""

    def call(layer, given, **options):
        return given if layer.name == "pool1_pad" else layer(given, **options)

    model = keras.models.clone_model(plain, call_function=call)
    model.set_weights(plain.get_weights())
    run, expected = run_keras(keras, model, x, ARCH), run_keras(keras, plain, x, ARCH)
    assert list(run.activations) == ORDER
    for name in ("pool1_pad", "conv1_relu"):
        assert np.array_equal(run.activations[name], expected.activations["conv1_relu"]), name


def test_a_softmax_that_is_a_layer_of_its_own(keras, models, x):
    """The dense layer has the logits, and the model's output are the probabilities."""
    body = models.resnet((1,), 4, 3, 32, top="pooled")
    scores = keras.layers.Dense(3, name="scores")(body.output)
    model = models.randomise(keras.Model(body.input, keras.layers.Activation("softmax")(scores)))
    run = run_keras(keras, model, x, ARCH, "m.keras")
    assert list(run.activations) == ORDER
    assert close(run.activations["logits"], outputs(keras, model, x)["scores"])
    assert close(run.activations["predictions"], np.asarray(model(x, training=False)))
    assert run.activations["predictions"].sum() == pytest.approx(2, abs=1e-6)


def test_a_model_with_several_outputs(keras, plain, x):
    """Whatever it puts out, the layers are what they are."""
    model = keras.Model(plain.input, {"classes": plain.output, "maps": plain.get_layer("conv1_bn").output})
    run, expected = run_keras(keras, model, x, ARCH), run_keras(keras, plain, x, ARCH)
    assert list(run.activations) == ORDER
    assert close(run.activations["predictions"], expected.activations["predictions"])


def test_nested_models_are_looked_into(keras, models, x):
    """A backbone that is one layer of the model; the model's layers are those of both, without it."""
    body = models.resnet((1,), 4, 3, 32, top=None)
    y = keras.layers.GlobalAveragePooling2D(name="pooled")(body(body.input))
    model = models.randomise(
        keras.Model(body.input, keras.layers.Dense(3, activation="softmax", name="d")(y))
    )
    assert layer_names(model) == {layer.name for layer in body.layers} | {model.layers[0].name, "pooled", "d"}
    run = run_keras(keras, model, x, ARCH, "m.keras")
    assert list(run.activations) == ORDER
    for name, array in outputs(keras, body, x).items():
        assert close(run.activations[name], array), name
    assert close(run.activations["predictions"], np.asarray(model(x, training=False)))


@pytest.mark.parametrize("count", [1, 2])
def test_a_network_of_another_kind_goes_by_names(keras, models, x, count):
    """What it puts out is its predictions; the weights of such a top are nobody's but its own."""
    body = models.resnet((1,), 4, 3, 32, top="pooled")
    y = keras.layers.Activation("elu")(body.output)
    for n in range(count):
        y = keras.layers.Dense(4 - n, name=f"scores{n}")(y)
    model = models.randomise(keras.Model(body.input, y))
    run = run_keras(keras, model, x, ARCH, "m.keras")
    assert list(run.activations) == ORDER
    assert "predictions/kernel" not in run.tensors
    assert close(run.activations["predictions"], outputs(keras, model, x)[f"scores{count - 1}"])


def test_a_model_without_a_graph_goes_by_names(keras, models, x):
    """A class of its own, which calls its layers by hand, with arguments by name."""
    body = models.resnet((1,), 4, 3, 32, top=None)

    class Handmade(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = body
            self.pool = keras.layers.GlobalAveragePooling2D(name="avg_pool")
            self.scores = keras.layers.Dense(3, activation="softmax", name="scores")

        def call(self, inputs):
            return self.scores(inputs=self.pool(self.body(inputs)))

    model = Handmade()
    expected = np.asarray(model(x))
    run = run_keras(keras, model, x, ARCH)
    assert list(run.activations) == ORDER
    assert close(run.activations["predictions"], expected)


def test_a_network_without_a_top(keras, build, x):
    """Ends with the last block."""
    run = run_keras(keras, build(top=None), x, replace(ARCH, activation=None))
    assert list(run.activations) == ORDER[:-3]


def test_what_the_first_convolution_is_given(keras, build):
    """What stands before the first that sees neighbours: a 1x1 convolution of a grey channel among it."""
    layers = keras.layers
    grey = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 1)).astype(np.float32)
    image = layers.Input((32, 32, 1))
    colour = layers.Conv2D(3, 1, kernel_initializer="ones", bias_initializer="ones")
    model = keras.Model(image, build(top=None)(colour(image)))
    seen = first_convolution_input(keras, model, grey)
    inside = seen[:, 3:-3, 3:-3]  # within the padding of the stem
    np.testing.assert_allclose(inside, np.repeat(grey + 1, 3, axis=-1), rtol=1e-6)
    bare = build(top=None)
    x = np.ones((1, 32, 32, 3), np.float32)
    assert first_convolution_input(keras, bare, x) is x
    mixing = keras.Model(image, layers.Conv2D(2, 1)(image))  # none but of 1x1: the first of them
    assert first_convolution_input(keras, mixing, grey) is grey
    assert first_convolution_input(keras, keras.Model(image, layers.Flatten()(image)), grey) is None


def test_float_types_that_numpy_lacks_become_float32(keras, models, x):
    """A pool in bfloat16, which is float32 without its last 16 bits."""
    body = models.resnet((1,), 4, 3, 32, top=None)
    y = keras.layers.GlobalAveragePooling2D(name="avg_pool", dtype="bfloat16")(body.output)
    model = models.randomise(keras.Model(body.input, keras.layers.Dense(3, name="predictions")(y)))
    run = run_keras(keras, model, x, ARCH)
    found, maps = run.activations["avg_pool"], run.activations["conv2_block1_out"]
    assert found.dtype == np.float32
    assert not (found.view(np.uint32) & 0xFFFF).any()
    # 64 numbers of 8 bits are added, each sum rounded to half of 2^-7 of it at most
    np.testing.assert_allclose(found, maps.mean(axis=(1, 2)), rtol=64 * 2.0**-8)

"""Every layout that Keras ever had, with both schemes of names, and the network of 2017."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from helpers.handmade_keras import SMALL, config_of, tensors_of, write_keras
from helpers.keras2_files import write_named, write_numbered
from helpers.keras_models import (
    PROBABILITY,
    layers,
    outputs,
    photographs,
    predictions,
    randomise,
    resnet,
    save_legacy,
)

from npcam import InputError
from npcam.keras_files import read_keras

X = photographs()


@pytest.fixture(scope="module")
def today():
    """A narrow ResNet as Keras builds it now, and what it says."""
    model = randomise(resnet(blocks=(1, 2, 1)))
    return model, predictions(model, X)


@pytest.fixture(scope="module")
def of_2017():
    """The network that the tutorials describe: epsilon 1e-3, no pool1_pad, average pooling and flatten."""
    model = resnet(blocks=(1, 2, 1), old_names=True, top="average", pool_pad=False, epsilon=1e-3)
    return randomise(model), predictions(model, X)


def agrees(path, expected, **options):
    """Convert, and hold the probabilities against Keras's; returns the weights."""
    weights = read_keras(path, **options)
    _, _, probabilities = outputs(weights, X)
    assert np.abs(probabilities - expected).max() < PROBABILITY
    return weights


def test_keras_reads_what_is_made_by_hand(tmp_path):
    """The files that other tests build without Keras are files of Keras's: it loads them, and agrees."""
    path = write_keras(tmp_path / "a.keras", config_of(), tensors_of())
    weights = agrees(path, predictions(keras.models.load_model(path), X))
    assert weights.architecture == SMALL


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("keras1", [False, True])
@pytest.mark.parametrize("pieces", [1, 3])
def test_keras_2_and_1(tmp_path, today, keras1, as_text, pieces):
    """`:0` suffixes, bytes or text, lists in pieces, and datasets named as Keras 1 did."""
    model, expected = today
    path = write_named(model, tmp_path / "a.h5", keras1=keras1, as_text=as_text, pieces=pieces)
    agrees(path, expected)


@pytest.mark.parametrize("keras1", [False, True])
def test_old_names(tmp_path, of_2017, keras1):
    """`res2a_branch2a` and `fc1000` become today's names, and `running_std` holds the variance."""
    model, expected = of_2017
    weights = agrees(write_named(model, tmp_path / "a.h5", keras1=keras1), expected)
    arch = weights.architecture
    assert (arch.epsilon, arch.pool_padding) == (1e-3, 0)
    np.testing.assert_array_equal(
        weights.tensors["conv3_block2_2_bn"]["moving_variance"],
        np.asarray(model.get_layer("bn3b_branch2b").moving_variance),
    )


def test_numbered_without_names(tmp_path, today):
    """`.weights.h5` of Keras 2.12 to early 3: order 1, 2, 0, 3 where the shortcut is a convolution."""
    model, expected = today
    agrees(write_numbered(model, tmp_path / "a.weights.h5"), expected)


def test_numbered_without_names_2017(tmp_path, of_2017):
    """The same for the network of 2017, whose order is 1, 2, 3, 0, as the kernels' shapes tell."""
    model, expected = of_2017
    weights = agrees(write_numbered(model, tmp_path / "a.weights.h5"), expected)
    assert (weights.architecture.epsilon, weights.architecture.pool_padding) == (1e-3, 0)


@pytest.mark.parametrize("layout", ["a.keras", "a.h5"])
def test_2017_by_configuration(tmp_path, of_2017, layout):
    """The configuration alone decides epsilon, padding and pooling."""
    model, expected = of_2017
    model.save(tmp_path / layout)
    weights = agrees(tmp_path / layout, expected)
    assert (weights.architecture.epsilon, weights.architecture.pool_padding) == (1e-3, 0)


def test_2018_by_listed_layers(tmp_path):
    """Old names with pool1_pad in the list are Keras 2.2.3's and 2.2.4's network."""
    model = randomise(resnet(blocks=(1, 1), old_names=True, epsilon=1e-3))
    weights = agrees(write_named(model, tmp_path / "a.h5"), predictions(model, X))
    assert (weights.architecture.epsilon, weights.architecture.pool_padding) == (1e-3, 1)


def test_uncertain_network_needs_the_flag(tmp_path, of_2017):
    """Old names alone, with no list of layers without weights: refused, then told by the flag."""
    model, expected = of_2017
    path = write_named(model, tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        names = [name for name in file.attrs["layer_names"] if len(file[name])]
        file.attrs["layer_names"] = names
    with pytest.raises(InputError, match="--network"):
        read_keras(path)
    agrees(path, expected, network="2017")


def test_flags_must_not_contradict_the_configuration(tmp_path, today):
    """What the file says for certain is not to be overruled."""
    model, _ = today
    model.save(tmp_path / "a.keras")
    for option in ({"network": "2017"}, {"activation": "sigmoid"}):
        with pytest.raises(InputError, match="its configuration says"):
            read_keras(tmp_path / "a.keras", **option)
    with pytest.raises(InputError, match="expected one of"):
        read_keras(tmp_path / "a.keras", network="2016")


def test_assumed_activation(tmp_path):
    """Weights alone do not tell the top's activation: softmax is assumed and noted, or given."""
    model = randomise(resnet(blocks=(1, 1), activation="sigmoid"))
    model.save_weights(tmp_path / "a.weights.h5")
    assert "assumed" in read_keras(tmp_path / "a.weights.h5").notes[0]
    weights = agrees(tmp_path / "a.weights.h5", predictions(model, X), activation="sigmoid")
    assert weights.notes == ()


@pytest.mark.parametrize("options", [{"libver": "latest"}, {"userblock_size": 1024}, {"compression": "gzip"}])
def test_other_hdf5(tmp_path, today, options):
    """HDF5's newer format, a user block, and compressed chunks in big-endian float64."""
    model, expected = today
    save_legacy(model, tmp_path / "a.h5")
    compressed = "compression" in options
    with (
        h5py.File(tmp_path / "a.h5") as a,
        h5py.File(tmp_path / "b.h5", "w", **({} if compressed else options)) as b,
    ):
        b.attrs.update(a.attrs)

        def copy(name, node):
            if isinstance(node, h5py.Group):
                made = b.require_group(name)
            elif compressed:
                data = node[...].astype(">f8")
                made = b.create_dataset(
                    name, data=data, chunks=True, shuffle=True, fletcher32=True, **options
                )
            else:
                made = b.create_dataset(name, data=node[...])
            made.attrs.update(node.attrs)

        a.visititems(copy)
    agrees(tmp_path / "b.h5", expected)


def test_recompressed_archive(tmp_path, today):
    """A `.keras` file that someone zipped again, compressed."""
    model, expected = today
    model.save(tmp_path / "a.keras")
    with (
        zipfile.ZipFile(tmp_path / "a.keras") as a,
        zipfile.ZipFile(tmp_path / "b.keras", "w", zipfile.ZIP_DEFLATED) as b,
    ):
        for name in a.namelist():
            b.writestr(name, a.read(name))
    agrees(tmp_path / "b.keras", expected)


def test_frozen_nested_backbone_without_names(tmp_path):
    """The older layout lists a nested model's trained weights first; without names, order alone tells."""
    backbone = resnet(blocks=(1, 1), top="pooled")
    for layer in backbone.layers[:9]:
        layer.trainable = False
    model = randomise(keras.Sequential([layers.Input((64, 64, 3)), backbone, layers.Dense(3, "softmax")]))
    path = save_legacy(model, tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        group = file["model_weights/resnet50"]
        names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs["weight_names"]]
        for i, name in enumerate(names):
            group.move(name, f"x{i}/w")
        group.attrs["weight_names"] = [f"x{i}/w" for i in range(len(names))]
    agrees(path, predictions(model, X))


def test_configuration_of_keras_2(tmp_path, today):
    """Keras 2 writes layers' inputs as lists, shapes as `batch_input_shape`, and axes as lists."""
    model, expected = today
    path = save_legacy(model, tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            calls = layer["inbound_nodes"]
            layer["inbound_nodes"] = [[[name, 0, 0, {}] for name in _sources(call)] for call in calls]
            settings = layer["config"]
            settings["dtype"] = "float32"
            if "batch_shape" in settings:
                settings["batch_input_shape"] = settings.pop("batch_shape")
            if "axis" in settings:
                settings["axis"] = [settings["axis"]]
        for end in ("input_layers", "output_layers"):
            config["config"][end] = [config["config"][end]]
        file.attrs["model_config"] = json.dumps({"class_name": "Model", "config": config["config"]}).encode()
    agrees(path, expected)


def _sources(call):
    """The names of the layers that a call of Keras 3 reads."""
    if isinstance(call, dict) and "keras_history" in call:
        return [call["keras_history"][0]]
    parts = call.values() if isinstance(call, dict) else call if isinstance(call, list) else ()
    return [name for part in parts for name in _sources(part)]

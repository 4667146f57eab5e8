"""From a file to weights: either road, in every layout, with all that a file may leave open."""

import hashlib

import h5py
import numpy as np
import pytest
from helpers.handmade_keras import (
    SMALL,
    changed,
    config_of,
    entry,
    tensors_of,
    write_h5,
    write_keras,
    write_weights_h5,
)

from npcam import InputError, __version__
from npcam.keras_files import expected_shapes, open_keras, present_shapes, read_keras, recognise_file
from npcam.preprocessing import MODES
from npcam.resnet import Architecture

CONFIG, TENSORS = config_of(), tensors_of()
ASSUMED = "no configuration in the file: the Dense layer's softmax is assumed"

LAYOUTS = {
    "whole.keras": write_keras,
    "packed.keras": lambda *args: write_keras(*args, compress=True),
    "whole.h5": write_h5,
    "alone.h5": lambda *args: write_h5(*args, whole=False),
    "keras1.h5": lambda *args: write_h5(*args, whole=False, keras1=True),
    "named.weights.h5": write_weights_h5,
    "numbered.weights.h5": lambda *args: write_weights_h5(*args, names=False),
}


def same(found, expected):
    """Every tensor is there, bit for bit, in the network's order, and in float32."""
    assert list(found) == list(expected)
    for layer, arrays in expected.items():
        assert sorted(found[layer]) == sorted(arrays)
        for name, array in arrays.items():
            assert found[layer][name].dtype == np.float32
            np.testing.assert_array_equal(found[layer][name], array)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(tmp_path, layout):
    """The tensors of the file, and all that is known of it."""
    path = LAYOUTS[layout](tmp_path / layout, CONFIG, TENSORS)
    weights = read_keras(path)
    same(weights.tensors, {layer: TENSORS[layer] for layer in weights.tensors})
    assert weights.tensors.keys() == TENSORS.keys()
    assert weights.architecture == SMALL
    whole = "whole" in layout or "packed" in layout
    assert weights.input_size == ((64, 64) if whole else (224, 224))
    assert weights.notes == (() if whole else (ASSUMED,))
    assert weights.source == layout
    assert weights.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert weights.converter == f"npcam {__version__}"
    assert weights.class_names is weights.wnids is None
    assert weights.preprocessing == MODES["caffe"]
    alone = ("network", "preprocessing", "input_size", "activation")
    assert weights.assumed == (("preprocessing",) if whole else alone)


def test_a_path_as_text(tmp_path):
    """The path may be text; only its last part is the source's name."""
    path = write_keras(tmp_path / "a.keras", CONFIG, TENSORS)
    assert read_keras(str(path)).source == "a.keras"


def test_the_size_of_the_input(tmp_path):
    """The configuration's, or Keras's 224 where it is open."""
    for size, expected in (((32, 48), (32, 48)), ((None, None), (224, 224))):
        config = changed(CONFIG, "input_layer", batch_shape=[None, *size, 3])
        assert read_keras(write_keras(tmp_path / "a.keras", config, TENSORS)).input_size == expected


def test_networks_for_weights_alone(tmp_path):
    """What nothing in the file tells is taken from the option."""
    path = write_weights_h5(tmp_path / "a.weights.h5", CONFIG, TENSORS)
    for network, padding, epsilon in (("keras", 1, 1.001e-5), ("2018", 1, 1e-3), ("2017", 0, 1e-3)):
        arch = read_keras(path, network=network).architecture
        assert (arch.pool_padding, arch.epsilon) == (padding, epsilon)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_activations_for_weights_alone(tmp_path, activation):
    """The Dense layer's function as it is said; then nothing is assumed."""
    path = write_weights_h5(tmp_path / "a.weights.h5", CONFIG, TENSORS)
    weights = read_keras(path, activation=activation)
    assert weights.architecture.activation == activation
    assert weights.notes == ()


def test_a_backbone_has_no_activation(tmp_path):
    """Whatever is said, and nothing is assumed."""
    arch = Architecture(blocks=(1,), strides=(1,), activation=None)
    path = write_weights_h5(tmp_path / "a.weights.h5", config_of(arch), tensors_of(arch))
    for activation in (None, "sigmoid"):
        weights = read_keras(path, activation=activation)
        assert weights.architecture.activation is None
        assert weights.notes == ()


def test_options_that_are_none(tmp_path):
    """Before the file is looked at."""
    path = tmp_path / "none"
    for option, known in (("network", "keras, 2018, 2017"), ("activation", "softmax, sigmoid, linear")):
        with pytest.raises(InputError) as error:
            read_keras(path, **{option: "other"})
        assert str(error.value) == f"{option} 'other': expected one of {known}"


def test_options_against_the_configuration(tmp_path):
    """What the file says for certain is not overruled; the same said again is no harm."""
    path = write_keras(tmp_path / "a.keras", CONFIG, TENSORS)
    assert read_keras(path, network="keras", activation="softmax").architecture == SMALL
    says = f"{path}: its configuration says"
    for options, reason in (
        ({"network": "2018"}, "pool padding 1 and epsilon 1.001e-05, not network 2018"),
        ({"network": "2017"}, "pool padding 1 and epsilon 1.001e-05, not network 2017"),
        ({"activation": "linear"}, "activation softmax, not linear"),
    ):
        with pytest.raises(InputError) as error:
            read_keras(path, **options)
        assert str(error.value) == f"{says} {reason}; leave the option out"


def without(names, layers=None):
    """A configuration and tensors of layers that are built without some weights."""
    config, tensors = config_of(), tensors_of()
    setting = {"bias": "use_bias", "gamma": "scale", "beta": "center"}
    for layer, arrays in tensors.items():
        for name in names:
            if name in arrays and (layers is None or layer in layers):
                del arrays[name]
                config = changed(config, layer, **{setting[name]: False})
    return config, tensors


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("names", [("bias",), ("gamma", "beta"), ("bias", "gamma", "beta")])
def test_layers_built_without_weights(tmp_path, layout, names):
    """They become the zeros and ones that change nothing."""
    path = LAYOUTS[layout](tmp_path / layout, *without(names))
    found = read_keras(path).tensors
    for layer, arrays in TENSORS.items():
        for name, array in arrays.items():
            if name in names:
                expected = np.ones_like(array) if name == "gamma" else np.zeros_like(array)
            else:
                expected = array
            np.testing.assert_array_equal(found[layer][name], expected)
            assert found[layer][name].dtype == np.float32


def test_a_weight_that_one_layer_lacks(tmp_path):
    """Where a configuration says so it is left out; where there is none, it is missing."""
    config, tensors = without(("bias",), layers=["conv2_block1_2_conv"])
    found = read_keras(write_keras(tmp_path / "a.keras", config, tensors)).tensors
    np.testing.assert_array_equal(found["conv2_block1_2_conv"]["bias"], np.zeros(2, np.float32))
    with pytest.raises(InputError, match="1 missing: conv2_block1_2_conv/bias"):
        read_keras(write_h5(tmp_path / "a.h5", config, tensors, whole=False))
    dense_alone = without(("bias",), layers=["predictions"])
    found = read_keras(write_h5(tmp_path / "b.h5", *dense_alone, whole=False)).tensors
    np.testing.assert_array_equal(found["predictions"]["bias"], np.zeros(3, np.float32))


MISFITS = {
    "conv2_block1_1_conv": (
        "kernel",
        np.ones((1, 1, 3, 2), "f4"),
        "of the wrong shape: conv2_block1_1_conv/kernel",
    ),
    "conv1_bn": ("beta", np.ones(3, "f4"), "of the wrong shape: conv1_bn/beta (3,) (expected (2,))"),
    "predictions": ("bias", np.ones(4, "f4"), "of the wrong shape: predictions/bias (4,) (expected (3,))"),
}


@pytest.mark.parametrize("layer", MISFITS)
def test_arrays_that_do_not_fit(tmp_path, layer):
    """Shapes are compared before anything is read, by the names of Keras."""
    name, array, reason = MISFITS[layer]
    tensors = tensors_of() | {layer: TENSORS[layer] | {name: array}}
    for write in LAYOUTS.values():
        path = write(tmp_path / "a.h5", CONFIG, tensors)
        with pytest.raises(InputError) as error:
            read_keras(path)
        assert str(error.value).startswith(f"{path}: tensors do not fit a ResNet of (1, 2) blocks: ")
        assert reason in str(error.value)
        path.unlink()


def test_layers_that_are_missing(tmp_path):
    """A layer that the configuration has and the arrays have not."""
    path = write_h5(tmp_path / "a.h5", CONFIG, tensors_of() | {"conv1_bn": {}})
    with pytest.raises(InputError, match=r"4 missing: conv1_bn/gamma, conv1_bn/beta"):
        read_keras(path)


def test_values_that_are_not_finite(tmp_path):
    """They are refused by the array's place in the file."""
    bad = TENSORS["conv1_bn"] | {"beta": np.array([1, np.nan], "f4")}
    path = write_keras(tmp_path / "a.keras", CONFIG, tensors_of() | {"conv1_bn": bad})
    with pytest.raises(InputError) as error:
        read_keras(path)
    assert "/layers/batch_normalization/vars/1 holds NaN or infinity" in str(error.value)


def test_notes(tmp_path):
    """What stands in front, and other float types than float32 and float64."""
    config = config_of()
    pad = next(e for e in config["config"]["layers"] if e["name"] == "conv1_pad")
    config["config"]["layers"].insert(1, entry("Rescaling", "rescale", "input_layer", scale=1.0))
    pad["inbound_nodes"] = entry("x", "x", "rescale")["inbound_nodes"]
    front = "in front of the ResNet, part of the preprocessing now: rescale (Rescaling)"
    path = tmp_path / "a.keras"
    assert read_keras(write_keras(path, config, TENSORS)).notes == (front,)
    for layer, dtype in (
        ("conv1_bn", "mixed_float16"),
        ("conv1_conv", "bfloat16"),
        ("predictions", "float64"),
    ):
        config = changed(config, layer, dtype=dtype)
    types = "Keras computes it in bfloat16, mixed_float16, npcam in float32"
    assert read_keras(write_keras(path, config, TENSORS)).notes == (front, types)
    plain = changed(config_of(), "predictions", dtype="float64")
    assert read_keras(write_keras(path, plain, TENSORS)).notes == ()


def test_shapes_before_reading(tmp_path):
    """What the network needs, and what is there, with what layers were built without."""
    config, tensors = without(("gamma",), layers=["conv1_bn"])
    path = write_keras(tmp_path / "a.keras", config, tensors)
    with open_keras(path) as file:
        found = recognise_file(file, "a", None, None)
        shapes = {layer: {n: a.shape for n, a in arrays.items()} for layer, arrays in TENSORS.items()}
        assert expected_shapes(found) == shapes
        assert present_shapes(found) == shapes
        assert found.absent["conv1_bn"] == ("gamma",)
        assert found.absent["conv1_conv"] == ()
        found.arrays["conv1_conv"].pop("kernel")
        assert expected_shapes(found)["conv1_conv"] == {"kernel": (7, 7, 3, 0), "bias": (0,)}
        assert "kernel" not in present_shapes(found)["conv1_conv"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("layer", ["conv1_conv", "conv2_block1_2_conv"])
def test_a_kernel_that_is_one_number(tmp_path, layer, layout):
    """It has no channels to count, and is no convolution's."""
    tensors = tensors_of() | {layer: TENSORS[layer] | {"kernel": np.float32(1)}}
    with pytest.raises(InputError):
        read_keras(LAYOUTS[layout](tmp_path / layout, CONFIG, tensors))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_kernels_in_theanos_order(tmp_path, layout):
    """They are called that, with the model's configuration and without it."""
    tensors = {
        layer: {n: a.transpose(3, 2, 0, 1) if a.ndim == 4 else a for n, a in arrays.items()}
        for layer, arrays in TENSORS.items()
    }
    with pytest.raises(InputError, match=r"the kernel of conv.* has shape .*, in Theano's order"):
        read_keras(LAYOUTS[layout](tmp_path / layout, CONFIG, tensors))


def test_files_that_are_none(tmp_path):
    """No file, a folder, and HDF5 of something else."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1.0
    for name, reason in (
        (".", "is a directory"),
        ("none", "no such file"),
        ("other.h5", "HDF5, but not Keras's"),
    ):
        with pytest.raises(InputError, match=reason):
            read_keras(tmp_path / name)


def between(config, below, above, *entries):
    """A configuration with layers put between two others; each is (class, name, settings)."""
    config = changed(config, above)
    layers = config["config"]["layers"]
    at = next(i for i, e in enumerate(layers) if e["name"] == above)
    made = []
    for kind, name, settings in entries:
        made.append(entry(kind, name, below, **settings))
        below = name
    layers[at]["inbound_nodes"] = entry("x", "x", below)["inbound_nodes"]
    layers[at:at] = made
    return config


WHOLE = [layout for layout in LAYOUTS if "whole" in layout]


@pytest.mark.parametrize("layout", WHOLE)
def test_a_head_of_two_layers(tmp_path, layout):
    """It is one in the weights, and the layers that it was are named."""
    config = between(CONFIG, "avg_pool", "predictions", ("Dense", "hidden", {"units": 5}))
    rng = np.random.default_rng(1)
    channels = TENSORS["predictions"]["kernel"].shape[0]
    first = {"kernel": rng.normal(size=(channels, 5)).astype("f4"), "bias": rng.normal(size=5).astype("f4")}
    second = {"kernel": rng.normal(size=(5, 3)).astype("f4"), "bias": rng.normal(size=3).astype("f4")}
    tensors = tensors_of() | {"hidden": first, "predictions": second}
    path = LAYOUTS[layout](tmp_path / layout, config, tensors)
    weights = read_keras(path)
    made = weights.tensors["predictions"]
    product = first["kernel"].astype(float) @ second["kernel"]
    np.testing.assert_array_equal(made["kernel"], product.astype("f4"))
    bias = first["bias"].astype(float) @ second["kernel"] + second["bias"]
    np.testing.assert_array_equal(made["bias"], bias.astype("f4"))
    assert weights.notes == ("folded into predictions: hidden (Dense), predictions (Dense)",)
    assert weights.architecture == SMALL
    with open_keras(path) as file:
        found = recognise_file(file, "a")
    assert found.origins["predictions"] == "hidden, predictions"
    assert found.origins["conv1_conv"] == "conv1_conv"


@pytest.mark.parametrize("layout", WHOLE)
def test_what_a_layer_in_front_was_adapted_to(tmp_path, layout):
    """Its mean and variance are in the file, with a count that nothing is computed of."""
    config = between(CONFIG, "input_layer", "conv1_pad", ("Normalization", "adapted", {"axis": [-1]}))
    mean, variance = np.array([100, 110, 120], "f4"), np.array([2500, 3600, 4900], "f4")
    adapted = {"mean": mean, "variance": variance, "count": np.array(7, "i8")}
    path = LAYOUTS[layout](tmp_path / layout, config, tensors_of() | {"adapted": adapted})
    steps = read_keras(path).preprocessing.steps
    assert [(step.operation, step.values) for step in steps] == [
        ("subtract", (100, 110, 120)),
        ("divide", (50, 60, 70)),
    ]
    del adapted["variance"], adapted["count"]
    with pytest.raises(InputError, match=r"adapted \(Normalization\) has (1 arrays|no variance)"):
        read_keras(LAYOUTS[layout](tmp_path / layout, config, tensors_of() | {"adapted": adapted}))


@pytest.mark.parametrize("size", [(None, 64), (64, None), (None, None)])
def test_sides_that_are_open(tmp_path, size):
    """A side that the file leaves open is assumed, or said; one that it tells is not overruled."""
    config = changed(CONFIG, "input_layer", batch_shape=[None, *size, 3])
    path = write_keras(tmp_path / "a.keras", config, TENSORS)
    weights = read_keras(path)
    assert weights.input_size == tuple(side or 224 for side in size)
    assert weights.assumed == ("preprocessing", "input_size")
    said = tuple(side or 100 for side in size)
    weights = read_keras(path, input_size=said)
    assert (weights.input_size, weights.assumed) == (said, ("preprocessing",))
    if size != (None, None):
        other = tuple(65 if side else 100 for side in size)
        with pytest.raises(InputError) as error:
            read_keras(path, input_size=other)
        says = f"input size {size[0] or 'any'}x{size[1] or 'any'}, not {other[0]}x{other[1]}"
        assert str(error.value) == f"{path}: its configuration says {says}; leave the option out"


def test_floats_that_come_in(tmp_path):
    """Of what type a photograph is when it comes in is no layer's own float type."""
    config = changed(CONFIG, "input_layer", dtype="float16")
    assert read_keras(write_keras(tmp_path / "a.keras", config, TENSORS)).notes == ()


@pytest.mark.parametrize("layout", ["whole.h5", "alone.h5"])
def test_kernels_that_theano_turned(tmp_path, layout):
    """Each convolution's is turned by 180 degrees, and that is noted; nothing else is."""
    path = LAYOUTS[layout](tmp_path / layout, CONFIG, TENSORS)
    with h5py.File(path, "a") as file:
        file.get("model_weights", file).attrs["backend"] = "theano"
    weights = read_keras(path)
    for layer, arrays in TENSORS.items():
        for name, array in arrays.items():
            expected = np.rot90(array, 2) if array.ndim == 4 else array
            np.testing.assert_array_equal(weights.tensors[layer][name], expected)
    assert weights.notes[-1].startswith("written by Keras on Theano: kernels turned by 180 degrees")


def test_one_class(tmp_path):
    """A softmax of it is always 100 %, so weights alone do not say which function it has."""
    tensors = tensors_of(classes=1)
    path = write_h5(tmp_path / "a.h5", config_of(classes=1), tensors, whole=False)
    with pytest.raises(InputError, match="a softmax of one class is always 100 %; say which function"):
        read_keras(path)
    assert read_keras(path, activation="sigmoid").architecture.activation == "sigmoid"


def test_sizes_that_are_none(tmp_path):
    """Sides have limits; the whole size is told back."""
    path = write_keras(
        tmp_path / "a.keras", changed(CONFIG, "input_layer", batch_shape=[None] * 3 + [3]), TENSORS
    )
    for size in ((31, 32), (32, 31), (32, 10_001)):
        with pytest.raises(InputError) as error:
            read_keras(path, input_size=size)
        assert str(error.value) == (f"input size {size[0]}x{size[1]}: sides of 32 to 10000 pixels expected")
    assert read_keras(path, input_size=(32, 100)).input_size == (32, 100)

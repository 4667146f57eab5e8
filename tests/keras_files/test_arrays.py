"""Where arrays lie in Keras's two layouts, by files that h5py writes."""

import h5py
import numpy as np
import pytest

from npcam import InputError
from npcam.common.limits import MAX_KERAS_LAYERS, MAX_KERAS_NESTING, MAX_LAYER_ARRAYS
from npcam.hdf5 import open_hdf5
from npcam.keras_files.arrays import (
    check_order,
    has_layers,
    named_layers,
    names,
    numbered_layers,
    split_name,
)


def written(path, fill):
    """A file that a function fills; returns its path."""
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def read(path, what):
    """What a function finds in a file."""
    with open_hdf5(path) as file:
        return what(file)


def refused(path, what, reason):
    """A function refuses a file for exactly that reason."""
    with open_hdf5(path) as file, pytest.raises(InputError) as error:
        what(file)
    assert str(error.value) == f"{path}: {reason}"


SPLIT = {
    "conv1_conv/kernel:0": ("conv1_conv", "kernel"),
    "conv1_conv/kernel": ("conv1_conv", "kernel"),
    "resnet50/conv1_bn/moving_variance:0": ("conv1_bn", "moving_variance"),
    "conv1_1/conv1_W_1:0": ("conv1_1", ""),  # of no layer of the scope's name
    "sep/depthwise_kernel:0": ("sep", ""),
    "conv1_W:0": ("conv1", "kernel"),
    "conv1_b:0": ("conv1", "bias"),
    "bn_conv1_running_mean:0": ("bn_conv1", "moving_mean"),
    "conv1_bn/moving_mean:0": ("conv1_bn", "moving_mean"),
    "bn_conv1_running_std:0": ("bn_conv1", "moving_variance"),
    "batch_normalization_3/gamma:0": ("batch_normalization_3", "gamma"),
    "dense/bias_2": ("dense", "bias"),
    "beta": ("", "beta"),
    "kernel:12": ("", "kernel"),
    "conv1/kernels:0": ("conv1", ""),
    "conv1/xkernel:0": ("conv1", ""),
    "conv1/kernel:a": ("conv1", ""),
    "conv1/kernel:0 ": ("conv1", ""),
    "resnet50/conv1/odd:0": ("conv1", ""),
    "w": ("", ""),
}


def test_names_of_weights():
    """The layer before the slash or underscore, the weight by today's name; nothing where there is none."""
    assert {name: split_name(name) for name in SPLIT} == SPLIT


def test_lists_of_names(tmp_path):
    """A list, one name, nothing, and a list that Keras cut in pieces."""

    def fill(file):
        file.attrs["whole"] = ["a", "b"]
        file.attrs["one"] = "a"
        file.attrs["empty"] = np.array([], "S1")
        file.attrs["cut0"] = np.array([b"a", b"b"])
        file.attrs["cut1"] = "c"
        file.attrs["cut2"] = np.array([b"d"])
        file.attrs["cut4"] = "not in the row"
        file.attrs["late1"] = "b"

    path = written(tmp_path / "a.h5", fill)
    found = {
        n: read(path, lambda file, n=n: names(file, n))
        for n in ("whole", "one", "empty", "cut", "late", "none")
    }
    assert found == {
        "whole": ["a", "b"],
        "one": ["a"],
        "empty": [],
        "cut": ["a", "b", "c", "d"],
        "late": None,
        "none": None,
    }


def test_which_layout(tmp_path):
    """By the list of layers, else by the group of layers, that of Keras 2.12 too."""
    fills = {
        "named": lambda file: file.attrs.__setitem__("layer_names", ["a"]),
        "numbered": lambda file: file.create_group("layers"),
    }
    for layout, fill in fills.items():
        assert read(written(tmp_path / "a.h5", fill), has_layers) == layout
    older = written(tmp_path / "a.h5", lambda file: file.create_group("_layer_checkpoint_dependencies"))
    assert read(older, has_layers) == "numbered"
    assert read(written(tmp_path / "a.h5", lambda file: file.create_group("layer")), has_layers) is None


def test_a_subclassed_models_layout(tmp_path):
    """Its groups go by the names of attributes, or lie in lists and dicts of these; links are none."""
    for place in ("head/vars", "parts/dense/vars", "parts/functional/layers", "parts/inner/dense/vars"):
        path = written(tmp_path / "a.h5", lambda file, place=place: file.create_group(place))
        assert read(path, has_layers) == "numbered"
    too_deep = written(tmp_path / "a.h5", lambda file: file.create_group("a/b/c/d/vars"))
    assert read(too_deep, has_layers) is None

    def linked(file):
        file.create_group("a/b")["c"] = h5py.ExternalLink("elsewhere.h5", "/vars")

    assert read(written(tmp_path / "a.h5", linked), has_layers) is None


def test_theanos_order():
    """Of a stem's kernel, by its shape; a kernel of 7x7 filters in the usual order is none."""
    check_order("conv1", (7, 7, 3, 64), "x.h5")
    check_order("conv1", (7, 7, 3, 7), "x.h5")
    check_order("conv1", (), "x.h5")
    for filters in (4, 64):
        with pytest.raises(InputError, match=r"x.h5: the kernel of conv1 .* in Theano's .*; load it in"):
            check_order("conv1", (filters, 3, 7, 7), "x.h5")


def shown(saved):
    """Layers as plain values: path, slot, and of each array the layer, the weight and its numbers."""
    return [
        (layer.path, layer.slot, [(a.layer, a.weight, a.dataset.read().tolist()) for a in layer.arrays])
        for layer in saved
    ]


def test_the_older_layout(tmp_path):
    """Layers in the order of the list, their arrays in the order of theirs, wherever they lie."""

    def fill(file):
        file.attrs["layer_names"] = ["b", "a", "model"]
        file["b/b/kernel:0"] = [1.0]
        file["b/b/bias:0"] = [2.0]
        file["b"].attrs["weight_names"] = ["b/kernel:0", "b/bias:0"]
        file.create_group("a")
        file["model/x/gamma:0"] = [3.0]
        file["model/odd"] = [4.0]
        file["model"].attrs["weight_names"] = ["odd", "x/gamma:0"]
        file["not listed/kernel:0"] = [5.0]

    path = written(tmp_path / "a.h5", fill)
    assert read(path, lambda file: shown(named_layers(file))) == [
        (("b",), (), [("b", "kernel", [1.0]), ("b", "bias", [2.0])]),
        (("a",), (), []),
        (("model",), (), [("", "", [4.0]), ("x", "gamma", [3.0])]),
    ]
    assert read(written(tmp_path / "b.h5", lambda file: file.create_group("x")), named_layers) == []


def test_the_older_layout_is_held_to_its_lists(tmp_path):
    """A layer or an array that is listed and missing, one in the other's place, and links."""

    def fill(file, weight="a/kernel:0", layer="a"):
        file.attrs["layer_names"] = [layer]
        file["a/a/kernel:0"] = [1.0]
        file["a"].attrs["weight_names"] = [weight]
        file["link"] = h5py.SoftLink("/a")

    path = tmp_path / "a.h5"
    refused(written(path, lambda file: fill(file, layer="b")), named_layers, "/b is missing")
    refused(written(path, lambda file: fill(file, weight="a/bias:0")), named_layers, "/a/a/bias:0 is missing")
    refused(
        written(path, lambda file: fill(file, layer="link")),
        named_layers,
        "/link is a link to elsewhere; npcam reads plain data only",
    )
    refused(
        written(path, lambda file: fill(file, weight="a")),
        named_layers,
        "/a/a is a group where an array was expected",
    )


def test_how_many_layers_may_be_listed(tmp_path, monkeypatch):
    """As many as the limit says, and not one more."""

    def fill(file):
        file.attrs["layer_names"] = np.array([b"a"] * 3)
        file.create_group("a")

    path = written(tmp_path / "a.h5", fill)
    assert MAX_KERAS_LAYERS == 5000
    monkeypatch.setattr("npcam.keras_files.arrays.MAX_KERAS_LAYERS", 3)
    assert len(read(path, named_layers)) == 3
    monkeypatch.setattr("npcam.keras_files.arrays.MAX_KERAS_LAYERS", 2)
    refused(path, named_layers, "/ lists 3 layers; no ResNet has as many")


def layer(group, *values, name=None):
    """A layer of the newer layout: its arrays by number, its own name beside them."""
    variables = group.create_group("vars")
    for i, value in enumerate(values):
        variables[str(i)] = [float(value)]
    if name is not None:
        variables.attrs["name"] = name


@pytest.mark.parametrize("container", ["layers", "_layer_checkpoint_dependencies"])
def test_the_newer_layout(tmp_path, container):
    """Layers by class and number in the right order, with their names or without, nested or not."""

    def fill(file):
        for i in (0, 1, 2, 10, 11):
            layer(
                file.create_group(f"{container}/conv2d_{i}" if i else f"{container}/conv2d"), i, name=f"c{i}"
            )
        layer(file.create_group(f"{container}/batch_normalization"), 20, 21, name="bn")
        layer(file.create_group(f"{container}/dense"), 30)
        model = file.create_group(f"{container}/functional")
        layer(model, name="inner")
        layer(model.create_group(f"{container}/conv2d"), 40, name="deep")
        layer(model.create_group(f"{container}/conv2d_1"), 41)
        file.create_group(f"{container}/dropout")
        file.create_group(f"{container}/zero_padding2d")
        layer(file, 99, name="outer")

    path = written(tmp_path / "a.h5", fill)
    assert read(path, lambda file: shown(numbered_layers(file))) == [
        ((), (), [("", "", [99.0])]),  # the model's own
        (("bn",), ("batch_normalization",), [("", "", [20.0]), ("", "", [21.0])]),
        (("c0",), ("conv2d",), [("", "", [0.0])]),
        (("c1",), ("conv2d_1",), [("", "", [1.0])]),
        (("c2",), ("conv2d_2",), [("", "", [2.0])]),
        (("c10",), ("conv2d_10",), [("", "", [10.0])]),
        (("c11",), ("conv2d_11",), [("", "", [11.0])]),
        ((), ("dense",), [("", "", [30.0])]),
        ((), ("dropout",), []),
        (("inner",), ("functional",), []),
        ((), ("zero_padding2d",), []),
        (("inner", "deep"), ("functional", "conv2d"), [("", "", [40.0])]),
        (("inner",), ("functional", "conv2d_1"), [("", "", [41.0])]),
    ]


def test_layers_by_bare_numbers(tmp_path):
    """Keras 2.12 numbers a model's layers without their classes; names with odd ends come last of all."""

    def fill(file):
        for key in ("0", "2", "10", "1", "a_1_b", "x_1234567890", "x_2", "12345678901", "x_", "x_²"):
            layer(file.create_group(f"layers/{key}"), 1)

    path = written(tmp_path / "a.h5", fill)
    found = [layer.slot[0] for layer in read(path, numbered_layers)]
    assert found == ["0", "1", "2", "10", "12345678901", "a_1_b", "x_2", "x_", "x_1234567890", "x_²"]


def test_a_nest_without_names(tmp_path):
    """A name is only taken where all models around it have theirs."""

    def fill(file):
        model = file.create_group("layers/functional")
        model.create_group("vars")
        layer(model.create_group("layers/conv2d"), 1, name="c")

    path = written(tmp_path / "a.h5", fill)
    assert [(found.path, found.slot) for found in read(path, numbered_layers)] == [
        ((), ("functional",)),
        ((), ("functional", "conv2d")),
    ]


def test_what_the_newer_layout_may_hold(tmp_path, monkeypatch):
    """So many layers, all models together, and so many models in each other; so many arrays of a layer."""

    def fill(file):
        layer(file.create_group("layers/conv2d"), 1)
        layer(file.create_group("layers/functional/layers/conv2d"), 1)

    path = written(tmp_path / "a.h5", fill)
    inner = "/layers/functional/layers/conv2d"
    for limit, where in ((4, None), (3, inner), (2, "/layers/functional"), (1, "/layers")):
        monkeypatch.setattr("npcam.keras_files.arrays.MAX_KERAS_LAYERS", limit)
        if where is None:
            assert len(read(path, numbered_layers)) == 3
        else:
            refused(path, numbered_layers, f"{where} holds more than any ResNet has; refused")
    monkeypatch.undo()

    def nest(file, depth):
        layer(file.create_group("layers/functional/" * depth + "layers/conv2d"), 1)

    most = MAX_KERAS_NESTING - 1  # in the file's own model
    path = written(tmp_path / "b.h5", lambda file: nest(file, most))
    assert len(read(path, numbered_layers)) == most + 1
    path = written(tmp_path / "b.h5", lambda file: nest(file, most + 1))
    where = "/layers/functional" * (most + 1) + "/layers"
    refused(path, numbered_layers, f"{where} holds more than any ResNet has; refused")
    for count, fits in ((MAX_LAYER_ARRAYS, True), (MAX_LAYER_ARRAYS + 1, False)):
        path = written(
            tmp_path / "c.h5", lambda file, n=count: layer(file.create_group("layers/dense"), *range(n))
        )
        if fits:
            (found,) = read(path, numbered_layers)
            assert len(found.arrays) == count
        else:
            refused(
                path, numbered_layers, f"/layers/dense/vars holds {count} arrays; no layer of a ResNet does"
            )


def test_a_model_in_itself(tmp_path):
    """A hard link may close a circle, which is followed only so far."""

    def fill(file):
        layer(file.create_group("layers/functional"), 1)
        file["layers/functional/layers"] = file["layers"]

    path = written(tmp_path / "a.h5", fill)
    with open_hdf5(path) as file, pytest.raises(InputError, match="holds more than any ResNet has; refused"):
        numbered_layers(file)


def test_arrays_are_numbered_without_a_gap(tmp_path):
    """As many as there are, from 0."""

    def fill(file):
        group = file.create_group("layers/dense/vars")
        group["0"] = [1.0]
        group["2"] = [1.0]

    refused(written(tmp_path / "a.h5", fill), numbered_layers, "/layers/dense/vars/1 is missing")


def test_what_is_no_layer(tmp_path):
    """An optimizer's state and the seeds of random layers lie among the layers, and are left out."""

    def fill(file):
        file["layers/dense/vars/0"] = np.zeros(3)
        file["optimizer/vars/0"] = np.zeros(20)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2)
        file["layers/optimizer/vars/0"] = np.zeros(1)

    found = read(written(tmp_path / "a.h5", fill), numbered_layers)
    assert [(layer.slot, len(layer.arrays)) for layer in found] == [(("dense",), 1), (("dropout",), 0)]

"""Keras files built by hand: configurations as JSON, arrays as HDF5, both in a zip. No Keras is needed.

What stands here is what Keras 3 writes, less the settings of training. `test_keras_layouts.py` has
live Keras load such a file.
"""

import copy
import io
import json
import re
import warnings
import zipfile

import h5py
import numpy as np

from npcam.layers import layers, output_shapes
from npcam.resnet import Architecture

from .keras2_files import write_named
from .networks import random_tensors

SMALL = Architecture(blocks=(1, 2), strides=(1, 2))
ORDER = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")


def tensors_of(arch=SMALL, width=2, classes=3):
    """Random arrays of a narrow ResNet, {layer: {weight: array}}."""
    found = random_tensors(arch, width, classes)
    return {layer: {n: arrays[n] for n in ORDER if n in arrays} for layer, arrays in found.items()}


def config_of(arch=SMALL, width=2, classes=3, size=(64, 64)):
    """The configuration of a ResNet as Keras 3 writes it."""
    filters = {
        layer: arrays["kernel"].shape[-1]
        for layer, arrays in tensors_of(arch, width, classes).items()
        if "kernel" in arrays
    }
    shapes = output_shapes(arch, filters, size)
    entries = []
    for layer in layers(arch):
        if layer.name == "pool1_pad" and not arch.pool_padding:
            continue
        sources = ["conv1_relu" if s == "pool1_pad" and not arch.pool_padding else s for s in layer.inputs]
        settings = _settings(layer, arch, filters, size)
        entries.append(entry(layer.kind, layer.name, *sources, shapes=shapes, **settings))
    return functional("resnet50", entries, entries[-1]["name"])


def _settings(layer, arch, filters, size):
    """The settings that matter, of one layer of a ResNet."""
    side = [layer.window, layer.window]
    stride = [layer.stride, layer.stride]
    padding = layer.padding if isinstance(layer.padding, str) else "valid"
    return {
        "InputLayer": {"batch_shape": [None, *size, 3]},
        "ZeroPadding2D": {"padding": [[layer.padding] * 2] * 2, "data_format": "channels_last"},
        "Conv2D": {
            "filters": filters.get(layer.name),
            "kernel_size": side,
            "strides": stride,
            "padding": padding,
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "groups": 1,
            "activation": "linear",
            "use_bias": True,
        },
        "BatchNormalization": {"axis": 3, "epsilon": arch.epsilon, "center": True, "scale": True},
        "Activation": {"activation": "relu"},
        "MaxPooling2D": {
            "pool_size": side,
            "strides": stride,
            "padding": "valid",
            "data_format": "channels_last",
        },
        "Add": {},
        "GlobalAveragePooling2D": {"data_format": "channels_last", "keepdims": False},
        "Dense": {"units": filters.get(layer.name), "activation": arch.activation, "use_bias": True},
    }[layer.kind]


def entry(kind, name, *sources, shapes=None, **settings):
    """One layer of a Functional model: its class, its settings, and the layers that it reads."""
    calls = []
    if sources:
        read = [_tensor(source, (shapes or {}).get(source, (None, 8, 8, 2))) for source in sources]
        calls = [{"args": read if len(read) == 1 else [read], "kwargs": {}}]
    dtype = {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, "dtype": "float32" if kind == "InputLayer" else dtype, **settings},
        "registered_name": None,
        "name": name,
        "inbound_nodes": calls,
    }


def _tensor(name, shape):
    """A tensor as Keras 3 refers to it."""
    history = {"shape": list(shape), "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": history}


def functional(name, entries, *outputs, inputs=("input_layer",)):
    """A Functional model of these layers."""
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "registered_name": "Functional",
        "config": {
            "name": name,
            "trainable": True,
            "layers": list(entries),
            "input_layers": _ends(inputs),
            "output_layers": _ends(outputs),
        },
    }


def _ends(names):
    """References to layers, which Keras 3 puts in a list only where there are several."""
    ends = [[name, 0, 0] for name in names]
    return ends[0] if len(ends) == 1 else ends


def sequential(name, entries):
    """A Sequential model of these layers, which follow each other."""
    return {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {"name": name, "trainable": True, "layers": list(entries)},
    }


def changed(config, layer, **settings):
    """A configuration in which one layer has other settings."""
    config = copy.deepcopy(config)
    found = next(e for e in config["config"]["layers"] if e["config"]["name"] == layer)
    found["config"] |= settings
    return config


class _Layer:
    """What `keras2_files.write_named` needs of a live layer: its name and its weights."""

    def __init__(self, name, weights):
        self.name, self.weights = name, weights


class _Weight:
    """What it needs of a weight: the path that ends with its name, and its numbers."""

    def __init__(self, path, array):
        self.path, self.array = path, array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


class _Model:
    """What it needs of a model."""

    def __init__(self, config, tensors):
        self.layers = [
            _Layer(e["name"], [_Weight(f"{e['name']}/{n}", a) for n, a in tensors.get(e["name"], {}).items()])
            for e in config["config"]["layers"]
        ]


def write_h5(path, config, tensors, whole=True, **options):
    """The older layout, with the model's configuration in it or, if not `whole`, weights alone."""
    write_named(_Model(config, tensors), path, **options)
    if whole:
        with h5py.File(path, "a") as file:
            group = file.create_group("model_weights")
            for name, value in list(file.attrs.items()):
                group.attrs[name] = value
            for name in [n for n in file if n != "model_weights"]:
                file.move(name, f"model_weights/{name}")
            file.attrs["model_config"] = json.dumps(config)
    return path


def write_weights_h5(file, config, tensors, names=True):
    """The newer layout: layers by class and number, with their names unless not `names`."""
    with h5py.File(file, "w") as opened:
        _write_layers(opened, config, tensors, names)
        opened.create_group("vars")
    return file


def _write_layers(group, config, tensors, names):
    """A model's layers, those of the models in it within them."""
    numbers = {}
    for layer in config["config"]["layers"]:
        stem = snake_case(layer["class_name"])
        number = numbers[stem] = numbers.get(stem, -1) + 1
        own = group.create_group(f"layers/{stem}_{number}" if number else f"layers/{stem}")
        name = layer["config"]["name"]
        variables = own.create_group("vars")
        if names:
            variables.attrs["name"] = name
        for i, array in enumerate(tensors.get(name, {}).values()):
            variables[str(i)] = array
        if "layers" in layer["config"]:
            _write_layers(own, layer, tensors, names)


def snake_case(name):
    """Keras's own way from a class to a group's name (`keras/src/utils/naming.py`)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def write_zip(path, *members, compress=False):
    """A zip of (name, data) pairs, whatever they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of members that are there twice
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as file:
            for name, data in members:
                file.writestr(name, data)
    return path


def write_keras(path, config, tensors, compress=False, **options):
    """A `.keras` file."""
    weights = io.BytesIO()
    write_weights_h5(weights, config, tensors, **options)
    metadata = {"keras_version": "3.12.0", "date_saved": "2026-01-02@03:04:05"}
    members = {
        "metadata.json": json.dumps(metadata),
        "config.json": json.dumps(config),
        "model.weights.h5": weights.getvalue(),
    }
    return write_zip(path, *members.items(), compress=compress)

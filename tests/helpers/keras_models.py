"""Keras models for the tests: ResNets of any depth and width, as people build, nest and cut them."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from helpers.needs import needs

from npcam import resnet as npcam_resnet
from npcam.resnet import RESNET50, Architecture
from npcam.verify.live_keras import build_keras_model, keras_network
from npcam.weights.random import filters

keras = needs("keras")
layers = keras.layers


def resnet(blocks=(1, 2, 1, 1), width=8, classes=5, size=64, top="gap", **more):
    """A ResNet as `keras.applications` builds it.

    `size` is a side in pixels, (height, width), or None for any. `top` is "gap" (with one Dense
    layer), "pooled" (without) or None. `more` goes to `Architecture`.
    """
    if top is None:
        more["activation"] = None
    arch = Architecture(blocks, strides=(1, 2, 2, 2)[: len(blocks)], **more)
    shape = size if isinstance(size, tuple) else (size, size)
    model = keras_network(keras, arch, filters(arch, width, classes), shape)
    if top == "pooled":
        return keras.Model(model.input, model.get_layer("avg_pool").output, name=model.name)
    return model


def without(model, name):
    """The same layers less one: what it was given goes on to whatever read it."""

    def call(layer, x, **options):
        return x if layer.name == name else layer(x, **options)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def with_old_names(model):
    """The same network with the names of 2017, and shortcuts that are added last."""

    def clone(layer):
        config = layer.get_config()
        if layer.weights:
            config["name"] = _old_name(layer.name)
        elif layer.name not in ("pool1_pad", "avg_pool"):
            del config["name"]
        return type(layer).from_config(config)

    def call(layer, x, **options):
        return layer(x[::-1] if isinstance(x, list) else x, **options)

    return keras.models.clone_model(model, clone_function=clone, call_function=call)


def resnet_of_2017(blocks=(1, 2, 1), classes=5):
    """A ResNet as the Keras of 2017 built it: no padding before the pool, an average of a fixed size."""
    body = with_old_names(without(resnet(blocks, top=None, epsilon=1e-3), "pool1_pad"))
    y = layers.AveragePooling2D(body.output.shape[1], name="avg_pool")(body.output)
    y = layers.Dense(classes, activation="softmax", name="fc1000")(layers.Flatten()(y))
    return keras.Model(body.input, y, name="resnet50")


def _old_name(name):
    """`res3b_branch2a` for `conv3_block2_1_conv`."""
    if not name.startswith("conv") or "_block" not in name:
        return {"conv1_conv": "conv1", "conv1_bn": "bn_conv1", "predictions": "fc1000"}[name]
    stage, block, part, kind = name.split("_")
    letter = "abcdefghijklmnopqrstuvwxyz"[int(block.removeprefix("block")) - 1]
    branch = {"0": "1", "1": "2a", "2": "2b", "3": "2c"}[part]
    return f"{'res' if kind == 'conv' else 'bn'}{stage.removeprefix('conv')}{letter}_branch{branch}"


def keras_twin(keras, weights):
    """The same network in Keras, for any picture size, as one trace of all its layers.

    `keras.applications` builds it where the width is its own: another telling of the network.
    """
    tensors = weights.tensors
    if tensors["conv1_conv"]["bias"].size == 64 and weights.architecture == RESNET50:
        backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(None, None, 3))
        y = keras.layers.GlobalAveragePooling2D(name="avg_pool")(backbone.output)
        classes = tensors["predictions"]["bias"].size
        y = keras.layers.Dense(classes, activation="softmax", name="predictions")(y)
        model = keras.Model(backbone.input, y)
        for layer, arrays in tensors.items():
            for weight in model.get_layer(layer).weights:
                weight.assign(arrays[weight.name])
    else:
        model = build_keras_model(keras, weights)
    return keras.Model(model.input, {layer.name: layer.output for layer in model.layers[1:]})


def randomise(model, seed=0):
    """Give every weight, batch norm's statistics too, a random value that keeps activations alive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        name, shape = getattr(weight, "path", weight.name), tuple(weight.shape)
        if "kernel" in name:
            gain = 1.2 if len(shape) == 4 else 0.05  # small logits: probabilities that are not 0 or 1
            value = rng.normal(size=shape) * np.sqrt(gain / np.prod(shape[:-1]))
        elif "variance" in name:
            value = rng.uniform(0.5, 2.0, shape)
        elif "gamma" in name:
            value = rng.uniform(0.4, 1.0, shape)
        elif "beta" in name or "mean" in name or "bias" in name:
            value = rng.normal(size=shape) * 0.1
        else:
            continue
        weight.assign(value.astype(np.float32))
    return model


def predictions(model, x):
    """What Keras says, as arrays; layer by layer, which compiles faster than `predict`."""
    found = model(x, training=False)
    return [np.asarray(y) for y in found] if isinstance(found, list) else np.asarray(found)


def outputs(weights, x):
    """npcam's last activation, logits and probabilities."""
    maps = npcam_resnet.features(x, weights.tensors, weights.architecture)
    if weights.architecture.activation is None:
        return maps, None, None
    return maps, *npcam_resnet.head(maps, weights.tensors, weights.architecture)


def save_legacy(model, path, whole=True):
    """Write Keras's older HDF5, which Keras 3 still can: with the configuration, or weights alone."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    if whole:
        legacy_h5_format.save_model_to_hdf5(model, str(path))
    else:
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path

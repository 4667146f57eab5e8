"""Keras models for the tests: ResNets of any depth and width, as people build, nest and cut them."""

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from npcam import resnet as npcam_resnet
from npcam.resnet import RESNET50

layers = keras.layers

# Both sides sum float32 products in another order; probabilities are at most 1, and 1e-6 is the
# promise made to users. Maps are compared relative to their largest value.
PROBABILITY = 1e-6
RELATIVE = 1e-5


def resnet(
    blocks=(1, 2, 1, 1),
    width=8,
    classes=5,
    size=64,
    top="gap",
    old_names=False,
    pool_pad=True,
    epsilon=1.001e-5,
    bias=True,
    activation="softmax",
    stride_in=1,
    strides=None,
    k: Any = keras,
    x=None,
):
    """A ResNet as `keras.applications` builds it, or, with `old_names`, as the Keras of 2017 did.

    `top` is "gap" and "average" (the pooling of 2017), each with one Dense layer, "pooled" (no
    Dense), or None. `strides` are those of the stages' first blocks, by default Keras's 1, 2, 2, 2.
    """
    L = k.layers

    def named(name):
        return {} if old_names else {"name": name}

    def conv_bn(y, stage, block, part, kernel, filters, strides=1, padding="valid"):
        if old_names:
            end = f"{stage}{'abcdefghijklmnopqrstuvwxyz'[block - 1]}_branch{('1', '2a', '2b', '2c')[part]}"
            names = [f"res{end}", f"bn{end}"]
        else:
            names = [f"conv{stage}_block{block}_{part}_{kind}" for kind in ("conv", "bn")]
        y = L.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=bias, name=names[0])(y)
        return L.BatchNormalization(axis=3, epsilon=epsilon, name=names[1])(y)

    source = L.Input((size, size, 3)) if x is None else x
    y = L.ZeroPadding2D(3, **named("conv1_pad"))(source)
    y = L.Conv2D(width, 7, strides=2, use_bias=bias, name="conv1" if old_names else "conv1_conv")(y)
    y = L.BatchNormalization(axis=3, epsilon=epsilon, name="bn_conv1" if old_names else "conv1_bn")(y)
    y = L.Activation("relu", **named("conv1_relu"))(y)
    if pool_pad:
        y = L.ZeroPadding2D(1, name="pool1_pad")(y)
    y = L.MaxPooling2D(3, strides=2, **named("pool1_pool"))(y)
    for stage, count in enumerate(blocks, 2):
        filters = width * 2 ** (stage - 2)
        for block in range(1, count + 1):
            stride = (strides[stage - 2] if strides else 1 if stage == 2 else 2) if block == 1 else 1
            first, second = (stride, 1) if stride_in == 1 else (1, stride)
            part = f"conv{stage}_block{block}"
            shortcut = y
            if block == 1 and not old_names:
                shortcut = conv_bn(y, stage, block, 0, 1, 4 * filters, stride)
            z = conv_bn(y, stage, block, 1, 1, filters, first)
            z = L.Activation("relu", **named(f"{part}_1_relu"))(z)
            z = conv_bn(z, stage, block, 2, 3, filters, second, "same")
            z = L.Activation("relu", **named(f"{part}_2_relu"))(z)
            z = conv_bn(z, stage, block, 3, 1, 4 * filters)
            if block == 1 and old_names:
                shortcut = conv_bn(y, stage, block, 0, 1, 4 * filters, stride)
            y = L.Add(**named(f"{part}_add"))([z, shortcut] if old_names else [shortcut, z])
            y = L.Activation("relu", **named(f"{part}_out"))(y)
    if top in ("gap", "pooled"):
        y = L.GlobalAveragePooling2D(name="avg_pool")(y)
    elif top == "average":
        y = L.AveragePooling2D(y.shape[1], name="avg_pool")(y)
        y = L.Flatten()(y)
    if top in ("gap", "average"):
        y = L.Dense(classes, activation=activation, name="fc1000" if old_names else "predictions")(y)
    return k.Model(source, y, name="resnet50")


def keras_twin(keras, weights):
    """The same network in Keras, for any picture size, as one trace of all its layers.

    `keras.applications` builds it where the width is its own; narrow ones are built the same way.
    """
    tensors, blocks = weights.tensors, weights.architecture.blocks
    width, classes = tensors["conv1_conv"]["bias"].size, tensors["predictions"]["bias"].size
    if width == 64 and weights.architecture == RESNET50:
        backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(None, None, 3))
        y = keras.layers.GlobalAveragePooling2D(name="avg_pool")(backbone.output)
        y = keras.layers.Dense(classes, activation="softmax", name="predictions")(y)
        model = keras.Model(backbone.input, y)
    else:
        model = resnet(blocks, width, classes, size=None, strides=weights.architecture.strides)
    for layer, arrays in tensors.items():
        for weight in model.get_layer(layer).weights:
            weight.assign(arrays[weight.name])
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


def photographs(size=64, n=2, seed=1):
    """A batch as `preprocess_input` makes it: floats around 0, from -120 to 150."""
    return np.random.default_rng(seed).uniform(-120, 150, (n, size, size, 3)).astype(np.float32)


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

"""Files in the layouts of Keras 1 and 2, written with h5py alone from a live model's weights.

The layouts are those of tf_keras 2.21 (`save_weights` with and without `save_format="h5"`), and, for
Keras 1, those of the ResNet-50 weights published in 2017.
"""

import shutil

import h5py
import numpy as np

KERAS1 = {
    "kernel": "W",
    "bias": "b",
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "running_mean",
    "moving_variance": "running_std",
}


def write_named(model, path, keras1=False, as_text=False, pieces=1):
    """The older layout: every name with `:0`, in the order of the layers.

    `keras1` names datasets as Keras 1 did; `as_text` writes the lists as text of variable length
    instead of bytes; `pieces` cuts the list of layers into as many attributes.
    """
    with h5py.File(path, "w") as file:
        names = [layer.name for layer in model.layers]
        if pieces == 1:
            file.attrs["layer_names"] = _names(names, as_text)
        else:
            for i, part in enumerate(np.array_split(np.array(names), pieces)):
                file.attrs[f"layer_names{i}"] = _names(list(part), as_text)
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = "2.1.6" if as_text else b"2.1.6"
        for layer in model.layers:
            group = file.create_group(layer.name)
            full = []
            for weight in layer.weights:
                owner, name = weight.path.split("/")[-2:]
                full.append(f"{owner}_{KERAS1[name]}:0" if keras1 else f"{owner}/{name}:0")
                group.create_dataset(full[-1], data=np.asarray(weight))
            group.attrs["weight_names"] = _names(full, as_text)
    return path


def write_numbered(model, path):
    """The newer layout as Keras 2.12 to 2.15 and early Keras 3 write it: without the layers' names."""
    named = path.with_name(f"named.{path.name}")
    model.save_weights(named)
    shutil.move(named, path)
    with h5py.File(path, "a") as file:
        file.visititems(lambda _, node: node.attrs.pop("name", None) and None)
    return path


def _names(names, as_text):
    """A list for an attribute, which h5py writes as fixed bytes or as text of variable length."""
    if not names:
        return np.array([], "S1")
    return [str(n) for n in names] if as_text else np.array([n.encode() for n in names])

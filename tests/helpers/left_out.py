"""npcam's own forward pass, in float64, with parts of the network left out."""

import numpy as np

from npcam.layers import layers
from npcam.resnet import features, head
from npcam.weights import cast


def left_out(model, x, off):
    """{layer: activation} of a preprocessed batch where some things do nothing.

    Args:
        model: the network.
        x: (1, H, W, 3).
        off: names: "conv3_block2", whose branch is left out; "conv3_block2_1_bn", which hands on what it is
            given; "conv3_block2_out:5", a channel that is 0.
    """
    arch = model.weights.architecture
    table = {layer.name: layer for layer in layers(arch)}
    tensors = cast(model.weights.tensors, np.float64)
    found = {"input_layer": x.astype(np.float64)}

    def keep(name, value):
        if name in off:
            (before,) = table[name].inputs
            value = found[before]
        if name.removesuffix("_add") in off and name.endswith("_add"):
            value = found[table[name].inputs[0]]
        channels = [int(one.split(":")[1]) for one in off if one.startswith(f"{name}:")]
        if channels:
            value = value.copy()
            value[..., channels] = 0
        found[name] = value
        return value

    head(features(found["input_layer"], tensors, arch, keep), tensors, arch, keep)
    return {name: found[name] for name in table}

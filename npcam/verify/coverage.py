"""Layers that a port does not give, and the layer that is judged for each of them."""

from collections.abc import Collection

from npcam.layers import layers
from npcam.resnet import Architecture


def judged_with(arch: Architecture, given: Collection[str]) -> dict[str, str]:
    """Of the layers that are not given, those that lead to one that is, and which that is.

    What is given is computed in float64 from the last that was given before; so it is judged for all
    layers between. A softmax hides too much to be judged for more than its own top: `predictions`
    alone stands for the average before it only, its logits stand for all.

    Args:
        arch: the architecture.
        given: names of layers, "logits" among them where a run has them.

    Returns:
        {layer that is not given: the next one that is}.

    >>> judged_with(Architecture(), ["input_layer", "conv1_relu"])
    {'conv1_pad': 'conv1_relu', 'conv1_conv': 'conv1_relu', 'conv1_bn': 'conv1_relu'}
    """
    there = {*given, *(["predictions"] if "logits" in given else [])}
    table = layers(arch)
    leads: dict[str, str] = {}
    for layer in reversed(table):
        target = layer.name if layer.name in there else leads.get(layer.name)
        if target is None:
            continue
        if target == "predictions" and layer.kind != "Dense" and "logits" not in given:
            continue
        for name in layer.inputs:
            if name not in there:
                leads[name] = target
    return {layer.name: leads[layer.name] for layer in table if layer.name in leads}

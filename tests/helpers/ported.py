"""A port of the network, in float32 or below, honest or with a mistake: layer by layer, sums in float32.

TF32, bfloat16 and float16 are simulated: what is multiplied, and in the last two what is stored, is rounded.
Rounding is done on the bits, with integers, or by NumPy's own float16: no arithmetic of npcam's.
"""

import numpy as np

from npcam import ops
from npcam.layers import layers
from npcam.resnet import ACTIVATIONS
from npcam.verify.record import Record


def to_bits(x, kept):
    """Float32 numbers rounded to so many bits of the fraction, of two as near the even one."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    dropped = 23 - kept
    half = np.uint32((1 << (dropped - 1)) - 1)
    even = (bits >> np.uint32(dropped)) & np.uint32(1)
    found = (bits + half + even) & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    return np.where(np.isfinite(x), found.view(np.float32), x).astype(np.float32)


def to_float16(x):
    """Float32 numbers as float16 has them: infinite beyond 65504, fewer digits below 6e-5."""
    with np.errstate(over="ignore"):
        return np.asarray(x, np.float32).astype(np.float16).astype(np.float32)


def cut_off(x, kept):
    """Float32 numbers without the other bits of the fraction, as some hardware has it."""
    mask = np.uint32(0xFFFFFFFF << (23 - kept) & 0xFFFFFFFF)
    return (np.ascontiguousarray(x, np.float32).view(np.uint32) & mask).view(np.float32)


ROUND = {
    "float32": lambda x: np.asarray(x, np.float32),
    "tf32": lambda x: to_bits(x, 10),
    "bfloat16": lambda x: to_bits(x, 7),
    "float16": to_float16,
    "tf32, cut off": lambda x: cut_off(x, 10),
    "bfloat16, cut off": lambda x: cut_off(x, 7),
}


@np.errstate(all="ignore")  # numbers beyond float16's largest become infinite
def ported(weights, x, precision="float32", *, small_norms=True, folded=False, instead=None):
    """A run of a network.

    Args:
        weights: the network; `x`: the preprocessed batch, float32.
        precision: a key of ROUND.
        small_norms: whether batch norms' weights are stored in the short type, too.
        folded: whether batch norms are folded into the convolutions first; then what convolutions put
            out is no layer of the network, and is left out.
        instead: {layer name: what to do in its place, called with what it reads and its weights}.
    """
    arch = weights.architecture
    factor = ROUND[precision]
    store = factor if "tf32" not in precision and precision != "float32" else ROUND["float32"]
    instead = instead or {}
    found = {"input_layer": store(instead.get("input_layer", lambda x, _: x)(x, {}))}
    folding = _folded(weights) if folded else {}
    for layer in layers(arch)[1:]:
        inputs = [found[name] for name in layer.inputs]
        w = folding.get(layer.name) or weights.tensors.get(layer.name, {})
        if layer.name in instead:
            y = instead[layer.name](*inputs, {name: np.array(a) for name, a in w.items()})
        elif layer.kind == "Conv2D":
            padding = layer.padding or "valid"
            y = ops.conv2d(factor(inputs[0]), factor(w["kernel"]), store(w["bias"]), layer.stride, padding)
        elif layer.kind == "BatchNormalization":
            held = {name: store(a) if small_norms else a for name, a in w.items()}
            y = inputs[0] if folded else ops.batch_norm(inputs[0], **held, epsilon=np.float32(arch.epsilon))
        elif layer.kind == "Activation":
            y = ops.relu(inputs[0])
        elif layer.kind == "ZeroPadding2D":
            y = ops.zero_pad2d(inputs[0], layer.padding)
        elif layer.kind == "MaxPooling2D":
            y = ops.max_pool2d(inputs[0], layer.window, layer.stride)
        elif layer.kind == "Add":
            y = inputs[0] + inputs[1]
        elif layer.kind == "GlobalAveragePooling2D":
            y = ops.global_average_pool2d(inputs[0])
        else:
            logits = store(ops.dense(factor(inputs[0]), factor(w["kernel"]), store(w["bias"])))
            found["logits"] = logits
            y = ACTIVATIONS[arch.activation](logits)
        found[layer.name] = store(y)
    if folded:
        found = {name: y for name, y in found.items() if not name.endswith("_conv")}
    return Record(found)


def _folded(weights):
    """Each convolution with its batch norm in it, worked out in float64."""
    found = {}
    for name, own in weights.tensors.items():
        if name.endswith("_conv"):
            p = {n: a.astype(np.float64) for n, a in weights.tensors[name.replace("_conv", "_bn")].items()}
            scale = p["gamma"] / np.sqrt(p["moving_variance"] + weights.architecture.epsilon)
            bias = (own["bias"] - p["moving_mean"]) * scale + p["beta"]
            found[name] = {
                "kernel": (own["kernel"] * scale).astype(np.float32),
                "bias": bias.astype(np.float32),
            }
    return found

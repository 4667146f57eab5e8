"""A run of npcam's own engines, to be compared."""

from dataclasses import replace
from typing import Any

import numpy as np

from npcam import engine as fast
from npcam import resnet
from npcam.common.version import __version__
from npcam.layers import layers
from npcam.model import Model
from npcam.shapes import Array
from npcam.verify.record import Record, array_sha256, tensor_hashes
from npcam.weights import Weights, cast, tensors_sha256


def run_npcam(weights: Weights, x: Array, engine: str = "reference", dtype: Any = np.float32) -> Record:
    """Run a preprocessed batch and keep the activations.

    Args:
        weights: the network.
        x: the preprocessed batch, (N, H, W, 3).
        engine: "reference" gives every layer and the logits. "fast" gives what its compiled pass
            has: the last activation of each stage, the average pool, logits and probabilities.
        dtype: the float type to compute in.

    Raises:
        InputError: `x` is no preprocessed batch, or the engine is unknown.

    >>> from npcam import load_model
    >>> run = run_npcam(load_model().weights, np.zeros((1, 32, 32, 3), np.float32), "fast")
    >>> list(run.activations)[:3]
    ['input_layer', 'conv2_block3_out', 'conv3_block4_out']
    """
    model = Model(weights, dtype, engine)
    if engine == "fast":
        head = ["avg_pool", "predictions"] if model.has_top else []
        outputs = model.run(x, ["input_layer", model.last_activation, *head])
        found = outputs.activations
        found = {"input_layer": found.pop("input_layer")} | _stages(weights, x, dtype) | found
    else:
        outputs = model.run(x, [layer.name for layer in layers(weights.architecture)])
        found = outputs.activations
    if outputs.logits is not None:
        found["logits"] = outputs.logits
    provenance = {
        "made_by": f"npcam {__version__}",
        "engine": f"{engine} {np.dtype(dtype)}, numpy {np.__version__}",
        "model": weights.source,
        "weights_sha256": tensors_sha256(weights.tensors),
        "input_sha256": array_sha256(x),
    }
    epsilon = {"epsilon": np.array(weights.architecture.epsilon)}
    tensors = {
        name: {**arrays, **(epsilon if "gamma" in arrays else {})} for name, arrays in weights.tensors.items()
    }
    return Record(found, provenance, tensor_hashes(tensors))


def _stages(weights: Weights, x: Array, dtype: Any) -> dict[str, Array]:
    """What the fast engine has after each stage but the last: the output of a network cut off there."""
    arch = weights.architecture
    found = {}
    for n in range(1, len(arch.blocks)):
        cut = replace(arch, blocks=arch.blocks[:n], strides=arch.strides[:n], activation=None)
        tensors = {
            layer.name: weights.tensors[layer.name] for layer in layers(cut) if layer.name in weights.tensors
        }
        name = resnet.last_activation(cut)
        found[name] = (
            fast.Engine(cut, cast(tensors, dtype)).run(x.astype(dtype, copy=False), [name]).activations[name]
        )
    return found

"""A run of npcam's own engines, to be compared."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from npcam import engine as fast
from npcam import resnet
from npcam.common.version import __version__
from npcam.layers import layers, output_shapes
from npcam.model import Model
from npcam.resnet import Outputs
from npcam.shapes import Array
from npcam.verify.record import Record, array_sha256, in_pieces, require_room, tensor_hashes
from npcam.weights import Weights, cast, tensors_sha256


def run_npcam(
    weights: Weights,
    x: Array,
    engine: str = "reference",
    dtype: Any = np.float32,
    preprocessing: str = "",
    names: Sequence[str] | None = None,
) -> Record:
    """Run a preprocessed batch and keep the activations.

    Args:
        weights: the network.
        x: the preprocessed batch, (N, H, W, 3).
        engine: "reference" gives every layer and the logits. "fast" gives what its compiled pass
            has: the last activation of each stage, the average pool, logits and probabilities.
        dtype: the float type to compute in.
        preprocessing: how a photograph became `x`, for the record.
        names: the layers to keep, with the input; None for all.

    Raises:
        InputError: `x` is no preprocessed batch, the engine or a layer is unknown, or what is to be
            kept is more than a record may hold.

    >>> from npcam import load_model
    >>> run = run_npcam(load_model().weights, np.zeros((1, 32, 32, 3), np.float32), "fast")
    >>> list(run.activations)[:3]
    ['input_layer', 'conv2_block3_out', 'conv3_block4_out']
    """
    model = Model(weights, dtype, engine)
    run = _fast(model, names) if engine == "fast" else _reference(model, x, names)
    record = in_pieces(run, x, names)
    provenance = {
        "made_by": f"npcam {__version__}",
        "engine": f"{engine} {np.dtype(dtype)}, numpy {np.__version__}",
        "model": weights.source,
        "weights_sha256": tensors_sha256(weights.tensors),
        "input_sha256": array_sha256(x),
        **({"preprocessing": preprocessing} if preprocessing else {}),
    }
    epsilon = {"epsilon": np.array(weights.architecture.epsilon)}
    tensors = {
        name: {**arrays, **(epsilon if "gamma" in arrays else {})} for name, arrays in weights.tensors.items()
    }
    return replace(
        record, provenance=provenance, tensors=tensor_hashes(tensors), stages_only=engine == "fast"
    )


def _reference(model: Model, x: Array, names: Sequence[str] | None) -> Callable[[Array], Record]:
    """What runs a part of a batch layer by layer, and keeps the layers that are named."""
    arch = model.weights.architecture
    known = [layer.name for layer in layers(arch)]
    wanted = known if names is None else [name for name in known if name in ("input_layer", *names)]
    if x.ndim == 4:  # another one is refused when it is run
        filters = {n: a["kernel"].shape[-1] for n, a in model.weights.tensors.items() if "kernel" in a}
        shapes = output_shapes(arch, filters, (x.shape[1], x.shape[2]))
        require_room(len(x) * sum(math.prod(int(side or 1) for side in shapes[n]) for n in wanted))

    def run(part: Array) -> Record:
        outputs = model.run(part, wanted)
        return Record(outputs.activations | _logits(outputs))

    return run


def _fast(model: Model, names: Sequence[str] | None) -> Callable[[Array], Record]:
    """What runs a part of a batch through the fast engine, once for each stage that is kept."""
    engines = _stages(model, names)
    ends = [model.last_activation, *(["avg_pool", "predictions"] if model.has_top else [])]

    def run(part: Array) -> Record:
        outputs = model.run(part, ["input_layer", *ends])
        found = {"input_layer": outputs.activations["input_layer"]}
        for name, engine in engines.items():
            found |= engine.run(part.astype(model.dtype, copy=False), [name]).activations
        return Record(found | {name: outputs.activations[name] for name in ends} | _logits(outputs))

    return run


def _logits(outputs: Outputs) -> dict[str, Array]:
    """The logits under the name that records have for them; nothing without a top."""
    return {} if outputs.logits is None else {"logits": outputs.logits}


def _stages(model: Model, names: Sequence[str] | None) -> dict[str, fast.Engine]:
    """A network cut off after each stage but the last, by the name of what it puts out."""
    weights, engines = model.weights, {}
    arch = weights.architecture
    for n in range(1, len(arch.blocks)):
        cut = replace(arch, blocks=arch.blocks[:n], strides=arch.strides[:n], activation=None)
        tensors = {
            layer.name: weights.tensors[layer.name] for layer in layers(cut) if layer.name in weights.tensors
        }
        name = resnet.last_activation(cut)
        if names is None or name in names:
            engines[name] = fast.Engine(cut, cast(tensors, model.dtype))
    return engines

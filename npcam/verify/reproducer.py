"""One layer's fault, shown without npcam: its input, its weights, both outputs, a short script."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import replacing
from npcam.layers import Layer, layers
from npcam.resnet import Architecture
from npcam.shapes import Array, pad_amounts, same_padding
from npcam.verify.part import Part
from npcam.weights import Weights, cast

HEAD = '''"""{title}

"npcam" is what the layer makes of this input, in float64 by NumPy and rounded; "yours" is what was recorded.
"""

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view as windows

a = np.load(Path(__file__).with_name("{data}"))
'''
TAIL = """for name in ("npcam", "yours"):
    if a[name].shape != y.shape:
        print(name, "has the shape", a[name].shape, "where", y.shape, "is right")
        continue
    off = np.abs(a[name] - y)
    worst = np.unravel_index(np.argmax(off), off.shape)
    place, value = [int(i) for i in worst], a[name][worst]
    print(f"{name} is off by {off[worst]:.3g} at {place}: {value:.9g}, where {y[worst]:.9g} is right")
"""


class Reproducer(NamedTuple):
    """What goes into the folder.

    Attributes:
        arrays: the inputs by layer name, weights as `layer.kernel`, and "npcam" and "yours".
        script: Python, which needs NumPy and the arrays.
        data: the name of the file of arrays.
    """

    arrays: dict[str, Array]
    script: str
    data: str


def reproducer(
    weights: Weights, x: Array, trial: Mapping[str, Array], name: str, photograph: int = 0
) -> Reproducer:
    """Take one layer out of a run.

    Args:
        weights: the network.
        x: npcam's input, for what nothing else is given for.
        trial: the activations of the run that the layer is of.
        name: the layer.
        photograph: which one of the batch to take.

    Raises:
        InputError: what is given has not the shapes that lead to the layer.
    """
    arch, one = weights.architecture, slice(photograph, photograph + 1)
    given = {key: array[one] for key, array in trial.items()}
    part = Part(layers(arch), name, x[one], given, cast(weights.tensors, np.float64), arch)
    found = part.run()
    if found is None:
        raise InputError(f"{name}: what leads to it has shapes that do not fit it, so nothing can be shown")
    arrays = {key: given[key] for key in part.given}
    if part.layers[0].kind == "InputLayer":
        arrays["input_layer"] = x[one]
    for layer in part.layers:
        for weight, array in weights.tensors.get(layer.name, {}).items():
            arrays[f"{layer.name}.{weight}"] = array
    arrays["yours"] = given[name]
    arrays["npcam"] = found.value.astype(np.float32)
    data, kind = f"{name}.npz", part.layers[-1].kind
    between = f", from {', '.join(part.given)}" if part.given else ""
    lines = [line for layer in part.layers for line in _lines(layer, part, arch)]
    script = HEAD.format(title=f"{name} ({kind}){between}.", data=data) + "\n".join(lines) + "\n" + TAIL
    return Reproducer(arrays, script, data)


def write_reproducer(folder: Path, found: Reproducer) -> list[Path]:
    """Write the arrays and the script `reproduce.py` into a folder that is there.

    Returns:
        Their paths.

    Raises:
        InputError: a file cannot be written.
    """
    data = io.BytesIO()
    np.savez(data, **found.arrays)  # type: ignore[arg-type]
    paths = [folder / found.data, folder / "reproduce.py"]
    for path, content in zip(paths, (data.getvalue(), found.script.encode()), strict=True):
        with replacing(path) as unfinished:
            unfinished.write_bytes(content)
    return paths


def _lines(layer: Layer, part: Part, arch: Architecture) -> Iterator[str]:
    """A layer as NumPy, from the variables or arrays of its inputs to `y`."""
    name = layer.name
    if layer.kind == "InputLayer":
        yield 'y = a["input_layer"].astype(float)'
    inputs = [f'a["{n}"].astype(float)' if n in part.given else _variable(n) for n in layer.inputs]
    x = inputs[0] if inputs else ""
    weight = f'a["{name}.{{}}"]'.format
    match layer.kind:
        case "ZeroPadding2D":
            yield f"y = np.pad({x}, {((0, 0), *pad_amounts(layer.padding), (0, 0))})"  # type: ignore[arg-type]
        case "Conv2D":
            k, s = layer.window, layer.stride
            if layer.padding == "same":
                yield f"x = {x}"
                yield f"x = np.pad(x, {_same(part, layer)})"
                x = "x"
            yield f"x = windows({x}, ({k}, {k}), (1, 2))[:, ::{s}, ::{s}]  # N, H, W, C, {k}, {k}"
            yield f'y = np.einsum("nhwcij,ijck->nhwk", x, {weight("kernel")}.astype(float), optimize=True)'
            yield f"y = y + {weight('bias')}"
        case "BatchNormalization":
            root = f"np.sqrt({weight('moving_variance')}.astype(float) + {arch.epsilon!r})"
            yield f"y = ({x} - {weight('moving_mean')}) / {root}"
            yield f"y = y * {weight('gamma')} + {weight('beta')}"
        case "Activation":
            yield f"y = np.maximum({x}, 0)"
        case "MaxPooling2D":
            k, s = layer.window, layer.stride
            yield f"y = windows({x}, ({k}, {k}), (1, 2))[:, ::{s}, ::{s}].max(axis=(4, 5))"
        case "Add":
            yield f"y = {inputs[0]} + {inputs[1]}"
        case "GlobalAveragePooling2D":
            yield f"y = {x}.mean(axis=(1, 2))"
        case "Dense":
            yield f"y = {x} @ {weight('kernel')} + {weight('bias')}"
            yield from _TOPS.get(arch.activation or "linear", ())
    if layer is not part.layers[-1]:
        yield f"{_variable(name)} = y"


_TOPS = {
    "softmax": ("y = np.exp(y - y.max(axis=-1, keepdims=True))", "y = y / y.sum(axis=-1, keepdims=True)"),
    "sigmoid": ("y = 1 / (1 + np.exp(-y))",),
}


def _variable(name: str) -> str:
    """The name of a layer's output in the script."""
    return f"y_{name}"


def _same(part: Part, layer: Layer) -> tuple[tuple[int, int], ...]:
    """The amounts of padding "same", for the input that the layer has here."""
    before = part.values()[layer.inputs[0]]
    window, stride = (layer.window,) * 2, (layer.stride,) * 2
    return ((0, 0), *same_padding(before.shape[1:3], window, stride), (0, 0))

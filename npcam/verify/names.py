"""Whose names are these? An array's name in somebody's run -> the layer of npcam's, by Keras's name.

Built in are Keras's names and torchvision's, as its modules, `torch.fx` and ONNX exports write them;
a JSON file says any others.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.limits import MAX_JSON
from npcam.common.text import printable
from npcam.keras_files import parse_json
from npcam.layers import layers
from npcam.resnet import Architecture, residual_blocks

SCHEMES = ("keras", "torchvision")
INPUTS = ("input", "inputs", "x", "image", "images", "data", "input_1", "input.1", "pixel_values")
TOPS = {
    "softmax": "predictions",
    "prob": "predictions",
    "probs": "predictions",
    "probabilities": "predictions",
    "logits": "logits",
}
_RELU = re.compile(r"^(.+)\.(?:relu|act)(?:([._]?)([0-9]))?$")


def keras_names(names: Sequence[str], arch: Architecture) -> dict[str, str]:
    """{name: layer} of those names that hold a Keras layer's: alone, with `:0`, or as a part of a path.

    Of several arrays whose paths lead through one layer (`conv1_conv/Conv2D`, `conv1_conv/BiasAdd`)
    the last is what the layer puts out; the others are "".

    >>> keras_names(["net/conv1_conv/Conv2D:0", "net/conv1_conv/BiasAdd:0", "what"], Architecture())
    {'net/conv1_conv/Conv2D:0': '', 'net/conv1_conv/BiasAdd:0': 'conv1_conv'}
    """
    known = {layer.name for layer in layers(arch)} | {"logits"}
    found: dict[str, str] = {}
    by_layer: dict[str, str] = {}
    for name in names:
        exact = name.removesuffix(":0")
        parts = [part for part in re.split(r"[/.]", exact) if part in known]
        layer = exact if exact in known else parts[-1] if parts else None
        if layer is None and exact.rsplit("/", 1)[-1] in INPUTS:
            layer = "input_layer"
        if layer is None:
            continue
        if layer in by_layer and exact not in known:
            found[by_layer[layer]] = ""
        found[name] = by_layer[layer] = layer
        by_layer[layer] = name
    return found


def torchvision_names(
    names: Sequence[str], arch: Architecture, fits: Callable[[str, str], bool] = lambda _name, _layer: True
) -> dict[str, str]:
    """{name: layer} of those names that torchvision's ResNets use.

    Its bottlenecks call one ReLU three times. `relu`, `relu_1` and `relu_2` are the calls in order; a
    `relu` alone is the last call, what comes out of the block, if its shape allows that, else the first.

    Args:
        names: of the arrays.
        arch: the architecture.
        fits: whether an array of that name could be the layer's, by its shape.

    >>> torchvision_names(["conv1", "layer1.0.bn2", "layer2.0.downsample.0", "fc"], Architecture())
    ... # doctest: +NORMALIZE_WHITESPACE
    {'conv1': 'conv1_conv', 'layer1.0.bn2': 'conv2_block1_2_bn',
     'layer2.0.downsample.0': 'conv3_block1_0_conv', 'fc': 'logits'}
    """
    table = _torchvision_table(arch)
    plain = {name: dotted(name) for name in names}
    prefix = _common_prefix(list(plain.values()), table)
    plain = {name: p.removeprefix(prefix) for name, p in plain.items()}
    calls: dict[str, list[tuple[int, bool, str]]] = {}  # of a block's ReLU: number, set apart, array's name
    found = {}
    for name, p in plain.items():
        match = _RELU.match(p)
        if p in table:
            found[name] = table[p]
        elif match and match[1] in table:
            calls.setdefault(match[1], []).append((int(match[3] or 0), match[2] != "", name))
    if any(plain[name] in ("fc", "logits") for name in names):  # then an ONNX model's output is what follows
        found |= {name: "predictions" for name in names if plain[name] == "output"}
    for block, some in calls.items():
        out, inside = table[block], table[block].removesuffix("_out")
        order: tuple[str, ...] = (f"{inside}_1_relu", f"{inside}_2_relu", out)
        # `relu`, `relu_1`, `relu_2` are counted from 0; `relu1`, `relu2`, `relu3` from 1
        first = 0 if all(n < 3 and (apart or n == 0) for n, apart, _ in some) else 1
        if [n for n, *_ in some] == [0]:
            order = (out if fits(some[0][2], out) else order[0],)
        for number, _, name in some:
            if 0 <= number - first < len(order):
                found[name] = order[number - first]
    return {name: found[name] for name in names if name in found}


def dotted(name: str) -> str:
    """A module's name out of what `torch.fx` and ONNX exports make of it.

    >>> dotted("/layer1/layer1.0/downsample/downsample.1/BatchNormalization_output_0")
    'layer1.0.downsample.1'
    >>> dotted("layer1_0_relu_1"), dotted("/layer1/layer1.0/Add_output_0"), dotted("/Flatten_output_0")
    ('layer1.0.relu_1', 'layer1.0.add', 'flatten')
    """
    name = name.removesuffix(":0")
    if name.startswith("/"):
        *modules, operation = name.strip("/").split("/")
        path: list[str] = []
        for module in modules:
            if path and module.startswith(f"{path[-1]}."):
                path.pop()
            path.append(module)
        operation = re.sub(r"(_[0-9]+)?(_output_[0-9]+)?$", "", operation)
        inner = path[-1].rsplit(".", 1)[-1] if path else ""
        if not path or (inner.isdecimal() and operation == "Add"):
            path.append(operation.lower())
        return ".".join(path)
    return re.sub(r"^(.*\b)?layer([0-9])_([0-9]+)(?:_(downsample)_([0-9])|_(\w+))?$", _dots, name)


def read_map(path: str | Path, names: Sequence[str], arch: Architecture) -> dict[str, str]:
    """A JSON object from a run's names to Keras's, or the other way round; null leaves an array out.

    Args:
        path: the JSON file.
        names: those of the arrays.
        arch: the architecture, for the names that there are.

    Returns:
        {name: layer}, "" for what is left out.

    Raises:
        InputError: it is no such object, or names a layer that there is not, or one twice.
    """
    with open_file(path, "give --names keras, torchvision or a JSON file") as file:
        table = parse_json(file.read(MAX_JSON + 1), str(path))
    if not isinstance(table, dict) or not all(isinstance(v, str | None) for v in table.values()):
        raise InputError(f'{path}: expected an object such as {{"stem.conv": "conv1_conv"}}')
    known = {layer.name for layer in layers(arch)} | {"logits"}
    if known.issuperset(table) and not known.issuperset(v for v in table.values() if v):
        table = {theirs: ours for ours, theirs in table.items() if theirs is not None}
    for theirs, ours in table.items():
        if ours is not None and ours not in known:
            said = f"{printable(theirs)[:80]!r} is mapped to {printable(ours)[:80]!r}"
            raise InputError(f"{path}: {said}, which is no layer; `npcam summary` lists the layers' names")
    return {name: table[name] or "" for name in names if name in table}


def _torchvision_table(arch: Architecture) -> dict[str, str]:
    """{torchvision's dotted name: Keras's}, but for the ReLUs of the blocks."""
    table = {
        "conv1": "conv1_conv",
        "bn1": "conv1_bn",
        "relu": "conv1_relu",
        "relu1": "conv1_relu",
        "act1": "conv1_relu",
        "maxpool": "pool1_pool",
        "avgpool": "avg_pool",
        "global_pool": "avg_pool",
        "flatten": "avg_pool",
        "fc": "logits",
        "output": "logits",
        **TOPS,
        **dict.fromkeys(INPUTS, "input_layer"),
    }
    for block in residual_blocks(arch):
        stage, number = block.name.removeprefix("conv").split("_block")
        name, ours = f"layer{int(stage) - 1}.{int(number) - 1}", block.name
        for part in "123":
            table[f"{name}.conv{part}"] = f"{ours}_{part}_conv"
            table[f"{name}.bn{part}"] = f"{ours}_{part}_bn"
        table[f"{name}.downsample.0"] = f"{ours}_0_conv"
        table[f"{name}.downsample.1"] = table[f"{name}.downsample"] = f"{ours}_0_bn"
        table[f"{name}.add"] = f"{ours}_add"
        table[f"{name}.out"] = table[name] = table[name.rsplit(".", 1)[0]] = f"{ours}_out"
    return table


def _common_prefix(names: Sequence[str], table: Mapping[str, str]) -> str:
    """What stands before torchvision's names, `model.`, if it does before most of them."""
    before: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        ends = (i for i in range(len(parts)) if _is_known(".".join(parts[i:]), table))
        start = "".join(f"{part}." for part in parts[: next(ends, 0)])
        before[start] = before.get(start, 0) + 1
    return max(before, key=lambda start: before[start], default="")


def _is_known(name: str, table: Mapping[str, str]) -> bool:
    """Whether a name is torchvision's, or that of a block's ReLU."""
    match = _RELU.match(name)
    return name in table or (match is not None and match[1] in table)


def _dots(match: re.Match[str]) -> str:
    """`layer1_0_downsample_1` with dots where modules end."""
    start, stage, block, down, part, rest = match.groups()
    end = f".{down}.{part}" if down else f".{rest}" if rest else ""
    return f"{start or ''}layer{stage}.{block}{end}"

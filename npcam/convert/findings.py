"""What else is in a Keras file: whatever is no part of the model, names Python code, or looks wrong.

Nothing of it is read by `npcam convert`, and nothing of it is run. It is named, so that nobody takes a
file that converts for a file that holds nothing else.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_HDF5_DEPTH, MAX_HDF5_MEMBERS
from npcam.common.text import printable
from npcam.hdf5 import Dataset, Group
from npcam.shapes import Array

MEMBERS = ("config.json", "metadata.json", "model.weights.h5")  # those of a `.keras` file
CONTAINERS = ("layers", "_layer_checkpoint_dependencies", "vars", "model_weights")
STATES = ("optimizer", "optimizer_weights")
CODE = ("Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda")
HUGE = 1e8  # trained weights are around 1; a first layer's variances reach 1e5


class Finding(NamedTuple):
    """One thing that a person should know of a file.

    Attributes:
        kind: "member" or "group" (not part of the model), "optimizer", "compile", "code", "values".
        where: which member, group, key or tensor.
        what: what it is, in words.
    """

    kind: str
    where: str
    what: str


def in_archive(path: Path) -> Iterator[Finding]:
    """What a zip holds besides a model's three members, and before or after all of them."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename not in MEMBERS and not info.is_dir():
                pickled = info.filename.endswith((".pkl", ".pickle", ".joblib", ".npy", ".pt"))
                danger = ", and loading it may run code" if pickled else ""
                what = f"{info.file_size:,} bytes, not part of the model{danger}; npcam does not read it"
                yield Finding("member", printable(info.filename), what)
        if archive.comment:
            yield Finding("member", "the zip's comment", f"{len(archive.comment):,} bytes")
        first = min((info.header_offset for info in archive.infolist()), default=0)
        if first:
            yield Finding("member", "before the zip", f"{first:,} bytes, which npcam does not read")


def in_hdf5(file: Group, listed: set[str]) -> Iterator[Finding]:
    """What an HDF5 file holds besides the model's layers.

    Args:
        file: its root.
        listed: the names of the layers that the older layout lists.
    """
    places = [(file, "")]
    if "model_weights" in file:
        places.append((file.group("model_weights"), "model_weights/"))
    for group, above in places:
        for name in group:
            first = name.split("\\")[0]
            if first in STATES:
                yield Finding("optimizer", above + printable(name), "the optimizer's state; not converted")
            elif first in (*CONTAINERS, "top_level_model_weights") or name in listed:
                continue
            elif not (is_layer(group, name) and not listed):
                what = f"{_numbers(group, name)}, not part of the model; npcam does not read it"
                yield Finding("group", above + printable(name), what)
    if file.attribute("training_config") is not None:
        yield Finding("compile", "training_config", "how it was trained; not converted")


def is_layer(group: Group, name: str) -> bool:
    """Whether a group holds a layer or a model of the newer layout: a subclassed model's attribute."""
    try:
        member = group.child(name)
    except InputError:
        return False
    return isinstance(member, Group) and any(inner in member for inner in CONTAINERS)


def in_configuration(config: Any, where: str = "config.json") -> Iterator[Finding]:
    """What a configuration says of training, and every place where it names code that is not Keras's.

    Args:
        config: the parsed JSON.
        where: its name, for findings.
    """
    todo: list[tuple[Any, str]] = [(config, where)]
    while todo:
        value, place = todo.pop()
        if isinstance(value, Mapping):
            if value.get("compile_config"):
                yield Finding("compile", f"{place}: compile_config", _trained(value["compile_config"]))
            kind, module = value.get("class_name"), value.get("module")
            if kind in CODE:
                yield Finding("code", place, f"{kind}: Python code, or a name of some; npcam never runs it")
            elif isinstance(module, str) and module.split(".")[0] not in ("keras", "tf_keras", "builtins"):
                yield Finding("code", place, printable(f"names {module}.{kind}, which Keras would import"))
            elif ">" in str(value.get("registered_name")):
                yield Finding("code", place, printable(f"names {value['registered_name']}, not Keras's own"))
            todo += [(inner, f"{place}/{printable(str(key))}") for key, inner in value.items()]
        elif isinstance(value, list):
            todo += [(inner, f"{place}/{number}") for number, inner in enumerate(value)]


def in_values(tensors: Mapping[str, Mapping[str, Array]]) -> Iterator[Finding]:
    """Numbers that no trained network has: all zero, all the same, huge, or too small for float32."""
    untrained = [
        layer
        for layer, arrays in tensors.items()
        if "moving_mean" in arrays
        and not arrays["moving_mean"].any()
        and (arrays["moving_variance"] == 1).all()
    ]
    if untrained:
        what = f"mean 0 and variance 1 in {len(untrained)} batch norms: statistics that were never trained"
        yield Finding("values", untrained[0], what)
    for layer, arrays in tensors.items():
        for name, array in arrays.items():
            where, size = f"{layer}/{name}", np.abs(array)
            if name in ("kernel", "gamma", "moving_variance") and not size.any():
                yield Finding("values", where, "all zero")
            elif name == "kernel" and array.size > 1 and (array == array.flat[0]).all():
                yield Finding("values", where, f"all {float(array.flat[0]):.6g}")
            if size.max(initial=0) > HUGE:
                yield Finding("values", where, f"up to {float(size.max()):.3g}; trained weights are around 1")
            tiny = int(((size > 0) & (size < np.finfo(np.float32).tiny)).sum())
            if tiny:
                yield Finding("values", where, f"{tiny:,} of {array.size:,} numbers are denormal")
            if name == "moving_variance" and (array < 0).any():
                yield Finding("values", where, "a negative variance")


def _numbers(group: Group, name: str) -> str:
    """How much a member holds, in words, as far as plain links reach."""
    try:
        todo = [(group.child(name), 0)]
    except InputError:
        return "a link to elsewhere"
    arrays = numbers = seen = 0
    while todo:
        member, depth = todo.pop()
        if isinstance(member, Dataset):
            arrays, numbers = arrays + 1, numbers + int(np.prod(member.extent, dtype=float))
            continue
        seen += len(member)
        if seen > MAX_HDF5_MEMBERS or depth > MAX_HDF5_DEPTH:  # a hard link may close a circle
            return "groups of more members than any weights file has"
        for inner in member:
            try:
                todo.append((member.child(inner), depth + 1))
            except InputError:
                arrays += 1
    return f"{arrays} arrays, {numbers:,} values"


def _trained(settings: Any) -> str:
    """What a compile configuration says, short."""
    text = json.dumps(settings, default=str)
    return printable(text if len(text) <= 200 else f"{text[:200]}...")

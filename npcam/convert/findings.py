"""What else is in a Keras file: whatever is no part of the model, names Python code, or looks wrong.

Nothing of it is read by `npcam convert`, and nothing of it is run. It is named, so that nobody takes a
file that converts for a file that holds nothing else.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npcam.common.text import printable
from npcam.shapes import Array

MEMBERS = ("config.json", "metadata.json", "model.weights.h5")  # those of a `.keras` file
CODE = ("Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda")
# Modules of Keras's whose functions a model may name: activations, losses and the like.
FUNCTIONS = re.compile(
    r"(tf_)?keras\.(src\.)?(activations|constraints|initializers|layers|losses|metrics|ops|optimizers|regularizers)"
)
OWN = re.compile(r"[\w.]+>[\w.]+")  # a registered name, with that of its package
OF_OBJECTS = ("/registered_name", "/class_name", "/config")  # where the object around it tells of it
MARSHALLED = ("4w", "4Q")  # how the bytes of a function begin that Python's marshal wrote, in base 64
HUGE = 1e8  # trained weights are around 1; a first layer's variances reach 1e5


class Finding(NamedTuple):
    """One thing that a person should know of a file.

    Attributes:
        kind: "member" of the zip, "group", "array", "link", "attribute" or "bytes" of the HDF5 (none of
            them part of the model), "optimizer", "compile", "code", "values".
        where: which member, group, key or tensor.
        what: what it is, in words.
    """

    kind: str
    where: str
    what: str


def in_archive(path: Path) -> Iterator[Finding]:
    """What a zip holds besides a model's three members: other members, a comment, bytes that are in none."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for info in members:
            if info.filename not in MEMBERS and not (info.is_dir() and not info.file_size):
                pickled = info.filename.endswith((".pkl", ".pickle", ".joblib", ".npy", ".pt"))
                danger = ", and loading it may run code" if pickled else ""
                what = f"{info.file_size:,} bytes, not part of the model{danger}; npcam does not read it"
                yield Finding("member", printable(info.filename), what)
        if archive.comment:
            yield Finding("member", "the zip's comment", f"{len(archive.comment):,} bytes")
        directory, comment = archive.start_dir, len(archive.comment)
    with path.open("rb") as file:
        at, between = 0, 0
        for info in sorted(members, key=lambda info: info.header_offset):
            between += max(0, info.header_offset - at)
            file.seek(info.header_offset + 26)
            name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
            at = info.header_offset + 30 + name + extra + info.compress_size + (info.flag_bits & 8 and 16)
        between += max(0, directory - at)
        end = file.seek(0, 2)
        file.seek(max(0, end - 22 - 65_535))
        tail = file.read()
    after = len(tail) - tail.rfind(b"PK\x05\x06") - 22 - comment
    for count, where in ((between, "between the zip's members"), (after, "after the zip")):
        if count > 0:
            yield Finding("member", where, f"{count:,} bytes, which npcam does not read")


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
                yield Finding("compile", f"{place}: compile_config", trained(value["compile_config"]))
            if (what := _code(value)) is not None:
                yield Finding("code", place, printable(what))
            todo += [(inner, f"{place}/{printable(str(key))}") for key, inner in value.items()]
        elif isinstance(value, list):
            todo += [(inner, f"{place}/{number}") for number, inner in enumerate(value)]
        elif isinstance(value, str) and OWN.fullmatch(value) and not place.endswith(OF_OBJECTS):
            yield Finding("code", place, printable(f"names {value}, not Keras's own"))


def _code(entry: Mapping[str, Any]) -> str | None:
    """What a serialised object names that is not Keras's, in words; None where it names nothing else."""
    kind, module, registered = (entry.get(key) for key in ("class_name", "module", "registered_name"))
    function, bare = kind == "function", "class_name" not in entry
    named = entry["config"] if function and isinstance(entry.get("config"), str) else kind
    own = next((name for name in (registered, named) if isinstance(name, str) and ">" in name), None)
    value = entry.get("value")
    lambda_ = bare and isinstance(value, list) and bool(value) and str(value[0]).startswith(MARSHALLED)
    path = module if isinstance(module, str) else "builtins"
    theirs = path != "builtins" and path.split(".")[0] not in ("keras", "tf_keras")
    told = (
        (kind in CODE, f"{kind}: Python code, or a name of some; npcam never runs it"),
        (lambda_, "Python code; npcam never runs it"),
        (own is not None, f"names {own}, not Keras's own"),
        (theirs, f"names {path}{f'.{named}' if named else ''}, which Keras would import"),
        (function and path == "builtins", f"names the function {named}, whose code is not in the file"),
        (function and not FUNCTIONS.match(path), f"names {path}.{named}, a function that no model needs"),
    )
    return next((what for is_this, what in told if is_this), None)


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


def trained(settings: Any) -> str:
    """What a compile configuration says, short."""
    text = json.dumps(settings, default=str)
    return printable(text if len(text) <= 200 else f"{text[:200]}...")

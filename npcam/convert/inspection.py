"""What is in a weights file, npcam's, Keras's or any other HDF5, and whether it would convert."""

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import require_file
from npcam.common.hashes import md5_file, sha256_file
from npcam.common.limits import MAX_HDF5_DEPTH, MAX_KERAS_LAYERS
from npcam.common.published import identify
from npcam.common.text import printable
from npcam.convert.findings import Finding, in_archive, in_configuration, in_values, trained
from npcam.convert.strays import in_hdf5, used_arrays
from npcam.hdf5 import Dataset, Group, open_hdf5
from npcam.keras_files import (
    KerasFile,
    expected_shapes,
    has_layers,
    is_zip,
    open_archive,
    open_keras,
    parse_json,
    present_shapes,
    read_graph,
    read_keras,
    recognise_file,
)
from npcam.resnet import RESNET50, RESNET101, RESNET152, Architecture
from npcam.weights import FORMAT, Shapes, Weights, compare_shapes, read_weights, tensors_sha256

RECORD = "npcam record"  # what a record says that it is
UNREADABLE = ("not HDF5", "damaged zip")  # formats of files that nothing could be read of

NAMES = {RESNET50.blocks: "ResNet-50", RESNET101.blocks: "ResNet-101", RESNET152.blocks: "ResNet-152"}


@dataclass
class Inspection:
    """All that can be told of a file.

    Attributes:
        file, bytes, sha256, md5: the file itself.
        format: in words: "Keras .keras", "npcam weights", "HDF5, not Keras's", "zip", or one of UNREADABLE.
        metadata: what it says of itself: Keras's version, backend, date.
        official: which of Keras's published files it is, by its MD5, or None.
        architecture: the network found, or None.
        layers: one for each layer: `name`, `weights` ({name: shape}), `parameters`.
        missing, extra, misshapen: tensors, by name, that do not fit the network.
        converts: whether `npcam convert` would convert it.
        reason: if not, why not.
        notes: what converting assumes, and what it leaves out.
        preprocessing: what is done to a photograph before the network, in words, or None.
        assumed: which of "preprocessing", "input_size" and "activation" nothing in the file tells.
        class_names: one name per class, or None.
        tensors_sha256: over all tensors, as npcam's file has it; None where it does not convert.
        findings: whatever is no part of the model, names Python code, or looks wrong: `kind`, `where`
            and `what`.
    """

    file: str
    bytes: int = 0
    sha256: str = ""
    md5: str = ""
    format: str = "not HDF5"
    metadata: dict[str, str] = field(default_factory=dict)
    official: str | None = None
    architecture: dict[str, Any] | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)
    converts: bool = False
    reason: str | None = None
    notes: list[str] = field(default_factory=list)
    preprocessing: str | None = None
    assumed: list[str] = field(default_factory=list)
    class_names: list[str] | None = None
    tensors_sha256: str | None = None
    findings: list[dict[str, str]] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """How many numbers the layers hold."""
        return sum(int(layer["parameters"]) for layer in self.layers)

    @property
    def readable(self) -> bool:
        """Whether there was anything to look into."""
        return self.format not in UNREADABLE

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        return asdict(self) | {"parameters": self.parameters}


def inspect(path: str | Path) -> Inspection:
    """Look at a file, however damaged.

    Args:
        path: any file; the more it is one of Keras's or npcam's, the more there is to tell.

    Raises:
        InputError: there is no such file, or it cannot be read at all.
    """
    path = Path(path)
    try:
        require_file(path, "give the path of a weights file")
        found = Inspection(str(path), path.stat().st_size, sha256_file(path), md5_file(path))
        zipped = is_zip(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    official = identify(found.md5)
    if official:
        top = "with top" if official.has_top else "without top"
        found.official = f"{official.model} {top}, network {official.network}"
    try:
        if zipped:
            found.format = "zip" if zipfile.is_zipfile(path) else "damaged zip"
            _inspect_keras(path, found)
        else:
            _inspect_hdf5(path, found)
    except InputError as error:
        found.reason = str(error)
    return found


def describe(found: Inspection) -> str:
    """The same in words, for a reader.

    Args:
        found: what `inspect` returned.

    Returns:
        Lines: the file, its hashes, the network, every layer, and whether it converts.
    """
    lines = [
        found.file,
        f"  format        {found.format}",
        *(f"  {name:12}  {value}" for name, value in found.metadata.items()),
        f"  size          {found.bytes:,} bytes",
        f"  SHA-256       {found.sha256}",
        f"  MD5           {found.md5}",
    ]
    if found.official:
        lines.append(f"  official      {found.official}")
    if found.architecture:
        settings = ", ".join(f"{k} {v}" for k, v in found.architecture.items() if k != "name")
        lines.append(f"  architecture  {found.architecture['name']}: {settings}")
    lines.append(f"  layers        {len(found.layers)} with weights, {found.parameters:,} parameters")
    for layer in found.layers:
        shapes = "  ".join(f"{name} {tuple(shape)}" for name, shape in layer["weights"].items())
        was = f"  (is {layer['original']} in the file)" if layer.get("original") else ""
        lines.append(f"    {layer['name']:24} {layer['parameters']:>12,}  {shapes}{was}")
    if found.preprocessing:
        lines.append(f"  preprocessing {found.preprocessing}")
    if found.class_names:
        some = ", ".join(found.class_names[:8])
        lines.append(
            f"  class names   {len(found.class_names)}: {some}{', ...' if found.class_names[8:] else ''}"
        )
    if found.tensors_sha256:
        lines.append(f"  tensors       SHA-256 {found.tensors_sha256}")
    for what in ("assumed", "missing", "extra", "misshapen", "notes"):
        lines += [f"  {what:12}  {name}" for name in getattr(found, what)]
    lines += [f"  finding       {f['kind']}: {f['where']}: {f['what']}" for f in found.findings]
    lines.append("  converts      yes" if found.converts else f"  converts      no: {found.reason}")
    return "\n".join(printable(line) for line in lines)


def _inspect_hdf5(path: Path, found: Inspection) -> None:
    """npcam's file, one of Keras's, or any other."""
    with open_hdf5(path) as file:
        found.format = "HDF5, not Keras's"
        found.layers = _any_layers(file)
        if file.attribute("format") == FORMAT:
            found.format = f"npcam weights, version {file.attribute('format_version')}"
            found.reason = "npcam's own already"
            found.metadata = {
                name: str(file.attribute(name)) for name in ("source", "source_sha256", "converter")
            }
        elif file.attribute("format") == RECORD:
            found.format = f"npcam record, version {file.attribute('format_version')}"
            found.reason = "a record of a run, which holds no weights; `npcam verify --against` takes it"
            return
    if found.reason:
        weights = read_weights(path)
        shapes = {n: {w: a.shape for w, a in arrays.items()} for n, arrays in weights.tensors.items()}
        found.layers = _layers(shapes)
        found.architecture = _architecture(weights.architecture, weights.input_size)
        found.notes = list(weights.notes)
        _tell(found, weights)
    else:
        _inspect_keras(path, found)


def _inspect_keras(path: Path, found: Inspection) -> None:
    """One of Keras's layouts; raises InputError at the first reason why it does not convert."""
    zipped = found.format == "zip"
    try:
        with open_keras(path) as file:
            found.findings = [finding._asdict() for finding in _beside(path, zipped, file)]
            _inspect_open(path, found, file)
    except InputError:
        if not found.findings:
            found.findings = [finding._asdict() for finding in _in_damaged(path, zipped, found)]
        raise
    _tell(found, read_keras(path))
    found.converts = True


def _inspect_open(path: Path, found: Inspection, file: KerasFile) -> None:
    """One of Keras's layouts that could be opened."""
    kind = {True: "whole model", False: "weights only"}[file.config is not None]
    found.format = {
        "named": f"Keras HDF5 (.h5), {kind}",
        "numbered": "Keras .keras" if found.format == "zip" else "Keras .weights.h5",
    }[file.layout]
    found.metadata = file.metadata
    found.layers = [
        {
            "name": "/".join(layer.path or layer.slot),
            "weights": {a.weight or str(i): list(a.dataset.extent) for i, a in enumerate(layer.arrays)},
            "parameters": sum(int(np.prod(a.dataset.extent, dtype=float)) for a in layer.arrays),
        }
        for layer in file.saved
        if layer.arrays
    ]
    recognised = recognise_file(file, str(path), None, None)
    found.architecture = _architecture(recognised.architecture, recognised.input_size)
    found.notes = list(recognised.notes)
    shapes = present_shapes(recognised)
    found.layers = _layers(shapes)
    for layer in found.layers:
        original = recognised.origins.get(layer["name"])
        if original not in (None, layer["name"]):
            layer["original"] = original
    problems = compare_shapes(expected_shapes(recognised), shapes)
    found.missing, found.extra, found.misshapen = problems.missing, problems.extra, problems.misshapen


def _beside(path: Path, zipped: bool, file: KerasFile) -> Iterator[Finding]:
    """What is in a file besides the model."""
    graph = None
    if file.config is not None:
        with suppress(InputError):  # which converting will say
            graph = read_graph(file.config, str(path))
    if zipped:
        yield from in_archive(path)
    yield from in_hdf5(file.root, used_arrays(file.saved, graph))
    yield from in_configuration(file.config, "config.json" if zipped else "model_config")
    text = None if zipped else file.root.attribute("training_config")
    if text is not None:
        config = parse_json(str(text), f"{path}: training_config")
        yield Finding("compile", "training_config", trained(config))
        yield from in_configuration(config, "training_config")


def _in_damaged(path: Path, zipped: bool, found: Inspection) -> Iterator[Finding]:
    """What is in a file that is opened but whose layers are not as Keras writes them, as far as it goes."""
    with suppress(InputError), ExitStack() as stack:
        archive = stack.enter_context(open_archive(path)) if zipped else None
        root = stack.enter_context(open_hdf5(path, archive.weights if archive else None))
        if archive:
            found.format = "Keras .keras"
            yield from in_archive(path)
            yield from in_configuration(parse_json(archive.config, "config.json"))
        if archive or has_layers(root) == "numbered":
            yield from in_hdf5(root, None)


def _tell(found: Inspection, weights: Weights) -> None:
    """What the weights say, once they could be read."""
    name, steps = weights.preprocessing.name, weights.preprocessing.describe()
    found.preprocessing = f"{name}: {steps}"
    found.assumed = list(weights.assumed)
    found.class_names = None if weights.class_names is None else list(weights.class_names)
    found.tensors_sha256 = tensors_sha256(weights.tensors)
    found.findings += [finding._asdict() for finding in in_values(weights.tensors)]


def _architecture(arch: Architecture, size: tuple[int, int] | None) -> dict[str, Any]:
    """The architecture as plain JSON types, with the name it goes by."""
    name = NAMES.get(arch.blocks, f"ResNet of {', '.join(map(str, arch.blocks))} blocks")
    return {"name": name} | asdict(arch) | {"input_size": list(size) if size else None}


def _layers(shapes: Shapes) -> list[dict[str, Any]]:
    """Layers by name, with their shapes and how many numbers they hold."""
    return [
        {
            "name": name,
            "weights": {weight: list(shape) for weight, shape in weights.items()},
            "parameters": sum(int(np.prod(shape, dtype=float)) for shape in weights.values()),
        }
        for name, weights in shapes.items()
    ]


def _any_layers(file: Group) -> list[dict[str, Any]]:
    """Every group of any HDF5 file that holds arrays, as far as plain links reach."""
    layers: list[dict[str, Any]] = []
    todo = [(file, 0)]
    seen = 0
    while todo:
        group, depth = todo.pop()
        arrays: dict[str, tuple[int, ...]] = {}
        for name in group:
            seen += 1
            if seen > MAX_KERAS_LAYERS or depth > MAX_HDF5_DEPTH:
                return layers  # what there is no end of is listed as far as this
            try:
                member = group.child(name)
            except InputError:
                continue  # a link to elsewhere, or damaged: converting says so
            if isinstance(member, Dataset):
                arrays[name] = member.extent
            else:
                todo.append((member, depth + 1))
        if arrays:
            layers += _layers({group.name: arrays})
    return layers

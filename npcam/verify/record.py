"""A recorded run: activations by layer name, and how they came about, in one HDF5 file.

The root's attributes say who made it, with which versions, from which weights and which input; the
activations are compressed datasets under `/activations`. A record from a stranger is read as
carefully as a weights file.
"""

import hashlib
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_HDF5_EXPANSION, MAX_RECORD_BYTES, MAX_RECORD_LAYERS
from npcam.hdf5 import Group, new_hdf5, open_hdf5
from npcam.resnet import Tensors
from npcam.shapes import Array

FORMAT = "npcam record"
FORMAT_VERSION = 1
PROVENANCE = (
    "made_by",
    "engine",
    "model",
    "weights_sha256",
    "input",
    "input_sha256",
    "preprocessing",
)
BYTES = 8  # of a number, for the limit: as if all were float64
PIECE = 2**16  # pixels that are run at a time: one photograph of 224x224
HASH = re.compile(r"(\S+/\S+) (\S+)")  # a line of the attribute `tensors`
BY_ITSELF = "by the model itself, from RGB 0 to 255"  # what `preprocessing` says of a model that does it


@dataclass(frozen=True)
class Record:
    """What one run of a network gave, in memory.

    Attributes:
        activations: {Keras layer name: array}, in the network's order; "input_layer" is the
            preprocessed batch, and "logits" may stand beside Keras's "predictions". Other names are
            of layers that only this network has.
        provenance: what is known of the run: `made_by` (program and version), `engine` (backend or
            engine, with its version), `model` and `input` (file names), `weights_sha256` (as in
            npcam's weights files), `input_sha256` (see `array_sha256`), `preprocessing` (how the
            photograph became the program's input, in words).
        tensors: {"layer/weight": the first 16 digits of its `array_sha256`}, batch norms' epsilons
            among them: they tell networks that are not the same apart, even where rounding hides it.
        stages_only: whether npcam's fast engine made it, in this process: it has no other layers
            than these. A file cannot claim it.
        fused: whether these are the arrays of a port, which may lack what it has fused into others.
        names: {layer: what the port calls it}, of a port.
        notes: what was found out of a port's arrays, in words.
    """

    activations: dict[str, Array]
    provenance: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    stages_only: bool = False
    fused: bool = False
    names: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_record(path: str | Path, record: Record) -> None:
    """Write a record; it appears whole or not at all, and the same record gives the same bytes.

    Raises:
        InputError: the file cannot be written.
    """
    with new_hdf5(path) as file:
        file.attrs["format"] = np.bytes_(FORMAT.encode())
        file.attrs["format_version"] = FORMAT_VERSION
        for name in PROVENANCE:
            if name in record.provenance:
                text = record.provenance[name].encode("utf-8", "backslashreplace")
                file.attrs[name] = np.bytes_(text or b" ")
        if record.tensors:
            lines = [f"{name} {digest}".encode() for name, digest in record.tensors.items()]
            file.attrs["tensors"] = np.array(lines, dtype="S")
        group = file.create_group("activations", track_order=True)
        for name, array in record.activations.items():
            options = {"compression": "gzip", "shuffle": True} if _compressible(array) else {}
            group.create_dataset(name, data=array, **options)


def read_record(path: str | Path) -> Record:
    """Read a record that `write_record` made.

    Raises:
        InputError: it is no record, is damaged or too large, or holds anything but arrays of floats.
    """
    with open_hdf5(path) as file:
        if file.attribute("format") != FORMAT:
            raise InputError(f"{path}: an HDF5 file, but not an npcam record; `npcam record` makes one")
        version = file.attribute("format_version")
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: record version {version}; this npcam reads {FORMAT_VERSION}; update npcam"
            )
        group = file.group("activations")
        if not 0 < len(group) <= MAX_RECORD_LAYERS:
            raise InputError(f"{path}: /activations is not a group of recorded layers; record it again")
        nodes = {name: group.dataset(name) for name in group}
        size = sum(BYTES * math.prod(node.shape) for node in nodes.values())
        if size > MAX_RECORD_BYTES:
            raise InputError(
                f"{path}: {size:,} bytes of activations, {MAX_RECORD_BYTES:,} at most; record fewer layers"
            )
        known = {name: _text(file, name, path) for name in PROVENANCE}
        tensors = _hashes(file, path)
        activations = {name: node.read(dtype=None, finite=False) for name, node in nodes.items()}
    return Record(activations, {name: text for name, text in known.items() if text is not None}, tensors)


def _text(file: Group, name: str, path: str | Path) -> str | None:
    """An attribute that is text, or None where it is missing."""
    value = file.attribute(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"{path}: attribute {name} is {value!r} where text was expected; record it again")
    return value.strip()


def _hashes(file: Group, path: str | Path) -> dict[str, str]:
    """The tensors' hashes, by "layer/weight"; none where the attribute is missing."""
    lines = file.attribute("tensors")
    if lines is None:
        return {}
    listed = lines if isinstance(lines, list) else [lines]
    found = [HASH.fullmatch(line) if isinstance(line, str) else None for line in listed]
    hashes: dict[str, str] = {match[1]: match[2] for match in found if match}
    if len(hashes) != len(found):
        raise InputError(
            f"{path}: attribute tensors is no list of weights with their hashes; record it again"
        )
    return hashes


def chosen(record: Record, names: Sequence[str]) -> Record:
    """A record of the layers that are named, with the input.

    Raises:
        InputError: a layer of that name was not recorded.
    """
    missing = [name for name in names if name not in record.activations]
    if missing:
        raise InputError(f"no layer {missing[0]!r} was recorded; `npcam summary` lists the layers' names")
    wanted = {"input_layer", *names}
    return replace(record, activations={n: a for n, a in record.activations.items() if n in wanted})


def in_pieces(run: Callable[[Array], Record], x: Array, names: Sequence[str] | None = None) -> Record:
    """A run of a batch, a few photographs at a time, of which only the layers that are named are kept.

    All layers of three hundred photographs would take twelve gigabytes.

    Args:
        run: makes a record of a part of the batch.
        x: the batch, (N, H, W, 3).
        names: the layers to keep with the input; None for all.

    Raises:
        InputError: a layer was not recorded, or what is to be kept is more than a record may hold.

    >>> doubled = in_pieces(lambda part: Record({"twice": 2 * part}), np.ones((4, 300, 300, 3)))
    >>> doubled.activations["twice"].shape
    (4, 300, 300, 3)
    """
    step = max(1, PIECE // (x.shape[1] * x.shape[2]))
    first = run(x[:step]) if names is None else chosen(run(x[:step]), names)
    if step >= len(x):
        return first
    require_room(sum(array[0].size for array in first.activations.values()) * len(x))
    whole = {
        name: x if np.shares_memory(a, x) else np.empty((len(x), *a.shape[1:]), a.dtype)
        for name, a in first.activations.items()
    }
    for at in range(0, len(x), step):
        part = first if at == 0 else run(x[at : at + step])
        for name, array in whole.items():
            if array is not x:
                array[at : at + step] = part.activations[name]
    known = dict(first.provenance)
    if "input_sha256" in known:
        known["input_sha256"] = array_sha256(whole.get("input_layer", x))
    return replace(first, activations=whole, provenance=known)


def require_room(numbers: int) -> None:
    """Raise InputError where so many activations are more than a record may hold."""
    if BYTES * numbers > MAX_RECORD_BYTES:
        raise InputError(
            f"{BYTES * numbers:,} bytes of activations, {MAX_RECORD_BYTES:,} at most; "
            "give fewer or smaller photographs, or record fewer layers"
        )


def array_sha256(array: Array) -> str:
    """The SHA-256 of an array: of its shape, a line feed, and its little-endian bytes.

    >>> array_sha256(np.zeros((1, 2), np.float32))[:8]
    '25b2236b'
    """
    digest = hashlib.sha256(f"{array.shape}\n".encode())
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    digest.update(plain.reshape(-1).view(np.uint8).data if plain.size else b"")
    return digest.hexdigest()


def tensor_hashes(tensors: Tensors) -> dict[str, str]:
    """The first 16 digits of each tensor's SHA-256, taken as float32, by "layer/weight".

    >>> tensor_hashes({"conv1_conv": {"bias": np.zeros(2)}})
    {'conv1_conv/bias': '4186c877fb8b5fc8'}
    """
    return {
        f"{layer}/{name}": array_sha256(np.asarray(array, np.float32))[:16]
        for layer, arrays in tensors.items()
        for name, array in arrays.items()
    }


def describe(provenance: Mapping[str, str]) -> str:
    """One line that says how a run came about.

    >>> describe({"made_by": "keras 3.15.1", "engine": "jax 0.7.1"})
    'keras 3.15.1, jax 0.7.1'
    """
    return ", ".join(provenance[n] for n in ("made_by", "engine", "model") if provenance.get(n))


def _compressible(array: Array) -> bool:
    """Whether to compress: not what shrinks so much that a careful reader takes it for a bomb."""
    if array.size == 0:
        return False
    sample = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    return len(sample) < MAX_HDF5_EXPANSION // 2 * len(zlib.compress(sample, 1))

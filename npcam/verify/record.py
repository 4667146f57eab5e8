"""A recorded run: activations by layer name, and how they came about, in one HDF5 file.

The root's attributes say who made it, with which versions, from which weights and which input; the
activations are compressed datasets under `/activations`. A record from a stranger is read as
carefully as a weights file.
"""

import hashlib
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_HDF5_EXPANSION, MAX_RECORD_BYTES, MAX_RECORD_LAYERS
from npcam.hdf5 import new_hdf5, open_hdf5
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
)


@dataclass(frozen=True)
class Record:
    """What one run of a network gave, in memory.

    Attributes:
        activations: {Keras layer name: array}, in the network's order; "input_layer" is the
            preprocessed batch, and "logits" may stand beside Keras's "predictions".
        provenance: what is known of the run: `made_by` (program and version), `engine` (backend or
            engine, with its version), `model` and `input` (file names), `weights_sha256` (as in
            npcam's weights files), `input_sha256` (see `array_sha256`).
        tensors: {"layer/weight": the first 16 digits of its `array_sha256`}, batch norms' epsilons
            among them: they tell networks that are not the same apart, even where rounding hides it.
    """

    activations: dict[str, Array]
    provenance: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)


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
                file.attrs[name] = np.bytes_(record.provenance[name].encode() or b" ")
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
        size = sum(8 * math.prod(node.shape) for node in nodes.values())  # as float64, at most
        if size > MAX_RECORD_BYTES:
            raise InputError(
                f"{path}: {size:,} bytes of activations, {MAX_RECORD_BYTES:,} at most; record fewer layers"
            )
        activations = {name: node.read(dtype=None, finite=False) for name, node in nodes.items()}
        known = {name: file.attribute(name) for name in PROVENANCE}
        tensors = _tensors(path, file.attribute("tensors"))
    return Record(activations, {name: str(value).strip() for name, value in known.items() if value}, tensors)


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


def array_sha256(array: Array) -> str:
    """The SHA-256 of an array: of its shape, a line feed, and its little-endian bytes.

    >>> array_sha256(np.zeros((1, 2), np.float32))[:8]
    '25b2236b'
    """
    digest = hashlib.sha256(f"{array.shape}\n".encode())
    digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
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


def _tensors(path: str | Path, attribute: Any) -> dict[str, str]:
    """The tensors' hashes from the attribute that has them, or InputError."""
    lines = attribute if isinstance(attribute, list) else [] if attribute is None else [attribute]
    words = [str(line).split(" ") for line in lines]
    if any(len(pair) != 2 or "/" not in pair[0] for pair in words):
        raise InputError(
            f"{path}: attribute tensors is no list of weights with their hashes; record it again"
        )
    return dict(words)


def _compressible(array: Array) -> bool:
    """Whether to compress: not what shrinks so much that a careful reader takes it for a bomb."""
    sample = array.tobytes()
    return array.size > 0 and len(sample) < MAX_HDF5_EXPANSION // 2 * len(zlib.compress(sample, 1))

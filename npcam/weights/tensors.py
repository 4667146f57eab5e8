"""A network at rest: its arrays, what is known of them, and their hash."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from npcam.preprocessing import MODES, Preprocessing
from npcam.resnet import Architecture, Tensors
from npcam.shapes import Array


@dataclass(frozen=True)
class Weights:
    """A network at rest: its arrays, and all that is known of them.

    Attributes:
        architecture: the network they belong to.
        tensors: {layer name: {weight name: array}}, in Keras's names and layouts. They can't be
            changed: an array that others could write to is copied, and what is handed out is
            read-only. `npcam.model.Model.with_weights` makes a network with some replaced.
        input_size: (height, width) in pixels of what the ResNet itself was trained on.
        preprocessing: what is done to a photograph's pixels before the network sees them.
        assumed: which of "preprocessing", "input_size", "activation", "pooling", "network" nobody told.
        class_names: one name per class, or None.
        wnids: one WordNet id per class (`n02124075`), or None.
        source: name of the file that it was converted from.
        source_sha256: of that file.
        converter: who converted it, with its version.
        notes: what the conversion assumed, and what of the source's model it left out.
    """

    architecture: Architecture
    tensors: Tensors
    input_size: tuple[int, int] = (224, 224)
    preprocessing: Preprocessing = MODES["caffe"]
    assumed: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    wnids: tuple[str, ...] | None = None
    source: str = ""
    source_sha256: str = ""
    converter: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", read_only(self.tensors))

    def __reduce__(self) -> tuple[Any, ...]:
        """How to copy it or send it to another process: read-only views of dicts can't be."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["tensors"] = {layer: dict(arrays) for layer, arrays in self.tensors.items()}
        return _from_values, (values,)

    @property
    def photo_size(self) -> tuple[int, int]:
        """(height, width) to which a photograph is resized: smaller where the preprocessing enlarges it."""
        (height, width), (rows, columns) = self.input_size, self.preprocessing.enlarge
        return height // rows, width // columns

    @property
    def enlarges_evenly(self) -> bool:
        """Whether the input's size is a whole multiple of a photograph's."""
        pairs = zip(self.input_size, self.preprocessing.enlarge, strict=True)
        return all(side % times == 0 for side, times in pairs)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed of the network, a sentence each: its numbers are right if these are."""
        values = {
            "network": f"of epsilon {self.architecture.epsilon:g} and strides in 1x1 convolutions",
            "preprocessing": f"{self.preprocessing.name} ({self.preprocessing.describe()})",
            "input_size": "x".join(map(str, self.input_size)),
            "activation": str(self.architecture.activation),
            "pooling": "by global average",
        }
        return tuple(
            f"{name.replace('_', ' ')} {values[name]} is assumed; convert "
            f"{'the whole model' if name == 'pooling' else f'with --{name}'.replace('_', '-')} if it differs"
            for name in self.assumed
        )


def _from_values(values: dict[str, Any]) -> Weights:
    """Weights again, from what `Weights.__reduce__` took apart; its arrays are nobody else's."""
    freeze(values["tensors"])
    return Weights(**values)


def freeze(tensors: Tensors) -> None:
    """Let nobody write to these arrays any more, so that `Weights` need not copy them.

    For whoever has just made them: the memory that they are views of becomes read-only, too.
    """
    for arrays in tensors.values():
        for array in arrays.values():
            owner: Any = array
            while isinstance(owner, np.ndarray):
                owner.flags.writeable = False
                owner = owner.base


def read_only(tensors: Tensors) -> Tensors:
    """The same tensors as nobody can change them; arrays that somebody could still write to are copied.

    >>> read_only({"a": {"bias": np.zeros(2)}})["a"]["bias"][0] = 1
    Traceback (most recent call last):
    ValueError: assignment destination is read-only
    """
    return MappingProxyType(
        {
            layer: MappingProxyType({name: _frozen(array) for name, array in arrays.items()})
            for layer, arrays in tensors.items()
        }
    )


def _frozen(array: Array) -> Array:
    """The array itself where neither it nor what it is a view of can be written to, else a copy."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            array = array.copy()
            array.flags.writeable = False
            return array
        owner = owner.base
    return array


def cast(tensors: Tensors, dtype: Any) -> dict[str, dict[str, Array]]:
    """The same tensors in another float type; those that have it already are not copied."""
    return {
        layer: {name: array.astype(dtype, copy=False) for name, array in arrays.items()}
        for layer, arrays in tensors.items()
    }


def tensors_sha256(tensors: Tensors) -> str:
    """SHA-256 over all tensors: for each, sorted by name, `layer/weight shape` and its float32 bytes.

    >>> tensors_sha256({"a": {"bias": np.zeros(2)}})[:8]
    '838cc71b'
    """
    return sha256_of((layer, name, tensors[layer][name]) for layer, name in sorted_names(tensors))


def sorted_names(layers: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Layer and name of each weight, in the order of the hash."""
    return [(layer, name) for layer in sorted(layers) for name in sorted(layers[layer])]


def sha256_of(arrays: Iterable[tuple[str, str, Array]]) -> str:
    """The hash of (layer, weight, array) triples, in the order of `sorted_names`."""
    digest = hashlib.sha256()
    for layer, name, array in arrays:
        plain = np.ascontiguousarray(array, dtype="<f4")
        digest.update(f"{layer}/{name} {plain.shape}\n".encode())
        digest.update(plain.data if plain.size else b"")
    return digest.hexdigest()

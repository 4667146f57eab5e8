"""What groups and arrays of an HDF5 file have in common: a place, attributes, and errors on one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import MAX_HDF5_ATTRIBUTE
from npcam.hdf5.attributes import attribute_names, has_attribute, variable_texts
from npcam.hdf5.source import Source

DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


class Member:
    """A group or an array of an HDF5 file: its place, and its attributes.

    `node` is h5py's low-level object; without what h5py wraps around it, the 427 groups and arrays
    of ResNet-50 are opened in two thirds of the time.
    """

    def __init__(self, node: Any, name: str, source: Source) -> None:
        self._node = node
        self._source = source
        self.name = name
        self.where = f"{source.label}: {self.name}"

    @property
    def attributes(self) -> list[str]:
        """The names of its attributes.

        Raises:
            InputError: they are kept in a way that Keras's files do not keep them.
        """
        import h5py

        with reading(f"{self._source.label}: the attributes of {self.name}"):
            names = attribute_names(self._source.read, h5py.h5o.get_info(self._node).addr)
            return [name.decode("utf-8", "surrogateescape") for name in names]

    def attribute(self, name: str) -> Any:
        """An attribute as Python int, float, str, or a list of these; None where it is missing.

        Raises:
            InputError: it is larger than any attribute of a weights file, or has a type that none has.
        """
        import h5py

        with reading(f"{self._source.label}: attribute {name} of {self.name}") as where:
            header = h5py.h5o.get_info(self._node).addr
            if not has_attribute(self._source.read, header, name):
                return None
            found = h5py.h5a.open(self._node, name.encode())
            shape, dtype = found.shape, found.dtype
            if shape is None or 0 in shape:
                return []
            count = int(np.prod(shape, dtype=float))
            if len(shape) > 1 or count * dtype.itemsize > MAX_HDF5_ATTRIBUTE:
                raise InputError(f"{where} has shape {shape} of {dtype}; refused, no weights file has that")
            if _is_text(found.get_type()):
                value: Any = variable_texts(self._source.read, header, name, count)
            elif dtype.kind in "Sbiuf":
                value = np.empty(count, dtype)
                found.read(value.reshape(shape))
                value = value.tolist()
            else:
                raise InputError(f"{where} holds {dtype}; text or numbers expected")
        values = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value]
        return values if shape else values[0]


def _is_text(kind: Any) -> bool:
    """Whether an HDF5 type is text of variable length."""
    return hasattr(kind, "is_variable_str") and bool(kind.is_variable_str())


@contextmanager
def reading(where: str) -> Iterator[str]:
    """Turn whatever the HDF5 library complains of into one line."""
    try:
        yield where
    except InputError:
        raise
    except DAMAGE as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{where} cannot be read ({reason}); the file is damaged, get it again") from error

"""HDF5 files from strangers: only plain float arrays and short attributes come out.

HDF5 can point elsewhere (soft and external links, external and virtual storage), hold Python
objects, declare shapes that it does not store, and inflate a few bytes to gigabytes. What is read
here goes through `Group` and `Dataset`, which refuse all that by name, before anything is allocated.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from npcam.errors import InputError
from npcam.hdf5_chunks import check_chunks, read_chunks
from npcam.hdf5_text import FormatError, has_attribute, variable_texts
from npcam.shapes import Array

MAX_MEMBERS = 10_000  # of a group
MAX_DEPTH = 32  # of groups in groups; a hard link may close a circle
MAX_ATTRIBUTE = 65_536  # bytes; HDF5's own limit for what is kept with its object
MAX_EXPANSION = 16  # bytes that come out of the file for each one in it, and
ALLOWANCE = 64 * 2**20  # bytes that may come out of any file
DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


@contextmanager
def open_hdf5(path: str | Path, file: BinaryIO | None = None) -> Iterator["Group"]:
    """Open an HDF5 file for reading.

    Args:
        path: its path, and its name in messages.
        file: the open file to read instead, for HDF5 inside a zip.

    Raises:
        InputError: it does not exist, is not HDF5, or is damaged.
    """
    import h5py

    try:
        if file is None and not Path(path).is_file():
            kind = "is a directory" if Path(path).is_dir() else "no such file"
            raise InputError(f"{path}: {kind}; give the path of a weights file")
        opened = h5py.File(path if file is None else file, "r")
    except DAMAGE as error:
        if isinstance(error, InputError):
            raise
        if isinstance(error, PermissionError):
            raise InputError(f"{path}: no permission to read it") from error
        msg = f"{path}: not an HDF5 file, or a truncated one; get it again or convert it anew"
        raise InputError(msg) from error
    with opened, Path(path).open("rb") if file is None else file as raw:
        yield Group(opened, _Source(str(path), raw, opened.userblock_size))


class _Source:
    """The file behind the groups: its name, its bytes, and how many may still come out of it."""

    def __init__(self, label: str, raw: BinaryIO, start: int) -> None:
        self.label = label
        self.start = start
        self._raw = raw
        self.size = raw.seek(0, os.SEEK_END)
        self._left = ALLOWANCE + MAX_EXPANSION * self.size

    def read(self, address: int, size: int) -> bytes:
        """Bytes at an address as HDF5 counts them, from behind the user block."""
        if self.start + address + size > self.size:
            msg = "an address beyond the end of the file"
            raise FormatError(msg)
        self._raw.seek(self.start + address)
        return self._raw.read(size)

    def spend(self, size: int, where: str) -> None:
        """Take `size` bytes off what may still come out."""
        self._left -= size
        if self._left < 0:
            raise InputError(
                f"{where}: the file's arrays declare far more than its {self.size} bytes; refused"
            )


class _Node:
    """What a group and a dataset have in common."""

    def __init__(self, node: Any, source: _Source) -> None:
        self._node = node
        self._source = source
        self.name = str(node.name)
        self.where = f"{source.label}: {self.name}"

    def attribute(self, name: str) -> Any:
        """An attribute as Python int, float, str, or a list of these; None where it is missing.

        Raises:
            InputError: it is larger than any attribute of a weights file, or of a type that none has.
        """
        import h5py

        with _reading(f"{self._source.label}: attribute {name} of {self.name}") as where:
            header = h5py.h5o.get_info(self._node.id).addr
            if not has_attribute(self._source.read, header, name):
                return None
            found = self._node.attrs.get_id(name)
            shape, dtype = found.shape, found.dtype
            if shape is None or 0 in shape:
                return []
            count = int(np.prod(shape, dtype=float))
            if len(shape) > 1 or count * dtype.itemsize > MAX_ATTRIBUTE:
                raise InputError(f"{where} has shape {shape} of {dtype}; refused, no weights file has that")
            if _is_text(found.get_type()):
                value: Any = variable_texts(self._source.read, header, name, count)
            elif dtype.kind in "Sbiuf":
                value = self._node.attrs[name]
                value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
                value = value if isinstance(value, list) else [value]
            else:
                raise InputError(f"{where} holds {dtype}; text or numbers expected")
        values = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value]
        return values if shape else values[0]


class Group(_Node):
    """A group of an HDF5 file; its members are reached by plain links only."""

    def __iter__(self) -> Iterator[str]:
        """The members' names."""
        with _reading(self.where):
            if len(self._node) > MAX_MEMBERS:
                raise InputError(f"{self.where} has {len(self._node)} members; no weights file has as many")
            names = [str(name) for name in self._node]
        return iter(names)

    def __len__(self) -> int:
        with _reading(self.where):
            return len(self._node)

    def __contains__(self, name: str) -> bool:
        """Whether there is a member of that name, wherever it points."""
        with _reading(self.where):
            return self._node.get(name, getlink=True) is not None

    def child(self, path: str) -> "Group | Dataset":
        """The member at `a/b/c`.

        Raises:
            InputError: it is missing, or a step on the way is a link to elsewhere.
        """
        import h5py

        node: Any = self._node
        for part in path.split("/"):
            where = f"{self._source.label}: {str(node.name).rstrip('/')}/{part}"
            with _reading(where):
                if not isinstance(node, h5py.Group):
                    raise InputError(f"{where}: a group was expected where an array is")
                link = None if part in ("", ".") else node.get(part, getlink=True)
                if link is None:
                    raise InputError(f"{where} is missing")
                if not isinstance(link, h5py.HardLink):
                    raise InputError(f"{where} is a link to elsewhere; npcam reads plain data only")
                node = node[part]
        if isinstance(node, h5py.Group):
            return Group(node, self._source)
        if isinstance(node, h5py.Dataset):
            return Dataset(node, self._source)
        raise InputError(f"{self._source.label}: {path} is neither a group nor an array")

    def group(self, path: str) -> "Group":
        """The member at `a/b/c`, which must be a group."""
        found = self.child(path)
        if isinstance(found, Dataset):
            raise InputError(f"{found.where} is an array where a group was expected")
        return found

    def dataset(self, path: str) -> "Dataset":
        """The member at `a/b/c`, which must be an array."""
        found = self.child(path)
        if isinstance(found, Group):
            raise InputError(f"{found.where} is a group where an array was expected")
        return found


class Dataset(_Node):
    """An array of an HDF5 file, not read yet."""

    @property
    def extent(self) -> tuple[int, ...]:
        """The shape that it declares, whatever it holds and wherever."""
        with _reading(self.where):
            return tuple(int(n) for n in self._node.shape or ())

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Its shape, once it is known to be a plain float array that the file can hold.

        Raises:
            InputError: not floats, stored elsewhere, or larger than its file can hold.
        """
        import h5py

        node = self._node
        with _reading(self.where):
            if node.dtype == "V2":
                found = "2-byte values of no type that HDF5 knows (bfloat16?)"
                raise InputError(f"{self.where} holds {found}; save the model in float32")
            dtype = node.dtype  # h5py makes it anew each time
            if dtype.kind != "f" or dtype.itemsize > 8 or dtype.subdtype:
                raise InputError(f"{self.where} holds {dtype}; expected floats of 16, 32 or 64 bits")
            properties = node.id.get_create_plist()
            layout = properties.get_layout()
            if layout == h5py.h5d.VIRTUAL or properties.get_external_count() > 0:
                raise InputError(f"{self.where} keeps its data in another file; npcam reads plain data only")
            if node.shape is None:
                raise InputError(f"{self.where} is empty; an array was expected")
            size = int(np.prod(node.shape, dtype=float)) * dtype.itemsize
            stored = node.id.get_storage_size()
            if layout == h5py.h5d.CHUNKED:
                wrong = check_chunks(node)
                if wrong:
                    raise InputError(f"{self.where} {wrong}")
                possible = ALLOWANCE + MAX_EXPANSION * self._source.size if stored else 0
            else:
                possible = min(stored, self._source.size)
            if size > possible:
                raise InputError(
                    f"{self.where} declares shape {node.shape} but stores {stored} bytes; refused"
                )
            return tuple(int(n) for n in node.shape)

    def read(self, dtype: Any = np.float32, finite: bool = True) -> Array:
        """Its values as a new C-ordered array.

        Args:
            dtype: float type of the result; None for the file's own, in the machine's byte order.
            finite: refuse NaN and infinity, as weights must not have them; activations may.

        Raises:
            InputError: as `shape`; or the values cannot be read, or are not finite in `dtype`.
        """
        import h5py

        array = np.empty(self.shape, dtype=self._node.dtype)
        self._source.spend(array.nbytes, self.where)
        with _reading(self.where):
            if not array.size:
                pass
            elif self._node.id.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
                read_chunks(self._node, array)
            else:
                self._node.read_direct(array)
        with np.errstate(over="ignore"):
            array = array.astype(array.dtype.newbyteorder("=") if dtype is None else dtype, copy=False)
        if finite and not np.isfinite(array).all():
            raise InputError(f"{self.where} holds NaN or infinity; weights must be finite")
        return array


def _is_text(kind: Any) -> bool:
    """Whether an HDF5 type is text of variable length."""
    return hasattr(kind, "is_variable_str") and bool(kind.is_variable_str())


@contextmanager
def _reading(where: str) -> Iterator[str]:
    """Turn whatever the HDF5 library complains of into one line."""
    try:
        yield where
    except InputError:
        raise
    except DAMAGE as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{where} cannot be read ({reason}); the file is damaged, get it again") from error

"""Arrays that any program saved: an `.npz`, a folder of `.npy` files, or a plain `.h5`; read as data.

Nothing in them is run, and nothing is allocated before its size is known. What they mean is told
elsewhere: `names` and `by_order` say which layer an array is of, `layout` how its axes lie.
"""

import math
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.limits import (
    MAX_HDF5_DEPTH,
    MAX_NPZ_EXPANSION,
    MAX_RECORD_BYTES,
    MAX_RECORD_LAYERS,
    NPZ_ALLOWANCE,
)
from npcam.common.zips import DAMAGE, check_directory, check_names, check_packing, is_zip
from npcam.hdf5 import Dataset, Group, open_hdf5
from npcam.shapes import Array
from npcam.verify.npy import Header, check_size, read_header, read_numbers

BYTES = 8  # of a number, for the limit: as if all were float64
KERAS_MEMBERS = ("layers", "vars", "model_weights", "_layer_checkpoint_dependencies")  # of files of Keras's


class Arrays(NamedTuple):
    """What a file or folder holds.

    Attributes:
        found: {name: array}, floats of any rank from 1 up, in the order in which they were written, or
            by name where that is not known.
        aside: names of what holds no floats, or a single one: no layer's activation is such.
    """

    found: dict[str, Array]
    aside: tuple[str, ...]


def is_arrays(path: str | Path) -> bool:
    """Whether this is an `.npz`, a folder with `.npy` files in it, or a plain HDF5 file of arrays.

    Raises:
        InputError: an HDF5 file is damaged.
    """
    path = Path(path)
    if path.is_dir():
        return any(entry.suffix == ".npy" for entry in path.iterdir())
    if not path.is_file():  # a device, a pipe, nothing: not for this to say
        return False
    if is_zip(path):
        with path.open("rb") as file:  # the first member's name stands at a fixed place
            head = file.read(30)
            name = file.read(int.from_bytes(head[26:28], "little"))
        return path.suffix == ".npz" or name.endswith(b".npy")
    with path.open("rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return False
    with open_hdf5(path) as root:
        names = list(root)
        if root.attribute("format") is not None or any(name in names for name in KERAS_MEMBERS):
            return False
        return any(isinstance(root.child(name), Dataset) for name in names)


def read_arrays(path: str | Path) -> Arrays:
    """Read every array of floats.

    Args:
        path: what `is_arrays` says yes to.

    Raises:
        InputError: it is damaged, too large or a bomb, has a name twice, or holds no floats.
    """
    path = Path(path)
    try:
        if path.is_dir():
            found = _folder(path)
        elif is_zip(path):
            found = _npz(path)
        else:
            found = _hdf5(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not found.found:
        raise InputError(f"{path}: holds no array of floats; save each layer's activation as one")
    return found


def natural(name: str) -> list[tuple[int, str]]:
    """A key to sort by: numbers in a name count as numbers.

    >>> sorted(["10_fc", "9_pool", "9_bn"], key=natural)
    ['9_bn', '9_pool', '10_fc']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)]


def _npz(path: Path) -> Arrays:
    """The arrays of an `.npz`, in the order of its members."""
    try:
        check_directory(path, MAX_RECORD_LAYERS, "a run", f"{MAX_RECORD_LAYERS:,} at most")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_names([info.filename for info in members], str(path))
            _check_bomb(members, path)
            return _collect(_npz_members(archive, members, path), path)
    except InputError:
        raise
    except DAMAGE as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"{path}: damaged zip ({reason}); get it again or save the arrays again") from error


def _check_bomb(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Raise InputError where far more would come out of a zip than is in it."""
    unpacked, size = sum(info.file_size for info in members), path.stat().st_size
    if unpacked > NPZ_ALLOWANCE + MAX_NPZ_EXPANSION * size:
        msg = f"{path}: unpacks {size:,} bytes to {unpacked:,}; refused as a bomb; use numpy.savez"
        raise InputError(msg)


def _npz_members(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], path: Path
) -> "Iterator[tuple[str, Header, _Reader]]":
    """Each member of an `.npz` with its header, and how to read it."""
    for info in members:
        where = f"{path}: {info.filename}"
        check_packing(info, f"{where} in the zip", "NumPy", "save the arrays")
        if info.filename.endswith(".npy"):
            with archive.open(info) as file:
                header = read_header(file, where)
            check_size(header, info.file_size - header.length, where)
            yield info.filename.removesuffix(".npy"), header, _Reader(where, archive=archive, info=info)


def _folder(path: Path) -> Arrays:
    """The arrays of a folder's `.npy` files, sorted by name; numbers in names count as numbers."""
    files = sorted((file for file in path.iterdir() if file.suffix == ".npy"), key=lambda f: natural(f.name))
    return _collect(_folder_files(files), path)


def _folder_files(files: list[Path]) -> "Iterator[tuple[str, Header, _Reader]]":
    """Each file of a folder with its header, and how to read it."""
    for file in files:
        with open_file(file, "give a folder of .npy files") as opened:
            header = read_header(opened, file)
            check_size(header, os.fstat(opened.fileno()).st_size - header.length, file)
        yield file.stem, header, _Reader(str(file))


class _Reader(NamedTuple):
    """Where an array lies: in a file, or in a member of an open zip."""

    where: str
    archive: zipfile.ZipFile | None = None
    info: zipfile.ZipInfo | None = None

    def read(self) -> Array:
        """Its numbers, in its own float type."""
        with ExitStack() as stack:
            if self.archive is not None and self.info is not None:
                file = stack.enter_context(self.archive.open(self.info))
            else:
                file = stack.enter_context(open_file(self.where, "give a folder of .npy files"))
            header = read_header(file, self.where)
            array = read_numbers(file, header, self.where, header.dtype.newbyteorder("="))
            if self.info is not None and file.read(1):  # to the end, where the checksum is compared
                raise InputError(f"{self.where} is longer than its array; save it again")
        return array


def _collect(members: "Iterator[tuple[str, Header, _Reader]]", path: Path) -> Arrays:
    """Read what holds floats, once it is known how much that is."""
    wanted: dict[str, _Reader] = {}
    aside, count = [], 0
    for name, header, reader in members:
        if header.dtype.kind == "V":
            raise InputError(f"{reader.where}: holds {header.dtype} (bfloat16?); save it as float32")
        if header.dtype.kind == "f" and header.dtype.itemsize <= 8 and header.shape:
            wanted[name] = reader
            count += math.prod(header.shape)
        else:
            aside.append(name)
        _check_room(count, len(wanted) + len(aside), path)
    return Arrays({name: reader.read() for name, reader in wanted.items()}, tuple(aside))


def _hdf5(path: Path) -> Arrays:
    """The arrays of a plain HDF5 file, those in groups as `group/name`."""
    with open_hdf5(path) as root:
        wanted: dict[str, Dataset] = {}
        aside, count = [], 0
        for name, dataset in _datasets(root, "", 0):
            if dataset.is_float and dataset.extent:
                wanted[name] = dataset
                count += math.prod(dataset.shape)
            else:
                aside.append(name)
            _check_room(count, len(wanted) + len(aside), path)
        arrays = {n: d.read(dtype=None, finite=False) for n, d in wanted.items()}
    return Arrays({name: arrays[name] for name in sorted(arrays, key=natural)}, tuple(aside))


def _datasets(group: Group, prefix: str, depth: int) -> Iterator[tuple[str, Dataset]]:
    """Every array below a group, with its path."""
    if depth > MAX_HDF5_DEPTH:
        raise InputError(f"{group.where}: groups in groups, {MAX_HDF5_DEPTH} deep; refused")
    for name in group:
        member = group.child(name)
        if isinstance(member, Dataset):
            yield prefix + name, member
        else:
            yield from _datasets(member, f"{prefix}{name}/", depth + 1)


def _check_room(numbers: int, arrays: int, path: Path) -> None:
    """Raise InputError where there are more arrays, or more numbers, than a run may have."""
    if arrays > MAX_RECORD_LAYERS:
        raise InputError(f"{path}: more than {MAX_RECORD_LAYERS:,} arrays; no run has as many layers")
    if BYTES * numbers > MAX_RECORD_BYTES:
        size = f"{BYTES * numbers:,} bytes of activations, {MAX_RECORD_BYTES:,} at most"
        raise InputError(f"{path}: {size}; save fewer layers or fewer photographs")


def single_precision(arrays: dict[str, Array]) -> dict[str, Array] | None:
    """Float64 arrays as float32, where that is what they were before somebody saved them; else None.

    >>> found = single_precision({"a": np.float64([0.5, 0.25]), "b": np.float64([np.float32(0.1)])})
    >>> found["b"].dtype, single_precision({"a": np.float64([0.1])})
    (dtype('float32'), None)
    """
    if not any(array.dtype == np.float64 for array in arrays.values()):
        return None
    found = {}
    for name, array in arrays.items():
        with np.errstate(over="ignore"):
            found[name] = array if array.dtype != np.float64 else array.astype(np.float32)
        if not np.array_equal(found[name], array, equal_nan=True):
            return None
    return found

"""HDF5 files from strangers: only plain float arrays and short attributes come out.

HDF5 can point elsewhere (soft and external links, external and virtual storage), hold Python
objects, and declare shapes that it does not store. A file that does any of this is refused by
name, before anything is allocated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from npcam.errors import InputError
from npcam.shapes import Array

if TYPE_CHECKING:
    import h5py

MAX_EXPANSION = 100  # declared bytes per byte of file; trained weights stay below 5, even compressed
MAX_ATTRIBUTE = 32 * 2**20  # bytes


@contextmanager
def open_hdf5(path: str | Path, file: BinaryIO | None = None) -> Iterator["h5py.File"]:
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
    except OSError as error:
        msg = f"{path}: not an HDF5 file, or a truncated one; get it again or convert it anew"
        raise InputError(msg) from error
    with opened:
        try:
            yield opened
        except InputError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = str(error).split("\n")[0]
            raise InputError(f"{path}: damaged HDF5 ({reason}); get it again or convert it anew") from error


def child(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset":
    """A member of a group, by a hard link; links that point elsewhere are refused."""
    import h5py

    where = f"{group.file.filename}: {group.name.rstrip('/')}/{name}"
    link = group.get(name, getlink=True)
    if link is None:
        raise InputError(f"{where} is missing")
    if not isinstance(link, h5py.HardLink):
        raise InputError(f"{where} is a link to elsewhere; npcam reads plain data only")
    found = group[name]
    if not isinstance(found, (h5py.Group, h5py.Dataset)):
        raise InputError(f"{where} is neither a group nor a dataset")
    return found


def array_shape(dataset: Any) -> tuple[int, ...]:
    """The shape of a plain float dataset, checked without reading it.

    Raises:
        InputError: not a dataset, not floats, stored elsewhere, or larger than its file can hold.
    """
    import h5py

    where = f"{dataset.file.filename}: {dataset.name}"
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(f"{where} is a group where an array was expected")
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize > 8:
        raise InputError(f"{where} holds {dataset.dtype}; expected floats of 16, 32 or 64 bits")
    properties = dataset.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count() > 0:
        raise InputError(f"{where} keeps its data in another file; npcam reads plain data only")
    known = {
        h5py.h5z.FILTER_DEFLATE,
        h5py.h5z.FILTER_SHUFFLE,
        h5py.h5z.FILTER_FLETCHER32,
        h5py.h5z.FILTER_LZF,
    }
    filters = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
    if filters - known:
        msg = f"{where} needs the unknown HDF5 filter {min(filters - known)}; save it uncompressed"
        raise InputError(msg)
    stored = dataset.id.get_storage_size()
    if dataset.shape is None or dataset.size * dataset.dtype.itemsize > MAX_EXPANSION * stored:
        raise InputError(f"{where} declares shape {dataset.shape} but stores {stored} bytes; refused")
    return tuple(int(n) for n in dataset.shape)


def read_array(dataset: "h5py.Dataset", dtype: Any = np.float32, finite: bool = True) -> Array:
    """Read a plain float dataset as a new C-ordered array of `dtype`.

    Args:
        dataset: a member that `child` returned.
        dtype: float type of the result.
        finite: refuse NaN and infinity, as weights must not have them; activations may.

    Raises:
        InputError: as `array_shape`; or the values cannot be read, or are not finite.
    """
    shape = array_shape(dataset)
    where = f"{dataset.file.filename}: {dataset.name}"
    array = np.empty(shape, dtype=dataset.dtype.newbyteorder("="))
    try:
        if array.size:
            dataset.read_direct(array)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{where} cannot be read; the file is damaged, get it again") from error
    if finite and not np.isfinite(array).all():
        raise InputError(f"{where} holds NaN or infinity; weights must be finite")
    return array.astype(dtype, copy=False)


def attribute(node: "h5py.Group | h5py.Dataset", name: str) -> Any:
    """An attribute as Python int, float, str, or a list of these; None where it is missing.

    Raises:
        InputError: it is larger than any attribute of a weights file, or of a type that none has.
    """
    if name not in node.attrs:
        return None
    where = f"{node.file.filename}: attribute {name} of {node.name}"
    info = node.attrs.get_id(name)
    if info.shape is not None and 0 in info.shape:
        return []
    if info.get_storage_size() > MAX_ATTRIBUTE:
        raise InputError(f"{where} takes {info.get_storage_size()} bytes; refused")
    value = node.attrs[name]
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    values = value if isinstance(value, list) else [value]
    texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]
    if not all(isinstance(v, (str, int, float)) for v in texts):
        raise InputError(f"{where} is neither text nor numbers; refused")
    return texts if isinstance(value, list) else texts[0]

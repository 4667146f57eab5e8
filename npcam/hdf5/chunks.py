"""Chunked HDF5 arrays, unpacked here instead of in the HDF5 library.

A chunk that is compressed can inflate to a thousand times its size, and the library allocates
whatever comes out. Here each chunk is unpacked to exactly the bytes that it must have, or refused.

After the HDF5 File Format Specification, version 3.0: filters (VI) and their pipeline (IV.A.2.l).
"""

import itertools
import math
import zlib
from typing import TYPE_CHECKING

import numpy as np

from npcam.common.limits import FEW_HDF5_CHUNKS, SMALLEST_HDF5_CHUNK
from npcam.shapes import Array

if TYPE_CHECKING:
    import h5py

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # the filters that npcam knows, by HDF5's numbers


def check_chunks(dataset: "h5py.h5d.DatasetID") -> str | None:
    """What is wrong with a chunked array before it is read; None if nothing is."""
    properties = dataset.get_create_plist()
    filters = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())}
    if filters - {DEFLATE, SHUFFLE, FLETCHER32}:
        return f"needs the HDF5 filter {min(filters - {DEFLATE, SHUFFLE, FLETCHER32})}; save it uncompressed"
    itemsize = dataset.dtype.itemsize
    chunk = math.prod(properties.get_chunk()) * itemsize
    size = math.prod(dataset.shape) * itemsize
    if chunk > max(2 * size, SMALLEST_HDF5_CHUNK):
        return f"is cut into chunks of {chunk} bytes, and has only {size}; refused"
    if _count(dataset) > FEW_HDF5_CHUNKS + size // SMALLEST_HDF5_CHUNK:
        return f"is cut into {_count(dataset)} chunks for {size} bytes; refused"
    return None


def read_chunks(dataset: "h5py.h5d.DatasetID", into: Array) -> None:
    """Fill an array of the dataset's shape and type, chunk by chunk.

    Raises:
        ValueError: a chunk is missing, damaged, or unpacks to more than its size.
    """
    properties = dataset.get_create_plist()
    chunk: tuple[int, ...] = properties.get_chunk()
    steps = [range(0, side, step) for side, step in zip(dataset.shape, chunk, strict=True)]
    pipeline = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    size = int(np.prod(chunk)) * into.dtype.itemsize
    for corner in itertools.product(*steps):
        stored = dataset.get_chunk_info_by_coord(corner).size
        if not 0 < stored <= 2 * size + 64:
            msg = f"chunk {corner} takes {stored} bytes"
            raise ValueError(msg)
        skipped, data = dataset.read_direct_chunk(corner)
        values = np.frombuffer(_unpack(data, pipeline, skipped, size, into.dtype.itemsize), into.dtype)
        window = tuple(slice(at, at + step) for at, step in zip(corner, chunk, strict=True))
        target = into[window]
        # A chunk at the edge is stored whole; what lies beyond the array is padding.
        target[...] = values.reshape(chunk)[tuple(slice(0, side) for side in target.shape)]


def _unpack(data: bytes, pipeline: list[int], skipped: int, size: int, itemsize: int) -> bytes:
    """Undo the filters, last first, to exactly `size` bytes."""
    for number, kind in reversed(list(enumerate(pipeline))):
        if skipped >> number & 1:
            continue
        if kind == FLETCHER32:
            data = data[:-4]  # the checksum; whole files carry a SHA-256, and damage shows in the weights
        elif kind == DEFLATE:
            inflater = zlib.decompressobj()
            try:
                data = inflater.decompress(data, size + 4)
            except zlib.error as error:
                msg = f"a compressed chunk is damaged: {error}"
                raise ValueError(msg) from error
            if not inflater.eof:
                msg = f"a chunk unpacks to more than its {size} bytes"
                raise ValueError(msg)
        elif kind == SHUFFLE:
            # The filter keeps first bytes of all items together, then second bytes, and so on.
            items = len(data) // itemsize
            whole = np.frombuffer(data[: items * itemsize], np.uint8).reshape(itemsize, items)
            data = whole.T.tobytes() + data[items * itemsize :]
    if len(data) != size:
        msg = f"a chunk unpacks to {len(data)} bytes, expected {size}"
        raise ValueError(msg)
    return data


def _count(dataset: "h5py.h5d.DatasetID") -> int:
    """How many chunks an array is cut into."""
    sides = zip(dataset.shape, dataset.get_create_plist().get_chunk(), strict=True)
    return math.prod(-(-side // step) for side, step in sides)

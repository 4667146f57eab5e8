"""Chunks, unpacked without the library: the same numbers as h5py, and never more than their size."""

import zlib

import h5py
import numpy as np
import pytest

from npcam.common.limits import FEW_HDF5_CHUNKS, SMALLEST_HDF5_CHUNK
from npcam.hdf5.chunks import check_chunks, read_chunks

RNG = np.random.default_rng(0)


@pytest.fixture
def file(tmp_path):
    """An HDF5 file to fill and read."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        yield file


def read(dataset):
    """The values of a dataset of h5py's, read by npcam."""
    into = np.full(dataset.shape, 7, dataset.dtype)
    read_chunks(dataset.id, into)
    return into


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"compression": "gzip"},
        {"shuffle": True},
        {"fletcher32": True},
        {"compression": "gzip", "compression_opts": 9, "shuffle": True, "fletcher32": True},
    ],
    ids=["plain", "gzip", "shuffle", "checksum", "all three"],
)
@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((7,), (7,)), ((7,), (3,)), ((5, 6, 2), (2, 6, 1)), ((3, 3, 4, 5), (2, 3, 4, 2))],
)
def test_the_same_numbers_as_h5py(file, dtype, filters, shape, chunks):
    """Any filter that npcam knows, any float type, chunks that fit and chunks beyond the edge."""
    data = RNG.normal(size=shape).astype(dtype)
    dataset = file.create_dataset("x", data=data, chunks=chunks, **filters)
    assert check_chunks(dataset.id) is None
    found = read(dataset)
    assert found.dtype == data.dtype
    np.testing.assert_array_equal(found, dataset[()])


def low_level(file, shape, chunks, *filters, dtype="<f4"):
    """A dataset whose filters come in an order that h5py never makes."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(chunks)
    for name in filters:
        getattr(properties, f"set_{name}")(*([4] if name == "deflate" else []))
    space = h5py.h5s.create_simple(shape)
    return h5py.Dataset(
        h5py.h5d.create(file.id, b"x", h5py.h5t.py_create(np.dtype(dtype)), space, properties)
    )


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize(
    "filters",
    [
        ("fletcher32", "deflate"),
        ("fletcher32", "shuffle"),
        ("fletcher32", "shuffle", "deflate"),
        ("deflate", "shuffle"),
    ],
)
def test_filters_in_any_order(file, filters, dtype):
    """A checksum that is packed with its chunk, bytes that no whole item fills."""
    dataset = low_level(file, (4, 5), (2, 3), *filters, dtype=dtype)
    dataset[...] = data = RNG.normal(size=(4, 5)).astype(dtype)
    np.testing.assert_array_equal(read(dataset), data)


@pytest.mark.parametrize("mask", range(8))
def test_filters_that_a_chunk_skips(tmp_path, mask):
    """A chunk may leave out filters, by a bit for each."""
    data = RNG.normal(size=6).astype("<f4")
    stored = data.tobytes()
    if not mask & 1:
        stored = b"".join(stored[i::4] for i in range(4))
    if not mask & 2:
        stored = zlib.compress(stored)
    if not mask & 4:
        stored += b"sums"
    with h5py.File(tmp_path / "b.h5", "w") as file:
        dataset = low_level(file, (6,), (6,), "shuffle", "deflate", "fletcher32")
        dataset.id.write_direct_chunk((0,), stored, mask)
    with h5py.File(tmp_path / "b.h5") as file:  # HDF5 forgets the mask until then
        np.testing.assert_array_equal(read(file["x"]), data)


def packed(file, data, chunks=(8,), shape=(8,)):
    """A dataset of one compressed chunk that holds these bytes."""
    dataset = low_level(file, shape, chunks, "deflate")
    dataset.id.write_direct_chunk((0,), data)
    return dataset


def test_chunks_that_unpack_to_another_size(file):
    """Too much, whatever there is of it, and too little; a chunk cut off; bytes that are not zlib's."""
    whole = zlib.compress(np.arange(8, dtype="<f4").tobytes())
    cases = {
        zlib.compress(bytes(33)): "a chunk unpacks to 33 bytes, expected 32",
        zlib.compress(bytes(36)): "a chunk unpacks to 36 bytes, expected 32",
        zlib.compress(bytes(37)): "a chunk unpacks to more than its 32 bytes",
        zlib.compress(bytes(10_000)): "a chunk unpacks to more than its 32 bytes",
        zlib.compress(bytes(31)): "a chunk unpacks to 31 bytes, expected 32",
        whole[:-1]: "a chunk unpacks to more than its 32 bytes",
        b"y" + whole[1:]: "a compressed chunk is damaged: .*header",
    }
    for data, reason in cases.items():
        with pytest.raises(ValueError, match=f"^{reason}"):
            read(packed(file, data))
        del file["x"]
    np.testing.assert_array_equal(read(packed(file, whole)), np.arange(8))


def test_an_inflating_chunk_is_not_unpacked(file, monkeypatch):
    """What a chunk inflates to is bounded before it is unpacked: 32 bytes, and 4 of a checksum."""
    asked = []
    made = zlib.decompressobj

    class Watched:
        def __init__(self):
            self.real = made()

        def decompress(self, data, most):
            asked.append(most)
            return self.real.decompress(data, most)

        @property
        def eof(self):
            return self.real.eof

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(ValueError, match=r"^a chunk unpacks to more than its 32 bytes$"):
        read(packed(file, zlib.compress(bytes(2**15))))
    assert asked == [36]


def test_the_size_of_a_stored_chunk(file):
    """It may take twice its size and 64 bytes, for what compresses badly; a chunk that is not there none."""
    whole = zlib.compress(np.arange(8, dtype="<f4").tobytes())
    most = 2 * 32 + 64
    np.testing.assert_array_equal(read(packed(file, whole.ljust(most, b"\0"))), np.arange(8))
    del file["x"]
    with pytest.raises(ValueError, match=rf"^chunk \(0,\) takes {most + 1} bytes"):
        read(packed(file, whole.ljust(most + 1, b"\0")))
    del file["x"]
    missing = packed(file, zlib.compress(np.arange(2, dtype="<f4").tobytes()), chunks=(2,))
    with pytest.raises(ValueError, match=r"^chunk \(2,\) takes 0 bytes"):
        read(missing)
    del file["x"]
    one = low_level(file, (1,), (1,), dtype="<f2")  # the smallest chunk that there is
    one[...] = 3
    assert read(one) == 3


def test_unknown_filters_are_named(file):
    """The filter that is missing is named by HDF5's number."""
    lzf = file.create_dataset("x", data=np.ones(9), compression="lzf", shuffle=True)
    assert check_chunks(lzf.id) == "needs the HDF5 filter 32000; save it uncompressed"
    rounded = file.create_dataset("y", data=np.ones(9, "i4"), scaleoffset=0, compression="lzf")
    assert check_chunks(rounded.id) == "needs the HDF5 filter 6; save it uncompressed"


def test_chunks_larger_than_the_array(file):
    """A chunk may be twice the array, or one small block; beyond that it is a claim."""

    def wrong(items, chunk):
        dataset = file.require_dataset(f"{items}-{chunk}", (items,), "<f4", maxshape=(None,), chunks=(chunk,))
        return check_chunks(dataset.id)

    small = SMALLEST_HDF5_CHUNK // 4  # items of a chunk that is always small enough
    assert wrong(1, small) is None
    assert wrong(1, small + 1) == f"is cut into chunks of {4 * small + 4} bytes, and has only 4; refused"
    assert wrong(5000, 10_000) is None
    assert wrong(5000, 10_001) == "is cut into chunks of 40004 bytes, and has only 20000; refused"


def test_more_chunks_than_bytes(file):
    """A few chunks may be of any size; more are counted against the bytes that they hold."""

    def wrong(shape, chunks):
        dataset = file.create_dataset(f"{shape}-{chunks}", shape, "<f4", chunks=chunks)
        return check_chunks(dataset.id)

    assert wrong((FEW_HDF5_CHUNKS,), (1,)) is None
    assert wrong((FEW_HDF5_CHUNKS + 1,), (1,)) == "is cut into 17 chunks for 68 bytes; refused"
    assert wrong((1024,), (61,)) is None  # 17 chunks, 4096 bytes
    assert wrong((1024,), (57,)) == "is cut into 18 chunks for 4096 bytes; refused"
    assert wrong((1023,), (61,)) == "is cut into 17 chunks for 4092 bytes; refused"
    assert wrong((4, 4, 1), (1, 1, 1)) is None
    assert wrong((4, 9, 1), (1, 2, 1)) == "is cut into 20 chunks for 144 bytes; refused"

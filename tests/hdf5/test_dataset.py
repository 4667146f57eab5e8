"""Arrays from strangers: plain floats come out as h5py has them, everything else is refused by name."""

import warnings

import h5py
import numpy as np
import pytest

from npcam import InputError
from npcam.common.limits import MAX_HDF5_EXPANSION
from npcam.hdf5 import open_hdf5, read_together

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(3, 4))


def stored(path, **options):
    """A file with one array `x`, which h5py's `create_dataset` makes; returns its path."""
    with h5py.File(path, "w", **options.pop("file", {})) as file:
        file.create_dataset("x", **options)
    return path


def refused(path, reason, use=lambda dataset: dataset.shape):
    """Its array is refused by its name, for that reason, and nothing is read for it."""
    with open_hdf5(path) as file, pytest.raises(InputError) as error:
        use(file.dataset("x"))
    assert str(error.value).startswith(f"{path}: /x ")
    assert reason in str(error.value)


STORAGE = {
    "contiguous": {},
    "chunked": {"chunks": (2, 3)},
    "compressed": {"chunks": (3, 4), "compression": "gzip"},
    "behind a user block": {"file": {"userblock_size": 512}},
    "newest format": {"file": {"libver": "latest"}},
}


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_the_same_numbers_as_h5py(tmp_path, storage, dtype):
    """However an array is stored, and in whichever float type of 16 to 64 bits."""
    data = VALUES.astype(dtype)
    path = stored(tmp_path / "a.h5", data=data, **STORAGE[storage])
    with open_hdf5(path) as file:
        dataset = file.dataset("x")
        assert dataset.shape == dataset.extent == (3, 4)
        found = dataset.read()
        assert found.dtype == np.float32
        assert found.flags.writeable
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, data.astype(np.float32))
        assert dataset.read(np.float64).dtype == np.float64
        own = dataset.read(None)
        assert own.dtype == np.dtype(dtype).newbyteorder("=")
        assert own.dtype.isnative
        np.testing.assert_array_equal(own, data)


def test_compact_arrays_and_scalars(tmp_path):
    """An array kept in its header, one number without a shape, and one of no numbers."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(
            file.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5,)), properties
        )
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(5, dtype="f4"))
        file["scalar"] = np.float64(2.5)
        file["nothing"] = np.ones((0, 3))
        file.create_dataset("no chunks", (0, 3), "f4", chunks=(1, 3), maxshape=(None, 3))
    with open_hdf5(path) as file:
        np.testing.assert_array_equal(file.dataset("compact").read(), np.arange(5))
        assert file.dataset("scalar").shape == ()
        assert file.dataset("scalar").read() == 2.5
        for name in ("nothing", "no chunks"):
            assert file.dataset(name).read().shape == (0, 3)


def bfloat16(path):
    """An array of a float type that HDF5 has no name for, as JAX and ml_dtypes have it saved."""
    return stored(path, data=np.zeros(3, "V2"))


def wide(path):
    """An array of 128-bit floats, whatever this machine's long double is."""
    kind = h5py.h5t.IEEE_F64LE.copy()
    kind.set_size(16)
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((3,)))
    return path


KINDS = {
    "integers": (lambda path: stored(path, data=np.ones(3, "i4")), "holds int32; expected floats of 16, 32"),
    "complex": (lambda path: stored(path, data=np.ones(3, "c8")), "holds complex64; expected floats of 16"),
    "truth": (lambda path: stored(path, data=np.ones(3, bool)), "holds bool; expected floats"),
    "text": (lambda path: stored(path, data=["a", "b"]), "holds object; expected floats"),
    "records": (lambda path: stored(path, data=np.zeros(2, [("a", "f4"), ("b", "f4")])), "expected floats"),
    "arrays": (lambda path: stored(path, shape=(2,), dtype=np.dtype(("f4", (3,)))), "expected floats"),
    "opaque": (lambda path: stored(path, data=np.void(b"abc" * 9)), "expected floats"),
    "bfloat16": (
        bfloat16,
        "holds 2-byte values of no type that HDF5 knows (bfloat16?); save the model in float32",
    ),
    "long double": (wide, "expected floats of 16, 32 or 64 bits"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_floats(tmp_path, kind):
    """Anything else is refused before a byte of it is read."""
    make, reason = KINDS[kind]
    refused(make(tmp_path / "a.h5"), reason)


def test_data_in_other_files(tmp_path):
    """External storage and virtual datasets point out of the file; both are refused."""
    (tmp_path / "other").write_bytes(bytes(48))
    outside = [(str(tmp_path / "other"), 0, 48)]
    refused(
        stored(tmp_path / "a.h5", shape=(12,), dtype="f4", external=outside), "keeps its data in another file"
    )
    layout = h5py.VirtualLayout((12,), "f4")
    layout[...] = h5py.VirtualSource("b.h5", "y", (12,))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("x", layout)
    refused(tmp_path / "a.h5", "keeps its data in another file; npcam reads plain data only")


def test_an_array_without_a_space(tmp_path):
    """HDF5's null dataspace has no shape, not even an empty one."""
    path = stored(tmp_path / "a.h5", data=h5py.Empty("f4"))
    refused(path, "is empty; an array was expected")
    with open_hdf5(path) as file:
        assert file.dataset("x").extent == ()


def test_shapes_that_are_not_stored(tmp_path):
    """A shape that is declared and not stored is refused, chunked or not, and of any size."""
    for options in ({}, {"chunks": (1024,)}):
        path = stored(tmp_path / "a.h5", shape=(2048,), dtype="f4", **options)
        refused(path, "declares shape (2048,) but stores 0 bytes; refused")
        with open_hdf5(path) as file:
            assert file.dataset("x").extent == (2048,)
    for options, reason in (
        ({"chunks": (2**8,)}, "is cut into 2097152 chunks for 2147483648 bytes; refused"),
        ({"chunks": (2**20,)}, "declares shape (536870912,) but stores 0 bytes"),
        ({"chunks": (2**20,), "compression": "lzf"}, "needs the HDF5 filter 32000"),
    ):
        refused(stored(tmp_path / "a.h5", shape=(2**29,), dtype="f4", **options), reason)


def test_storage_beyond_the_file(tmp_path):
    """A contiguous array that its file ends before: what is stored is what the file can hold."""
    path = stored(tmp_path / "a.h5", data=np.ones(1000, "f8"))
    whole = path.read_bytes()
    with open_hdf5(path) as file:
        dataset = file.dataset("x")
        dataset._source.size = 8000
        assert dataset.shape == (1000,)
    with open_hdf5(path) as file:
        dataset = file.dataset("x")
        dataset._source.size = 7999
        with pytest.raises(InputError, match=r"declares shape \(1000,\) but stores 8000 bytes"):
            _ = dataset.shape
    assert path.read_bytes() == whole


def test_chunked_arrays_hold_so_many_times_their_file(tmp_path, monkeypatch):
    """An array in chunks may declare the allowance and 16 times its file's size, to the byte."""
    path = stored(tmp_path / "a.h5", data=np.ones(2**18, "f4"), chunks=(2**16,), compression="gzip")
    spare = 2**20 - MAX_HDF5_EXPANSION * path.stat().st_size
    assert spare > 0
    monkeypatch.setattr("npcam.hdf5.dataset.HDF5_ALLOWANCE", spare)
    with open_hdf5(path) as file:
        assert file.dataset("x").shape == (2**18,)
    monkeypatch.setattr("npcam.hdf5.dataset.HDF5_ALLOWANCE", spare - 1)
    refused(path, "declares shape (262144,) but stores")


def test_what_comes_out_is_counted(tmp_path):
    """Every array read is taken off what may come out of the file, whichever way it is read."""
    path = stored(tmp_path / "a.h5", data=VALUES)  # 96 bytes; 48 as float32
    for left, reads in ((96, 1), (95, 0), (191, 1), (192, 2)):
        with open_hdf5(path) as file:
            file._source._left = left
            for _ in range(reads):
                file.dataset("x").read()
            with pytest.raises(InputError, match="/x: the file's arrays declare far more than its"):
                file.dataset("x").read()
    for left, fits in ((96 + 96, True), (96 + 95, False)):  # the two arrays, and each as the file has it
        with open_hdf5(path) as file:
            file._source._left = left + 96
            both = [file.dataset("x")] * 2
            if fits:
                assert len(list(read_together(both))) == 2
            else:
                with pytest.raises(InputError, match="declare far more"):
                    list(read_together(both))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(tmp_path, value):
    """Weights must not have them; activations may, and keep them."""
    data = VALUES.copy()
    data[1, 2] = value
    path = stored(tmp_path / "a.h5", data=data)
    refused(path, "holds NaN or infinity; weights must be finite", lambda dataset: dataset.read())
    refused(path, "holds NaN or infinity", lambda dataset: list(read_together([dataset])))
    with open_hdf5(path) as file:
        np.testing.assert_array_equal(file.dataset("x").read(np.float64, finite=False), data)


def test_numbers_beyond_float32(tmp_path):
    """They become infinity without a warning, which weights are refused for."""
    path = stored(tmp_path / "a.h5", data=VALUES * 1e300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(path, "holds NaN or infinity", lambda dataset: dataset.read())
        with open_hdf5(path) as file:
            assert np.isinf(file.dataset("x").read(finite=False)).all()
            np.testing.assert_array_equal(file.dataset("x").read(np.float64), VALUES * 1e300)


def test_damaged_chunks_are_one_line(tmp_path):
    """What the library or zlib complains of comes with the array's name."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("x", (8,), "f4", chunks=(8,), compression="gzip")
        made.id.write_direct_chunk((0,), b"not zlib's")
    refused(
        tmp_path / "a.h5",
        "cannot be read (a compressed chunk is damaged",
        lambda dataset: dataset.read(),
    )


def test_arrays_read_together(tmp_path):
    """The same as one by one, in order, in one piece of memory, in float32."""
    kinds = {
        "a": ("<f4", {}),
        "b": (">f8", {}),
        "c": ("<f4", {"chunks": True, "compression": "gzip"}),
        "d": ("<f2", {}),
    }
    arrays = {name: RNG.normal(size=(2, i + 1)).astype(kinds[name][0]) for i, name in enumerate(kinds)}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **kinds[name][1])
    with open_hdf5(tmp_path / "a.h5") as file:
        found = list(read_together([file.dataset(name) for name in "dbca"]))
    for name, array in zip("dbca", found, strict=True):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, arrays[name].astype(np.float32))
    whole = found[0].base
    assert all(np.shares_memory(array, whole) for array in found)
    assert whole.size == sum(array.size for array in found)
    assert list(read_together([])) == []


@pytest.mark.parametrize(("dtype", "name"), [("i1", "int8"), ("<u2", "uint16"), ("f4", None), ("?", None)])
def test_whole_numbers(tmp_path, dtype, name):
    """Integers are called by their type, before anything is read; bytes of no number are none."""
    path = stored(tmp_path / "a.h5", data=np.ones((2, 3), dtype))
    with open_hdf5(path) as file:
        assert file.dataset("x").whole_numbers == name

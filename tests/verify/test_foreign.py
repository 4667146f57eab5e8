"""Arrays that any program saved: read as they are, or refused in one line before anything is allocated."""

import io
import zipfile

import h5py
import numpy as np
import pytest

from npcam.common.errors import InputError
from npcam.common.limits import MAX_RECORD_LAYERS, NPZ_ALLOWANCE
from npcam.verify.foreign import is_arrays, natural, read_arrays, single_precision
from npcam.verify.record import Record, write_record


def some():
    """Arrays of several float types, shapes and memory orders."""
    rng = np.random.default_rng(0)
    return {
        "z": rng.normal(size=(1, 5, 4, 3)).astype(np.float32),
        "layer1.0/conv1": np.asfortranarray(rng.normal(size=(2, 3))),
        "a": rng.normal(size=(7,)).astype(np.float16),
        "b": rng.normal(size=(1, 2)).astype(">f4"),
    }


def npy(array):
    """The bytes of an .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(path, *members, method=zipfile.ZIP_STORED):
    """A zip of (name, bytes)."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def refused(path, reason):
    """The file is refused in one line that names it and the reason."""
    with pytest.raises(InputError) as caught:
        read_arrays(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_keeps_names_order_and_numbers(tmp_path, save):
    """As NumPy wrote them, in the machine's byte order."""
    arrays = some()
    save(tmp_path / "run.npz", **arrays)
    assert is_arrays(tmp_path / "run.npz")
    found, aside = read_arrays(tmp_path / "run.npz")
    assert list(found) == list(arrays)
    assert aside == ()
    for name, array in found.items():
        assert np.array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype.newbyteorder("=")
        assert array.flags.c_contiguous


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    """10 comes after 9; what is no .npy is no array."""
    for i in (10, 9, 1):
        np.save(tmp_path / f"{i}_x.npy", np.full(2, float(i)))
    (tmp_path / "notes.txt").write_text("none")
    assert is_arrays(tmp_path)
    assert {name: a[0] for name, a in read_arrays(tmp_path).found.items()} == {"1_x": 1, "9_x": 9, "10_x": 10}
    assert sorted(["b10", "b9", "a"], key=natural) == ["a", "b9", "b10"]


def test_a_plain_hdf5_file(tmp_path):
    """Arrays at its root and in groups, as `group/name`."""
    arrays = {n: a for n, a in some().items() if n != "b"}
    with h5py.File(tmp_path / "run.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file["steps"] = np.arange(3)
    assert is_arrays(tmp_path / "run.h5")
    found, aside = read_arrays(tmp_path / "run.h5")
    assert set(found) == set(arrays)
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert aside == ("steps",)


def test_what_is_no_run_of_arrays(tmp_path):
    """Keras's files, npcam's, pictures, zips of something else, folders without arrays, nothing."""
    write_record(tmp_path / "record.h5", Record({"conv1_conv": np.ones((1, 2), np.float32)}))
    with h5py.File(tmp_path / "keras.weights.h5", "w") as file:
        file["layers/conv2d/vars/0"] = np.ones(3)
    with h5py.File(tmp_path / "theano.h5", "w") as file:
        file["conv1/W"] = np.ones(3)
    zipped(tmp_path / "m.keras", ("config.json", b"{}"), ("model.weights.h5", b""))
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    for name in ("record.h5", "keras.weights.h5", "theano.h5", "m.keras", "empty", "x.png", "none"):
        assert not is_arrays(tmp_path / name), name


def test_what_is_no_float_is_set_aside_and_named(tmp_path):
    """Integers, texts and single numbers are no layer's activation; bfloat16 would be one."""
    np.savez(tmp_path / "run.npz", x=np.ones(3), n=np.arange(3), t=np.array("text"), s=np.float32(1))
    found, aside = read_arrays(tmp_path / "run.npz")
    assert (list(found), aside) == (["x"], ("n", "t", "s"))
    np.savez(tmp_path / "ints.npz", n=np.arange(3))
    refused(tmp_path / "ints.npz", "holds no array of floats; save each layer's activation as one")
    np.save(tmp_path / "b.npy", np.zeros(3, "V2"))
    zipped(tmp_path / "b.npz", ("b.npy", (tmp_path / "b.npy").read_bytes()))
    refused(tmp_path / "b.npz", "holds |V2 (bfloat16?); save it as float32")


def test_pickles_are_not_loaded(tmp_path):
    """Python objects in an .npz: nothing is run, and the line says what is there."""
    np.savez(tmp_path / "run.npz", x=np.array([{}, None]))
    refused(tmp_path / "run.npz", "x.npy: not a readable .npy file (it holds Python objects)")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    """Zeros without end in a small zip; a header that claims more than is there; more than a run may hold."""
    data = npy(np.zeros(NPZ_ALLOWANCE // 4 + 2**20, np.float32))
    path = zipped(tmp_path / "bomb.npz", ("x.npy", data), method=zipfile.ZIP_DEFLATED)
    refused(path, "refused as a bomb; use numpy.savez")
    header = npy(np.zeros((1, 1), np.float32))[:-4].replace(b"(1, 1)", b"(9, 9)")
    refused(zipped(tmp_path / "claims.npz", ("x.npy", header)), "its 81 numbers take 324 bytes, 0 are there")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "x.npy").write_bytes(header)
    with pytest.raises(InputError, match="its 81 numbers take 324 bytes, 0 are there"):
        read_arrays(tmp_path / "x")
    large = tmp_path / "large"
    large.mkdir()
    start = npy(np.zeros((1, 1), np.float16))[:-2].replace(b"(1, 1), }", b"(%d,),}" % 2**30)
    (large / "x.npy").write_bytes(start)
    with (large / "x.npy").open("r+b") as file:
        file.truncate(2**31 + 1000)  # a hole, which takes no room on the disk
    refused(large, "8,589,934,592 bytes of activations, 4,294,967,296 at most")


def test_damaged_zips_are_one_line(tmp_path):
    """Cut short, a wrong checksum, a name twice, encrypted, packed in a way that NumPy never does."""
    np.savez(tmp_path / "run.npz", x=np.arange(1000.0), y=np.ones(3))
    whole = (tmp_path / "run.npz").read_bytes()
    for name, data, reason in (
        ("cut.npz", whole[:2000], "a zip that ends too early"),
        ("sum.npz", whole[:3000] + b"\xff" + whole[3001:], "damaged zip"),
        ("noise.npz", b"PK\x03\x04" + b"\0" * 40 + b"PK\x05\x06" + b"\1" * 18, "zip"),
    ):
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, reason)
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "twice.npz", ("x.npy", npy(np.ones(3))), ("x.npy", npy(np.zeros(3))))
    refused(path, "x.npy is in the zip twice")
    path = zipped(tmp_path / "lzma.npz", ("x.npy", npy(np.ones(3))), method=zipfile.ZIP_LZMA)
    refused(path, "x.npy in the zip is compressed in a way that NumPy never does; save the arrays again")
    locked = bytearray(zipped(tmp_path / "locked.npz", ("x.npy", npy(np.ones(3)))).read_bytes())
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.npz").write_bytes(locked)
    refused(tmp_path / "locked.npz", "x.npy in the zip is encrypted; save the arrays without")
    refused(zipped(tmp_path / "words.npz", ("x.npy", b"none")), "x.npy: not a NumPy array file")
    refused(zipped(tmp_path / "none.npz", ("x.txt", b"none")), "holds no array of floats")


def test_too_many_arrays(tmp_path):
    """A table of contents that is longer than any run's is not read."""
    members = ((f"{i}.npy", b"") for i in range(MAX_RECORD_LAYERS + 1))
    refused(
        zipped(tmp_path / "many.npz", *members), "a zip of 10001 members; a run has 10,000 at most; refused"
    )


def test_float64_that_was_float32_is_taken_for_it():
    """Only where every number is one; a half stays what it is."""
    single, half = np.float32([0.1, np.nan]), np.float16([0.5])
    found = single_precision({"a": single.astype(np.float64), "h": half})
    assert (found["a"].dtype, found["h"].dtype) == (np.float32, np.float16)
    assert np.array_equal(found["a"], single, equal_nan=True)
    assert single_precision({"a": single}) is None
    assert single_precision({"a": single.astype(np.float64), "b": np.float64([0.1])}) is None
    assert single_precision({"b": np.float64([1e300])}) is None

"""npcam's file: what is written comes back, and what was tampered with does not."""

import dataclasses
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import InputError
from npcam.preprocessing import MODES, Preprocessing, Step
from npcam.resnet import Architecture
from npcam.weights import Weights, read_weights, tensors_sha256, write_weights

ARCH = Architecture(
    blocks=(1, 1), strides=(1, 2), stride_in=2, pool_padding=0, epsilon=1e-3, activation="sigmoid"
)


@pytest.fixture
def weights():
    """A small network with everything that a file can say of one."""
    return Weights(
        ARCH,
        random_tensors(ARCH, width=2),
        input_size=(64, 96),
        class_names=("cat", "dog", "Kuh", "羊", "a b"),
        wnids=("n0", "n1", "n2", "n3", "n4"),
        source="model.keras",
        source_sha256="ab" * 32,
        converter="npcam test",
    )


@pytest.fixture
def path(tmp_path, weights):
    """That network's file."""
    write_weights(tmp_path / "w.h5", weights)
    return tmp_path / "w.h5"


def test_what_is_written_comes_back(path, weights):
    """Every tensor bit for bit, and every attribute."""
    found = read_weights(path)
    assert dataclasses.replace(found, tensors={}) == dataclasses.replace(weights, tensors={})
    assert list(found.tensors) == list(weights.tensors)
    for layer, arrays in weights.tensors.items():
        for name, array in arrays.items():
            assert np.array_equal(found.tensors[layer][name], array)
    assert read_weights(path, np.float64).tensors["conv1_conv"]["kernel"].dtype == np.float64


def test_the_same_weights_give_the_same_bytes(path, weights, tmp_path):
    """Writing twice, whatever the order of the dictionary, makes one file."""
    turned = {name: dict(reversed(arrays.items())) for name, arrays in reversed(weights.tensors.items())}
    write_weights(tmp_path / "again.h5", dataclasses.replace(weights, tensors=turned))
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_many_class_names_fit(tmp_path, weights):
    """HDF5's limit of 64 KiB an attribute is not ours: 21,841 names come back."""
    names = tuple(f"a class with the number {i}" for i in range(21_841))
    tensors = random_tensors(ARCH, width=2, classes=len(names))
    write_weights(
        tmp_path / "w.h5", dataclasses.replace(weights, tensors=tensors, class_names=names, wnids=None)
    )
    assert read_weights(tmp_path / "w.h5").class_names == names


STEPS = (Step("channels", (0, 0, 0)), Step("divide", (0.1,)), Step("enlarge", (2, 3)), Step("add", (1 / 3,)))


def test_what_is_known_of_a_network_comes_back(path, weights):
    """Any preprocessing to the last bit, what was assumed, notes, and a source whose name is no text."""
    known = dataclasses.replace(
        weights,
        preprocessing=Preprocessing("model", STEPS, grey=True),
        assumed=("input_size", "activation"),
        notes=("eine Bemerkung", "a" * 100_000, ""),
        class_names=None,
        wnids=None,
        source="caf\udce9.keras",
    )
    write_weights(path, known)
    found = read_weights(path)
    assert found.preprocessing == known.preprocessing
    assert (found.assumed, found.notes) == (known.assumed, known.notes)
    assert (found.class_names, found.wnids) == (None, None)
    assert found.source == r"caf\udce9.keras"  # which is shown, and opens nothing


def test_files_of_version_1(path, weights):
    """They knew one preprocessing by its name: it is what the steps say today, and noted as assumed."""
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 1
        file.attrs["preprocessing"] = np.bytes_("caffe")
        file.attrs.pop("assumed", None)
    found = read_weights(path)
    assert found.preprocessing == MODES["caffe"]
    assert found.assumed == ("preprocessing",)
    assert dataclasses.replace(found, tensors={}, assumed=()) == dataclasses.replace(weights, tensors={})
    with h5py.File(path, "r+") as file:
        file.attrs["preprocessing"] = np.bytes_("rgb")
    with pytest.raises(InputError, match=r"root attributes are missing or damaged \('rgb'\); convert again"):
        read_weights(path)


def test_without_a_second_thread(path, weights, monkeypatch):
    """Where the system starts none, the hash is found afterwards: what was altered is still refused."""

    def none(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", none)
    found = read_weights(path)
    assert tensors_sha256(found.tensors) == tensors_sha256(weights.tensors)
    damage(path, DAMAGE["SHA-256 differs"])
    with pytest.raises(InputError, match="SHA-256 differs"):
        read_weights(path)


def test_the_hash_is_that_of_the_bytes_in_name_order():
    """The documented recipe, spelled out with hashlib."""
    import hashlib

    a, b = np.arange(3, dtype=np.float32), np.ones((2, 2), np.float32)
    expected = hashlib.sha256(b"x/bias (3,)\n" + a.tobytes() + b"x/kernel (2, 2)\n" + b.tobytes()).hexdigest()
    assert tensors_sha256({"x": {"kernel": b, "bias": a}}) == expected


def damage(path, how):
    """Change a file in place."""
    with h5py.File(path, "r+") as file:
        how(file)


def _replace(file, name, **options):
    del file[name]
    file.create_dataset(name, **options)


DAMAGE = {
    "1 missing: conv1_conv/bias": lambda f: f.__delitem__("conv1_conv/bias"),
    "1 not of this network: extra": lambda f: f.create_group("extra"),
    r"conv1_conv/bias \(3,\) \(expected \(2,\)\)": lambda f: _replace(
        f, "conv1_conv/bias", data=np.ones(3, "f4")
    ),
    "NaN": lambda f: f["conv1_bn/beta"].__setitem__(0, np.nan),
    "SHA-256 differs": lambda f: f["conv1_bn/beta"].__setitem__(0, 0.123),
    "expected floats": lambda f: _replace(f, "conv1_conv/bias", data=np.ones(2, "i4")),
    "holds object": lambda f: _replace(f, "conv1_conv/bias", data=["a", "b"]),
    "declares shape": lambda f: _replace(f, "conv1_conv/bias", shape=(2**40,), dtype="f4", chunks=(1024,)),
    "not an npcam weights file": lambda f: f.attrs.__delitem__("format"),
    "format version 9": lambda f: f.attrs.__setitem__("format_version", 9),
    "attribute epsilon is -1": lambda f: f.attrs.__setitem__("epsilon", -1.0),
    "attribute blocks": lambda f: f.attrs.__setitem__("blocks", [10**9]),
    "attributes are missing": lambda f: f.attrs.__delitem__("strides"),
    "damaged .*; convert again": lambda f: f.attrs.__setitem__("preprocessing", np.bytes_(b"{}")),
    "attribute preprocessing is": lambda f: f.attrs.__setitem__(
        "preprocessing", np.bytes_(b'{"name": "x", "grey": false, "steps": [["exec", [1]]]}')
    ),
    "attribute assumed is": lambda f: f.attrs.__setitem__("assumed", np.bytes_(b'["all"]')),
    "class_names is not a list of names": lambda f: f.attrs.__setitem__(
        "class_names", np.bytes_(b'{"0": 1}')
    ),
    "/conv1_conv is not a layer's group of weights": lambda f: _replace(
        f, "conv1_conv", data=np.ones(2, "f4")
    ),
    "/conv1_bn is not a layer's": lambda f: [
        f.__setitem__(f"conv1_bn/{n}", np.ones(2, "f4")) for n in range(13)
    ],
    "5 classes": lambda f: f.attrs.__setitem__("class_names", np.bytes_(b'["cat"]')),
    "link to elsewhere": lambda f: (
        f.__delitem__("conv1_conv"),
        f.__setitem__("conv1_conv", h5py.SoftLink("/conv1_bn")),
    ),
}


@pytest.mark.parametrize("words", DAMAGE)
def test_damaged_files_are_refused_by_name(path, words):
    """One line that says which file, which tensor and what is wrong with it."""
    damage(path, DAMAGE[words])
    with pytest.raises(InputError, match=words) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_of_other_kinds_are_refused(tmp_path, path):
    """Not there, a directory, empty, a photograph, a zip, cut short: each is called what it is."""
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "photo.h5").write_bytes(b"\xff\xd8\xff" + bytes(1000))
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04" + bytes(1000))
    (tmp_path / "cut.h5").write_bytes(path.read_bytes()[:5000])
    damaged = "not an HDF5 file, or a truncated one; get it again or convert it anew"
    for name, said in {
        "none.h5": "no such file; give the path of a weights file",
        "": "is a directory; give the path of a weights file",
        "empty.h5": "is empty (0 bytes); get it again",
        "photo.h5": "is a picture; weights were expected here",
        "cut.h5": damaged,
        "model.keras": "is a zip, perhaps a .keras file; `npcam convert model.keras weights.h5` converts it",
    }.items():
        with pytest.raises(InputError) as caught:
            read_weights(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {said}"


def test_weights_that_do_not_fit_are_not_written(tmp_path, weights):
    """The check comes before the file: what is there stays, and nothing is begun beside it."""
    tensors = {layer: dict(arrays) for layer, arrays in weights.tensors.items()}
    del tensors["conv1_bn"]["gamma"]
    variance = np.full_like(tensors["conv2_block1_1_bn"]["moving_variance"], -ARCH.epsilon)
    negative = {**weights.tensors["conv2_block1_1_bn"], "moving_variance": variance}
    (tmp_path / "w.h5").write_bytes(b"old")
    for changed, said in (
        (tensors, "1 missing: conv1_bn/gamma"),
        ({**weights.tensors, "conv2_block1_1_bn": negative}, "conv2_block1_1_bn/moving_variance holds "),
    ):
        with pytest.raises(InputError, match=said):
            write_weights(tmp_path / "w.h5", dataclasses.replace(weights, tensors=changed))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("w.h5", b"old")]


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_file(path):
    """SIGKILL in the middle of writing: the name still holds what it held."""
    before = path.read_bytes()
    program = (
        "import sys, os, signal, h5py, npcam.weights as w\n"
        "weights = w.read_weights(sys.argv[1])\n"
        "create = h5py.Group.create_dataset\n"
        "def die(self, name, **options):\n"
        "    create(self, name, **options)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "h5py.Group.create_dataset = die\n"
        "w.write_weights(sys.argv[1], weights)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode < 0
    assert path.read_bytes() == before


def copy_storing(source, target, userblock=0, dtype="<f4", **options):
    """The same file with its arrays stored in another way."""
    with h5py.File(source) as old, h5py.File(target, "w", userblock_size=userblock) as new:
        new.attrs.update(old.attrs)
        for layer, group in old.items():
            for name, array in group.items():
                new.create_dataset(f"{layer}/{name}", data=array[()].astype(dtype), **options)


@pytest.mark.parametrize(
    "storage",
    [{}, {"userblock": 1024}, {"dtype": ">f4"}, {"dtype": "<f8"}, {"chunks": True, "compression": "gzip"}],
    ids=["plain", "behind a user block", "big-endian", "float64", "compressed"],
)
def test_arrays_are_read_however_they_are_stored(tmp_path, path, weights, storage):
    """Whatever bytes hold them, the same numbers come out, in read-only float32 arrays."""
    copy_storing(path, tmp_path / "other.h5", **storage)
    found = read_weights(tmp_path / "other.h5").tensors
    assert list(found) == list(weights.tensors)
    for layer, arrays in weights.tensors.items():
        for name, array in arrays.items():
            assert found[layer][name].dtype == np.float32
            assert not found[layer][name].flags.writeable
            assert np.array_equal(found[layer][name], array)

"""Records: written, read, and refused where they are none."""

import hashlib
import struct
import zlib
from dataclasses import FrozenInstanceError

import h5py
import numpy as np
import pytest

from npcam.common.errors import InputError
from npcam.verify import record as module
from npcam.verify.record import (
    Record,
    array_sha256,
    chosen,
    describe,
    in_pieces,
    read_record,
    tensor_hashes,
    write_record,
)


def a_record():
    """Layers of four kinds, in no order of names: noise, all zeros, numbers that are none, and nothing."""
    rng = np.random.default_rng(0)
    return Record(
        {
            "input_layer": rng.normal(size=(1, 4, 5, 3)).astype(np.float32),
            "pool1_pad": np.zeros((1, 200, 200, 16), np.float32),
            "predictions": np.array([[0.5, np.nan, np.inf]]),
            "avg_pool": np.zeros((0, 3), np.float16),
        },
        {
            "made_by": "keras 3.15.1",
            "engine": "jax 0.7.1",
            "model": "",
            "weights_sha256": "cd",
            "input": "chelsea.png",
            "input_sha256": "ab",
        },
        {"conv1_conv/kernel": "0123456789abcdef", "conv1_bn/epsilon": "fedcba9876543210"},
    )


def test_what_is_written_is_read(tmp_path):
    """Every bit, dtype, hash and word comes back, in the same order; the same record, the same bytes."""
    record = a_record()
    for name in ("a.h5", "b.h5"):
        write_record(tmp_path / name, record)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    found = read_record(tmp_path / "a.h5")
    assert list(found.activations) == list(record.activations)
    for name, array in record.activations.items():
        assert found.activations[name].dtype == array.dtype
        assert np.array_equal(found.activations[name], array, equal_nan=True)
    assert (found.provenance, found.tensors) == (record.provenance, record.tensors)
    assert describe(found.provenance) == "keras 3.15.1, jax 0.7.1"


def test_only_what_is_known_of_a_run_is_written(tmp_path):
    """No attribute for what is not known, none of another name, and no hashes where there are none."""
    record = Record(a_record().activations, {"made_by": "me", "password": "secret"})
    write_record(tmp_path / "r.h5", record)
    with h5py.File(tmp_path / "r.h5") as file:
        assert set(file.attrs) == {"format", "format_version", "made_by"}
        assert (file.attrs["format"], file.attrs["format_version"]) == (b"npcam record", 1)
    found = read_record(tmp_path / "r.h5")
    assert (found.provenance, found.tensors) == ({"made_by": "me"}, {})


def test_a_record_does_not_change():
    """A run is what it was."""
    with pytest.raises(FrozenInstanceError):
        a_record().activations = {}


def test_fewer_layers_keep_the_input():
    """A selection has what was asked for, and what it was computed from; all else stays."""
    found = chosen(a_record(), ["predictions"])
    assert list(found.activations) == ["input_layer", "predictions"]
    assert (found.provenance, found.tensors) == (a_record().provenance, a_record().tensors)
    with pytest.raises(InputError) as caught:
        chosen(a_record(), ["predictions", "conv9"])
    assert str(caught.value) == "no layer 'conv9' was recorded; `npcam summary` lists the layers' names"


@pytest.mark.parametrize("side", [33, 150, 300])
@pytest.mark.parametrize("names", [None, ["sum"]])
def test_pieces_are_the_whole(side, names):
    """A few photographs at a time, as the pixels allow: the same numbers, and the hash of the whole."""
    x = np.random.default_rng(0).normal(size=(5, side, side, 3)).astype(np.float32)
    sizes = []

    def run(part):
        sizes.append(len(part))
        found = {"input_layer": part, "twice": 2 * part, "sum": part.sum((1, 2))}
        return Record(found, {"input_sha256": array_sha256(part)})

    found = in_pieces(run, x, names)
    assert sum(sizes) == 5
    assert max(sizes) == max(1, min(5, module.PIECE // side**2))
    expected = run(x) if names is None else chosen(run(x), names)
    assert list(found.activations) == list(expected.activations)
    for name, array in expected.activations.items():
        assert np.array_equal(found.activations[name], array)
    assert found.provenance == expected.provenance


def test_what_is_kept_of_pieces_has_a_limit(monkeypatch):
    """It is told after the first piece what all of them would take: nothing more is run."""
    x, runs = np.zeros((4, 300, 300, 3), np.float32), []

    def run(part):
        runs.append(len(part))
        return Record({"input_layer": part, "few": part[:, 0, 0]})

    monkeypatch.setattr(module, "MAX_RECORD_BYTES", 8 * 4 * (300 * 300 * 3 + 3))
    in_pieces(run, x)
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", 8 * 4 * (300 * 300 * 3 + 3) - 1)
    del runs[:]
    with pytest.raises(InputError, match=r"^8,640,096 bytes of activations, 8,640,095 at most; give fewer"):
        in_pieces(run, x)
    assert runs == [1]


@pytest.mark.parametrize("zeros", [0, 8000, 8700, 8800, 8900, 9000, 9500, 9999, 10000])
def test_what_shrinks_too_much_is_not_compressed(tmp_path, zeros):
    """Up to 8 times, half of what a reader lets pass, it is compressed: every record can be read."""
    noise = np.random.default_rng(1).normal(size=(1, 10000)).astype(np.float32)
    noise[:, :zeros] = 0
    gain = noise.nbytes / len(zlib.compress(noise.tobytes(), 1))
    write_record(tmp_path / "r.h5", Record({"avg_pool": noise}))
    with h5py.File(tmp_path / "r.h5") as file:
        node = file["activations/avg_pool"]
        assert (node.compression, node.shuffle) == (("gzip", True) if gain < 8 else (None, False))
    assert np.array_equal(read_record(tmp_path / "r.h5").activations["avg_pool"], noise)


def test_the_hash_tells_shapes_and_byte_orders_apart():
    """The same numbers in another shape hash otherwise; in another byte order, the same."""
    x = np.arange(6, dtype=np.float32)
    assert array_sha256(x) == array_sha256(x.astype(">f4"))
    assert len({array_sha256(x), array_sha256(x.reshape(2, 3)), array_sha256(x.reshape(3, 2))}) == 3


def test_the_hash_is_that_of_shape_and_bytes():
    """Worked out with hashlib and struct; of a tensor, the first half, as float32."""
    numbers = [1.0, -2.5, 3.25, 0.0, 1e-3, 6.0]
    digest = hashlib.sha256(b"(2, 3)\n" + struct.pack("<6f", *numbers)).hexdigest()
    array = np.array(numbers).reshape(2, 3)
    assert array_sha256(array.astype(np.float32)) == digest
    assert array_sha256(np.asfortranarray(array.astype(np.float32))) == digest
    assert array_sha256(array) == hashlib.sha256(b"(2, 3)\n" + struct.pack("<6d", *numbers)).hexdigest()
    assert tensor_hashes({"a": {"x": array, "y": array[0]}, "b": {"x": array}}) == {
        "a/x": digest[:16],
        "a/y": array_sha256(array[0].astype(np.float32))[:16],
        "b/x": digest[:16],
    }


def test_a_run_in_one_line():
    """Who made it, on what, and which model; what is not known is left out."""
    known = {"input": "x.png", "model": "m.h5", "made_by": "npcam 1", "engine": "fast float32"}
    assert describe(known) == "npcam 1, fast float32, m.h5"
    assert describe(known | {"engine": ""}) == "npcam 1, m.h5"
    assert describe({}) == ""


def test_limits_are_held_to_exactly(tmp_path, monkeypatch):
    """As many layers and bytes (8 for each number) as the limits say, and not one more."""
    write_record(tmp_path / "r.h5", a_record())
    size = 8 * (60 + 200 * 200 * 16 + 3)
    monkeypatch.setattr(module, "MAX_RECORD_LAYERS", 4)
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", size)
    assert len(read_record(tmp_path / "r.h5").activations) == 4
    monkeypatch.setattr(module, "MAX_RECORD_BYTES", size - 1)
    with pytest.raises(InputError) as caught:
        read_record(tmp_path / "r.h5")
    assert str(caught.value) == (
        f"{tmp_path / 'r.h5'}: 5,120,504 bytes of activations, 5,120,503 at most; record fewer layers"
    )
    monkeypatch.setattr(module, "MAX_RECORD_LAYERS", 3)
    with pytest.raises(InputError, match="/activations is not a group of recorded layers; record it again"):
        read_record(tmp_path / "r.h5")


def spoil(path, change):
    """A record with something done to its HDF5."""
    write_record(path, a_record())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def _link(file):
    del file["activations/predictions"]
    file["activations/predictions"] = h5py.ExternalLink("/etc/passwd", "x")


def _bomb(file):
    del file["activations/predictions"]
    file["activations"].create_dataset("predictions", (1, 2**40), "f4", chunks=(1, 2**20))


def _integers(file):
    del file["activations/predictions"]
    file["activations/predictions"] = np.zeros((1, 3), np.int64)


def _nothing(file):
    for name in list(file["activations"]):
        del file[f"activations/{name}"]


NOT_HASHES = "r.h5: attribute tensors is no list of weights with their hashes; record it again"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_nothing, "/activations is not a group of recorded layers; record it again"),
        (lambda f: f.attrs.__setitem__("tensors", 5), NOT_HASHES),
        (lambda f: f.attrs.__setitem__("tensors", np.arange(4.0)), NOT_HASHES),
        (lambda f: f.attrs.__setitem__("tensors", ["a/b 01", "a/b"]), NOT_HASHES),
        (lambda f: f.attrs.__setitem__("tensors", ["a/b 01 02"]), NOT_HASHES),
        (lambda f: f.attrs.__setitem__("tensors", ["a 01"]), NOT_HASHES),
        (_link, "link"),
        (_bomb, "refused|declares"),
        (_integers, "expected floats"),
        (
            lambda f: f.attrs.__setitem__("format", np.bytes_(b"npcam")),
            "r.h5: an HDF5 file, but not an npcam record; `npcam record` makes one",
        ),
        (
            lambda f: f.attrs.__setitem__("format_version", 9),
            "r.h5: record version 9; this npcam reads 1; update npcam",
        ),
        (lambda f: f.__delitem__("activations"), "missing"),
    ],
)
def test_strange_records_are_refused_in_one_line(tmp_path, change, message):
    """Links, bombs, other types and other files: one line with the file's name."""
    path = spoil(tmp_path / "stranger.h5", change)
    with pytest.raises(InputError, match=message) as caught:
        read_record(path)
    assert "\n" not in str(caught.value)
    assert "stranger.h5" in str(caught.value)


def test_a_truncated_record_is_refused(tmp_path):
    """Half a file is none."""
    path = tmp_path / "half.h5"
    write_record(path, a_record())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"half\.h5"):
        read_record(path)


def test_a_record_that_cannot_be_written_is_one_line(tmp_path):
    """A folder that is not there."""
    with pytest.raises(InputError, match=r"r\.h5"):
        write_record(tmp_path / "nowhere" / "r.h5", a_record())


def test_hashes_may_be_one_text_or_none(tmp_path):
    """As other programs may write a list of one; without the attribute, none are known."""
    path = spoil(tmp_path / "r.h5", lambda file: file.attrs.__setitem__("tensors", "a/b 01"))
    assert read_record(path).tensors == {"a/b": "01"}
    path = spoil(tmp_path / "r.h5", lambda file: file.attrs.__delitem__("tensors"))
    assert read_record(path).tensors == {}

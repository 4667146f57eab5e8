"""Records: written, read, and refused where they are none."""

import h5py
import numpy as np
import pytest

from npcam.common.errors import InputError
from npcam.verify.record import Record, array_sha256, chosen, describe, read_record, write_record


def a_record():
    """Three layers of three kinds: noise, all zeros, and numbers that are none."""
    rng = np.random.default_rng(0)
    return Record(
        {
            "input_layer": rng.normal(size=(1, 4, 5, 3)).astype(np.float32),
            "pool1_pad": np.zeros((1, 200, 200, 16), np.float32),
            "predictions": np.array([[0.5, np.nan, np.inf]]),
        },
        {"made_by": "keras 3.15.1", "engine": "jax 0.7.1", "input_sha256": "ab"},
        {"conv1_conv/kernel": "0123456789abcdef"},
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


def test_fewer_layers_keep_the_input():
    """A selection has what was asked for, and what it was computed from."""
    assert list(chosen(a_record(), ["predictions"]).activations) == ["input_layer", "predictions"]
    with pytest.raises(InputError, match="no layer 'conv9' was recorded"):
        chosen(a_record(), ["conv9"])


def test_the_hash_tells_shapes_and_byte_orders_apart():
    """The same numbers in another shape hash otherwise; in another byte order, the same."""
    x = np.arange(6, dtype=np.float32)
    assert array_sha256(x) == array_sha256(x.astype(">f4"))
    assert len({array_sha256(x), array_sha256(x.reshape(2, 3)), array_sha256(x.reshape(3, 2))}) == 3


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_link, "link"),
        (_bomb, "refused|declares"),
        (_integers, "expected floats"),
        (lambda f: f.attrs.__setitem__("format", np.bytes_(b"npcam")), "not an npcam record"),
        (lambda f: f.attrs.__setitem__("format_version", 9), "version 9"),
        (lambda f: f.__delitem__("activations"), "missing"),
    ],
)
def test_strange_records_are_refused_in_one_line(tmp_path, change, message):
    """Links, bombs, other types and other files: one line with the file's name."""
    path = spoil(tmp_path / "strange.h5", change)
    with pytest.raises(InputError, match=message) as caught:
        read_record(path)
    assert "\n" not in str(caught.value)
    assert "strange.h5" in str(caught.value)


def test_a_truncated_record_is_refused(tmp_path):
    """Half a file is none."""
    path = tmp_path / "half.h5"
    write_record(path, a_record())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"half\.h5"):
        read_record(path)

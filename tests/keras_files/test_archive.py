"""The `.keras` zip: what Keras writes is read, what strangers can do with a zip is refused by name."""

import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from helpers.handmade_keras import config_of, tensors_of, write_keras, write_zip

from npcam import InputError
from npcam.common.limits import MAX_JSON, MAX_ZIP_DIRECTORY, MAX_ZIP_EXPANSION, MAX_ZIP_MEMBERS
from npcam.keras_files import is_zip
from npcam.keras_files.archive import open_archive

CONFIG, METADATA, WEIGHTS = (
    ("config.json", b'{"a": 1}'),
    ("metadata.json", b'{"b": 2}'),
    ("model.weights.h5", b"weights"),
)


def refused(path, reason):
    """The zip is refused for exactly that reason, which names the file."""
    with pytest.raises(InputError) as error, open_archive(path):
        pass
    assert str(error.value) == f"{path}: {reason}"


def damaged(path):
    """The zip is refused as damaged; in brackets stands what zipfile says."""
    with pytest.raises(InputError) as error, open_archive(path):
        pass
    message = str(error.value)
    assert message.startswith(f"{path}: damaged zip (")
    assert message.endswith("); get it again or save the model again")
    return message


@pytest.mark.parametrize("compress", [False, True])
def test_the_three_members(tmp_path, compress):
    """The texts as bytes and the weights as a file, in whatever order and with whatever beside them."""
    path = write_zip(
        tmp_path / "a.keras", ("assets/x.txt", b"x"), WEIGHTS, METADATA, CONFIG, compress=compress
    )
    with open_archive(path) as archive:
        assert archive.config == CONFIG[1]
        assert archive.metadata == METADATA[1]
        assert archive.weights.read() == b"weights"
    assert archive.weights.closed
    with open_archive(write_zip(path, CONFIG, WEIGHTS)) as archive:
        assert archive.metadata == b"{}"


def test_compressed_members(tmp_path):
    """Each member may be compressed or not."""
    path = tmp_path / "a.keras"
    weights = bytes(range(256)) * 10
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", b" " * 1000, zipfile.ZIP_DEFLATED)
        file.writestr("model.weights.h5", weights, zipfile.ZIP_DEFLATED)
    with open_archive(path) as archive:
        assert archive.config == b" " * 1000
        assert archive.weights.read() == weights


def test_a_stored_member_is_read_in_place(tmp_path):
    """It is a file to move about in, as long as the member, wherever its header ends."""
    path = tmp_path / "a.keras"
    data = bytes(range(200))
    info = zipfile.ZipInfo("model.weights.h5")
    info.extra = struct.pack("<HH", 0x7777, 5) + b"extra"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(*CONFIG)
        file.writestr(info, data)
        file.writestr("after", b"after" * 100)
    with open_archive(path) as archive:
        file = archive.weights
        assert file.readable()
        assert file.seekable()
        assert file.read(3) == data[:3]
        assert file.tell() == 3
        assert file.seek(10) == 10
        assert file.read(5) == data[10:15]
        assert file.seek(-5, 1) == 10
        assert file.seek(-7, 2) == 193
        assert file.read() == data[193:]
        assert file.read(1) == b""
        assert file.seek(5, 2) == 205
        assert file.read(1) == b""
        assert file.seek(-300, 1) == 0
        buffer = bytearray(250)
        assert file.readinto(buffer) == 200
        assert buffer == data + bytes(50)


@pytest.mark.parametrize("compress", [False, True])
def test_h5py_reads_the_weights(tmp_path, compress):
    """The member is a file in which h5py finds its way."""
    tensors = tensors_of()
    path = write_keras(tmp_path / "a.keras", config_of(), tensors, compress=compress)
    with open_archive(path) as archive, h5py.File(archive.weights) as file:
        found = file["layers/conv2d/vars/0"][()]
    np.testing.assert_array_equal(found, tensors["conv1_conv"]["kernel"])


def test_what_starts_as_a_zip(tmp_path):
    """By a member's signature, or by that of the end."""
    path = tmp_path / "a"
    for start, zipped in (
        (b"PK\x03\x04", True),
        (b"PK\x05\x06", True),
        (b"PK\x01\x02", False),
        (b"PK", False),
        (b"", False),
    ):
        path.write_bytes(start + b"...." * bool(start[3:]))
        assert is_zip(path) is zipped


def test_members_that_are_there_twice(tmp_path):
    """Nobody knows which of them another program reads."""
    path = tmp_path / "a.keras"
    for members, name in (
        ((CONFIG, CONFIG, WEIGHTS), "config.json"),
        ((CONFIG, WEIGHTS, WEIGHTS), "model.weights.h5"),
        ((CONFIG, WEIGHTS, ("z", b""), ("z", b""), ("a", b""), ("a", b"")), "a"),
    ):
        refused(write_zip(path, *members), f"{name} is in the zip twice; refused, save the model again")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\evil", ".."])
def test_members_that_point_outside(tmp_path, name):
    """Nothing is unpacked, and yet such a zip is nobody's model."""
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(*CONFIG)
        file.writestr(*WEIGHTS)
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, b"")
    refused(path, f"the zip's member {name!r} points outside of it; refused")


def test_names_that_only_look_odd(tmp_path):
    """Dots within a name point nowhere."""
    path = write_zip(tmp_path / "a.keras", CONFIG, WEIGHTS, ("a..b/..c/d..", b""))
    with open_archive(path) as archive:
        assert archive.config == CONFIG[1]


def test_zips_of_something_else(tmp_path):
    """What is in it is said, and what should be."""
    path = tmp_path / "a.keras"
    holds = "a .keras file holds config.json and model.weights.h5"
    refused(write_zip(path), f"a zip of nothing; {holds}")
    refused(write_zip(path, WEIGHTS), f"a zip of model.weights.h5; {holds}")
    refused(write_zip(path, CONFIG, METADATA), f"a zip of config.json, metadata.json; {holds}")
    refused(write_zip(path, *((n, b"") for n in "abcdef")), f"a zip of a, b, c, d; {holds}")


def test_how_many_members(tmp_path):
    """A thousand, and not one more; the table of contents is not read before."""
    path = tmp_path / "a.keras"
    others = [(f"{i}", b"") for i in range(MAX_ZIP_MEMBERS - 2)]
    with open_archive(write_zip(path, CONFIG, WEIGHTS, *others)) as archive:
        assert archive.config == CONFIG[1]
    many = f"a zip of {MAX_ZIP_MEMBERS + 1} members; a .keras file has three; refused"
    refused(write_zip(path, CONFIG, WEIGHTS, *others, ("one more", b"")), many)


def end_of(path, members=None, size=None, comment=b""):
    """Change what the end of a zip claims."""
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    if members is not None:
        data[at + 10 : at + 12] = struct.pack("<H", members)
    if size is not None:
        data[at + 12 : at + 16] = struct.pack("<I", size)
    if comment:
        data[at + 20 : at + 22] = struct.pack("<H", len(comment))
        data += comment
    path.write_bytes(data)
    return path


def test_what_the_end_claims(tmp_path):
    """The size of the table of contents, and the values that send a reader to a larger one."""
    path = tmp_path / "a.keras"
    three = "a .keras file has three; refused"
    write_zip(path, CONFIG, WEIGHTS)
    refused(end_of(path, size=MAX_ZIP_DIRECTORY + 1), f"a zip of 2 members; {three}")
    assert "damaged zip" in damaged(end_of(path, size=MAX_ZIP_DIRECTORY))
    larger = "a zip of more members than a .keras file has; refused"
    refused(end_of(write_zip(path, CONFIG, WEIGHTS), members=0xFFFF), larger)
    refused(end_of(write_zip(path, CONFIG, WEIGHTS), size=0xFFFFFFFF), larger)
    refused(end_of(write_zip(path, CONFIG, WEIGHTS), members=0xFFFE), f"a zip of 65534 members; {three}")


def test_comments(tmp_path):
    """The end is found before a comment of any length, and only there."""
    path = tmp_path / "a.keras"
    for comment in (b"x", b"x" * 65_535):
        with open_archive(end_of(write_zip(path, CONFIG, WEIGHTS), comment=comment)) as archive:
            assert archive.config == CONFIG[1]
    path.write_bytes(write_zip(path, CONFIG, WEIGHTS).read_bytes() + b"x" * 65_536)
    refused(path, "a zip that ends too early; get it again")


def test_zips_cut_short(tmp_path):
    """Before the end, within it, and one that was never more than a beginning."""
    path = tmp_path / "a.keras"
    whole = write_zip(path, CONFIG, WEIGHTS).read_bytes()
    for size in (len(whole) // 2, len(whole) - 1, 4):
        path.write_bytes(whole[:size])
        refused(path, "a zip that ends too early; get it again")


def test_damage(tmp_path):
    """A wrong byte in the texts or in the weights, a table of contents that is none, another place."""
    path = tmp_path / "a.keras"
    whole = write_zip(path, CONFIG, WEIGHTS, METADATA).read_bytes()
    for data in (CONFIG[1], WEIGHTS[1], METADATA[1]):
        at = whole.rindex(data, 0, whole.index(b"PK\x01\x02")) + 1
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "Bad CRC-32" in damaged(path)
    path.write_bytes(whole.replace(b"PK\x01\x02", b"PK\x01\x00"))
    damaged(path)
    path.write_bytes(whole.replace(b"PK\x03\x04", b"PK\x03\x00"))
    damaged(path)
    packed = write_zip(path, ("config.json", bytes(1000)), WEIGHTS, compress=True).read_bytes()
    path.write_bytes(packed.replace(zlib.compress(bytes(1000), 6)[2:-4], b"\xff" * 10))
    damaged(path)


def flagged(path, signature, at, bits):
    """Set bits in a zip's headers of one kind."""
    data = bytearray(path.read_bytes())
    found = data.find(signature)
    while found >= 0:
        data[found + at] |= bits
        found = data.find(signature, found + 4)
    path.write_bytes(data)


def test_encrypted_members(tmp_path):
    """They are said to be encrypted, not damaged; other flags are nothing."""
    path = write_zip(tmp_path / "a.keras", CONFIG, WEIGHTS)
    for signature, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        flagged(path, signature, at, 0x08)  # names in UTF-8
    with open_archive(path) as archive:
        assert archive.config == CONFIG[1]
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        flagged(path, signature, at, 0x01)
    refused(path, "config.json in the zip is encrypted; save the model without")


def test_other_compressions(tmp_path):
    """bzip2 and LZMA are Python's to unpack, and bombs of another kind."""
    path = tmp_path / "a.keras"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        for odd, name in (
            (CONFIG, "config.json"),
            (WEIGHTS, "model.weights.h5"),
            (METADATA, "metadata.json"),
        ):
            with zipfile.ZipFile(path, "w") as file:
                for member in (CONFIG, WEIGHTS, METADATA):
                    file.writestr(*member, method if member is odd else zipfile.ZIP_STORED)
            refused(
                path, f"{name} in the zip is compressed in a way that Keras never does; save the model again"
            )


def test_long_texts(tmp_path):
    """JSON is held to its limit before it is unpacked."""
    path = tmp_path / "a.keras"
    with open_archive(write_zip(path, ("config.json", b" " * MAX_JSON), WEIGHTS, compress=True)) as archive:
        assert len(archive.config) == MAX_JSON
    for compress in (False, True):
        for name in ("config.json", "metadata.json"):
            others = [m for m in (CONFIG, METADATA, WEIGHTS) if m[0] != name]
            write_zip(path, (name, b" " * (MAX_JSON + 1)), *others, compress=compress)
            refused(
                path, f"{name} in the zip holds {MAX_JSON + 1} bytes of JSON, {MAX_JSON} at most; refused"
            )


def claimed(path, size):
    """Let the table of contents claim another size of the weights."""
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[at + 24 : at + 28] = struct.pack("<I", size)
    path.write_bytes(data)


def test_bombs(tmp_path, monkeypatch):
    """Compressed weights may unpack to 20 times their size, and to 1 GiB; stored ones have no bound."""
    path = write_zip(tmp_path / "a.keras", CONFIG, ("model.weights.h5", b"x" * 100), compress=True)
    with zipfile.ZipFile(path) as file:
        packed = file.getinfo("model.weights.h5").compress_size
    claimed(path, MAX_ZIP_EXPANSION * packed)
    with open_archive(path) as archive:
        assert archive.weights.read() == b"x" * 100
    most = MAX_ZIP_EXPANSION * packed + 1
    claimed(path, most)
    refused(path, f"model.weights.h5 in the zip unpacks {packed} bytes to {most}; refused as a bomb")
    write_zip(path, CONFIG, ("model.weights.h5", b"x" * 100), compress=True)
    monkeypatch.setattr("npcam.keras_files.archive.MAX_ZIP_UNPACKED", 100)
    with open_archive(path) as archive:
        assert archive.weights.read() == b"x" * 100
    monkeypatch.setattr("npcam.keras_files.archive.MAX_ZIP_UNPACKED", 99)
    refused(path, f"model.weights.h5 in the zip unpacks {packed} bytes to 100; refused as a bomb")
    monkeypatch.setattr("npcam.keras_files.archive.MAX_ZIP_EXPANSION", 0)
    with open_archive(write_zip(path, CONFIG, ("model.weights.h5", b"x" * 100))) as archive:
        assert archive.weights.read() == b"x" * 100

"""Text in attributes, read without the library: what h5py wrote, and headers built byte by byte."""

import h5py
import numpy as np
import pytest

from npcam.common.limits import MAX_HDF5_HEADER, MAX_HDF5_HEADER_BLOCKS, MAX_HDF5_TEXT
from npcam.hdf5.attributes import FormatError, has_attribute, variable_texts

ATTRIBUTE, CONTINUATION, ATTRIBUTE_INFO, NOTHING = 0x0C, 0x10, 0x15, 0x00
NOWHERE = b"\xff" * 8


class Image:
    """A file in memory, written piece by piece as the HDF5 specification has it."""

    def __init__(self):
        self.data = bytearray(64)  # so that nothing lies at address 0

    def add(self, data, at=None):
        """Put bytes somewhere; returns their address."""
        at = len(self.data) if at is None else at
        self.data += bytes(max(0, at + len(data) - len(self.data)))
        self.data[at : at + len(data)] = data
        return at

    def read(self, address, size):
        """What `Source.read` does: exactly that many bytes, or an error."""
        assert address >= 0
        assert size >= 0
        if address + size > len(self.data):
            raise FormatError("beyond the end")
        return bytes(self.data[address : address + size])

    def header(self, *messages, version=1, flags=0, length=None):
        """An object header of either version (IV.A.1); a message is (kind, body, flags)."""
        body = b"".join(message(*m, version=version, flags=flags) for m in messages)
        length = len(body) if length is None else length
        if version == 1:
            start = b"\x01\0" + number(len(messages), 2) + number(1, 4) + number(length, 4)
            return self.add(start + bytes(4) + body)
        start = b"OHDR\x02" + bytes([flags])
        start += bytes(16) if flags & 0x20 else b""  # four times
        start += bytes(4) if flags & 0x10 else b""  # when attributes are kept apart
        return self.add(start + number(length, 1 << (flags & 3)) + body + b"sums")

    def heap(self, *texts, first=1):
        """A global heap collection (III.E) with these objects, and the free space at its end."""
        body = b"".join(
            number(first + i, 2) + bytes(6) + number(len(t), 8) + t + bytes(-len(t) % 8)
            for i, t in enumerate(texts)
        )
        size = 16 + len(body) + 32
        return self.add(b"GCOL\x01\0\0\0" + number(size, 8) + body + bytes(8) + number(32, 8) + bytes(16))


def number(value, width):
    """A number as HDF5 stores it."""
    return value.to_bytes(width, "little")


def message(kind, body, flags_of_message=0, version=1, flags=0):
    """A header message (IV.A.1.a and b)."""
    if version == 1:
        body += bytes(-len(body) % 8)
        return number(kind, 2) + number(len(body), 2) + bytes([flags_of_message]) + bytes(3) + body
    order = b"\x07\x07" if flags & 0x04 else b""
    return bytes([kind]) + number(len(body), 2) + bytes([flags_of_message]) + order + body


def attribute(name, value, version=1):
    """An attribute message (IV.A.2.m) with a datatype of 13 and a dataspace of 20 bytes."""
    pad = (lambda data: data + bytes(-len(data) % 8)) if version == 1 else (lambda data: data)
    name = name.encode() + b"\0"
    sizes = number(len(name), 2) + number(13, 2) + number(20, 2)
    charset = b"\x01" if version == 3 else b""
    return bytes([version, 0]) + sizes + charset + pad(name) + pad(b"T" * 13) + pad(b"S" * 20) + value


def reference(length, heap, index=1):
    """What an attribute holds of a text of variable length: its size and where it is."""
    return number(length, 4) + number(heap, 8) + number(index, 4)


def opened(path, inner="/"):
    """`read` and a header's address, for a file that h5py wrote."""
    data = path.read_bytes()
    with h5py.File(path) as file:
        address = h5py.h5o.get_info(file[inner].id).addr

    def read(at, size):
        assert at + size <= len(data)
        return data[at : at + size]

    return read, address


NAMES = [f"conv{i}_bn/größe:0" for i in range(40)]


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("count", [1, 8, 30])
def test_what_h5py_writes(tmp_path, libver, order, count):
    """Both versions of headers, in one block or many, with and without the order of creation."""
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        group = file.create_group("g", track_order=order)
        for i in range(count):
            group.attrs[f"list{i}"] = NAMES[i:]
            group.attrs.create(f"text{i}", "x" * i, dtype=h5py.string_dtype("ascii"))
            if i < 2:
                group.create_dataset(f"between{i}", data=np.ones(3))
        group.attrs["number"] = 7
    read, header = opened(tmp_path / "a.h5", "g")
    if count > 2 and (libver == "latest" or order):  # more than 8 attributes
        with pytest.raises(
            FormatError, match=r"^its attributes are kept apart from it; save with h5py's default libver$"
        ):
            has_attribute(read, header, "number")
        return
    for i in range(count):
        assert has_attribute(read, header, f"list{i}")
        assert variable_texts(read, header, f"list{i}", 40 - i) == [n.encode() for n in NAMES[i:]]
        assert variable_texts(read, header, f"text{i}", 1) == [b"x" * i]
    assert has_attribute(read, header, "number")
    assert not has_attribute(read, header, "list")
    assert not has_attribute(read, header, f"text{count}")


def test_a_datatype_of_its_own(tmp_path):
    """An attribute whose datatype is an object of the file: the second version of the message."""
    with h5py.File(tmp_path / "a.h5", "w", libver="earliest") as file:
        file["type"] = h5py.string_dtype("ascii")
        space = h5py.h5s.create_simple((2,))
        made = h5py.h5a.create(file.id, b"texts", file["type"].id, space)
        made.write(np.array([b"one", b"three"], object))
    read, header = opened(tmp_path / "a.h5")
    assert variable_texts(read, header, "texts", 2) == [b"one", b"three"]


HEADERS = [(1, 0), *((2, flags) for flags in (0, 1, 2, 3, 0x04, 0x10, 0x20, 0x35, 0x36))]


@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize(("version", "flags"), HEADERS)
def test_every_header(version, flags, kind):
    """All that a header may have before its messages, and all three versions of an attribute."""
    image = Image()
    heap = image.heap(b"one", b"", b"four4444", b"x")
    value = reference(4, heap, 3) + reference(0, 0, 0) + reference(3, heap, 1)
    header = image.header(
        (NOTHING, b"12345"),
        (ATTRIBUTE, attribute("other", b"?" * 48, kind)),
        (ATTRIBUTE, attribute("a name", value, kind)),
        version=version,
        flags=flags,
    )
    assert variable_texts(image.read, header, "a name", 3) == [b"four", b"", b"one"]
    assert variable_texts(image.read, header, "a name", 1) == [b"four"]
    assert has_attribute(image.read, header, "other")
    assert not has_attribute(image.read, header, "a nam")
    long = [letter * 300 for letter in "xy"]
    header = image.header(
        *((ATTRIBUTE, attribute(name, reference(3, heap), kind)) for name in long),
        version=version,
        flags=flags | 1,
    )
    assert variable_texts(image.read, header, long[1], 1) == [b"one"]


@pytest.mark.parametrize(("version", "flags"), [(1, 0), (2, 0), (2, 0x04)])
def test_continuations(version, flags):
    """A header goes on elsewhere, and from there again; the second version signs and sums each block."""
    image = Image()
    heap = image.heap(b"found")
    wanted = (ATTRIBUTE, attribute("far", reference(5, heap), 3))
    kept = message(*wanted, version=version, flags=flags)

    def block(body):
        """The address and length of a block."""
        body = body if version == 1 else b"OCHK" + body + b"sums"
        return number(image.add(body), 8) + number(len(body), 8)

    second = block(message(NOTHING, b"", version=version, flags=flags) + kept)
    first = block(message(CONTINUATION, second, version=version, flags=flags))
    header = image.header((CONTINUATION, first), version=version, flags=flags)
    assert variable_texts(image.read, header, "far", 1) == [b"found"]
    # One that is too short to say where is none.
    assert not has_attribute(image.read, image.header((CONTINUATION, first[:8]), version=2), "far")


def test_continuations_in_a_circle():
    """A header that goes on at itself ends after as many pieces as a header may have."""
    image = Image()
    at = len(image.data) + 16
    header = image.header((CONTINUATION, number(at, 8) + number(24, 8)))
    reads = []

    def read(address, size):
        reads.append(address)
        return image.read(address, size)

    with pytest.raises(FormatError, match=r"^an object header larger than any of Keras's$"):
        has_attribute(read, header, "x")
    assert reads.count(at) == MAX_HDF5_HEADER_BLOCKS


def test_as_many_blocks_as_allowed():
    """64 blocks, the first among them, are read; 65 are not."""
    for blocks, fits in ((MAX_HDF5_HEADER_BLOCKS - 1, True), (MAX_HDF5_HEADER_BLOCKS, False)):
        image = Image()
        end = image.add(message(ATTRIBUTE, attribute("last", b"")))
        at, size = end, len(image.data) - end
        for _ in range(blocks - 1):
            at, size = image.add(message(CONTINUATION, number(at, 8) + number(size, 8))), 24
        header = image.header((CONTINUATION, number(at, 8) + number(size, 8)))
        if fits:
            assert has_attribute(image.read, header, "last")
        else:
            with pytest.raises(FormatError, match=r"^an object header larger than any of Keras's$"):
                has_attribute(image.read, header, "last")


@pytest.mark.parametrize("version", [1, 2])
def test_a_header_may_claim_a_mebibyte(version):
    """What it claims is not read beyond the limit, all blocks together; up to it, it is."""
    image = Image()
    at = 64
    long = message(NOTHING, bytes(0xFFF0), version=version)
    image.add(long * (2 * MAX_HDF5_HEADER // len(long)), at=at + (16 if version == 1 else 10))
    for length, fits in ((MAX_HDF5_HEADER, True), (MAX_HDF5_HEADER + 1, False), (2**24, False)):
        start = b"OHDR\x02\x02" if version == 2 else b"\x01" + bytes(7)
        image.add(start + number(length, 4), at=at)
        if fits:
            assert not has_attribute(image.read, at, "x")
        else:
            with pytest.raises(FormatError, match=r"^an object header larger than any of Keras's$"):
                has_attribute(image.read, at, "x")
    goes_on = message(CONTINUATION, number(at + 40, 8) + number(MAX_HDF5_HEADER - 23, 8))
    image.add(b"\x01" + bytes(7) + number(24, 4) + bytes(4) + goes_on, at=at)
    with pytest.raises(FormatError, match=r"^an object header larger than any of Keras's$"):
        has_attribute(image.read, at, "x")


@pytest.mark.parametrize("version", [1, 2])
def test_messages_cut_short(version):
    """A message that ends at the end of its block is read; a piece of one is left alone."""
    image = Image()
    body = attribute("x", b"")
    whole = len(message(ATTRIBUTE, body, version=version))
    cut = image.header((ATTRIBUTE, body), version=version, length=whole)
    assert has_attribute(image.read, cut, "x")
    for length in (0, 3):
        cut = image.header((ATTRIBUTE, body), version=version, length=length)
        assert not has_attribute(image.read, cut, "x")
    empty = image.header((ATTRIBUTE, body), (NOTHING, b""), version=version)
    assert has_attribute(image.read, empty, "x")


@pytest.mark.parametrize("version", [1, 2])
def test_attributes_that_are_not_read(version):
    """A message that lies elsewhere, is too short, or is of an unknown version has no attribute in it."""
    image = Image()
    for body, flags in (
        (attribute("x", b""), 0x02),
        (attribute("x", b"")[: 7 if version == 2 else 0], 0),
        (attribute("x", b"", 3)[:1], 0),
        (b"\x04" + attribute("x", b"", 3)[1:], 0),
        (b"\x00" + attribute("x", b"", 1)[1:], 0),
    ):
        after = (ATTRIBUTE, attribute("after", b""))
        header = image.header((ATTRIBUTE, body, flags), after, version=version)
        assert not has_attribute(image.read, header, "x")
        assert has_attribute(image.read, header, "after")
        with pytest.raises(FormatError, match=r"^attribute x is not stored as Keras stores it"):
            variable_texts(image.read, header, "x", 0)
    # Other flags say nothing of where it is, and eight bytes are an attribute without a name.
    assert has_attribute(
        image.read, image.header((ATTRIBUTE, attribute("x", b""), 0x05), version=version), "x"
    )
    assert has_attribute(image.read, image.header((ATTRIBUTE, b"\x02" + bytes(7)), version=version), "")


@pytest.mark.parametrize("flags", [0, 1, 3])
def test_attributes_kept_apart(flags):
    """The address of the heap in which they would be is undefined, or they are kept apart."""
    image = Image()
    start = bytes([0, flags]) + (b"\x03\0" if flags & 1 else b"")
    for body, apart in (
        (start + NOWHERE + bytes(16), False),
        (start + number(2**16, 8) + NOWHERE * 2, True),
        (start, True),
        (start[:1], True),
        (b"", True),
    ):
        header = image.header((ATTRIBUTE_INFO, body), (ATTRIBUTE, attribute("x", b"")), version=2)
        if apart:
            with pytest.raises(FormatError, match=r"^its attributes are kept apart"):
                has_attribute(image.read, header, "x")
        else:
            assert has_attribute(image.read, header, "x")


def test_unknown_headers():
    """Neither a signature nor a version that the specification has."""
    image = Image()
    for start in (b"\x02", b"\x00", b"OHDX"):
        with pytest.raises(FormatError, match=r"^an object header of unknown version$"):
            has_attribute(image.read, image.add(start + bytes(20)), "x")


def test_values_that_are_too_short():
    """A list of more texts than the attribute has room for."""
    image = Image()
    heap = image.heap(b"text")
    header = image.header((ATTRIBUTE, attribute("x", reference(4, heap) * 2)))
    assert variable_texts(image.read, header, "x", 2) == [b"text", b"text"]
    for name, count in (("x", 3), ("y", 1), ("y", 0)):
        with pytest.raises(FormatError, match=f"^attribute {name} is not stored as Keras stores it"):
            variable_texts(image.read, header, name, count)
    header = image.header((ATTRIBUTE, attribute("x", (reference(4, heap) * 2)[:-1], 3)), version=2)
    assert variable_texts(image.read, header, "x", 1) == [b"text"]
    with pytest.raises(FormatError, match=r"^attribute x is not stored as Keras stores it"):
        variable_texts(image.read, header, "x", 2)


def test_lengths_are_held_against_the_heap():
    """A text may be shorter than its place, not longer; a place that is not there has no text."""
    image = Image()
    heap = image.heap(b"12345678", b"abc")

    def texts(*references):
        header = image.header((ATTRIBUTE, attribute("x", b"".join(references))))
        return variable_texts(image.read, header, "x", len(references))

    assert texts(reference(8, heap), reference(3, heap, 2)) == [b"12345678", b"abc"]
    for length, index, claim, most in ((9, 1, 9, 8), (4, 2, 4, 3), (1, 3, 1, 0), (1, 0, 1, 0)):
        with pytest.raises(FormatError, match=f"^attribute x claims {claim} bytes of text, {most} at most"):
            texts(reference(length, heap, index))
    with pytest.raises(FormatError, match=r"^no heap at 65, where a text should be"):
        texts(reference(1, heap), reference(1, 65))
    for far in (2**40, 2**56 + heap):
        with pytest.raises(FormatError, match="beyond the end"):
            texts(reference(4, far))


def test_all_texts_together_have_a_limit():
    """Each may be as long as its place; a list of claims on one place ends at 8 MiB."""
    image = Image()
    text = b"x" * (MAX_HDF5_TEXT // 4)
    heap = image.heap(text, b"y")
    for count, extra, fits in ((4, 0, True), (4, 1, False), (5, 0, False)):
        value = reference(len(text), heap) * count + reference(1, heap, 2) * extra
        header = image.header((ATTRIBUTE, attribute("x", value)))
        if fits:
            assert variable_texts(image.read, header, "x", count + extra) == [text] * count
        else:
            with pytest.raises(FormatError, match=r"claims [0-9]+ bytes of text, [0-9]+ at most"):
                variable_texts(image.read, header, "x", count + extra)


def test_heaps_are_counted_and_read_once():
    """Texts lie in a few heaps, each of which is looked through once; 65 heaps are too many."""
    image = Image()
    heaps = [image.heap(b"%04d" % i) for i in range(MAX_HDF5_HEADER_BLOCKS + 1)]
    reads = []

    def read(address, size):
        reads.append(address)
        return image.read(address, size)

    references = [reference(4, heap) for heap in heaps]
    header = image.header((ATTRIBUTE, attribute("x", b"".join(references[:-1] * 2))))
    found = variable_texts(read, header, "x", 2 * len(references) - 2)
    assert found == [b"%04d" % i for i in range(len(references) - 1)] * 2
    assert all(reads.count(heap) == 1 for heap in heaps[:-1])
    header = image.header((ATTRIBUTE, attribute("x", b"".join(references))))
    with pytest.raises(FormatError, match=r"^attribute x is scattered over more than 64 heaps"):
        variable_texts(read, header, "x", len(references))


def test_heaps_of_many_objects():
    """An object's number takes two bytes."""
    image = Image()
    heap = image.heap(*(b"%03d" % i for i in range(254, 260)), first=254)
    header = image.header((ATTRIBUTE, attribute("x", reference(3, heap, 258) + reference(3, heap, 255))))
    assert variable_texts(image.read, header, "x", 2) == [b"258", b"255"]


def test_heaps_end_where_they_say():
    """Objects are found up to the heap's size and its free space, not beyond."""
    image = Image()

    def heap_of(size, body):
        return image.add(b"GCOL\x01\0\0\0" + number(size, 8) + body + bytes(40))

    def entry(index, text):
        return number(index, 2) + bytes(6) + number(len(text), 8) + text + bytes(-len(text) % 8)

    def text(heap, index, length):
        header = image.header((ATTRIBUTE, attribute("x", reference(length, heap, index))))
        return variable_texts(image.read, header, "x", 1)

    two = entry(1, b"one") + entry(2, b"two22222")
    assert text(heap_of(16 + len(two), two), 2, 8) == [b"two22222"]
    for size in (16 + len(two) - 1, 16 + len(two) - 8, 16 + 24 + 15, 16 + 24):
        assert text(heap_of(size, two), 1, 3) == [b"one"]
        with pytest.raises(FormatError, match="0 at most"):
            text(heap_of(size, two), 2, 1)
    with pytest.raises(FormatError, match="0 at most"):  # behind the free space
        text(heap_of(100, entry(0, b"") + two), 1, 1)
    # The last object's size is that of the text, without what fills it up.
    assert text(heap_of(16 + 16 + 3, entry(5, b"end")), 5, 3) == [b"end"]

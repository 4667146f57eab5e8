"""Text of variable length in HDF5 attributes, read without the HDF5 library.

Keras keeps a model's configuration and its lists of layers as such text. The library follows
whatever lengths and addresses a file claims: a few damaged bytes make it hang, and a short list
whose entries all point to one long text makes it allocate that many copies. Here every length is
checked against what the file holds before anything is read.

After the HDF5 File Format Specification, version 3.0: object headers (IV.A.1), attribute messages
(IV.A.2.m) and global heaps (III.E).
"""

from collections.abc import Callable, Iterator

from npcam.common.limits import MAX_HDF5_HEADER, MAX_HDF5_HEADER_BLOCKS, MAX_HDF5_TEXT

Read = Callable[[int, int], bytes]  # (address, size) -> exactly that many bytes

ATTRIBUTE, CONTINUATION, ATTRIBUTE_INFO = 0x0C, 0x10, 0x15  # types of messages
SHARED = 0x02  # flag of a message that is kept elsewhere
COUNTED = 0x01  # flag of attributes whose order of creation is kept; two bytes more come before the address


class FormatError(ValueError):
    """The bytes are not what the specification says, or more than any Keras file needs."""


def has_attribute(read: Read, header: int, name: str) -> bool:
    """Whether an object has an attribute. All must be kept in its header, where none exceeds 64 KiB.

    Attributes that are kept apart ("dense" storage, in files for the latest libraries only) may have
    any size, and the library loads one whole to say as much as its shape.

    Args:
        read: gives the bytes at an address, as the file counts addresses.
        header: the address of the object's header.
        name: the attribute's name.

    Raises:
        FormatError: the header is not what the specification says, or attributes are kept apart.
    """
    return name.encode() in attribute_names(read, header)


def attribute_names(read: Read, header: int) -> list[bytes]:
    """The names of all attributes of an object; arguments and errors are those of `has_attribute`."""
    for kind, _, body in _messages(read, header):
        if kind != ATTRIBUTE_INFO:
            continue
        at = 4 if len(body) > 1 and body[1] & COUNTED else 2
        if body[at : at + 8] != b"\xff" * 8:
            msg = "its attributes are kept apart from it; save with h5py's default libver"
            raise FormatError(msg)
    return [found for found, _ in _attributes(read, header)]


def variable_texts(read: Read, header: int, name: str, count: int) -> list[bytes]:
    """The texts in an attribute of variable-length strings.

    Args:
        read: gives the bytes at an address, as the file counts addresses.
        header: the address of the object's header.
        name: the attribute's name.
        count: how many texts it holds.

    Raises:
        FormatError: there is no such attribute, or its lengths and addresses do not fit the file.
    """
    data = next((value for found, value in _attributes(read, header) if found == name.encode()), None)
    if data is None or len(data) < 16 * count:
        msg = f"attribute {name} is not stored as Keras stores it"
        raise FormatError(msg)
    heaps: dict[int, dict[int, tuple[int, int]]] = {}
    texts: list[bytes] = []
    total = 0
    for at in range(0, 16 * count, 16):
        length, address, index = (_int(data[at + a : at + b]) for a, b in ((0, 4), (4, 12), (12, 16)))
        if length == 0:
            texts.append(b"")
            continue
        if address not in heaps:
            if len(heaps) == MAX_HDF5_HEADER_BLOCKS:
                msg = f"attribute {name} is scattered over more than {MAX_HDF5_HEADER_BLOCKS} heaps"
                raise FormatError(msg)
            heaps[address] = _heap(read, address)
        start, size = heaps[address].get(index, (0, 0))
        total += length
        if length > size or total > MAX_HDF5_TEXT:
            msg = f"attribute {name} claims {total} bytes of text, {min(size, MAX_HDF5_TEXT)} at most"
            raise FormatError(msg)
        texts.append(read(start, length))
    return texts


def _attributes(read: Read, header: int) -> Iterator[tuple[bytes, bytes]]:
    """The name and value of each attribute kept in an object's header."""
    for kind, flags, body in _messages(read, header):
        if kind != ATTRIBUTE or flags & SHARED or len(body) < 8:
            continue
        version = body[0]
        sizes = [_int(body[at : at + 2]) for at in (2, 4, 6)]  # of its name, datatype and dataspace
        start = 9 if version == 3 else 8
        if version == 1:
            padded = [size + -size % 8 for size in sizes]
        elif version in (2, 3):
            padded = sizes
        else:
            continue
        name = body[start : start + sizes[0]].split(b"\0")[0]
        yield name, body[start + sum(padded) :]


def _messages(read: Read, header: int) -> Iterator[tuple[int, int, bytes]]:
    """The messages of an object header, (type, flags, body), through all its blocks."""
    start = read(header, 16)
    if start[:4] == b"OHDR":
        flags = start[5]
        at = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        blocks = [(at + width, _int(read(at, width)))]
        message_header, ordered = 4, 2 if flags & 0x04 else 0
    elif start[0] == 1:
        blocks = [(header + 16, _int(start[8:12]))]
        message_header, ordered = 8, 0
    else:
        msg = "an object header of unknown version"
        raise FormatError(msg)
    total = 0
    for number, (address, size) in enumerate(blocks):  # which grow on the way
        total += size
        if number == MAX_HDF5_HEADER_BLOCKS or total > MAX_HDF5_HEADER:
            msg = "an object header larger than any of Keras's"
            raise FormatError(msg)
        block = read(address, size)
        at = 0
        while at + message_header <= len(block):
            if message_header == 8:
                kind, length, flags = _int(block[at : at + 2]), _int(block[at + 2 : at + 4]), block[at + 4]
            else:
                kind, length, flags = block[at], _int(block[at + 1 : at + 3]), block[at + 3]
            at += message_header + ordered
            body = block[at : at + length]
            at += length
            if kind == CONTINUATION and len(body) >= 16:
                where, long = _int(body[:8]), _int(body[8:16])
                # Of the second version, a block has a signature before and a checksum behind.
                blocks.append((where, long) if message_header == 8 else (where + 4, max(long - 8, 0)))
            yield kind, flags, body


def _heap(read: Read, address: int) -> dict[int, tuple[int, int]]:
    """The objects of a global heap collection: {index: (address, size)}."""
    start = read(address, 16)
    if start[:4] != b"GCOL":
        msg = f"no heap at {address}, where a text should be"
        raise FormatError(msg)
    end = address + _int(start[8:16])
    at = address + 16
    objects: dict[int, tuple[int, int]] = {}
    while at + 16 <= end and len(objects) < 2**16:
        entry = read(at, 16)
        index, size = _int(entry[:2]), _int(entry[8:16])
        if index == 0 or at + 16 + size > end:
            break
        objects[index] = (at + 16, size)
        at += 16 + size + -size % 8
    return objects


def _int(data: bytes) -> int:
    return int.from_bytes(data, "little")

"""A `.keras` file: a zip from a stranger, of which three members are read and none is unpacked."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from npcam.common.errors import InputError
from npcam.common.kinds import kind_of_zip
from npcam.common.limits import MAX_JSON, MAX_ZIP_EXPANSION, MAX_ZIP_MEMBERS, MAX_ZIP_UNPACKED
from npcam.common.zips import DAMAGE, check_directory, check_names, check_packing

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


class Archive(NamedTuple):
    """The members of a `.keras` file: two texts, and the weights' HDF5 as an open file."""

    config: bytes
    metadata: bytes
    weights: BinaryIO


@contextmanager
def open_archive(path: str | Path) -> Iterator[Archive]:
    """Open a `.keras` file for reading.

    Raises:
        InputError: the file is damaged, a zip of something else or a bomb, or it has a member twice.
    """
    with ExitStack() as stack:
        try:
            check_directory(path, MAX_ZIP_MEMBERS, "a .keras file", "three")
            archive = stack.enter_context(zipfile.ZipFile(path))
            members = _members(archive, str(path))
            for info in members.values():
                _check_member(archive, info, str(path))
            config = archive.read(members[CONFIG])
            metadata = archive.read(members[METADATA]) if METADATA in members else b"{}"
            weights = stack.enter_context(_seekable(archive, members[WEIGHTS], path))
        except InputError:
            raise
        except DAMAGE as error:
            reason = str(error).split("\n")[0]
            raise InputError(
                f"{path}: damaged zip ({reason}); get it again or save the model again"
            ) from error
        yield Archive(config, metadata, weights)


def _members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """The members that are read, by name."""
    names = [info.filename for info in archive.infolist()]
    check_names(names, where)
    strange = [name for name in names if name.startswith("/") or ".." in name.split("/") or "\\" in name]
    if strange:
        raise InputError(f"{where}: the zip's member {strange[0]!r} points outside of it; refused")
    if CONFIG not in names or WEIGHTS not in names:
        if kind := kind_of_zip(names):
            raise InputError(f"{where}: is {kind}")
        found = ", ".join(names[:4]) or "nothing"
        raise InputError(f"{where}: a zip of {found}; a .keras file holds {CONFIG} and {WEIGHTS}")
    return {name: archive.getinfo(name) for name in (CONFIG, METADATA, WEIGHTS) if name in names}


def _check_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> None:
    """Raise InputError for a member that is encrypted, a bomb, or damaged."""
    name = f"{where}: {info.filename} in the zip"
    check_packing(info, name, "Keras", "save the model")
    if info.filename != WEIGHTS:
        if info.file_size > MAX_JSON:
            raise InputError(f"{name} holds {info.file_size} bytes of JSON, {MAX_JSON} at most; refused")
        return
    if info.compress_type != zipfile.ZIP_STORED and (
        info.file_size > MAX_ZIP_UNPACKED or info.file_size > MAX_ZIP_EXPANSION * info.compress_size
    ):
        raise InputError(f"{name} unpacks {info.compress_size} bytes to {info.file_size}; refused as a bomb")
    with archive.open(info) as file:
        while file.read(2**20):  # to the end, where the checksum is compared
            pass


def _seekable(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str | Path) -> BinaryIO:
    """A member as a file to read back and forth in."""
    if info.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(archive.read(info))
    file = Path(path).open("rb")  # noqa: SIM115, the window closes it
    file.seek(info.header_offset + 26)
    name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
    return _Window(file, info.header_offset + 30 + name + extra, info.file_size)


class _Window(io.RawIOBase, BinaryIO):
    """A part of a file as a file of its own: a member that is stored as it is."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        self._file.seek(self._start + self._at)
        count: int = self._file.readinto(view)  # type: ignore[attr-defined]
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

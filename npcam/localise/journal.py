"""Rows written as they come, so that a run that was stopped goes on where it was.

The file has a line that says of what the rows are, and then a line for each photograph, in the order of
the data set. What was cut short is dropped, and so is the rest of a batch that was begun: what is kept is
never written again. Where a photograph that could not be read was mended, it goes on from there.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.hashes import sha256_of_file
from npcam.datasets.photographs import Photograph

if TYPE_CHECKING:
    from io import FileIO


class Rows(Sequence[dict[str, Any]]):
    """Rows as the lines of JSON that they are written in: a third of what they take unpacked.

    >>> rows = Rows([b'{"photo": "a.jpg"}'])
    >>> rows[0], len(rows), list(rows[:1]) == list(rows)
    ({'photo': 'a.jpg'}, 1, True)
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        """Take lines, without the line feed."""
        self.lines = list(lines)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "dict[str, Any] | Rows":
        """One row unpacked, which changes nothing here; or some of them, packed."""
        if isinstance(index, slice):
            return Rows(self.lines[index])
        row: dict[str, Any] = json.loads(self.lines[index])
        return row

    def __len__(self) -> int:
        return len(self.lines)


class Journal:
    """The rows of one evaluation, those of before and those that are added.

    Attributes:
        rows: of the batches that are done.
    """

    def __init__(
        self,
        path: Path,
        about: Mapping[str, Any],
        photographs: Sequence[Photograph],
        batches: Sequence[range],
    ) -> None:
        """Open it, or begin a new one.

        Args:
            path: the file.
            about: of what the rows are: the same for a run that goes on.
            photographs: all of the data set.
            batches: the batches that they are done in.

        Raises:
            InputError: the file is of another evaluation or damaged, a photograph is not the one that was
                measured, or another run is writing here.
        """
        self._path, self._photographs = path, photographs
        self.rows = Rows()
        self._file = self._open()
        try:
            self._go_on(about, batches)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows of one batch; they are on the disk's way when this returns.

        Raises:
            InputError: they cannot be written.
        """
        lines = [*map(_line, rows)]
        self._write(b"".join(lines))
        self.rows.lines += [line[:-1] for line in lines]

    def _write(self, data: bytes) -> None:
        """Put bytes at the end of the file; where there is no room, a line may be left cut short."""
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            msg = f"{self._path}: writing failed ({error.strerror or error}); make room, and go on"
            raise InputError(msg) from error

    def _go_on(self, about: Mapping[str, Any], batches: Sequence[range]) -> None:
        """Read what is there, and leave the file at the end of the last batch that is done."""
        head, data = _line(about), self._file.read()
        if not data.startswith(head) and not head.startswith(data):  # which may have been cut short, too
            other = _of_what(data, about)
            raise InputError(f"{self._path}: is of {other}; choose another -o, or remove this folder")
        lines = data[len(head) :].split(b"\n")[:-1]
        self._require_rows(lines)
        unchanged = self._unchanged(Rows(lines))
        done = max((batch.stop for batch in batches if batch.stop <= unchanged), default=0)
        self.rows = Rows(lines[:done])
        self._write(head[len(data) :])
        kept = self._file.seek(len(head) + sum(len(line) + 1 for line in lines[:done]))
        if kept < len(data):
            self._file.truncate(kept)

    def _open(self) -> "FileIO":
        """The file, for this process alone."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
            file = os.fdopen(handle, "r+b", buffering=0)  # what cannot be written is lost at once, and said
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{self._path}: cannot write here ({reason}); choose another -o") from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # which might have no end
            file.close()
            raise InputError(f"{self._path}: cannot write here (not a file); choose another -o")
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # a system without such locks
            pass
        except OSError as error:
            file.close()
            msg = f"{self._path}: another run is writing here; wait for it, or choose another -o"
            raise InputError(msg) from error
        return file

    def _require_rows(self, lines: Sequence[bytes]) -> None:
        """See to it that whole lines are the rows of the first photographs."""
        for number, (line, photograph) in enumerate(zip(lines, self._photographs, strict=False), start=2):
            try:
                row = json.loads(line)
                whole = row["photo"] == photograph.name and ("error" in row or "photo_sha256" in row)
            except (ValueError, TypeError, KeyError, RecursionError):
                whole = False
            if not whole:
                msg = f"{self._path}, line {number}: is no row of {photograph.name}"
                raise InputError(f"{msg}; remove the file to begin anew")

    def _unchanged(self, rows: Rows) -> int:
        """How many rows there are before a photograph that could not be read and is another one now.

        Raises:
            InputError: one that was measured has changed.
        """
        kept = len(rows)
        for i, (row, photograph) in enumerate(zip(rows, self._photographs, strict=False)):
            if "error" in row:
                if row.get("photo_sha256") != sha256_if_there(photograph.path):
                    kept = min(kept, i)
                continue
            with open_file(photograph.path, "it was there when it was measured") as file:
                if row["photo_sha256"] == sha256_of_file(file):
                    continue
            msg = f"{photograph.path}: has changed since it was measured"
            raise InputError(f"{msg}; remove {self._path} to begin anew, or choose another -o")
        return kept


def sha256_if_there(path: str) -> str | None:
    """SHA-256 of a photograph's file, in hex; None where it cannot be read."""
    try:
        with open_file(path, "") as file:
            return sha256_of_file(file)
    except (InputError, OSError):
        return None


def failed_row(photograph: Photograph, message: str) -> dict[str, Any]:
    """The row of a photograph that cannot be used, with its file's hash where there is one."""
    row = {"photo": photograph.name, "error": message}
    sha256 = sha256_if_there(photograph.path)
    return row if sha256 is None else {**row, "photo_sha256": sha256}


def digest(photographs: Sequence[Photograph]) -> str:
    """SHA-256 of what a data set says: names, classes, boxes and sizes; not of the photographs' files."""
    told = [(one.name, one.label, one.boxes, one.size) for one in photographs]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _line(row: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(row)}\n".encode()


def _of_what(data: bytes, about: Mapping[str, Any]) -> str:
    """What another evaluation's file differs in."""
    try:
        found, now = (dict(_flat(one)) for one in (json.loads(data.split(b"\n", 1)[0]), about))
    except (ValueError, AttributeError, RecursionError):
        return "something else"
    other = [name for name in now if found.get(name) != now[name]]
    known = other and found.keys() & now.keys()
    return f"an evaluation with other {', '.join(other)}" if known else "something else"


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested names in one: ("options align", "corners")."""
    for key, value in values.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} ")
        else:
            yield name, value

"""Rows written as they come, so that a run that was stopped goes on where it was.

The file has a line that says of what the rows are, and then a line for each photograph, in the order of
the data set. A last line that was cut short is dropped.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from npcam.common.errors import InputError
from npcam.common.files import open_file, sha256_of_file
from npcam.datasets.photographs import Photograph


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
        self._file = self._open()
        head = f"{json.dumps(about)}\n".encode()
        data = self._file.read()
        if not data.startswith(head[:-1]) and data:
            raise InputError(
                f"{path}: is of {_of_what(data, about)}; choose another -o, or remove this folder"
            )
        self.rows = self._read(data[len(head) :])
        ends = [batch.stop for batch in batches if batch.stop <= len(self.rows)]
        self.rows = self.rows[: max(ends, default=0)]
        self._check_photographs()
        keep = head + b"".join(map(_line, self.rows))
        self._file.seek(0)
        self._file.write(keep)
        self._file.truncate(len(keep))
        self._file.flush()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows of one batch; they are on the disk's way when this returns.

        Raises:
            InputError: they cannot be written.
        """
        try:
            self._file.write(b"".join(map(_line, rows)))
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"{self._path}: writing failed ({error.strerror or error}); make room"
            ) from error
        self.rows += rows

    def _open(self) -> BinaryIO:
        """The file, for this process alone."""
        try:
            file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{self._path}: cannot write here ({reason}); choose another -o") from error
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

    def _read(self, data: bytes) -> list[dict[str, Any]]:
        """The rows of whole lines, which have to be those of the first photographs."""
        *lines, _ = data.split(b"\n")
        rows = []
        for number, (line, photograph) in enumerate(zip(lines, self._photographs, strict=False), start=2):
            try:
                row = json.loads(line)
                told = row["photo"]
            except (ValueError, TypeError, KeyError, RecursionError):
                told = None
            if told != photograph.name:
                msg = f"{self._path}, line {number}: is no row of {photograph.name}"
                raise InputError(f"{msg}; remove the file to begin anew")
            rows.append(row)
        return rows

    def _check_photographs(self) -> None:
        """See to it that the photographs are those that were measured."""
        for row, photograph in zip(self.rows, self._photographs, strict=False):
            if "error" in row:
                continue
            with open_file(photograph.path, "it was there when it was measured") as file:
                if row["photo_sha256"] == sha256_of_file(file):
                    continue
            msg = f"{photograph.path}: has changed since it was measured"
            raise InputError(f"{msg}; remove {self._path} to begin anew, or choose another -o")


def digest(photographs: Sequence[Photograph]) -> str:
    """SHA-256 of what a data set says: names, classes, boxes and sizes; not of the photographs' files."""
    told = [(one.name, one.label, one.boxes, one.size) for one in photographs]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _line(row: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(row)}\n".encode()


def _of_what(data: bytes, about: Mapping[str, Any]) -> str:
    """What another evaluation's file differs in."""
    try:
        found = json.loads(data.split(b"\n", 1)[0])
        other = [name for name in about if found.get(name) != about[name]]
    except (ValueError, AttributeError, RecursionError):
        other = []
    return f"an evaluation with other {', '.join(other)}" if other else "something else"

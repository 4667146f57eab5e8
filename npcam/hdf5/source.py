"""The bytes behind an HDF5 file, and how many of them may come out."""

import os
from typing import BinaryIO

import numpy as np

from npcam.common.errors import InputError
from npcam.common.limits import HDF5_ALLOWANCE, MAX_HDF5_EXPANSION
from npcam.hdf5.attributes import FormatError
from npcam.shapes import Array


class Source:
    """The file behind the groups: its name, its bytes, and how many may still come out of it."""

    def __init__(self, label: str, raw: BinaryIO, start: int) -> None:
        self.label = label
        self.start = start
        self._raw = raw
        self.size = raw.seek(0, os.SEEK_END)
        self._left = HDF5_ALLOWANCE + MAX_HDF5_EXPANSION * self.size

    def read(self, address: int, size: int) -> bytes:
        """Bytes at an address as HDF5 counts them, from behind the user block."""
        if self.start + address + size > self.size:
            msg = "an address beyond the end of the file"
            raise FormatError(msg)
        self._raw.seek(self.start + address)
        return self._raw.read(size)

    def read_into(self, address: int, array: Array) -> bool:
        """Fill a C-ordered array with the bytes at an address; False where the file ends too early."""
        self._raw.seek(address)
        return self._raw.readinto(array.reshape(-1).view(np.uint8)) == array.nbytes  # type: ignore[attr-defined,no-any-return]

    @property
    def outside(self) -> tuple[int, int]:
        """How many bytes lie before HDF5's own, in a user block, and behind them.

        After the HDF5 File Format Specification, version 3.0, II.A: the superblock's end of file address.
        """
        head = self.read(0, 64)
        at = {0: 40, 1: 44}.get(head[8], 28)
        if head[13 if head[8] < 2 else 9] != 8:  # bytes of an address
            return self.start, 0
        end = int.from_bytes(head[at : at + 8], "little")
        return self.start, max(0, self.size - end)

    def spend(self, size: int, where: str) -> None:
        """Take `size` bytes off what may still come out."""
        self._left -= size
        if self._left < 0:
            raise InputError(
                f"{where}: the file's arrays declare far more than its {self.size} bytes; refused"
            )

"""The hash of a weights file, begun while the rest of the program is still being imported.

In the program `npcam` alone. Imports leave all cores but one idle, and the hash of 98 MB takes one of
them as long as the import of NumPy takes another.
"""

import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from npcam.common.hashes import sha256_file
from npcam.common.interrupts import PROGRAM
from npcam.common.meanwhile import meanwhile

COMMANDS = ("explain", "evaluate")  # that ask for the hash here
OPTION = "--weights"
_begun: dict[str, Callable[[], str]] = {}


def hash_meanwhile(path: Path) -> Callable[[], str]:
    """Begin to hash a file in a second thread, unless that has begun; whoever calls what is returned waits.

    What is called raises InputError where the file cannot be hashed.
    """
    return _begun.pop(str(path), None) or meanwhile(lambda: sha256_file(path))


def named_weights(arguments: Sequence[str]) -> Path | None:
    """The weights file that a command's arguments name, if it is there; None if they may mean another.

    >>> named_weights(["explain", "cat.jpg", "--weights=examples/chelsea.png"])
    PosixPath('examples/chelsea.png')
    >>> named_weights(["summary", "--weights", "examples/chelsea.png"])
    """
    if not arguments or arguments[0] not in COMMANDS:
        return None
    named = [value for option, value in pairwise(arguments) if option == OPTION]
    named += [one.partition("=")[2] for one in arguments if one.startswith(f"{OPTION}=")]
    there = len(named) == 1 and os.path.isfile(named[0])  # noqa: PTH113  # False for what is no path at all
    return Path(named[0]) if there else None


def begin(arguments: Sequence[str]) -> None:
    """Begin to hash the weights file that a command names."""
    path = named_weights(arguments)
    if path is not None:
        _begun[str(path)] = meanwhile(lambda: sha256_file(path))


if PROGRAM:
    begin(sys.argv[1:])

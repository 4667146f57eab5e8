"""Words for a terminal or a machine: whatever a file holds, or is called, one line stays one line.

This is the one place that prints. Names out of a stranger's file may hold anything: an escape
sequence that paints over the line before, a line feed, half a surrogate pair. And the streams may
be closed, full, a pipe that nobody reads any more, or of an encoding that has few letters.
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from npcam.common.quiet import aloud

_lost: list[OSError | ValueError] = []  # what went wrong with standard output


def printable(text: str) -> str:
    r"""The text, with everything that would not print as itself as Python's escape for it.

    A byte of a file's name that is no text is shown as that byte. A backslash stays one, so this is
    for reading and not for reading back.

    >>> print(printable("a\x1b[2J\nb\ud800\udcff é"))
    a\x1b[2J\nb\ud800\xff é
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def some_names(names: Sequence[str], most: int = 8) -> str:
    r"""The first few names, and how many more there are; one line in ASCII, whatever the names are.

    >>> some_names(["conv1", "a\nb", "fc"], most=2)
    'conv1, a\\nb and 1 more'
    """
    shown = ", ".join(json.dumps(name[:80])[1:-1] for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def to_json(value: Any, indent: int | None = 2) -> str:
    r"""A value as JSON in ASCII; numbers that JSON does not have (NaN, infinity) become null.

    Without `indent` it is one line.

    >>> print(to_json({"a": [1.5, float("nan")], "b": "\udcff"}))
    {
      "a": [
        1.5,
        null
      ],
      "b": "\udcff"
    }
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def percentage(share: float) -> str:
    """A share as people read it: neither none nor all unless it is.

    >>> percentage(0.9999), percentage(0.0001), percentage(0.5), percentage(1)
    ('>99.9%', '<0.1%', '50.0%', '100.0%')
    """
    return "<0.1%" if 0 < share < 0.0005 else ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def say(line: str, *, error: bool = False) -> None:
    """Print one line, on standard output or on standard error. It never raises.

    What a stream cannot take is dropped, and `finish_output` tells of it: whoever closes the pipe
    does not want the words, but the files that are being made are wanted.
    """
    _write(f"{printable(line)}\n", error)


def show(lines: str) -> None:
    """Print a table or JSON on standard output, as `say` does: lines that were put together by npcam.

    A name in them must be made `printable` before: a line feed in it would make two lines of one.
    """
    _write("".join(f"{printable(line)}\n" for line in lines.split("\n")), error=False)


def draw_over(line: str) -> None:
    """Put a line in the place of the one that stands last on a terminal's standard error."""
    _write(f"\r\x1b[K{printable(line)}", error=True)


def open_streams() -> None:
    """Have standard input, output and error open, for a program that may be started without them.

    Where one is closed, the next file that is opened gets its number; what C libraries have to say
    would then stand in the middle of an overlay.
    """
    _lost.clear()
    with suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()


def finish_output() -> OSError | ValueError | None:
    """Have all that was said written out; what went wrong with standard output, or None."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except (OSError, ValueError) as problem:
            _give_up(sys.stdout, problem)
    found = _lost[0] if _lost else None
    _lost.clear()
    return found


def _escape(character: str) -> str:
    """A character as Python writes it; a byte that stands for itself (PEP 383) as that byte."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _finite(value: Any) -> Any:
    """The same, with None for each float that is not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(text: str, error: bool) -> None:
    """Write to a stream whatever letters its encoding has; one that takes no more is let go."""
    stream = sys.stderr if error else sys.stdout
    if stream is None:  # closed when Python started
        return
    text = text.encode(encoding := stream.encoding or "utf-8", "backslashreplace").decode(encoding)

    def write() -> None:
        stream.write(text)
        stream.flush()

    try:
        aloud(write) if error else write()
    except (OSError, ValueError) as problem:
        _give_up(stream, problem)


def _give_up(stream: TextIO, problem: OSError | ValueError) -> None:
    """Let a stream lead nowhere, so that what it still holds raises nothing when Python ends."""
    if stream is sys.stdout:
        _lost.append(problem)
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  # as long as the program runs

"""The one exception for input that npcam cannot use."""

from npcam.common.limits import MAX_MESSAGE
from npcam.common.text import printable


class InputError(ValueError):
    r"""A file, option or array from outside is not usable.

    The message is one line: which file or tensor, what was found, what was expected, what to do.
    The command line prints it and exits with status 2; nothing else is a user's fault. Names out of
    a stranger's file may stand in it, so whatever would not print as itself is escaped.

    >>> print(InputError("layer 'a\nb\x1b[2J' is missing"))
    layer 'a\nb\x1b[2J' is missing
    """

    def __init__(self, message: str) -> None:
        line = printable(message[: 2 * MAX_MESSAGE])
        super().__init__(line if len(line) <= MAX_MESSAGE else f"{line[:MAX_MESSAGE]}...")

"""What a command is, and what several commands share: an option, a check, a complaint."""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """One command: its name, what `--help` says of it, its options, what it does, and examples."""

    name: str
    about: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: str


def add_weights_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--weights`."""
    parser.add_argument(
        "--weights",
        metavar="FILE|NAME",
        help="npcam weights file, or the name of a fetched one (default: the bundled model)",
    )


def positive(text: str) -> int:
    """The value of an option that counts something, from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"expected a whole number from 1 up, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def complain(message: str) -> int:
    """Say in one line on standard error what is wrong, and return the exit status for it, 2."""
    print(f"npcam: {' '.join(message.split())}", file=sys.stderr)
    return 2

"""What a command is, and what several commands share: an option, a check, a complaint."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from npcam.common.text import say


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


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a photograph becomes an input, and a map a heat map."""
    parser.add_argument(
        "--align",
        choices=["corners", "centers"],
        default="corners",
        help="how to upsample: corners, as SciPy does, or half-pixel centers (default: corners)",
    )
    parser.add_argument(
        "--interpolation",
        default="nearest",
        help="how to resize photographs: nearest, as Keras does, bilinear, ... (default: nearest)",
    )


def positive(text: str) -> int:
    """The value of an option that counts something, from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        msg = f"expected a whole number from 1 up, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def size(text: str) -> tuple[int, int]:
    """(height, width) of an option that is a size: one number for both, or HEIGHTxWIDTH."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and side.isascii() and len(side) < 10 for side in sides):
        msg = f"expected a number of pixels, or HEIGHTxWIDTH, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(sides[0]), int(sides[-1])


def add_explaining_options(parser: argparse.ArgumentParser) -> None:
    """Add `--exif-transpose` and `--threshold`: how a photograph is turned, and where boxes are drawn."""
    parser.add_argument(
        "--exif-transpose", action="store_true", help="turn photographs upright, which Keras does not"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.2,
        metavar="T",
        help="boxes are drawn around what is above this share of the map's maximum (default: 0.2)",
    )


def complain(message: str) -> int:
    """Say what is wrong in one line on standard error; returns the exit status for it, 2."""
    say(f"npcam: {message}", error=True)
    return 2

"""The commands: options in, words and files out. No arithmetic."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from npcam.cli.explain import EXPLAIN
from npcam.cli.options import complain
from npcam.cli.verify import RECORD, VERIFY
from npcam.cli.weights import CONVERT, FETCH, INSPECT, SUMMARY
from npcam.common.errors import InputError
from npcam.common.version import __version__

COMMANDS = (EXPLAIN, CONVERT, SUMMARY, INSPECT, FETCH, VERIFY, RECORD)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: the words after `npcam`; None takes them from the command line.

    Returns:
        0 if all went well, 2 for bad usage or input, 130 if interrupted; `npcam verify` also returns
        1 when it ran and found a layer that is off.
    """
    # The collector would look through all that is being imported again and again: 3 % of the start.
    gc.set_threshold(100_000)
    signal.signal(signal.SIGTERM, _interrupt)  # so that unfinished files are removed then, too
    try:
        options = _parser().parse_args(arguments)
        status: int = options.run(options)
        sys.stdout.flush()
    except InputError as error:
        return complain(str(error))
    except MemoryError:
        return complain("not enough memory; try fewer or smaller photographs")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output left: `npcam summary | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return complain(f"{error.filename or 'output'}: {error.strerror or error}")
    return status


def _parser() -> argparse.ArgumentParser:
    """A parser of all commands and their options."""
    parser = _Parser(
        prog="npcam",
        description="Keras ResNet-50 and its class activation maps in pure NumPy.",
        epilog="`npcam COMMAND --help` shows each command's options with examples.",
    )
    parser.add_argument("--version", action="version", version=f"npcam {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(
            command.name,
            help=command.about,
            description=command.about[0].upper() + command.about[1:] + ".",
            epilog=command.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_options(one)
        one.set_defaults(run=command.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that says in one line, too, what is wrong with the usage."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt

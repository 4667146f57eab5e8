"""The commands: options in, words and files out. No arithmetic."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from npcam import __version__, cli_explain, cli_verify, cli_weights
from npcam.cli_options import complain
from npcam.errors import InputError


class Command(NamedTuple):
    """One command: what `--help` says of it, its options, and what it does."""

    name: str
    about: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: str


COMMANDS = (
    Command(
        "explain",
        "what is in a photograph, and where the network sees it",
        cli_explain.add_options,
        cli_explain.explain_photographs,
        cli_explain.EXAMPLES,
    ),
    Command(
        "convert",
        "Keras ResNet weights to npcam's HDF5, with no Keras installed",
        cli_weights.add_convert_options,
        cli_weights.run_convert,
        cli_weights.CONVERT_EXAMPLES,
    ),
    Command(
        "summary",
        "the table of layers that Keras prints",
        cli_weights.add_summary_options,
        cli_weights.run_summary,
        cli_weights.SUMMARY_EXAMPLES,
    ),
    Command(
        "inspect",
        "what is in a weights file, and whether it would convert",
        cli_weights.add_inspect_options,
        cli_weights.run_inspect,
        cli_weights.INSPECT_EXAMPLES,
    ),
    Command(
        "fetch",
        "official ImageNet weights by name",
        cli_weights.add_fetch_options,
        cli_weights.run_fetch,
        cli_weights.FETCH_EXAMPLES,
    ),
    Command(
        "verify",
        "who is off, in which layer, and by how much",
        cli_verify.add_verify_options,
        cli_verify.verify,
        cli_verify.VERIFY_EXAMPLES,
    ),
    Command(
        "record",
        "a run's activations in a file, to verify against",
        cli_verify.add_record_options,
        cli_verify.record,
        cli_verify.RECORD_EXAMPLES,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 fine, 2 bad usage or input, 130 interrupted.

    `npcam verify` also returns 1: it ran, and found a layer that is off.
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
    """All commands and their options."""
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
    """Bad usage is one line, too."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def _interrupt(_signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

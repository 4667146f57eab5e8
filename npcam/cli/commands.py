"""The commands: options in, words and files out. No arithmetic."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from npcam.cli.audit import AUDIT
from npcam.cli.evaluate import EVALUATE
from npcam.cli.explain import EXPLAIN
from npcam.cli.explore import EXPLORE
from npcam.cli.layers import LAYERS
from npcam.cli.options import complain
from npcam.cli.recheck import RECHECK
from npcam.cli.report import REPORT
from npcam.cli.verify import RECORD, VERIFY
from npcam.cli.weights import CONVERT, FETCH, INSPECT, SUMMARY
from npcam.common.collector import leave_all
from npcam.common.errors import InputError
from npcam.common.interrupts import INTERRUPTED, PROGRAM, Signals
from npcam.common.text import finish_output, open_streams, show
from npcam.common.unused import PARTS, put_off
from npcam.common.version import __version__

COMMANDS = (
    *(EXPLAIN, LAYERS, EXPLORE, EVALUATE, AUDIT, REPORT, RECHECK, CONVERT, SUMMARY, INSPECT, FETCH),
    *(VERIFY, RECORD),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    `npcam verify` also returns 1: it ran, and found a layer that is off. So does `npcam recheck`: it ran, and
    the report does not hold.

    Args:
        arguments: the command and its options; None for those that the program was called with.
    """
    signals = Signals(program=PROGRAM and arguments is None)
    try:  # an interrupt may come from the first line on, to the last one
        signals.watch()
        if arguments is None:
            open_streams()
        if PROGRAM:
            put_off(*PARTS)
        status = _run(arguments, signals)
        signals.stop()
        if PROGRAM and arguments is None:
            leave_all()
    except KeyboardInterrupt:
        return signals.leave()
    except BaseException:
        signals.stop()
        raise
    return signals.leave() if signals.arrived else status


def _run(arguments: Sequence[str] | None, signals: Signals) -> int:
    """Run one command; what is wrong is said in one line, unless an interrupt is what is wrong."""
    shown = False
    try:
        status = _command(arguments)
    except SystemExit:  # of argparse, once it has shown the help or the version
        shown, status = True, 0
    except Exception as error:
        if signals.arrived:  # and was made into another error on its way
            return INTERRUPTED
        status = _complain_of(error)
    lost = finish_output()
    if lost is not None and not isinstance(lost, BrokenPipeError):  # `npcam summary | head` is no mistake
        status = complain(f"output: {getattr(lost, 'strerror', None) or lost}")
    if shown:
        raise SystemExit(status)
    return status


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command, `run` among them: what does it.

    Raises:
        InputError: bad usage.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return _parser(words).parse_args(words)


def _command(arguments: Sequence[str] | None) -> int:
    options = parse(arguments)
    with warnings.catch_warnings():
        # Of overflow, in whichever thread: the check that a result is finite says it in one line.
        warnings.simplefilter("ignore", RuntimeWarning)
        status: int = options.run(options)
    return status


def _complain_of(error: Exception) -> int:
    """Say in one line what is a person's to mend, or raise the error again."""
    match error:
        case InputError():
            return complain(str(error))
        case MemoryError():
            return complain("not enough memory; try fewer or smaller photographs")
        case ImportError() if "failed to map" in str(error):  # what the system says where memory is limited
            return complain(f"not enough memory to load a library ({error}); allow more")
        case OSError():
            return complain(f"{error.filename or 'output'}: {error.strerror or error}")
    raise error


def _parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """A parser of all commands, and of the options of those that are among some words; None for all."""
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
        if words is None or command.name in words:
            command.add_options(one)
        one.set_defaults(run=command.run)
    return parser


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line, too; help is printed like all else."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002
        show(message.rstrip("\n"))

"""`npcam recheck`: whether a report is true."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from npcam.cli.options import Command
from npcam.common.errors import InputError
from npcam.common.text import say, show, to_json
from npcam.stream.progress import Progress

if TYPE_CHECKING:
    from npcam.report.verdict import Verdict

EXAMPLES = """\
examples:
  npcam recheck cat.html                       with the photographs beside it
  npcam recheck cat.html --photos photos --weights mine.h5
  npcam recheck cat.html --all                 name everything that differs, not the first alone
status: 0 it holds; 1 it does not; 2 it cannot be checked"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `npcam recheck`."""
    parser.add_argument("report", metavar="REPORT", help="a page that npcam report wrote")
    parser.add_argument(
        "--weights",
        metavar="FILE|NAME",
        help="npcam weights file, or the name of a fetched one (default: the bundled model); without it, "
        "fetched ones are taken, too, if they have the hash that the report says",
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="where the photographs are (default: beside the report); found by hash",
    )
    parser.add_argument("--all", action="store_true", help="name everything that differs")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")


def recheck_report(options: argparse.Namespace) -> int:
    """Run `npcam recheck`: 0 where the report holds, 1 where it does not, 2 where it cannot be checked."""
    from npcam.cli.auditing import auditor
    from npcam.report.recheck import recheck

    try:
        with ExitStack() as stack:
            verdict = recheck(options.report, options.weights, options.photos, _progress(stack), auditor)
    except InputError as error:
        if options.json:
            show(to_json({"report": options.report, "verdict": "cannot be checked", "reason": str(error)}))
        raise
    if options.json:
        show(to_json(_verdict_in_json(options.report, verdict)))
    else:
        _say_verdict(options, verdict)
    return 0 if verdict.holds else 1


def _progress(stack: ExitStack) -> Callable[[int, int], None]:
    """What is called after each photograph, of how many: a terminal shows how far it is."""
    shown: list[Progress] = []

    def done(_: int, of: int) -> None:
        if not shown:
            shown.append(stack.enter_context(Progress(of)))
        shown[0].advance()

    return done


def _verdict_in_json(path: str, verdict: "Verdict") -> dict[str, Any]:
    """The verdict for a program."""
    return {
        "report": path,
        "verdict": "holds" if verdict.holds else "does not hold",
        "differences": [{**one._asdict(), "words": str(one)} for one in verdict.differences],
        "compared": verdict.compared,
        "tolerance": {
            name: {"allowed": allowed, "found": found} for name, (allowed, found) in verdict.used.items()
        },
        "notes": verdict.notes,
    }


def _say_verdict(options: argparse.Namespace, verdict: "Verdict") -> None:
    """The verdict for a reader; its first line says it."""
    if verdict.holds:
        say(f"{options.report}: holds")
    else:
        first, *others = verdict.differences
        say(f"{options.report}: does not hold: {first}")
        for one in others if options.all else ():
            say(f"  {one}")
        if others and not options.all:
            say(f"  and {len(others):,} more; --all names them")
    say(f"  {verdict.compared:,} numbers, texts and hashes compared")
    for name, (allowed, found) in verdict.used.items():
        say(
            f"  {name}: at most {found:.2g} off; rounding may do up to {allowed:.2g} (32 standard deviations)"
        )
    for note in verdict.notes:
        say(f"  {note}")
    say("  that the numbers are true does not make the network right, or the map a cause")


RECHECK = Command(
    "recheck",
    "whether a report is true: everything in it computed anew",
    add_options,
    recheck_report,
    EXAMPLES,
)

"""Results told as they come: words, JSON, a table, a contact sheet; and how far it is."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.cli.explaining import Explained
from npcam.cli.options import complain
from npcam.cli.results import say_result
from npcam.cli.small_pictures import SmallPictures
from npcam.cli.table import SORTS, Table, in_order_of
from npcam.common.errors import InputError
from npcam.common.text import show, to_json
from npcam.stream.progress import Progress

if TYPE_CHECKING:
    from npcam.stream.batches import Failed


def add_telling_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how results are told."""
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of text, at the end")
    parser.add_argument(
        "--jsonl", action="store_true", help="print a JSON object a line instead of text, as they come"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="also write a table, a row for each photograph and class"
    )
    parser.add_argument(
        "--contact-sheet", type=Path, metavar="FILE", help="also write one PNG with all pictures, made small"
    )
    parser.add_argument(
        "--sort",
        choices=tuple(SORTS),
        help="order of --csv, --json and --contact-sheet (default: as the photographs are named)",
    )


def check_table(options: argparse.Namespace) -> None:
    """Raise InputError where the options do not fit together."""
    if options.json and options.jsonl:
        raise InputError("--json and --jsonl: two ways to print the same; choose one")
    if options.sort and not (options.csv or options.json or options.contact_sheet):
        raise InputError("--sort: is the order of --csv, --json and --contact-sheet; add one of them")
    for path, suffix, option in (
        (options.csv, ".csv", "--csv"),
        (options.contact_sheet, ".png", "--contact-sheet"),
    ):
        if path is not None and path.suffix.lower() != suffix:
            raise InputError(f"{path}: {option} writes a {suffix} file; name one")


class Told:
    """Takes results one by one; at the end it writes what needs all of them.

    Attributes:
        failed: whether there was a photograph without a result.
    """

    def __init__(self, options: argparse.Namespace, count: int) -> None:
        """Begin, with so many photographs to come."""
        self.failed = False
        self._options = options
        self._results: list[dict[str, Any]] = []  # kept for --json alone
        self._table = Table(options.csv, options.sort) if options.csv else None
        sheet = options.contact_sheet
        self._sheet = SmallPictures(sheet, count, options.sort) if sheet else None
        self._progress = Progress(count)

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._progress.__exit__()
        if kind is None:
            self._finish()

    def take(self, one: "Explained | Failed") -> None:
        """What became of one photograph."""
        self._progress.clear()
        if isinstance(one, Explained):
            if not (self._options.json or self._options.jsonl):
                say_result(one.result, one.top, one.notes, self._options.boxes)
            self.add(one.result)
        else:
            complain(one.message)
            self.add({"photo": one.path, "error": one.message})
        if self._sheet:
            self._sheet.add(one)
        self._progress.advance()

    def add(self, result: dict[str, Any]) -> None:
        """One result, as JSON has it."""
        self.failed |= "error" in result
        if self._options.jsonl:
            show(to_json(result, indent=None))
        if self._options.json:
            self._results.append(result)
        if self._table:
            self._table.add(result)

    def _finish(self) -> None:
        """Write what all results are needed for."""
        if self._options.json:
            show(to_json(in_order_of(self._results, self._options.sort)))
        if self._table:
            self._table.write()
        if self._sheet:
            self._sheet.write()

"""Photographs measured one batch after the other, in a run that goes on where an earlier one was stopped."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from npcam.cli.sharing import shared
from npcam.common.text import say

if TYPE_CHECKING:
    from npcam.datasets.photographs import Photograph
    from npcam.localise.journal import Rows


def measured(
    options: argparse.Namespace,
    work: Callable[[range], list[dict[str, Any]]],
    about: Mapping[str, Any],
    photographs: "Sequence[Photograph]",
    batches: Sequence[range],
    check: "Callable[[Rows], None] | None" = None,
) -> "Rows":
    """A row for each photograph; those that an earlier run has measured are taken from it.

    Args:
        options: the command's: its `output`, and who does the work.
        work: gives the rows of a batch.
        about: what tells the rows from others, see `Journal`.
        photographs: all of them.
        batches: what they are done in.
        check: is given the rows of an earlier run, and raises where they cannot be used.
    """
    from npcam.localise.journal import Journal
    from npcam.stream.progress import Progress

    with Journal(options.output / "rows.jsonl", about, photographs, batches) as journal:
        left = [batch for batch in batches if batch.start >= len(journal.rows)]
        if journal.rows and left:
            done = f"{len(journal.rows):,} of {len(photographs):,} photographs"
            say(f"npcam: note: {done} were measured before; going on", error=True)
        if check is not None:
            check(journal.rows)
        if not left:
            return journal.rows
        with (
            Progress(len(photographs), before=len(journal.rows)) as progress,
            shared(options, len(left), options.output) as in_order,
            closing(in_order(work, left)) as found,
        ):
            for rows in found:
                journal.add(rows)
                progress.advance(len(rows))
        return journal.rows

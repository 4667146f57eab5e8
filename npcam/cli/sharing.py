"""Who does the work: threads of this process, processes of this machine, or a Dask cluster."""

import argparse
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from npcam.cli.options import positive
from npcam.common.errors import InputError
from npcam.common.threads import cores


def add_sharing_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who does the work."""
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="share the work between N processes of a Dask cluster that ends with the command "
        "(default: threads, one on each core)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="share the work between the workers of a Dask scheduler, such as tcp://HOST:8786; the same "
        "paths must lead to the same files there, and it must be yours",
    )


def check_sharing(options: argparse.Namespace) -> None:
    """Raise InputError where the options do not fit together, or Dask is missing."""
    if options.workers is not None and options.scheduler is not None:
        raise InputError("--workers and --scheduler: a scheduler has workers of its own; choose one")
    if options.workers is not None or options.scheduler is not None:
        from npcam.stream.cluster import require_dask

        require_dask()


@contextmanager
def shared(
    options: argparse.Namespace, count: int, results: Path | None = None
) -> Iterator[Callable[[Any, Iterable[Any]], Generator[Any]]]:
    """What does work on items and gives the results in the items' order, for as long as a block lasts.

    Args:
        options: the command's.
        count: how many items there will be.
        results: the folder that the work writes to, if it does.

    Raises:
        InputError: there is no such cluster, or it does not fit.
    """
    if getattr(options, "workers", None) is not None or getattr(options, "scheduler", None) is not None:
        from npcam.stream.cluster import cluster

        with cluster(options.scheduler, options.workers, results) as ready:
            yield ready.in_order
    else:
        from npcam.stream.pool import in_order

        workers = max(1, min(cores(), count))
        yield lambda work, items: in_order(work, items, workers, getattr(work, "stop", None))

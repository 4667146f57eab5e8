"""Time `npcam explain` over a folder against the same photographs one after the other, taken in turn.

    python tools/benchmark_folder.py photos
    python tools/benchmark_folder.py photos --weights resnet50.h5 --limit 100

One after the other means: each photograph is decoded, run with all cores and drawn before the next one
is opened. Both ways write the same pictures into a temporary folder. Only ratios mean anything.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from npcam import InputError
from npcam.cli.commands import parse
from npcam.cli.explaining import Explained, Explaining
from npcam.cli.names import Names
from npcam.common.text import say
from npcam.common.threads import cores
from npcam.model import Model, load_model
from npcam.stream.batches import Batches, Reading, cut
from npcam.stream.listing import list_photographs
from npcam.stream.pool import in_order


def main() -> int:
    """Print the rates of each round, and the median of their ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", help="folders or photographs, as for npcam explain")
    parser.add_argument("--weights", help="npcam weights file (default: the bundled model)")
    parser.add_argument("--limit", type=int, default=400, help="photographs (default: 400)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is timed (default: 5)")
    options = parser.parse_args()
    try:
        photos = list_photographs(options.photos).photos[: options.limit]
        alone, shared = load_model(options.weights), load_model(options.weights, threads=1)
    except InputError as error:
        say(f"benchmark_folder: {error}", error=True)
        return 2
    print(f"{len(photos)} photographs, {cores()} cores; photographs a second")
    ratios = []
    for number in range(options.rounds):
        one, _ = rate(one_by_one, alone, photos)
        many, first = rate(at_once, shared, photos)
        ratios.append(many / one)
        print(
            f"round {number + 1}: one after the other {one:.1f}, at the same time {many:.1f}, "
            f"{ratios[-1]:.2f} times; the first after {first:.2f} s",
            flush=True,
        )
    print(f"median: {statistics.median(ratios):.2f} times")
    return 0


def rate(
    run: Callable[[Batches[Explained]], float], model: Model, photos: tuple[str, ...]
) -> tuple[float, float]:
    """Photographs a second, and the seconds until the first one was done."""
    with tempfile.TemporaryDirectory() as folder:
        options = parse(["explain", *photos, "-o", folder])
        explaining = Explaining(options, Names(photos, Path(folder), "weights"), "0" * 64, {})
        batches = Batches(model, photos, Reading(), explaining)
        began = time.perf_counter()
        first = run(batches)
        return len(photos) / (time.perf_counter() - began), first - began


def one_by_one(batches: Batches[Explained]) -> float:
    """Each photograph before the next one; when the first was done."""
    first = 0.0
    for i in range(len(batches.photos)):
        batches(range(i, i + 1))
        first = first or time.perf_counter()
    return first


def at_once(batches: Batches[Explained]) -> float:
    """Several at the same time; when the first was done."""
    first = 0.0
    for _ in in_order(batches, cut(len(batches.photos)), cores()):
        first = first or time.perf_counter()
    return first


if __name__ == "__main__":
    sys.exit(main())

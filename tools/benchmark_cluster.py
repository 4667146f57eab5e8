"""How much faster more workers of a local cluster are, and what a photograph costs; runs are taken in turn.

    python tools/benchmark_cluster.py photos
    python tools/benchmark_cluster.py photos --weights resnet50.h5 --limit 100 --workers 1,2

A rate is counted from the first result that is told to the last: starting is not in it. The cost is the
time of all cores that a run took for each photograph, starting and ending included; other programs change
it less than the rate.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from npcam import InputError
from npcam.common.text import say
from npcam.stream.listing import list_photographs


class Measured(NamedTuple):
    """One run: seconds to its first result, photographs a second from there on, core-seconds for each."""

    first: float
    rate: float
    cost: float


def main() -> int:
    """Print each run, and the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", help="folders or photographs, as for npcam explain")
    parser.add_argument("--weights", help="npcam weights file (default: the bundled model)")
    parser.add_argument("--limit", type=int, default=400, help="photographs (default: 400)")
    parser.add_argument("--workers", default="1,2", help="how many; 0: threads of one process (default: 1,2)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed (default: 3)")
    options = parser.parse_args()
    try:
        photos = list_photographs(options.photos).photos
    except InputError as error:
        say(f"benchmark_cluster: {error}", error=True)
        return 2
    photos = photos[:: -(-len(photos) // options.limit)]
    counts = [int(count) for count in options.workers.split(",")]
    runs: dict[int, list[Measured]] = {count: [] for count in counts}
    print(f"{len(photos)} photographs")
    for _ in range(options.rounds):
        for count in counts:
            run = measure(photos, options.weights, count)
            runs[count].append(run)
            print(f"{count} workers: {run.rate:.1f}/s, the first after {run.first:.1f} s", flush=True)
    for count in counts:
        ratios = sorted(one.rate / base.rate for one, base in zip(runs[count], runs[counts[0]], strict=True))
        print(
            f"{count} workers: {statistics.median(ratios):.2f} times the rate of {counts[0]} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}), "
            f"{statistics.median(run.rate for run in runs[count]):.1f}/s, "
            f"{1000 * statistics.median(run.cost for run in runs[count]):.0f} core-milliseconds for each"
        )
    return 0


def measure(photos: Sequence[str], weights: str | None, workers: int) -> Measured:
    """Explain photographs in a process of its own, with its workers."""
    share = ["--workers", str(workers)] if workers else []
    model = ["--weights", weights] if weights else []
    before = _core_seconds()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "npcam", "explain", "-", "--jsonl", "-o", folder, *share, *model]
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("".join(f"{photo}\n" for photo in photos))
            process.stdin.close()
            times = [time.perf_counter() for _ in process.stdout]
    if len(times) < 2:
        sys.exit(f"{' '.join(command)}: status {process.returncode}, {len(times)} results")
    rate = (len(times) - 1) / (times[-1] - times[0])
    return Measured(times[0] - start, rate, (_core_seconds() - before) / len(photos))


def _core_seconds() -> float:
    """What the processes took that have ended, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())

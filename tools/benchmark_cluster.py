"""How much faster more workers of a local cluster are: photographs a second, in turn, with the ratios.

python tools/benchmark_cluster.py photos [--weights resnet50.h5] [--workers 1,2] [--rounds 3]

A rate is counted from the first result that is told to the last, so that starting is not in it; that is said beside it.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time


def measure(photos: list[str], weights: str | None, workers: int) -> tuple[float, float]:
    """Explain photographs; returns (seconds to the first result, photographs a second from there on)."""
    share = ["--workers", str(workers)] if workers else []
    model = ["--weights", weights] if weights else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "npcam", "explain", *photos, "--jsonl", "-o", folder, *share, *model]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            times = [time.perf_counter() for _ in process.stdout]
    if process.returncode or len(times) < 2:
        sys.exit(f"{' '.join(command)}: status {process.returncode}, {len(times)} results")
    return times[0] - start, (len(times) - 1) / (times[-1] - times[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", help="as `npcam explain` takes them")
    parser.add_argument("--weights", help="default: the bundled model")
    parser.add_argument(
        "--workers", default="1,2", help="numbers of workers; 0 is the threads of one process"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(options.rounds):
        for count in counts:
            first, rate = measure(options.photos, options.weights, count)
            rates[count].append(rate)
            print(f"{count} workers: {rate:.1f} photographs/s, the first after {first:.1f} s", flush=True)
    base = rates[counts[0]]
    for count in counts:
        ratios = sorted(rate / one for rate, one in zip(rates[count], base, strict=True))
        print(
            f"{count} workers: median {statistics.median(rates[count]):.1f} photographs/s, "
            f"{statistics.median(ratios):.2f} times those of {counts[0]} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()

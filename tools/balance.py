"""How evenly threads would share the engine's work, also more of them than this machine has cores.

    python tools/balance.py
    python tools/balance.py --batch 8 --threads 1,2,4,8,16 --measure

Computed, not measured. The pass of each number of threads is recorded, not run; a task's time is the
roofline of its operations, max(operations / peak, bytes / bandwidth), on a core that has peak and
bandwidth for itself. Whoever is free takes the next task, and all meet after each phase. What a
meeting takes, and what cores take from each other, is not in it.
"""

import argparse

from benchmarks.ops import Core, measured_core, seconds
from benchmarks.tables import markdown
from benchmarks.tasks import Balance, balance, folded, recorded_phases

from npcam.weights import read_weights
from npcam.weights.random import random_weights

PEAK, BANDWIDTH = 100.0, 10.0  # GFLOP/s and GB/s of one core, where none are given


def table(found: list[Balance]) -> str:
    """The balances as Markdown; the speed-up is against the first."""
    rows = [["threads", "tasks", "meetings", "work ms", "critical path ms", "total ms", "speed-up", "waited"]]
    for b in found:
        times = [f"{1000 * time:.1f}" for time in (b.work, b.critical, b.total)]
        speedup = f"{found[0].total / b.total:.2f}x"
        rows.append([str(b.threads), str(b.tasks), str(b.meetings), *times, speedup, f"{b.waited:.0%}"])
    return markdown(rows)


def main() -> None:
    """Record the pass for each number of threads, and print how its tasks would be shared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", help="an npcam file; default: random weights of ResNet-50")
    parser.add_argument("--batch", type=int, default=1, help="photographs; default: 1")
    parser.add_argument("--size", type=int, default=224, help="their height and width; default: 224")
    parser.add_argument("--threads", default="1,2,4,8,16", help="how many, by comma; the first is the base")
    parser.add_argument("--peak", type=float, default=PEAK, help=f"GFLOP/s of a core; default: {PEAK:.0f}")
    parser.add_argument(
        "--bandwidth", type=float, default=BANDWIDTH, help=f"GB/s of a core; default: {BANDWIDTH:.0f}"
    )
    parser.add_argument("--measure", action="store_true", help="measure both on a core of this machine")
    options = parser.parse_args()
    weights = read_weights(options.weights) if options.weights else random_weights()
    core = measured_core() if options.measure else Core(1e9 * options.peak, 1e9 * options.bandwidth)
    found = []
    for threads in map(int, options.threads.split(",")):
        phases = recorded_phases(
            folded(weights, threads), threads, options.batch, (options.size, options.size)
        )
        costs = [[sum(seconds(op, core) for op in ops) for ops in phase] for phase in phases]
        found.append(balance(costs, threads))
    of = "measured here" if options.measure else "assumed"
    print(f"computed, not measured: batch {options.batch}, {options.size}x{options.size};")
    print(f"a core's {core.peak / 1e9:.0f} GFLOP/s and {core.bandwidth / 1e9:.1f} GB/s are {of}\n")
    print(table(found))


if __name__ == "__main__":
    main()

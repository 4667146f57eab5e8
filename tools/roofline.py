"""Where the engine's time goes, and what share of sgemm's peak each part reaches.

    python tools/roofline.py --batch 8

One thread runs the recorded operations one by one under a clock. The peak is that of a
2048x2048x2048 float32 matmul on one core in the same run.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from unittest import mock

import numpy as np
from benchmarks.ops import products, sgemm_peak

from npcam.engine import Engine, passes
from npcam.engine.blas import one_blas_thread
from npcam.engine.program import Op
from npcam.weights import read_weights
from npcam.weights.random import random_weights


def part_of(op: Op) -> str:
    """The part of the work that an operation belongs to."""
    if op.func is np.matmul:
        axes = op.args[0].ndim  # see npcam.engine.products.multiply
        if axes == 2:
            return "dense" if op.layer == "predictions" else "Winograd transforms"
        if axes == 6:
            return "Winograd products"
        if op.layer == "conv1_conv":
            return "7x7 matmul"
        return "3x3 matmul, direct" if op.layer.endswith("_2_conv") else "1x1 matmul"
    if op.layer == "conv1_conv":
        return "7x7 im2col" if op.func is np.copyto else "max pool"
    others = {
        np.copyto: "copies: borders, tiles, columns",
        np.add: "shortcut",
        np.add.reduce: "sums of parts",
        np.mean: "average",
    }
    return others.get(op.func, "bias and ReLU")


def main() -> None:
    """Time every operation and print a table of parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", help="an npcam file; default: random weights of ResNet-50")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    weights = read_weights(options.weights) if options.weights else random_weights()
    seconds: dict[str, float] = defaultdict(float)
    work: dict[str, int] = defaultdict(int)

    def clocked(ops: Sequence[Op]) -> None:
        for op in ops:
            start = time.perf_counter()
            op()
            seconds[part_of(op)] += time.perf_counter() - start
            work[part_of(op)] += products(op)

    x = np.random.default_rng(0).uniform(-120, 150, (options.batch, 224, 224, 3)).astype(np.float32)
    best: dict[str, float] = {}
    with mock.patch.object(passes, "run_ops", clocked):
        engine = Engine(weights.architecture, weights.tensors, threads=1)
        for _ in range(1 + options.runs):
            seconds.clear()
            work.clear()
            engine.run(x)
            if not best or sum(seconds.values()) < sum(best.values()):
                best = dict(seconds)
    with one_blas_thread:
        peak = sgemm_peak()
    print(f"one core, batch {options.batch}; sgemm's peak {peak / 1e9:.0f} GFLOP/s\n")
    print("| part | ms per photograph | share of time | GFLOP | share of peak |")
    print("| --- | --- | --- | --- | --- |")
    whole = sum(best.values())
    for part, time_taken in sorted(best.items(), key=lambda item: -item[1]):
        flops, ms = work[part] / options.batch, 1000 * time_taken / options.batch
        share = f"{work[part] / time_taken / peak:.0%}" if flops else ""
        print(f"| {part} | {ms:.2f} | {time_taken / whole:.0%} | {flops / 1e9:.2f} | {share} |")
    flops = sum(work.values())
    print(
        f"| all | {1000 * whole / options.batch:.2f} | 100% | {flops / options.batch / 1e9:.2f} "
        f"| {flops / whole / peak:.0%} |"
    )


if __name__ == "__main__":
    main()

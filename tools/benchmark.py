"""Compare npcam with other engines: same weights, same cores, taken in turn.

    python tools/benchmark.py --quick
    python tools/benchmark.py --chart docs/performance.svg --json benchmark.json
    python tools/benchmark.py --quick --batches 1 --rounds 15 --load 1

Every engine runs in a process of its own and is asked for one batch at a time, with a pause after
each, so that whatever else the machine does falls on all of them alike. Only ratios within one run
mean anything.

With --load N every batch is measured twice, quiet and then beside N busy processes: endless loops of
integer arithmetic in plain Python, at the same priority, started once the engines are warm.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.chart import bar_chart
from benchmarks.engines import ENGINES, installed
from benchmarks.load import busy_processes
from benchmarks.servers import Server, blas_kernels, let_blas_choose, take_turns
from benchmarks.tables import batches_table, load_table, quartiles

from npcam.resnet import RESNET101, RESNET152
from npcam.weights import read_weights, write_weights
from npcam.weights.random import random_weights

SAVE_KERAS_WEIGHTS = """
import sys
from benchmarks.engines import keras_model
keras_model(sys.argv[1]).save_weights(sys.argv[2])
"""


def compare(
    servers: Sequence[Server], batches: Sequence[int], rounds: int, load: int
) -> dict[str, dict[str, Any]]:
    """What every engine takes for batches of some sizes, quiet and then beside `load` busy processes.

    Returns:
        {engine: {"ms": {batch: median milliseconds per photograph}, "quartiles": {batch: the lower
        and the upper one}, "peak_mb_1" and "peak_mb": after the first batch and the last,
        "cold_start": seconds}}; with a load, "load_ms" and "load_quartiles", too.
    """
    found: dict[str, dict[str, Any]] = {server.name: {"cold_start": server.cold_start} for server in servers}
    for n in batches:
        for kind, busy in [("", 0), ("load_", load)] if load else [("", 0)]:
            with busy_processes(busy):
                times = take_turns(servers, n, rounds if n < 32 else -(-rounds // 3))
            for name, ms in times.items():
                low, median, high = quartiles(ms)
                found[name].setdefault(f"{kind}ms", {})[n] = median
                found[name].setdefault(f"{kind}quartiles", {})[n] = low, high
        for server in servers:
            engine = found[server.name]
            engine["peak_mb"] = server.run(1)["peak_mb"]
            engine.setdefault("peak_mb_1", engine["peak_mb"])
    return found


def growth(weights: dict[str, Path], threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """npcam's milliseconds per photograph as batch, picture and network grow."""

    def median(server: Server, *shape: int) -> float:
        runs = [server.run(*shape)["seconds"] for _ in range(1 + rounds)][1:]
        return float(1000 * statistics.median(runs) / shape[0])

    server = Server("npcam", weights["ResNet-50"], threads)
    found = {
        "batch": {str(n): median(server, n) for n in (1, 2, 3, 4, 8, 16, 32, 64)},
        "size, one photograph": {f"{s}x{s}": median(server, 1, s, s) for s in (128, 224, 320, 448, 640)},
        "network, one photograph": {},
    }
    server.close()
    for name, path in weights.items():
        server = Server("npcam", path, threads)
        found["network, one photograph"][name] = median(server, 1)
        server.close()
    return found


def explain_seconds(path: Path, photo: Path, folder: Path, runs: int = 5) -> dict[str, float]:
    """Process start to picture written, by `npcam explain` and by the same in Keras.

    Python keeps npcam's bytecode after the first run, as pip does for whatever it installs.
    """
    root = Path(__file__).parent
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    commands: dict[str, tuple[list[str | Path], dict[str, str]]] = {
        "npcam": ([sys.executable, "-m", "npcam", "explain", photo, "--weights", path, "-o", folder], env)
    }
    if installed("Keras predict (TensorFlow)"):
        ready = folder / "keras.weights.h5"
        env = env | {"KERAS_BACKEND": "tensorflow"}
        classes = str(len(read_weights(path).tensors["predictions"]["bias"]))
        save = [sys.executable, "-c", SAVE_KERAS_WEIGHTS, str(path), str(ready)]
        subprocess.run(save, env=env, cwd=root, check=True)
        script = root / "benchmarks" / "keras_explain.py"
        commands["Keras (TensorFlow)"] = (
            [sys.executable, script, ready, classes, photo, folder / "keras.png"],
            env,
        )
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, (command, variables) in commands.items():
            start = time.perf_counter()
            subprocess.run(command, env=variables, check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def describe_machine() -> str:
    """The processor, how many cores may be used, and the versions that matter."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
        cpu += ", AVX-512" if "avx512f" in "".join(lines[:40]) else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"{cpu}, {cores} cores; {versions}, its BLAS for {blas_kernels()}"


def parse_options() -> argparse.Namespace:
    """The command line, with what is left out filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, help="an npcam file of a ResNet-50; default: random weights")
    parser.add_argument("--engines", help="which ones, by comma; default: all that are installed")
    parser.add_argument("--batches", help="photographs at once, by comma; default: 1,8,32")
    parser.add_argument("--rounds", type=int, help="measurements per batch, a third from 32 on; default: 15")
    parser.add_argument("--load", type=int, default=0, help="measure beside so many busy processes, too")
    parser.add_argument(
        "--threads", type=int, default=2, help="per engine; npcam takes every core it may use"
    )
    parser.add_argument("--quick", action="store_true", help="default: batches 1 and 8, 5 rounds; no growth")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--chart", type=Path, help="write a bar chart (SVG) there")
    options = parser.parse_args()
    if options.engines:
        options.engines = options.engines.split(",")
    else:
        slow = ["npcam reference"] if options.quick else []
        options.engines = [name for name in ENGINES if installed(name) and name not in slow]
    options.batches = [int(n) for n in (options.batches or ("1,8" if options.quick else "1,8,32")).split(",")]
    if options.rounds is None:
        options.rounds = 5 if options.quick else 15
    if options.load < 0 or options.rounds < 1:
        parser.error("--load counts processes, from 0 on, and --rounds measurements, from 1 on")
    return options


def main() -> None:
    """Run the comparison and print it."""
    options = parse_options()
    for name, value in let_blas_choose().items():
        print(f"{name}={value} is set here, and left out: each engine chooses its kernels by itself")
    with tempfile.TemporaryDirectory() as folder:
        path = (options.weights or Path(folder) / "resnet50.h5").resolve()
        if options.weights is None:
            write_weights(path, random_weights())
        print(describe_machine(), flush=True)
        servers = [Server(name, path, options.threads) for name in options.engines]
        for server in servers:
            error = np.abs(np.subtract(server.first, servers[0].first)).max()
            print(f"{server.name}: started in {server.cold_start:.1f} s, differs by {error:.1e}", flush=True)
        results: dict[str, Any] = {"machine": describe_machine(), "batches": options.batches}
        results |= {"rounds": options.rounds, "load": options.load}
        results["engines"] = compare(servers, options.batches, options.rounds, options.load)
        for server in servers:
            server.close()
        photo = Path(__file__).parent.parent / "examples" / "chelsea.png"
        results["explain"] = explain_seconds(path, photo, Path(folder))
        if not options.quick:
            files = {"ResNet-50": path}
            for name, arch in (("ResNet-101", RESNET101), ("ResNet-152", RESNET152)):
                files[name] = Path(folder) / f"{name}.h5"
                write_weights(files[name], random_weights(arch))
            results["growth"] = growth(files, options.threads, 5)
    print(batches_table(results))
    if options.load:
        beside = f"{options.load} busy process" + ("es" if options.load > 1 else "")
        print(f"\nbeside {beside} (an endless loop of integer arithmetic in Python):")
        print("medians and quartiles, milliseconds per photograph\n\n" + load_table(results))
    print("\nphotograph to overlay: " + ", ".join(f"{k} {v:.2f} s" for k, v in results["explain"].items()))
    for kind, values in results.get("growth", {}).items():
        print(f"\n{kind}: " + ", ".join(f"{k} {v:.1f} ms" for k, v in values.items()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.chart:
        options.chart.write_text(bar_chart(results))


if __name__ == "__main__":
    main()

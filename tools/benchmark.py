"""Compare npcam with other engines: same weights, same cores, taken in turn.

    python tools/benchmark.py --quick
    python tools/benchmark.py --chart docs/performance.svg --json benchmark.json

Every engine runs in a process of its own and is asked for one batch at a time, with a pause after
each, so that whatever else the machine does falls on all of them alike. Only ratios within one run
mean anything.
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
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.chart import bar_chart
from benchmarks.engines import ENGINES, installed

from npcam.resnet import RESNET101, RESNET152
from npcam.weights import read_weights, write_weights
from npcam.weights.random import random_weights

PAUSE = 0.1  # seconds between two engines, for the threads of the last one to go to sleep
WARM_UP = 2
SAVE_KERAS_WEIGHTS = """
import sys
from benchmarks.engines import keras_model
keras_model(sys.argv[1]).save_weights(sys.argv[2])
"""


class Server:
    """One engine's process."""

    def __init__(self, name: str, weights: Path, threads: int) -> None:
        self.name = name
        backend = ENGINES[name][2]
        env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
        env |= {"KERAS_BACKEND": backend} if backend else {}
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.engines", name, weights, str(threads)],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked, self._answers = self._process.stdin, self._process.stdout
        self.first = self.run(1)["first"]
        self.cold_start = time.perf_counter() - started
        self.peak_mb = 0.0

    def run(self, n: int, height: int = 224, width: int = 224) -> dict[str, Any]:
        """Run one batch; its seconds, and the process's peak memory so far."""
        self._asked.write(f"{n} {height} {width}\n")
        self._asked.flush()
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self.name} stopped with exit status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let the process go."""
        self._asked.close()
        self._process.wait()


def compare(servers: list[Server], batch: int, rounds: int) -> dict[str, float]:
    """Median milliseconds per photograph of every engine, in turn."""
    times: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(WARM_UP + rounds):
        for server in servers:
            time.sleep(PAUSE)
            seconds = server.run(batch)["seconds"]
            if turn >= WARM_UP:
                times[server.name].append(1000 * seconds / batch)
    return {name: statistics.median(values) for name, values in times.items()}


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


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    batches = results["batches"]
    head = ["engine", *(f"batch {n} ms" for n in batches), *(f"npcam is faster, batch {n}" for n in batches)]
    head += ["start to first result s", "peak MB batch 1", "peak MB"]
    rows = [head, ["---"] * len(head)]
    for name, engine in results["engines"].items():
        own = [engine["ms"][n] for n in batches]
        ratios = [ms / results["engines"]["npcam"]["ms"][n] for n, ms in zip(batches, own, strict=True)]
        cells = [f"{ms:.1f}" for ms in own] + [f"{r:.2f}x" for r in ratios]
        cells += [f"{engine['cold_start']:.1f}", f"{engine['peak_mb_1']:.0f}", f"{engine['peak_mb']:.0f}"]
        rows.append([name, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def describe_machine() -> str:
    """The processor, how many cores may be used, and the versions that matter."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
        cpu += ", AVX-512" if "avx512f" in "".join(lines[:40]) else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cpu}, {cores} cores; Python {platform.python_version()}, NumPy {np.__version__}"


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, help="an npcam file of a ResNet-50; default: random weights")
    parser.add_argument("--engines", help="which ones, by comma; default: all that are installed")
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--rounds", type=int, default=15, help="measurements per batch size")
    parser.add_argument(
        "--threads", type=int, default=2, help="per engine; npcam takes every core it may use"
    )
    parser.add_argument("--quick", action="store_true", help="batches 1 and 8, 5 rounds, no growth")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--chart", type=Path, help="write a bar chart (SVG) there")
    options = parser.parse_args()
    names = options.engines.split(",") if options.engines else [name for name in ENGINES if installed(name)]
    if options.quick:
        options.batches, options.rounds = "1,8", 5
        names = [name for name in names if name != "npcam reference"]
    batches = [int(n) for n in options.batches.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        path = (options.weights or Path(folder) / "resnet50.h5").resolve()
        if options.weights is None:
            write_weights(path, random_weights())
        print(describe_machine(), flush=True)
        servers = [Server(name, path, options.threads) for name in names]
        for server in servers:
            error = np.abs(np.subtract(server.first, servers[0].first)).max()
            print(f"{server.name}: started in {server.cold_start:.1f} s, differs by {error:.1e}", flush=True)
        engines: dict[str, dict[str, Any]] = {name: {"ms": {}} for name in names}
        for n in batches:
            for name, ms in compare(
                servers, n, options.rounds if n < 32 else -(-options.rounds // 3)
            ).items():
                engines[name]["ms"][n] = ms
            for server in servers:
                engines[server.name]["peak_mb"] = server.run(1)["peak_mb"]
                engines[server.name].setdefault("peak_mb_1", engines[server.name]["peak_mb"])
        for server in servers:
            engines[server.name]["cold_start"] = server.cold_start
            server.close()
        results: dict[str, Any] = {"machine": describe_machine(), "batches": batches, "engines": engines}
        photo = Path(__file__).parent.parent / "examples" / "chelsea.png"
        results["explain"] = explain_seconds(path, photo, Path(folder))
        if not options.quick:
            files = {"ResNet-50": path}
            for name, arch in (("ResNet-101", RESNET101), ("ResNet-152", RESNET152)):
                files[name] = Path(folder) / f"{name}.h5"
                write_weights(files[name], random_weights(arch))
            results["growth"] = growth(files, options.threads, 5)
    print(table(results))
    print("\nphotograph to overlay: " + ", ".join(f"{k} {v:.2f} s" for k, v in results["explain"].items()))
    for kind, values in results.get("growth", {}).items():
        print(f"\n{kind}: " + ", ".join(f"{k} {v:.1f} ms" for k, v in values.items()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.chart:
        options.chart.write_text(bar_chart(results))


if __name__ == "__main__":
    main()

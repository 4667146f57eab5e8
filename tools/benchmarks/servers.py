"""The engines' processes, asked in turn: every one has a process of its own, and answers how long it took."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES

PAUSE = 0.1  # seconds between two engines, for the threads of the last one to go to sleep
WARM_UP = 2
FORCED = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)  # with which the environment chooses kernels for NumPy alone
KERNELS = """
import numpy, threadpoolctl
print(", ".join(one.get("architecture", one["prefix"]) for one in threadpoolctl.threadpool_info()))
"""


def let_blas_choose() -> dict[str, str]:
    """Take out of the environment, and return, what forces kernels on OpenBLAS."""
    return {name: os.environ.pop(name) for name in FORCED if name in os.environ}


def blas_kernels() -> str:
    """The kernels that NumPy's BLAS chooses in a new process: SkylakeX is OpenBLAS's name for AVX-512."""
    done = subprocess.run([sys.executable, "-c", KERNELS], check=True, capture_output=True, text=True)
    return done.stdout.strip()


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
            cwd=Path(__file__).parents[1],
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


def take_turns(servers: Sequence[Server], batch: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds per photograph of every engine, one for each round, the engines in turn."""
    times: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(WARM_UP + rounds):
        for server in servers:
            time.sleep(PAUSE)
            seconds = server.run(batch)["seconds"]
            if turn >= WARM_UP:
                times[server.name].append(1000 * seconds / batch)
    return times

"""Say where the time goes from the start of `npcam explain` to its picture, for one photograph.

    python tools/benchmark_start.py
    python tools/benchmark_start.py examples/coffee.png --weights resnet50.h5 --rounds 31

Each round is a new process with clocks around its steps. Printed are the medians, and each one's share of
the whole; what is done within a step and has a row of its own counts there alone. What other threads do
meanwhile is no part of the sum. Python keeps npcam's bytecode after the first round, as pip does for
whatever it installs.
"""

import argparse
import builtins
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# The functions that are timed, as module:name.
STEPS = {
    "npcam.model:read_weights": "weights opened; what the file says of itself",
    "npcam.weights.file:_read_tensors": "weights read; their arrays hashed meanwhile",
    "npcam.engine.engine:fold_network": "batch norms folded",
    "npcam.stream.batches:open_photo": "photograph decoded",
    "npcam.stream.batches:look": "the pass",
    "npcam.explain:upsample_map": "map enlarged",
    "npcam.explain:bounding_box": "its box",
    "npcam.cli.drawing:_picture": "picture drawn",
    "npcam.cli.drawing:save_picture": "picture compressed, written",
}
LIBRARIES = {"numpy": "NumPy", "scipy": "SciPy", "h5py": "h5py", "PIL": "Pillow"}


class Clocks:
    """How long each step took the main thread, without the steps within it."""

    def __init__(self) -> None:
        self.own: dict[str, float] = {}
        self._inner = [0.0]  # seconds of the steps within each step that has begun

    def timed(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a clock around it."""

        def run(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            if threading.current_thread() is not threading.main_thread():
                return work(*args, **options)
            self._inner.append(0.0)
            try:
                return work(*args, **options)
            finally:
                seconds = time.perf_counter() - began
                within = self._inner.pop()
                self._inner[-1] += seconds
                self.own[step] = self.own.get(step, 0.0) + seconds - within

        return run

    def watch_imports(self) -> None:
        """Time the first import of each large library, whoever asks for it."""
        plain = builtins.__import__

        def find(name: str, *args: Any, **options: Any) -> Any:
            library = name.partition(".")[0]
            if library not in LIBRARIES or name in sys.modules:
                return plain(name, *args, **options)
            return self.timed(f"import of {LIBRARIES[library]}", plain)(name, *args, **options)

        builtins.__import__ = find


def be_timed(began: float, report: str, arguments: list[str]) -> int:
    """Run the command in this process, and write down how long each step took."""
    clocks = Clocks()
    clocks.own["Python itself"] = time.time() - began
    sys.argv = ["npcam", *arguments]
    clocks.watch_imports()
    clocks.timed("import of npcam", importlib.import_module)("npcam.cli.commands")
    for place, step in STEPS.items():
        module, name = place.split(":")
        importlib.import_module(module)
        holder = sys.modules[module]  # `npcam.explain` is a function, too
        if hasattr(holder, name):
            setattr(holder, name, clocks.timed(step, getattr(holder, name)))
    status: int = clocks.timed("all else", sys.modules["npcam.cli.commands"].main)()
    found = {"own": clocks.own, "ended": time.time()}
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    return status


def main() -> int:
    """Print where the time goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", nargs="?", default=ROOT / "examples" / "chelsea.png")
    parser.add_argument("--weights", help="npcam weights file (default: ResNet-50 of full size, random)")
    parser.add_argument("--rounds", type=int, default=15, help="processes that are timed (default: 15)")
    options = parser.parse_args()
    from npcam.common.tables import markdown_table
    from npcam.weights import write_weights
    from npcam.weights.random import random_weights

    with tempfile.TemporaryDirectory() as folder:
        weights = options.weights or f"{folder}/random.h5"
        if options.weights is None:
            write_weights(weights, random_weights())
        call = ["explain", str(options.photo), "--weights", weights, "-o", folder]
        rounds = [one_round(f"{folder}/clocks.json", call) for _ in range(1 + options.rounds)][1:]
    whole = statistics.median(sum(found.values()) for found in rounds)
    rows = [("step", "ms", "share")]
    for step in rounds[0]:
        seconds = statistics.median(found[step] for found in rounds)
        rows.append((step, f"{1000 * seconds:.0f}", f"{seconds / whole:.0%}"))
    print(markdown_table([*rows, ("from start to end", f"{1000 * whole:.0f}", "")]))
    return 0


def one_round(report: str, call: list[str]) -> dict[str, float]:
    """The seconds of each step of one process."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, __file__, "--be-timed", str(time.time()), report, *call]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    ended = time.time()
    found = json.loads(Path(report).read_text(encoding="utf-8"))
    return {**found["own"], "end of the process": ended - found["ended"]}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--be-timed"]:
        sys.exit(be_timed(float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
    sys.exit(main())

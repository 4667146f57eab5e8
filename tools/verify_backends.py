"""Measure npcam and Keras on every installed backend against float64; docs/verification.md has the result.

Usage: python tools/verify_backends.py [--backends tensorflow,jax,torch] [--plot FILE.png]

Prints two Markdown tables: the largest error of each stage as a share of its largest value, and how
much of what rounding may do each program used. Takes a few minutes: full-size ResNet-50 runs in
float64 for each program.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from npcam import load_image, preprocess_input
from npcam.common.where import bundled_path
from npcam.verify.alone import ALONE, FLOW
from npcam.verify.compare import verify
from npcam.verify.live_keras import build_keras_model, import_keras
from npcam.verify.plot import plot_errors
from npcam.verify.record import Record
from npcam.verify.run_keras import run_keras
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, read_weights
from npcam.weights.random import random_weights

ROOT = Path(__file__).resolve().parents[1]
STAGES = (
    "conv1_relu",
    "conv2_block3_out",
    "conv3_block4_out",
    "conv4_block6_out",
    "conv5_block3_out",
    "avg_pool",
    "predictions",
)


def cases() -> dict[str, tuple[Weights, np.ndarray]]:
    """The networks and their inputs."""
    full = random_weights()
    return {
        "ResNet-50, random weights and statistics, coffee.png": (full, photograph("coffee.png")),
        "bundled model, chelsea.png": (read_weights(bundled_path()), photograph("chelsea.png")),
    }


def photograph(name: str) -> np.ndarray:
    """A preprocessed example."""
    return preprocess_input(load_image(ROOT / "examples" / name))[None]


def measure(program: str) -> dict[str, Any]:
    """A program's errors in each case; Keras runs in a process of its own, for its backend's sake."""
    if program.startswith("keras"):
        command = [sys.executable, __file__, "--one", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"verify_backends: {program}: {done.stderr.strip().splitlines()[-1]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    return {case: errors(program, weights, x) for case, (weights, x) in cases().items()}


def errors(program: str, weights: Weights, x: np.ndarray) -> dict[str, Any]:
    """Errors of one run against npcam in float64."""
    run = run_of(program, weights, x)
    own = run_npcam(weights, x)
    report = verify(weights, own, Record(run.activations))
    found = {row.name: row.found for row in report.rows if row.found is not None}
    truth = {row.name: row.reference_error for row in report.rows if row.reference_error is not None}
    alone = [row.alone.times for row in report.rows if row.alone is not None]
    return {
        "program": ", ".join(run.provenance[name] for name in ("made_by", "engine")),
        "layers": {name: error / found[name].largest for name, error in truth.items()},
        "alone": (FLOW if "fast" in program else ALONE) * max(alone),
        "flow": FLOW * max(difference.times for difference in found.values()),
        "from npcam": max(difference.max_rel for difference in found.values()),
        "probabilities": found["predictions"].max_abs,
        "ok": report.ok,
    }


def run_of(program: str, weights: Weights, x: np.ndarray) -> Record:
    """Run a program: `npcam reference`, `npcam fast`, or `keras` with a backend."""
    name, which = program.split()
    if name == "npcam":
        return run_npcam(weights, x, which)
    keras = import_keras(which)
    return run_keras(keras, build_keras_model(keras, weights), x, weights.architecture)


def tables(found: dict[str, dict[str, Any]]) -> str:
    """The two tables of a case after the other, in Markdown."""
    lines = []
    for case in next(iter(found.values())):
        of_case = {name: cases_of[case] for name, cases_of in found.items()}
        lines += [f"### {case}", "", "| largest error, of the largest value | " + " | ".join(of_case) + " |"]
        lines.append("|---|" + "---|" * len(of_case))
        for stage in STAGES:
            cells = [shown(e["layers"].get(stage)) for e in of_case.values()]
            lines.append(f"| {stage} | " + " | ".join(cells) + " |")
        sums = [sum(e["layers"].get(s, 0) for s in STAGES[1:]) for e in of_case.values()]
        lines.append("| **sum from conv2 on** | " + " | ".join(f"**{s:.2e}**" for s in sums) + " |")
        lines += ["", "| | " + " | ".join(of_case) + " |", "|---|" + "---|" * len(of_case)]
        for label, key, form in (
            ("program", "program", "{}"),
            ("a layer alone, standard deviations at most", "alone", "{:.1f}"),
            ("in the flow, standard deviations at most", "flow", "{:.1f}"),
            ("furthest from npcam float32, of a layer's maximum", "from npcam", "{:.1e}"),
            ("probabilities, furthest from npcam float32", "probabilities", "{:.1e}"),
            ("within rounding", "ok", "{}"),
        ):
            lines.append(f"| {label} | " + " | ".join(form.format(e[key]) for e in of_case.values()) + " |")
        lines.append("")
    return "\n".join(lines)


def shown(value: float | None) -> str:
    """A number, or a dash."""
    return "-" if value is None else f"{value:.2e}"


def main() -> int:
    """Measure all programs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--backends", default="tensorflow,jax,torch", help="Keras's (default: %(default)s)")
    parser.add_argument("--plot", help="draw the first case's error against depth, PNG")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps({case: errors(options.one, *pair) for case, pair in cases().items()}))
        return 0
    programs = ["npcam reference", "npcam fast", *(f"keras {b}" for b in options.backends.split(","))]
    found = {program: measure(program) for program in programs}
    print(tables(found))
    if options.plot:
        case, _ = next(iter(cases().items()))
        names = list(found["npcam reference"][case]["layers"])
        lines = {p: [found[p][case]["layers"].get(n) for n in names] for p in programs}
        plot_errors(
            lines, names, "largest error against float64, as a share of the layer's largest value"
        ).save(options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How much of what `--precision` allows do honest runs in TF32, bfloat16 and float16 use?

Usage: python tools/verify_precision.py [--size N]

Runs the bundled model on chelsea.png, and ResNet-50 with random weights on coffee.png, in simulated
arithmetic (`tests/helpers/ported.py`): layer by layer, and with batch norms folded; bits rounded, and
cut off. docs/verification.md has the result.
"""

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from npcam import load_image, preprocess_input
from npcam.common.where import bundled_path
from npcam.resnet import RESNET50
from npcam.verify.alone import FLOW, arithmetic
from npcam.verify.compare import verify
from npcam.verify.precision import PRECISIONS
from npcam.verify.record import Record
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, read_weights
from npcam.weights.random import random_weights

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
ported: Any = importlib.import_module("helpers.ported").ported  # the tests' simulation

NETWORKS: dict[str, tuple[Callable[[], Weights], str]] = {
    "bundled model, chelsea.png": (lambda: read_weights(bundled_path()), "chelsea.png"),
    "ResNet-50, random weights, coffee.png": (lambda: random_weights(RESNET50), "coffee.png"),
}


def main() -> int:
    """Print a Markdown table with a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=224, help="pixels of each side (default: 224)")
    size = parser.parse_args().size
    print("| network | precision | batch norms | alone | in the flow | within rounding |")
    print("|---|---|---|---|---|---|")
    for name, (weights_of, photo) in NETWORKS.items():
        weights = weights_of()
        x = preprocess_input(load_image(ROOT / "examples" / photo, (size, size)))[None]
        own = run_npcam(weights, x)
        for stated in ("tf32", "tf32, cut off", "bfloat16", "bfloat16, cut off", "float16"):
            precision = PRECISIONS[stated.split(",")[0]]
            for folded in (False, True):
                run: Record = ported(weights, x, stated, folded=folded)
                report = verify(weights, own, run, precision=precision, partial=True)
                _, near, far = arithmetic(run.activations, precision)
                given = run.activations
                alone = [
                    row.alone.times * (far if folded and row.kind == "BatchNormalization" else near)
                    for row in report.rows
                    if row.alone and np.isfinite(row.alone.times)
                ]
                flow = [row.found.times * FLOW for row in report.rows if row.found and row.name in given]
                norms = "folded" if folded else "as they are"
                print(
                    f"| {name} | {stated} | {norms} | {max(alone):.1f} | {max(flow):.1f} | {report.ok} |",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How small a change of one weight does `npcam verify` see by the numbers alone?

Usage: python tools/verify_flipped_bits.py [--weights-per-bit N]

Flips one bit of one random kernel weight of the bundled model, runs the result on chelsea.png as the
program on trial, without the weights' hashes, and counts how often the first blamed layer is the
right one, another one, or none. docs/verification.md has the result.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from npcam import load_image, preprocess_input
from npcam.common.where import bundled_path
from npcam.verify.compare import verify
from npcam.verify.record import Record
from npcam.verify.run_npcam import run_npcam
from npcam.weights import Weights, read_weights

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "chelsea.png"
BITS = (31, 26, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 0)


def flipped(weights: Weights, bit: int, rng: np.random.Generator) -> tuple[Weights, str]:
    """The weights with one bit flipped, and the layer it is in; a weight that is 0 is left alone."""
    tensors = {layer: dict(arrays) for layer, arrays in weights.tensors.items()}
    layer = rng.choice([name for name, arrays in tensors.items() if "kernel" in arrays])
    kernel = tensors[layer]["kernel"].copy()
    place = tuple(rng.choice(np.argwhere(kernel != 0)))
    kernel.view(np.uint32)[place] ^= np.uint32(1) << np.uint32(bit)
    tensors[layer]["kernel"] = kernel
    return replace(weights, tensors=tensors), str(layer)


def main() -> int:
    """Print a Markdown table with a line per bit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--weights-per-bit", type=int, default=20)
    count = parser.parse_args().weights_per_bit
    weights = read_weights(bundled_path())
    x = preprocess_input(load_image(PHOTO, (96, 96)))[None]
    own = run_npcam(weights, x)
    rng = np.random.default_rng(0)
    print("| bit | right layer | another layer | none |\n|---|---|---|---|")
    for bit in BITS:
        blamed = []
        for _ in range(count):
            other, layer = flipped(weights, bit, rng)
            first = verify(weights, own, Record(run_npcam(other, x).activations)).first_bad
            blamed.append("none" if first is None else "right" if first.name == layer else "another")
        shares = " | ".join(f"{blamed.count(word) / count:.0%}" for word in ("right", "another", "none"))
        print(f"| {bit} | {shares} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

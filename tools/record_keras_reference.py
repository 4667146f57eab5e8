"""Record the references in tests/reference/ from live Keras; the same code as `npcam record`.

Usage: python tools/record_keras_reference.py [--backend NAME]

Writes, from a random narrow ResNet-50 with random batch norm statistics and from the bundled model,
what Keras gives for every layer (narrow) or for each stage (bundled). Run it when Keras changes its
numbers or npcam its networks; the tests say by how much they differ.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from npcam import InputError
from npcam.common.where import bundled_path
from npcam.resnet import RESNET50
from npcam.verify.live_keras import build_keras_model, import_keras, keras_input
from npcam.verify.record import write_record
from npcam.verify.run_keras import run_keras
from npcam.weights import read_weights, write_weights
from npcam.weights.random import random_weights

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "reference"
STAGES = (
    "input_layer",
    "conv2_block3_out",
    "conv3_block4_out",
    "conv4_block6_out",
    "conv5_block3_out",
    "avg_pool",
    "predictions",
    "logits",
)


def main() -> int:
    """Write all references; 0 if it worked, 2 if Keras or its backend is missing."""
    parser = argparse.ArgumentParser(description="Record tests/reference/ from live Keras.")
    parser.add_argument("--backend", help="tensorflow, jax or torch")
    try:
        keras = import_keras(parser.parse_args().backend)
        FOLDER.mkdir(parents=True, exist_ok=True)
        record_narrow(keras)
        record_bundled(keras)
    except InputError as error:
        print(f"record_keras_reference: {error}", file=sys.stderr)
        return 2
    for path in sorted(FOLDER.glob("*.h5")):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    return 0


def record_narrow(keras: object) -> None:
    """Every layer of a ResNet-50 of 4 filters, on two pictures that are not square, of an odd height."""
    weights = random_weights(RESNET50, width=4, classes=5)
    write_weights(FOLDER / "narrow_weights.h5", weights)
    x = np.random.default_rng(1).uniform(-120, 150, (2, 33, 41, 3)).astype(np.float32)
    record = run_keras(keras, build_keras_model(keras, weights), x, RESNET50, "narrow_weights.h5")
    provenance = record.provenance | {"input": "random, seed 1"}
    write_record(FOLDER / "narrow.h5", replace(record, provenance=provenance))


def record_bundled(keras: object) -> None:
    """The stages of the bundled model on a photograph that Keras itself prepared."""
    weights = read_weights(bundled_path())
    x = keras_input(keras, ROOT / "examples" / "chelsea.png", weights.input_size)
    model = build_keras_model(keras, weights)
    record = run_keras(keras, model, x, weights.architecture, bundled_path().name)
    stages = {name: record.activations[name] for name in STAGES}
    provenance = record.provenance | {"input": "chelsea.png"}
    write_record(FOLDER / "chelsea.h5", replace(record, activations=stages, provenance=provenance))


if __name__ == "__main__":
    sys.exit(main())

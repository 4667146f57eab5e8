"""The command line that the recorders share: a model and photographs in, an `.npz` of arrays out."""

import argparse
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from npcam import InputError, load_model
from npcam.common.files import replacing, require_apart
from npcam.verify.prepare import prepare_npcam

Record = Callable[[str, np.ndarray], Mapping[str, np.ndarray]]  # a model's name and a batch -> a run


def main(name: str, about: str, model: str, record: Record) -> int:
    """Record one run; 0 if it was written, 2 if something given cannot be used.

    Args:
        name: of the program.
        about: what it does.
        model: what stands for the model in its usage.
        record: makes the run, from the model's name and a preprocessed batch (N, H, W, 3) float32.
    """
    parser = argparse.ArgumentParser(prog=f"{name}.py", description=about)
    parser.add_argument("model", metavar=model)
    parser.add_argument("input", nargs="+", metavar="PHOTO|X.npy", help="prepared as npcam does it")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="RUN.npz")
    parser.add_argument("--weights", metavar="FILE|NAME", help="whose preprocessing and size to take")
    options = parser.parse_args()
    try:
        require_apart(options.output, [options.model, *options.input], "choose another place")
        weights = load_model(options.weights).weights
        arrays = record(options.model, np.concatenate([prepare_npcam(p, weights).x for p in options.input]))
        write_npz(options.output, arrays)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {len(arrays)} arrays")
    return 0


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as `numpy.savez` does, whole or not at all; they may have any names."""
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)

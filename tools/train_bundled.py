#!/usr/bin/env python3
"""Train npcam's bundled model, or one like it on your own photographs: a folder CLASS/*.jpg in, a .keras file out.

The network is keras.applications' ResNet50 (topology, layer names, preprocessing) with `--width` times its filters.
Needs the extra: pip install "npcam[train]".
"""
from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import os
import pathlib
import signal
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

EXAMPLES = """examples:
  train_bundled.py photos/train --out run                          the recipe of the bundled model, without boxes
  train_bundled.py photos/train --out run --boxes photos/boxes.json --validate photos/dev
  train_bundled.py photos/train --out run --resume                 go on after a stop, to the same weights
  train_bundled.py photos/train --out run --export                 only write run/model.keras from the last checkpoint
  train_bundled.py my_photos --out run --phases 30@160 --init other.keras   fine-tune on your own classes
"""


class UsageError(ValueError):
    """Something the user can put right; printed as one line."""


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("photos", help="folder that holds one folder of .jpg/.png photographs per class")
    add("--out", required=True, metavar="DIR", help="checkpoint, log.csv, curve.png, recipe.json, model.keras go here")
    add("--boxes", metavar="JSON", help="boxes of objects: trains the map of the true class to cover them")
    add("--validate", metavar="DIR", help="photographs measured during training, never trained on")
    add("--init", metavar="KERAS", help="start from this .keras file's weights; a head of another size starts afresh")
    run = parser.add_argument_group("the run")
    run.add_argument("--phases", default="24@128,14@160,4@192", metavar="EPOCHS@SIZE,...",
                     help="passes over the photographs at a size in pixels, one phase after another (%(default)s)")
    run.add_argument("--batch", type=int, default=64, help="photographs a step (%(default)s)")
    run.add_argument("--seed", type=int, default=0, help="of everything random (%(default)s)")
    run.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto",
                     help="auto: bfloat16 where the machine has it in hardware")
    run.add_argument("--threads", type=int, default=0, help="of PyTorch; 0: its own choice")
    run.add_argument("--steps", type=int, metavar="N", help="stop after step N of the schedule, as Ctrl-C does")
    run.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    run.add_argument("--export", action="store_true", help="write the model of the checkpoint in --out, and stop")
    run.add_argument("--checkpoint-every", type=int, default=400, metavar="STEPS", help="(%(default)s)")
    net = parser.add_argument_group("the network")
    net.add_argument("--width", type=float, default=0.25, help="share of ResNet-50's filters (%(default)s)")
    net.add_argument("--last-stride", type=int, choices=(1, 2), default=2,
                     help="stride of the last stage; 1 doubles the map's side, 14x14 at 224 (%(default)s)")
    net.add_argument("--size", type=int, default=224, help="input size the model is for (%(default)s)")
    fit = parser.add_argument_group("the fit")
    fit.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (%(default)s)")
    fit.add_argument("--warmup", type=float, default=3, metavar="EPOCHS", help="linear rise to it (%(default)s)")
    fit.add_argument("--decay", type=float, default=0.05, help="AdamW's weight decay of kernels (%(default)s)")
    fit.add_argument("--clip", type=float, default=2.0, help="largest gradient norm (%(default)s)")
    fit.add_argument("--smoothing", type=float, default=0.1, help="of labels (%(default)s)")
    fit.add_argument("--cutmix", type=float, default=0.3, help="share of batches, none in the last phase (%(default)s)")
    fit.add_argument("--area", type=float, default=0.3, help="smallest crop, as a share of the picture (%(default)s)")
    fit.add_argument("--balance", type=float, default=0.5,
                     help="0: every photograph as often as any other, 1: every class (%(default)s)")
    fit.add_argument("--average", type=float, default=0.999, help="of the weights, per step (%(default)s)")
    fit.add_argument("--box-weight", type=float, default=0.5, help="of the box loss, with --boxes (%(default)s)")
    args = parser.parse_args(argv)
    for name in ("batch", "checkpoint_every", "width", "size", "rate"):
        if getattr(args, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be above 0")
    return args


def parse_phases(text: str) -> list[tuple[float, int]]:
    try:
        phases = [(float(epochs), int(size)) for epochs, size in (part.split("@") for part in text.split(","))]
    except ValueError:
        raise UsageError(f"--phases {text}: write it as EPOCHS@SIZE,EPOCHS@SIZE, such as 24@128,14@160") from None
    if any(epochs <= 0 or size < 32 for epochs, size in phases):
        raise UsageError(f"--phases {text}: epochs must be above 0 and sizes at least 32 pixels")
    return phases


def learning_rate(step: int, warmup: int, total: int, peak: float) -> float:
    """Linear up to `peak`, half a cosine down to a hundredth of it."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


# What must not differ between a run and its resumption; the others may.
RECIPE = ("phases", "batch", "seed", "precision", "width", "last_stride", "rate", "warmup", "decay", "clip",
          "smoothing", "cutmix", "area", "balance", "average", "box_weight")


def recipe_of(args, photographs) -> dict:
    listing = "\n".join(f"{p.parent.name}/{p.name} {len(b)}" for p, b in zip(photographs.paths, photographs.boxes))
    return {**{name: getattr(args, name) for name in RECIPE}, "boxes": bool(args.boxes), "classes": photographs.class_names,
            "photographs": len(photographs), "listing_sha256": hashlib.sha256(listing.encode()).hexdigest(),
            "init_sha256": hashlib.sha256(pathlib.Path(args.init).read_bytes()).hexdigest() if args.init else None}


def run(args) -> int:
    from training_data import Augmentation, Photographs
    from training_loop import Training

    out = pathlib.Path(args.out)
    checkpoint = out / "checkpoint.pt"
    if args.export:
        Training.export(checkpoint, out, args.size)
        return 0
    if args.resume and not checkpoint.is_file():
        raise UsageError(f"{checkpoint}: no checkpoint to resume from; leave --resume out to start")
    if checkpoint.exists() and not args.resume:
        raise UsageError(f"{checkpoint}: a run is here already; add --resume to go on, or choose another --out")
    phases = parse_phases(args.phases)
    say(f"reading {args.photos}")
    photographs = Photographs(args.photos, args.boxes, progress=lambda n, of: say(f"\r  {n} of {of}", end=""))
    boxed = sum(len(b) > 0 for b in photographs.boxes)
    say(f"\r{len(photographs)} photographs, {len(photographs.class_names)} classes, {boxed} with boxes")
    validation = Photographs(args.validate, args.boxes, photographs.class_names) if args.validate else None
    augmentation = Augmentation(area=(args.area, 1.0), cutmix=args.cutmix, smoothing=args.smoothing)
    out.mkdir(parents=True, exist_ok=True)
    training = Training(args, phases, photographs, validation, augmentation, recipe_of(args, photographs), out)
    if args.resume:
        training.restore(checkpoint)
    stop = {"now": False}

    def asked_to_stop(*_):
        if stop["now"]:
            raise KeyboardInterrupt      # the second time: at once, with the last checkpoint as it is
        stop["now"] = True
        say("\nstopping after this step; once more to stop at once")

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, asked_to_stop)
    finished = training.fit(stop)
    Training.export(checkpoint, out, args.size)
    if not finished:
        say(f"stopped; the same command with --resume goes on from step {training.step}")
    return 0 if finished or args.steps else 130


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def main(argv=None) -> int:
    args = parse_arguments(argv)
    try:
        import keras  # noqa: F401
        import torch  # noqa: F401
        from training_data import DataError
    except ImportError as error:
        say(f"train_bundled: {error.name} is not installed; pip install \"npcam[train]\"")
        return 2
    try:
        return run(args)
    except (UsageError, DataError, OSError) as error:
        say(f"train_bundled: {error}")
        return 2
    except KeyboardInterrupt:
        say("\ntrain_bundled: stopped at once; the last checkpoint is whole")
        return 130


if __name__ == "__main__":
    sys.exit(main())

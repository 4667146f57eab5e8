"""Train npcam's bundled model, or one like it on your own photographs: CLASS/*.jpg in, a .keras file out.

The network is keras.applications' ResNet50 (topology, layer names, preprocessing) with --width times
its filters. Needs the extra "train": pip install "npcam[train]". Keras builds and saves the model.
PyTorch takes the training steps, on a GPU where there is one; with --trainer keras Keras takes them,
on the backend that KERAS_BACKEND names (jax, tensorflow or torch).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from npcam import InputError

EXAMPLES = """\
examples:
  python tools/train_bundled.py photos/train --out run
  python tools/train_bundled.py photos/train --out run --boxes photos/boxes.json --validate photos/dev
  python tools/train_bundled.py photos/train --out run --resume         go on after a stop
  python tools/train_bundled.py photos/train --out run --export         only write run/model.keras
  python tools/train_bundled.py mine --out run --init weights/photos14.h5 --last-stride 1 --phases 20@160
                                                    fine-tune the bundled model on your own classes
Ctrl-C stops after the step at hand and writes everything; the same command with --resume goes on, and on
the same machine with the same number of threads it ends with the same weights, bit for bit. Resuming may
change --phases and --cooldown for the steps yet to come: a run can be cut short, or made longer."""

# What must be the same in a run and its resumption. Everything else may change.
RECIPE = (
    "phases", "batch", "seed", "trainer", "precision", "width", "last_stride", "optimizer", "rate", "warmup",
    "cooldown", "decay", "clip", "smoothing", "cutmix", "area", "balance", "average", "box_weight",
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Bad usage is one line."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError in place of printing the usage and leaving."""
        raise InputError(f"{message}; see --help")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read and check the options."""
    parser = Parser(
        prog="train_bundled", description=__doc__, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("photos", help="folder that holds one folder of .jpg or .png photographs per class")
    add("--out", required=True, metavar="DIR", help="for checkpoint.npz, log.csv, curve.png and model.keras")
    add("--boxes", metavar="JSON", help="objects' boxes: the map of the true class learns to cover them")
    add("--validate", metavar="DIR", help="photographs to measure on now and then, never trained on")
    add("--calibrate", action="store_true",
        help="scale the dense layer until --validate's probabilities come true as often as they say",
    )  # fmt: skip
    add("--init", metavar="FILE", help="start from these weights, npcam's or Keras's")
    run = parser.add_argument_group("the run").add_argument
    run("--phases", default="10@128,11@160,2@192", metavar="EPOCHS@SIZE,...",
        help="passes over the photographs at a size in pixels, in this order (%(default)s)")  # fmt: skip
    run("--batch", type=_positive, default=64, help="photographs a step (%(default)s)")
    run("--seed", type=int, default=0, help="of everything random (%(default)s)")
    run("--trainer", choices=("torch", "keras"), default="torch",
        help="what takes the steps (%(default)s, the faster one on a CPU)")  # fmt: skip
    run("--precision", choices=("auto", "float32", "bfloat16"), default="auto",
        help="auto: bfloat16 where the processor has it")  # fmt: skip
    run("--threads", type=_positive, help="of --trainer torch (default: its own choice)")
    run("--steps", type=_positive, metavar="N", help="stop after step N of the schedule, as Ctrl-C would")
    run("--checkpoint-every", type=_positive, default=200, metavar="STEPS", help="(%(default)s)")
    run("--resume", action="store_true", help="go on from the checkpoint in --out")
    run("--export", action="store_true", help="write model.keras from the checkpoint in --out; no training")
    net = parser.add_argument_group("the network").add_argument
    net("--width", type=_positive_float, default=0.25, help="share of ResNet-50's filters (%(default)s)")
    net("--last-stride", type=int, choices=(1, 2), default=2,
        help="of the last stage; 1 doubles the maps' side to 14x14 at 224 (%(default)s)")  # fmt: skip
    net("--size", type=_positive, default=224, help="pixels a side that the model is for (%(default)s)")
    fit = parser.add_argument_group("the fit").add_argument
    fit("--optimizer", choices=("muon", "adamw"),
        help="muon: for convolutions, AdamW for the rest (muon; adamw with --trainer keras)")  # fmt: skip
    fit("--rate", type=_positive_float, default=2e-3, help="highest learning rate (%(default)s)")
    fit("--warmup", type=float, default=1, metavar="EPOCHS", help="linear rise to it (%(default)s)")
    fit("--cooldown", type=float, default=5, metavar="EPOCHS", help="linear fall at the end (%(default)s)")
    fit("--decay", type=float, default=0.05, help="weight decay of kernels (%(default)s)")
    fit("--clip", type=_positive_float, default=2.0, help="largest gradient norm (%(default)s)")
    fit("--smoothing", type=_share, default=0.1, help="of labels (%(default)s)")
    fit("--cutmix", type=_share, default=0.0, help="share of batches, none in the last phase (%(default)s)")
    fit("--area", type=_share, default=0.3, help="smallest crop, as a share of the picture (%(default)s)")
    fit("--balance", type=_share, default=0.5,
        help="0: every photograph as often as any other, 1: every class (%(default)s)")  # fmt: skip
    fit("--average", type=_share, default=0.998, help="of the weights, what a step keeps (%(default)s)")
    fit("--box-weight", type=float, default=0.5, help="of the box loss, with --boxes (%(default)s)")
    args = parser.parse_args(argv)
    args.optimizer = args.optimizer or {"torch": "muon", "keras": "adamw"}[args.trainer]
    return args


def _positive(text: str) -> int:
    return int(_number(text, int, lambda n: n >= 1, "a whole number from 1 up"))


def _positive_float(text: str) -> float:
    return float(_number(text, float, lambda n: 0 < n < float("inf"), "a number above 0"))


def _share(text: str) -> float:
    return float(_number(text, float, lambda n: 0 <= n <= 1, "a share from 0 to 1"))


def _number(text: str, kind: Any, fits: Any, expected: str) -> Any:
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not fits(number):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return number


def parse_phases(text: str) -> list[tuple[float, int]]:
    """Read `--phases`.

    >>> parse_phases("2@128,0.5@160")
    [(2.0, 128), (0.5, 160)]
    """
    try:
        pairs = [part.split("@") for part in text.split(",")]
        phases = [(float(epochs), int(size)) for epochs, size in pairs]
    except ValueError:
        raise InputError(f"--phases {text}: write EPOCHS@SIZE,EPOCHS@SIZE, such as 10@128,11@160") from None
    if any(not 0 < epochs < 1e6 or not 32 <= size <= 2048 for epochs, size in phases):
        raise InputError(f"--phases {text}: epochs must be above 0, sizes from 32 to 2048 pixels")
    return phases


def run(args: argparse.Namespace) -> int:
    """Train, or only export; the exit status."""
    from bundled.checkpoint import CHECKPOINT, read_checkpoint
    from bundled.files import export, starting_arrays
    from bundled.loop import Training
    from bundled.photos import Photographs
    from bundled.report import say

    out = Path(args.out)
    checkpoint = out / CHECKPOINT
    if args.calibrate and not args.validate:
        raise InputError("--calibrate: give the photographs to calibrate on with --validate")
    if args.export:
        names = read_checkpoint(checkpoint)[0]["recipe"]["classes"] if args.calibrate else None
        validation = Photographs(args.validate, class_names=names) if args.calibrate else None
        export(checkpoint, out, args.size, validation)
        return 0
    phases = parse_phases(args.phases)
    if args.resume != checkpoint.exists():
        what = (
            "nothing to resume; leave --resume out" if args.resume else "a run is here; add --resume to go on"
        )
        raise InputError(f"{checkpoint}: {what}, or choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    say(f"reading {args.photos}")
    photographs = Photographs(args.photos, args.boxes, progress=_counting)
    boxed = sum(len(boxes) > 0 for boxes in photographs.boxes)
    say(f"{len(photographs)} photographs of {len(photographs.class_names)} classes, {boxed} with boxes")
    validation = Photographs(args.validate, args.boxes, photographs.class_names) if args.validate else None
    classes = len(photographs.class_names)
    starting, init = starting_arrays(classes, args.width, args.last_stride, args.seed, args.init)
    names = zip(photographs.paths, photographs.boxes, strict=True)
    listing = "\n".join(f"{path.parent.name}/{path.name} {len(boxes)}" for path, boxes in names)
    recipe = {
        **{name: getattr(args, name) for name in RECIPE},
        "classes": photographs.class_names,
        "photographs": len(photographs),
        "listing_sha256": hashlib.sha256(listing.encode()).hexdigest(),
        "init_tensors_sha256": init,
    }
    training = Training(args, phases, photographs, validation, starting, recipe)
    if args.resume:
        training.restore(checkpoint)
    with _stopping() as stop:
        finished = training.fit(stop)
    export(checkpoint, out, args.size, validation if args.calibrate else None)
    if finished:
        return 0
    say(f"stopped at step {training.step} of {training.total}; the same command with --resume goes on")
    return 0 if training.step == args.steps else 130


def _counting(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{total}", end="\r", file=sys.stderr, flush=True)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or SIGTERM once: stop after the step at hand. Twice: at once."""
    asked: list[int] = []

    def ask(signum: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(signum)
        print("\nstopping after this step; once more to stop at once", file=sys.stderr, flush=True)

    before = {signum: signal.signal(signum, ask) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 2 bad usage or input, 130 interrupted."""
    try:
        args = parse_arguments(argv)
        os.environ.setdefault("KERAS_BACKEND", "torch")
        return run(args)
    except ModuleNotFoundError as error:
        message = f'{error.name} is not installed; pip install "npcam[train]"'
    except (InputError, OSError) as error:
        message = " ".join(str(error).split())
    except KeyboardInterrupt:
        print("\nstopped at once; the last checkpoint is whole", file=sys.stderr)
        return 130
    print(f"train_bundled: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

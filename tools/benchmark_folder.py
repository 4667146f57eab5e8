"""Time `npcam explain` and `npcam evaluate` over a folder beside the network alone, taken in turn.

    python tools/benchmark_folder.py photos
    python tools/benchmark_folder.py photos --weights resnet50.h5 --limit 100
    python tools/benchmark_folder.py photos --weights random --limit 64 --rounds 3

The rates are those of the work on the photographs: the start of a process, the reading of weights, and what
`evaluate` writes at its end (tables, charts, a page) are left out. The network alone runs the same
photographs, prepared beforehand, in the same batches and as many threads. `evaluate` runs each twice, the
second time dimmed where nothing speaks for the class, so its share is that of half the network's rate. One
after the other means: each photograph is decoded, run with all cores and drawn before the next one is
opened. Pictures are written into a temporary folder. Only ratios mean anything.

At last, what each step takes of a core: one photograph after the other, in one thread.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from npcam import InputError
from npcam.cli.commands import parse
from npcam.cli.explaining import Explaining
from npcam.cli.names import Names
from npcam.common.files import open_file
from npcam.common.hashes import sha256_of_file
from npcam.common.tables import markdown_table
from npcam.common.text import say
from npcam.common.threads import cores
from npcam.datasets.photographs import Photograph
from npcam.explain import Pass
from npcam.images.photos import open_photo
from npcam.images.preprocess import to_input
from npcam.localise.evaluation import Evaluating, Settings
from npcam.model import Model, load_model
from npcam.pictures.saved import Origin, is_jpeg, save_picture
from npcam.shapes import Array
from npcam.stream.batches import BATCH, Batches, Reading, cut
from npcam.stream.listing import list_photographs
from npcam.stream.pool import in_order
from npcam.weights.random import random_weights

if TYPE_CHECKING:
    from PIL.Image import Image

Prepared = dict[int, Array]  # the network's input of each photograph, (H, W, 3), by its place in the list


class Timed(NamedTuple):
    """How long something took over all photographs.

    Attributes:
        rate: photographs a second.
        cost: core-milliseconds for each.
        first: seconds until the first batch was done.
    """

    rate: float
    cost: float
    first: float


def main() -> int:
    """Print the rates, how they compare, and what each step takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", help="folders or photographs, as for npcam explain")
    parser.add_argument(
        "--weights", help="npcam weights file, or random: ResNet-50 of full size (default: the bundled model)"
    )
    parser.add_argument("--limit", type=int, default=400, help="photographs (default: 400)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is timed (default: 5)")
    options = parser.parse_args()
    try:
        photos = list_photographs(options.photos).photos[: options.limit]
        alone = Model(random_weights()) if options.weights == "random" else load_model(options.weights)
        shared = Model(alone.weights, threads=1)
        prepared = {i: prepare(shared, open_photo(photo)) for i, photo in enumerate(photos)}
    except InputError as error:
        say(f"benchmark_folder: {error}", error=True)
        return 2
    print(f"{len(photos)} photographs, {cores()} cores, {options.rounds} rounds; medians\n")
    ways = {
        "network alone": partial(network_alone, shared, prepared),
        "npcam explain": partial(explained, shared, photos),
        "npcam evaluate": partial(evaluated, shared, photos),
        "explain, one after the other": partial(explained, alone, photos, together=False),
    }
    found: dict[str, list[Timed]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            found[name].append(way())
    print(compared(found))
    print()
    print(markdown_table([("step", "core-ms"), *steps(shared, photos[: 8 * BATCH])]))
    return 0


def compared(found: dict[str, list[Timed]]) -> str:
    """The rates as a table; each share is that of a round, so that whatever else ran fell on both."""
    rows = [("", "photographs/s", "share of the network's rate", "core-ms for each", "first after s")]
    for name, each in found.items():
        passes = 2 if name == "npcam evaluate" else 1
        shares = [
            passes * one.rate / network.rate
            for one, network in zip(each, found["network alone"], strict=True)
        ]
        middle = [statistics.median(column) for column in zip(*each, strict=True)]
        spread = f"{statistics.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})"
        rows.append((name, f"{middle[0]:.1f}", spread, f"{middle[1]:.1f}", f"{middle[2]:.2f}"))
    return markdown_table(rows)


def prepare(model: Model, photo: "Image") -> Array:
    """The network's input of a photograph, (H, W, 3)."""
    pixels = to_input(photo, model.photo_size, grey=model.weights.preprocessing.grey)
    return np.asarray(model.preprocess(pixels[None])[0])


def timed(count: int, work: Callable[[range], Any], batches: Sequence[range], threads: int) -> Timed:
    """Do all batches, in so many threads."""
    began, used, first = time.perf_counter(), time.process_time(), 0.0
    for _ in in_order(work, batches, threads):
        first = first or time.perf_counter() - began
    seconds, used = time.perf_counter() - began, time.process_time() - used
    return Timed(count / seconds, 1000 * used / count, first)


def network_alone(model: Model, prepared: Prepared) -> Timed:
    """The passes, from arrays to arrays."""

    def work(batch: range) -> None:
        model.run(np.stack([prepared[i] for i in batch]), [model.last_activation])

    return timed(len(prepared), work, cut(len(prepared)), cores())


def explained(model: Model, photos: Sequence[str], together: bool = True) -> Timed:
    """What `npcam explain` does, from files to files; or the same with a single photograph at a time."""
    with tempfile.TemporaryDirectory() as folder:
        options = parse(["explain", *photos, "-o", folder])
        explaining = Explaining(options, Names(photos, Path(folder), "weights"), "0" * 64, {})
        work = Batches(model, photos, Reading(), explaining)
        if together:
            return timed(len(photos), work, cut(len(photos)), cores())
        return timed(len(photos), work, [range(i, i + 1) for i in range(len(photos))], 1)


def evaluated(model: Model, photos: Sequence[str]) -> Timed:
    """What `npcam evaluate` does, as if each photograph were of the first class, in the middle half."""
    with tempfile.TemporaryDirectory() as folder:
        middle = ((25.0, 25.0, 75.0, 75.0),)
        names = [f"{i}.jpg" for i in range(len(photos))]
        known = [Photograph(p, n, 0, middle, (100, 100)) for p, n in zip(photos, names, strict=True)]
        work = Evaluating(model, known, Reading(), Settings(pictures=Path(folder)))
        return timed(len(photos), work, cut(len(photos), first=BATCH), cores())


def steps(model: Model, photos: Sequence[str]) -> list[tuple[str, str]]:
    """What each step of `npcam explain` takes for a photograph, in core-milliseconds, and all of them."""
    taken: dict[str, float] = {}
    last = model.last_activation

    def clocked(step: str, work: Callable[[], Any]) -> Any:
        began = time.thread_time()
        done = work()
        taken[step] = taken.get(step, 0.0) + time.thread_time() - began
        return done

    def digest(photo: str) -> str:
        with open_file(photo, "") as file:
            return sha256_of_file(file)

    with tempfile.TemporaryDirectory() as folder:
        for batch in cut(len(photos), first=BATCH):
            opened = [clocked("decode", partial(open_photo, photos[i])) for i in batch]
            hashed = [clocked("hash the file", partial(digest, photos[i])) for i in batch]
            inputs = [clocked("resize, preprocess", partial(prepare, model, one)) for one in opened]
            out = clocked("network, eight at a time", partial(model.run, np.stack(inputs), [last]))
            each = zip(opened, out.activations[last], out.logits, out.probabilities, strict=True)
            for i, sha256, numbers in zip(batch, hashed, each, strict=True):
                e = clocked("map, enlarged, and its box", Pass(model, *numbers).explain)
                picture = clocked("draw", e.figure)
                path = Path(folder, f"{i}{'.jpg' if is_jpeg(photos[i]) else '.png'}")
                origin = Origin(sha256, "0" * 64)
                clocked("compress, write", partial(save_picture, picture, path, origin))
    rows = [(step, f"{1000 * seconds / len(photos):.2f}") for step, seconds in taken.items()]
    return [*rows, ("all", f"{1000 * sum(taken.values()) / len(photos):.2f}")]


if __name__ == "__main__":
    sys.exit(main())

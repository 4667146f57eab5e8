"""Measure how sure a model is of what it cannot know: noise, plain colours, patterns, drawings, screenshots.

The pictures are made here, by a seed, so that every run has the same. None of them shows any class; a
model that knew that would give each class a small probability.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import NamedTuple

import numpy as np
from bundled.strange import KINDS

import npcam
from npcam.localise.calibration import wilson
from npcam.localise.intervals import Share

BATCH = 32  # pictures a forward pass
SURE = 0.9


class Certainty(NamedTuple):
    """What a model says of one kind of pictures.

    Attributes:
        kind: what they are.
        median: of the top class's probability.
        highest: of the top class's probability.
        highest_class: the class of that.
        number: of pictures.
        sure: the share of pictures with a top class of 90 % and more.
        often: the class that is most often on top, and how often.
    """

    kind: str
    median: float
    highest: float
    highest_class: str
    number: int
    sure: Share
    often: tuple[str, float]


def measure(model: npcam.Model, kind: str, seed: int = 0) -> Certainty:
    """Run a model over all pictures of one kind."""
    names = model.class_names or tuple(map(str, range(model.classes)))
    pixels = np.stack([np.asarray(image) for image in KINDS[kind](np.random.default_rng(seed))])
    size = model.photo_size
    found = []
    for start in range(0, len(pixels), BATCH):
        batch = np.stack([npcam.load_image(one, size) for one in pixels[start : start + BATCH]])
        found.append(model.predict(model.preprocess(batch)))
    probabilities = np.concatenate(found)
    top, classes = probabilities.max(axis=1), probabilities.argmax(axis=1)
    index, count = Counter(classes.tolist()).most_common(1)[0]
    best = int(top.argmax())
    return Certainty(
        kind,
        float(np.median(top)),
        float(top[best]),
        names[classes[best]],
        len(top),
        wilson(top >= SURE),
        (names[index], count / len(top)),
    )


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 measured, 2 bad input."""
    parser = argparse.ArgumentParser(prog="measure_strange", description=__doc__)
    parser.add_argument("--weights", metavar="FILE", help="npcam weights file (default: the bundled model)")
    parser.add_argument("--seed", type=int, default=0, help="of the pictures (default: 0)")
    args = parser.parse_args(argv)
    try:
        model = npcam.load_model(args.weights)
        model.require_top("tell classes apart")
    except npcam.InputError as error:
        print(f"measure_strange: {error}", file=sys.stderr)
        return 2
    print("| pictures | number | median of the top probability | highest | 90 % and more | most often |")
    print("|---|---|---|---|---|---|")
    for kind in KINDS:
        one = measure(model, kind, args.seed)
        (name, often), (value, low, high) = one.often, one.sure
        print(
            f"| {kind} | {one.number} | {one.median:.3f} | {one.highest:.3f} {one.highest_class} "
            f"| {value:.3f} ({low:.3f}-{high:.3f}) | {name} {often:.0%} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Photographs for the tests of training: coloured rectangles on noise, with a box around each."""

import json

import numpy as np
from PIL import Image

CLASSES = ("blue", "green", "red")


def make_photographs(folder, each=6, seed=0):
    """Write `train/CLASS/N.png`, `dev/CLASS/N.png` and `boxes.json` into a folder; returns it."""
    rng = np.random.default_rng(seed)
    boxes = {}
    for part in ("train", "dev"):
        for channel, name in enumerate(reversed(CLASSES)):
            (folder / part / name).mkdir(parents=True)
            for number in range(each):
                pixels = rng.integers(0, 90, (48, 64, 3), np.uint8)
                x, y = (int(n) for n in rng.integers(0, 30, 2))
                pixels[y : y + 18, x : x + 24, channel] = 250
                path = folder / part / name / f"{number}.png"
                Image.fromarray(pixels).save(path)
                box = {"class": name, "xyxy": [x, y, x + 24, y + 18]}
                key = path.relative_to(folder).as_posix()
                boxes[key] = {"class": name, "width": 64, "height": 48, "boxes": [box]}
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return folder

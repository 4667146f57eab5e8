"""Photographs turned into training batches: crops, flips, colours, CutMix, and the boxes carried along.

A batch is a pure function of the seed and the step, so a run that is stopped and resumed sees
exactly the batches it would have seen. Cropping and resizing are Pillow's, as they are in npcam, and
"nearest" and "bilinear" both take part: the first is Keras's default, the second what people should use.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from bundled.photos import Photographs
from PIL import Image

from npcam.preprocessing import IMAGENET_MEAN_BGR

MASK_GRID = 56  # box masks are drawn on this many points a side
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Crop = tuple[float, float, float, float]  # x, y, width, height, as fractions of the picture


@dataclass
class Batch:
    """One training batch, N pictures of S x S."""

    x: np.ndarray  # (N, S, S, 3) float32, BGR minus the mean, as the network takes it
    targets: np.ndarray  # (N, classes) float32, rows sum to 1
    labels: np.ndarray  # (N,) int64
    masks: np.ndarray  # (N, G, G) float32, 1 inside a box of the label's class
    boxed: np.ndarray  # (N,) bool: is there such a box in the picture


@dataclass(frozen=True)
class Augmentation:
    """What is done to a picture at random; areas and probabilities are fractions."""

    area: tuple[float, float] = (0.3, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    nearest: float = 0.5  # share of pictures resized as Keras does by default; the others bilinearly
    cutmix: float = 0.0  # share of batches in which each picture gets a rectangle of its neighbour
    smoothing: float = 0.1  # label smoothing
    keep_object: float = 0.6  # a crop of a picture with boxes shows at least this much of one of them


def random_crop(rng: np.random.Generator, augmentation: Augmentation, boxes: np.ndarray) -> Crop:
    """A random crop, one that shows enough of some box where the picture has any."""
    for _ in range(10):
        area = rng.uniform(*augmentation.area)
        ratio = math.exp(rng.uniform(*np.log(augmentation.aspect)))
        w, h = min(1.0, math.sqrt(area * ratio)), min(1.0, math.sqrt(area / ratio))
        x, y = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
        if len(boxes) == 0 or _visible(boxes, x, y, w, h).max() >= augmentation.keep_object:
            return x, y, w, h
    return 0.0, 0.0, 1.0, 1.0


def _visible(boxes: np.ndarray, x: float, y: float, w: float, h: float) -> np.ndarray:
    """Share of each box's area that lies within the crop."""
    across = np.minimum(boxes[:, 2], x + w) - np.maximum(boxes[:, 0], x)
    down = np.minimum(boxes[:, 3], y + h) - np.maximum(boxes[:, 1], y)
    whole = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    shares: np.ndarray = np.clip(across, 0, None) * np.clip(down, 0, None) / np.maximum(whole, 1e-9)
    return shares


def box_mask(boxes: np.ndarray, crop: Crop, size: int, flip: bool) -> np.ndarray:
    """Boxes (n, 4) as seen in a crop resized to `size` pixels: (G, G) float32, 1 inside a box.

    The grid's corners are the centres of the corner pixels, as in `npcam.upsample_map`'s "corners".
    """
    x, y, w, h = crop
    along = (np.linspace(0, size - 1, MASK_GRID) + 0.5) / size
    px, py = x + w * (1 - along if flip else along), y + h * along
    mask = np.zeros((MASK_GRID, MASK_GRID), bool)
    for x0, y0, x1, y1 in boxes:
        mask |= ((py >= y0) & (py <= y1))[:, None] & ((px >= x0) & (px <= x1))[None, :]
    return mask.astype(np.float32)


def make_batch(
    photographs: Photographs,
    step: int,
    seed: int,
    batch_size: int,
    size: int,
    augmentation: Augmentation,
    probabilities: np.ndarray,
) -> Batch:
    """The batch of training step `step`: the same arguments give the same bytes."""
    rng = np.random.default_rng((seed, step))
    chosen = rng.choice(len(photographs), batch_size, p=probabilities)
    labels = photographs.labels[chosen]
    images = np.empty((batch_size, size, size, 3), np.uint8)
    masks = np.zeros((batch_size, MASK_GRID, MASK_GRID), np.float32)
    for row, index in enumerate(chosen):
        picture, boxes = photographs.pictures[index], photographs.boxes[index]
        crop = x, y, w, h = random_crop(rng, augmentation, boxes)
        flip = rng.random() < 0.5
        how = Image.Resampling.NEAREST if rng.random() < augmentation.nearest else Image.Resampling.BILINEAR
        corners = (x * picture.width, y * picture.height, (x + w) * picture.width, (y + h) * picture.height)
        pixels = np.asarray(picture.resize((size, size), how, box=corners))
        images[row] = pixels[:, ::-1] if flip else pixels
        if len(boxes):
            masks[row] = box_mask(boxes, crop, size, flip)
    boxed = np.asarray(masks.any((1, 2)))
    targets = one_hot(labels, len(photographs.class_names))
    if rng.random() < augmentation.cutmix:
        own = cutmix(rng, images)
        targets = own * targets + (1 - own) * np.roll(targets, 1, axis=0)
        boxed[:] = False  # the object may be covered
    targets = (1 - augmentation.smoothing) * targets + augmentation.smoothing / targets.shape[1]
    colours = random_colours(rng, batch_size)
    return Batch(change_colours(images, *colours), targets.astype(np.float32), labels, masks, boxed)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N,) indices -> (N, classes) float32 of 0 and 1."""
    rows: np.ndarray = np.eye(classes, dtype=np.float32)[labels]
    return rows


def cutmix(rng: np.random.Generator, images: np.ndarray) -> float:
    """Put a rectangle of each picture's neighbour into it, in place; returns the share that stays its own.

    Yun et al. 2019, arXiv:1905.04899; one rectangle for the whole batch (N, S, S, 3).
    """
    size = images.shape[1]
    side = math.sqrt(1 - rng.uniform(0.2, 1.0)) * size
    cx, cy = rng.uniform(0, size, 2)
    edges = (cx - side / 2, cx + side / 2, cy - side / 2, cy + side / 2)
    x0, x1, y0, y1 = (int(np.clip(v, 0, size)) for v in edges)
    images[:, y0:y1, x0:x1] = np.roll(images[:, y0:y1, x0:x1], 1, axis=0)
    return float(1 - (x1 - x0) * (y1 - y0) / size**2)


def random_colours(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Saturation, contrast, brightness and a tint, as one affine map from RGB to BGR per picture.

    Returns:
        Matrices (n, 3, 3) that a row of RGB is multiplied with, and offsets (n, 3), both float32.
    """
    saturation = rng.uniform(0.6, 1.4, (n, 1, 1))
    contrast = rng.uniform(0.7, 1.3, (n, 1, 1))
    gain = rng.uniform(0.9, 1.1, (n, 1, 3))
    shift = rng.uniform(-20, 20, (n, 1)) + rng.uniform(-8, 8, (n, 3))
    matrix = saturation * np.eye(3) + (1 - saturation) * np.outer(LUMA, np.ones(3))
    matrix = contrast * gain * matrix
    shift = shift + (1 - contrast[:, 0]) * 118.0  # contrast turns about a mid grey
    return matrix[:, :, ::-1].astype(np.float32), shift[:, ::-1].astype(np.float32)


def change_colours(images: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """RGB (N, S, S, 3) uint8 -> BGR minus the mean (N, S, S, 3) float32, colours changed."""
    n, size = images.shape[:2]
    x: np.ndarray = np.matmul(images.reshape(n, -1, 3).astype(np.float32), matrices)
    x += offsets[:, None]
    np.clip(x, 0, 255, out=x)
    x -= np.array(IMAGENET_MEAN_BGR, np.float32)
    return x.reshape(n, size, size, 3)


class Prefetch:
    """Makes the batches of steps first..last-1 in a thread, a few ahead of the training."""

    def __init__(self, make: Callable[[int], Batch], first: int, last: int, ahead: int = 4) -> None:
        self._queue: queue.Queue[Batch | Exception] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(make, first, last), daemon=True)
        self._thread.start()

    def _work(self, make: Callable[[int], Batch], first: int, last: int) -> None:
        for step in range(first, last):
            try:
                item: Batch | Exception = make(step)
            except Exception as error:  # handed to the training loop, which raises it
                item = error
            while not self._stop.is_set():
                try:
                    self._queue.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if self._stop.is_set() or isinstance(item, Exception):
                return

    def get(self) -> Batch:
        """The next step's batch."""
        item = self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        """End the thread; batches made ahead are dropped."""
        self._stop.set()
        self._thread.join()

"""Photographs in folders, one per class, turned into training batches.

Every picture is decoded once and kept in memory as uint8. A batch is a pure function of the seed and the step, so a
run that is stopped and resumed sees exactly the batches it would have seen. Cropping and resizing are Pillow's, as
they are in npcam, and both of its interpolations take part, since Keras's default ("nearest") is what people use.
"""
from __future__ import annotations

import json
import math
import pathlib
import threading
import queue
from dataclasses import dataclass

import numpy as np
from PIL import Image

MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
SUFFIXES = (".jpg", ".jpeg", ".png")
MASK_GRID = 56              # box masks are drawn on this many points a side, corners of the picture included
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class DataError(ValueError):
    """The folder or the box file cannot be used; the message says which and why."""


@dataclass
class Batch:
    """One training batch, N pictures of S x S."""

    images: np.ndarray      # (N, S, S, 3) uint8, RGB
    colour: np.ndarray      # (N, 3, 3) float32: RGB in, BGR out
    offset: np.ndarray      # (N, 3) float32, BGR, before the mean is subtracted
    targets: np.ndarray     # (N, classes) float32, rows sum to 1
    labels: np.ndarray      # (N,) int64
    masks: np.ndarray       # (N, G, G) float32, 1 inside a box of the label's class
    boxed: np.ndarray       # (N,) bool: is there such a box in the picture


class Photographs:
    """The pictures of a folder ``CLASS/*.jpg``, decoded, with their boxes where a box file has any."""

    def __init__(self, folder, boxes=None, class_names=None, progress=None):
        folder = pathlib.Path(folder)
        if not folder.is_dir():
            raise DataError(f"{folder}: not a folder; give one that holds a folder of photographs per class")
        found = sorted(p.name for p in folder.iterdir() if p.is_dir())
        self.class_names = list(class_names or found)
        if len(self.class_names) < 2:
            raise DataError(f"{folder}: {len(self.class_names)} class folders; at least 2 are needed")
        missing = [name for name in self.class_names if name not in found]
        if missing:
            raise DataError(f"{folder}: no folder for the class {missing[0]!r}")
        known = _read_boxes(boxes) if boxes else {}
        self.paths, self.pictures, self.labels, self.boxes = [], [], [], []
        files = [(label, path) for label, name in enumerate(self.class_names)
                 for path in sorted((folder / name).iterdir()) if path.suffix.lower() in SUFFIXES]
        for label, path in files:
            try:
                picture = Image.open(path).convert("RGB")
            except (OSError, ValueError) as error:
                raise DataError(f"{path}: not a readable picture ({error}); remove or repair it") from None
            self.paths.append(path)
            self.pictures.append(picture)
            self.labels.append(label)
            self.boxes.append(_relative(known.get(path.resolve()), self.class_names[label]))
            if progress and len(self.paths) % 500 == 0:
                progress(len(self.paths), len(files))
        self.labels = np.array(self.labels, np.int64)
        for label, name in enumerate(self.class_names):
            if not (self.labels == label).any():
                raise DataError(f"{folder / name}: no photograph ({', '.join(SUFFIXES)})")

    def __len__(self):
        return len(self.pictures)

    def sampling(self, balance: float) -> np.ndarray:
        """(len,) probabilities of being drawn; balance 0: all pictures alike, 1: all classes alike."""
        counts = np.bincount(self.labels).astype(np.float64)
        weights = (counts ** -balance)[self.labels]
        return weights / weights.sum()

    def plain(self, index, size: int, nearest: bool) -> np.ndarray:
        """Whole pictures squashed to (N, size, size, 3) uint8, as npcam.load_image does it."""
        how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
        return np.stack([np.asarray(self.pictures[i].resize((size, size), how)) for i in index])


def _read_boxes(path) -> dict[pathlib.Path, list]:
    """{photograph's full path: boxes} from a JSON file whose keys are paths relative to the file itself."""
    path = pathlib.Path(path)
    try:
        table = json.loads(path.read_text())
        return {(path.parent / key).resolve(): (entry["width"], entry["height"], entry["boxes"])
                for key, entry in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a box file ({type(error).__name__}: {error})") from None


def _relative(entry, class_name: str) -> np.ndarray:
    """(n, 4) float64 x0, y0, x1, y1 of the boxes of one class, as fractions of the picture."""
    if entry is None:
        return np.zeros((0, 4))
    width, height, boxes = entry
    rows = [box["xyxy"] for box in boxes if box["class"] == class_name]
    return np.array(rows, np.float64).reshape(-1, 4) / [width, height, width, height]


@dataclass(frozen=True)
class Augmentation:
    """What is done to a picture at random; areas and probabilities are fractions."""

    area: tuple[float, float] = (0.3, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    nearest: float = 0.5     # share of pictures resized as Keras does by default; the others bilinearly
    cutmix: float = 0.0      # share of batches in which each picture gets a rectangle of its neighbour
    smoothing: float = 0.1   # label smoothing
    keep_object: float = 0.6  # a crop of a picture with boxes shows at least this much of one of them


def random_crop(rng, augmentation: Augmentation, boxes: np.ndarray) -> tuple[float, float, float, float]:
    """x, y, width, height of a random crop, as fractions of the picture."""
    for _ in range(10):
        area = rng.uniform(*augmentation.area)
        ratio = math.exp(rng.uniform(*np.log(augmentation.aspect)))
        w, h = min(1.0, math.sqrt(area * ratio)), min(1.0, math.sqrt(area / ratio))
        x, y = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
        if len(boxes) == 0 or _visible(boxes, x, y, w, h).max() >= augmentation.keep_object:
            return x, y, w, h
    return 0.0, 0.0, 1.0, 1.0


def _visible(boxes, x, y, w, h) -> np.ndarray:
    """Share of each box's area that lies within the crop."""
    across = np.minimum(boxes[:, 2], x + w) - np.maximum(boxes[:, 0], x)
    down = np.minimum(boxes[:, 3], y + h) - np.maximum(boxes[:, 1], y)
    whole = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.clip(across, 0, None) * np.clip(down, 0, None) / np.maximum(whole, 1e-9)


def box_mask(boxes: np.ndarray, crop, size: int, flip: bool) -> np.ndarray:
    """(G, G) float32: 1 where a point of the crop's grid lies inside a box. Grid points: pixel centres, corners aligned."""
    x, y, w, h = crop
    along = (np.linspace(0, size - 1, MASK_GRID) + 0.5) / size
    px, py = x + w * (1 - along if flip else along), y + h * along
    mask = np.zeros((MASK_GRID, MASK_GRID), bool)
    for x0, y0, x1, y1 in boxes:
        mask |= ((py >= y0) & (py <= y1))[:, None] & ((px >= x0) & (px <= x1))[None, :]
    return mask.astype(np.float32)


def make_batch(photographs: Photographs, step: int, seed: int, batch_size: int, size: int,
               augmentation: Augmentation, probabilities: np.ndarray) -> Batch:
    """The batch of training step `step`: the same arguments give the same bytes."""
    rng = np.random.default_rng((seed, step))
    chosen = rng.choice(len(photographs), batch_size, p=probabilities)
    classes = len(photographs.class_names)
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
    targets = np.full((batch_size, classes), augmentation.smoothing / classes, np.float32)
    one = 1 - augmentation.smoothing
    boxed = masks.any((1, 2))
    if rng.random() < augmentation.cutmix:
        side = math.sqrt(1 - rng.uniform(0.2, 1.0)) * size
        cx, cy = rng.uniform(0, size, 2)
        x0, x1, y0, y1 = (int(np.clip(v, 0, size)) for v in (cx - side / 2, cx + side / 2, cy - side / 2, cy + side / 2))
        images[:, y0:y1, x0:x1] = np.roll(images, 1, axis=0)[:, y0:y1, x0:x1]
        own = 1 - (x1 - x0) * (y1 - y0) / size ** 2
        np.add.at(targets, (np.arange(batch_size), np.roll(labels, 1)), one * (1 - own))
        one *= own
        boxed[:] = False     # the object may be covered
    np.add.at(targets, (np.arange(batch_size), labels), one)
    colour, offset = random_colours(rng, batch_size)
    return Batch(images, colour, offset, targets, labels, masks, boxed)


def random_colours(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Saturation, contrast, brightness and a tint as one affine map of RGB per picture: (n, 3, 3), (n, 3), BGR out."""
    saturation = rng.uniform(0.6, 1.4, (n, 1, 1))
    contrast = rng.uniform(0.7, 1.3, (n, 1, 1))
    gain = rng.uniform(0.9, 1.1, (n, 1, 3))
    shift = rng.uniform(-20, 20, (n, 1)) + rng.uniform(-8, 8, (n, 3))
    matrix = saturation * np.eye(3) + (1 - saturation) * np.outer(LUMA, np.ones(3))  # row vector times matrix
    matrix = contrast * gain * matrix
    shift = shift + (1 - contrast[:, 0]) * 118.0      # contrast turns about a mid grey
    return matrix[:, :, ::-1].astype(np.float32), shift[:, ::-1].astype(np.float32)


class Prefetch:
    """Makes the batches of steps first..last-1 in a thread, a few ahead of the training."""

    def __init__(self, make, first: int, last: int, ahead: int = 4):
        self._queue = queue.Queue(ahead)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(make, first, last), daemon=True)
        self._thread.start()

    def _work(self, make, first, last):
        for step in range(first, last):
            try:
                item = (step, make(step), None)
            except Exception as error:          # handed to the training loop, which raises it
                item = (step, None, error)
            while not self._stop.is_set():
                try:
                    self._queue.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if self._stop.is_set() or item[2]:
                return

    def get(self):
        step, batch, error = self._queue.get()
        if error:
            raise error
        return step, batch

    def close(self):
        self._stop.set()
        self._thread.join()

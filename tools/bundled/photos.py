"""Photographs in folders, one per class, decoded once and kept in memory, with boxes where there are any."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from npcam import InputError
from npcam.images.photos import open_photo

SUFFIXES = (".jpg", ".jpeg", ".png")
LARGEST = 256  # pixels of a picture's short side in memory; a photographer's originals would fill it


class Photographs:
    """The pictures of a folder ``CLASS/*.jpg``, decoded, with their boxes where a box file has any.

    Attributes:
        class_names: in index order, which is the alphabetical order of the folders.
        paths, pictures: of each photograph; the pictures are Pillow's, RGB.
        labels: (len,) int64.
        boxes: for each photograph (n, 4) float64: x0, y0, x1, y1 of its own class's boxes, as
            fractions of the picture.
    """

    def __init__(
        self,
        folder: str | Path,
        boxes: str | Path | None = None,
        class_names: Sequence[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
        largest: int | None = LARGEST,
    ) -> None:
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: not a folder; give one that holds a folder of photographs per class")
        found = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        self.class_names = list(class_names or found)
        if len(self.class_names) < 2:
            raise InputError(f"{folder}: holds {len(self.class_names)} folder(s); one per class, at least 2")
        known = _read_boxes(boxes) if boxes else {}
        files = [(label, p) for label, name in enumerate(self.class_names) for p in _photos(folder / name)]
        self.paths: list[Path] = []
        self.pictures: list[Image.Image] = []
        self.boxes: list[np.ndarray] = []
        for label, path in files:
            self.paths.append(path)
            self.pictures.append(_small(open_photo(path), largest))
            self.boxes.append(_relative(known.get(path.resolve()), self.class_names[label]))
            if progress and len(self.paths) % 500 == 0:
                progress(len(self.paths), len(files))
        self.labels = np.array([label for label, _ in files], np.int64)

    def __len__(self) -> int:
        return len(self.pictures)

    def sampling(self, balance: float) -> np.ndarray:
        """(len,) probabilities of being drawn; balance 0: all pictures alike, 1: all classes alike."""
        counts = np.bincount(self.labels).astype(np.float64)
        weights: np.ndarray = (counts**-balance)[self.labels]
        weights /= weights.sum()
        return weights

    def plain(self, index: Iterable[int], size: int, nearest: bool) -> np.ndarray:
        """Whole pictures squashed to (N, size, size, 3) uint8, as `npcam.load_image` does it."""
        how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
        return np.stack([np.asarray(self.pictures[i].resize((size, size), how)) for i in index])


def _photos(folder: Path) -> list[Path]:
    """The photographs of one class, sorted by name."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder, but there is such a class")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{folder}: no photograph ({', '.join(SUFFIXES)}); remove the folder or fill it")
    return paths


def _small(picture: Image.Image, largest: int | None) -> Image.Image:
    """The picture itself, or, where its short side is above `largest` pixels, reduced to that."""
    factor = 1 if largest is None else largest / min(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(n * factor)) for n in picture.size)
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _read_boxes(path: str | Path) -> dict[Path, tuple[float, float, list[dict[str, Any]]]]:
    """Width, height and boxes of each photograph, from JSON whose keys are paths relative to the file."""
    path = Path(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return {
            (path.parent / key).resolve(): (float(e["width"]), float(e["height"]), list(e["boxes"]))
            for key, e in table.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path}: not a box file ({type(error).__name__}: {error}); docs/bring-your-own.md shows one"
        raise InputError(msg) from error


def _relative(entry: tuple[float, float, list[dict[str, Any]]] | None, class_name: str) -> np.ndarray:
    """(n, 4) float64 x0, y0, x1, y1 of the boxes of one class, as fractions of the picture."""
    if entry is None:
        return np.zeros((0, 4))
    width, height, boxes = entry
    try:
        rows = [box["xyxy"] for box in boxes if box["class"] == class_name]
        return np.array(rows, np.float64).reshape(-1, 4) / [width, height, width, height]
    except (KeyError, TypeError, ValueError) as error:
        msg = f"box file: {type(error).__name__}: {error} in the boxes {boxes}"
        raise InputError(msg) from error

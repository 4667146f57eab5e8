"""Maps in the layout of clovaai/wsolevaluation, so that other people's evaluators can judge them."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import make_folder, replacing
from npcam.localise.overlaps import pixel_boxes
from npcam.shapes import Array

SIDE = 224  # pixels of a score map's sides


def require_side(size: tuple[int, int]) -> None:
    """Raise InputError unless a network's maps are as large as the evaluator's.

    Args:
        size: (height, width) of its input.

    >>> require_side((320, 240))
    Traceback (most recent call last):
    npcam.common.errors.InputError: --score-maps: have 224x224, this network's input 320x240; leave them out
    """
    if size != (SIDE, SIDE):
        found = "x".join(map(str, size))
        msg = f"--score-maps: have {SIDE}x{SIDE}, this network's input {found}; leave them out"
        raise InputError(msg)


def score_map_path(folder: str | Path, name: str) -> Path:
    """Where a photograph's map is: its own path in the data set, with `.npy` after its suffix.

    Raises:
        InputError: the name leads out of the folder.

    >>> score_map_path("maps", "cat/x.jpg").as_posix()
    'maps/cat/x.jpg.npy'
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\x00" in name:
        raise InputError(f"{name}: leads out of {folder}, so its score map has no place; rename it")
    return Path(folder, f"{name}.npy")


def write_score_map(folder: str | Path, name: str, scores: Array) -> Path:
    """Write one photograph's map.

    Args:
        folder: what is made where it is missing; so are the folders below it.
        name: the photograph's, in the data set.
        scores: (224, 224) float32, from 0 to 1: minimum taken off, divided by the range; a constant
            map is all zeros. They are written bit by bit as they are.

    Returns:
        The file.

    Raises:
        InputError: it is no such map, the name leads out of the folder, or it cannot be written.
    """
    fits = scores.shape == (SIDE, SIDE) and scores.dtype == np.float32
    if not fits or not (scores.min() >= 0 and scores.max() <= 1):
        found = f"{scores.dtype} {scores.shape}" + (", not all from 0 to 1" if fits else "")
        raise InputError(f"{name}: expected a score map ({SIDE}, {SIDE}) of float32 from 0 to 1, got {found}")
    path = score_map_path(folder, name)
    make_folder(path.parent, "--score-maps")
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, scores)
    return path


def write_metadata(folder: str | Path, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    r"""Write what the evaluator reads beside the maps, of the photographs with true boxes, sorted by name.

    `image_ids.txt` has a name a line; `class_labels.txt` name,label; `image_sizes.txt`
    name,width,height; `localization.txt` name,x0,y0,x1,y1 for each true box, in whole pixels.

    The evaluator reads whole pixels, scales them to 224 x 224 and cuts them off to whole ones again.
    Where a box of the data set is not in whole pixels, cutting twice would move it: then all sizes are
    given as 224 x 224 and all boxes in pixels of the score map, cut off once, and this is said.

    Args:
        folder: where the maps are.
        rows: of `npcam evaluate`, in any order.

    Returns:
        What a user should know: boxes in pixels of the map, and photographs that are left out because
        a comma or line feed in their name would make another line of them.

    Raises:
        InputError: it cannot be written.
    """
    listed, notes = [], []
    for row in sorted((row for row in rows if row.get("true_boxes")), key=lambda row: str(row["photo"])):
        if any(c in row["photo"] for c in ",\n\r"):
            notes.append(
                f"{row['photo']}: has a comma or line feed in its name, so it is not in image_ids.txt"
            )
        else:
            listed.append((row["photo"], row["label"], row["width"], row["height"], row["true_boxes"]))
    whole = all(float(c).is_integer() for *_, boxes in listed for box in boxes for c in box)
    if not whole:
        notes.append("localization.txt and image_sizes.txt are in pixels of the score maps, 224 x 224")
    lines: dict[str, list[str]] = {"image_ids": [], "class_labels": [], "image_sizes": [], "localization": []}
    for name, label, width, height, boxes in listed:
        lines["image_ids"].append(name)
        lines["class_labels"].append(f"{name},{label}")
        lines["image_sizes"].append(f"{name},{width},{height}" if whole else f"{name},{SIDE},{SIDE}")
        shown = (height, width) if whole else (SIDE, SIDE)
        for box in pixel_boxes(np.array(boxes, float), (height, width), shown).tolist():
            lines["localization"].append(",".join([name, *map(str, box)]))
    for stem, of_file in lines.items():
        with (
            replacing(Path(folder, f"{stem}.txt")) as unfinished,
            unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file,
        ):
            file.writelines(f"{line}\n" for line in of_file)
    return tuple(notes)

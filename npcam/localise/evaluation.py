"""Labelled photographs measured, a batch at a time: one row of results for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from npcam.common.errors import InputError
from npcam.common.files import make_folder
from npcam.datasets.photographs import Photograph, boxes_on
from npcam.explain import Explanation, Pass
from npcam.images.preprocess import to_input
from npcam.localise.contours import unit_map
from npcam.localise.journal import sha256_if_there
from npcam.localise.measure import of_boxes, of_classes, of_drop
from npcam.localise.score_maps import require_side, score_map_path, write_score_map
from npcam.localise.sheets import thumbnail
from npcam.model import Model
from npcam.pictures.saved import Origin, save_picture
from npcam.shapes import Array
from npcam.stream.batches import Batches, Failed, Reading, Seen

if TYPE_CHECKING:
    from threading import Event

PICTURE = 240  # pixels of the longer side of a photograph's small picture


@dataclass(frozen=True)
class Settings:
    """What is measured, and what is written on the way.

    Attributes:
        predicted: measure the map of the most probable class instead of the true one's.
        raw: thresholds are shares of a map's maximum instead of its range.
        pictures: folder of small pictures; None for none.
        score_maps: folder of score maps; None for none.
    """

    predicted: bool = False
    raw: bool = False
    pictures: Path | None = None
    score_maps: Path | None = None


class _Measured(NamedTuple):
    """A row without its drop, and what the drop is taken of."""

    row: dict[str, Any]
    masked: Array  # (H, W, 3), the preprocessed photograph times its predicted class's map in 0..1
    predicted: int
    probability: float


class _NotWrittenError(Exception):
    """No fault of a photograph's, so it ends the run: no row may say that it cannot be read."""


@dataclass
class Evaluating:
    """What is done with one batch: call it with the places of its photographs in the list.

    Attributes:
        model: the network.
        photographs: all of the data set.
        reading: how they are read; its threshold is that of npcam's own box.
        settings: what is measured and written.

    Raises:
        InputError: score maps are asked for, and the network's are of another size.
    """

    model: Model
    photographs: Sequence[Photograph]
    reading: Reading
    settings: Settings
    _batches: Batches[_Measured] = field(init=False)

    def __post_init__(self) -> None:
        if self.settings.score_maps is not None:
            require_side(self.model.input_size)
        paths = [photograph.path for photograph in self.photographs]
        self._batches = Batches(self.model, paths, self.reading, self._measure)

    @property
    def stop(self) -> "Event":
        """Set where nobody wants more results."""
        return self._batches.stop

    def __call__(self, batch: range) -> list[dict[str, Any]]:
        """A row for each photograph of a batch, see `npcam.localise.measure`; fewer once it was stopped.

        Raises:
            InputError: a picture or a score map cannot be written.
        """
        try:
            found = self._batches(batch)
        except _NotWrittenError as error:
            raise InputError(str(error)) from error
        measured = [one for one in found if isinstance(one, _Measured)]
        if measured and self.model.gives_probabilities:
            after = self.model.predict(np.stack([one.masked for one in measured]))  # (n, classes)
            for one, probabilities in zip(measured, after, strict=True):
                one.row.update(of_drop(one.probability, float(probabilities[one.predicted])))
        return [self._failed(one) if isinstance(one, Failed) else one.row for one in found]

    def require_written(self, rows: Iterable[dict[str, Any]]) -> None:
        """Raise InputError where a file is missing that an earlier run has written with a row of these."""
        for row in rows:
            if "error" in row:
                continue
            name, paths = row["photo"], []
            if self.settings.pictures is not None:
                paths.append(picture_path(self.settings.pictures, name))
            if self.settings.score_maps is not None:
                paths.append(score_map_path(self.settings.score_maps, name))
            for path in paths:
                if not path.is_file():
                    msg = f"{path}: is missing, though {name} was measured; bring it back, or begin anew"
                    raise InputError(f"{msg}: remove rows.jsonl")

    def _failed(self, one: Failed) -> dict[str, Any]:
        """The row of a photograph that cannot be used, with its file's hash where there is one."""
        row = {"photo": self.photographs[one.number].name, "error": one.message}
        sha256 = sha256_if_there(one.path)
        return row if sha256 is None else {**row, "photo_sha256": sha256}

    def _measure(self, one: Seen) -> _Measured:
        """What is measured of one photograph, from its pass."""
        photograph, seen = self.photographs[one.number], one.seen
        predicted = seen.explain()
        e = predicted if self.settings.predicted else seen.explain(photograph.label)
        width, height = seen.photo.size
        row: dict[str, Any] = {
            "photo": photograph.name,
            "photo_sha256": one.sha256,
            "width": width,
            "height": height,
            **of_classes(seen.logits, seen.probabilities, photograph.label, e.target, self.model.class_names),
            "completeness": e.completeness,
        }
        boxes = boxes_on(photograph, width, height)
        if len(boxes):
            row |= of_boxes(e.heatmap, e.cam.shape, boxes.tolist(), (height, width), self.settings.raw)
        else:
            row["box"] = e.box and list(e.box)
        self._write(photograph.name, e, boxes, one.sha256)
        return _Measured(row, self._masked(seen, predicted), predicted.target, predicted.probability)

    def _write(self, name: str, e: Explanation, boxes: Array, sha256: str) -> None:
        """Write the files of one photograph; where that fails, it would for all others, too."""
        maps, pictures, scores = self.settings.score_maps, self.settings.pictures, None
        if maps is not None:
            scores = unit_map(e.heatmap, self.settings.raw)
        picture = None if pictures is None else thumbnail(e, boxes.tolist(), PICTURE)
        try:
            if maps is not None and scores is not None:
                write_score_map(maps, name, scores)
            if pictures is not None and picture is not None:
                path = picture_path(pictures, name)
                make_folder(path.parent, "-o")
                save_picture(picture, path, Origin(sha256))
        except InputError as error:
            raise _NotWrittenError(str(error)) from error

    def _masked(self, seen: Pass, predicted: Explanation) -> Array:
        """The network's input, dimmed where nothing speaks for the predicted class: (H, W, 3) float32."""
        grey = self.model.weights.preprocessing.grey
        pixels = to_input(seen.photo, self.model.photo_size, self.reading.interpolation, grey)
        x = self.model.preprocess(pixels[None])[0]
        masked: Array = x * unit_map(predicted.heatmap, self.settings.raw)[..., None]
        return masked


def picture_path(folder: Path, name: str) -> Path:
    """Where the small picture of a photograph is: by its name in the data set, ending included.

    >>> picture_path(Path("pictures"), "cat/1.png").as_posix()
    'pictures/cat/1.png.jpg'
    """
    return folder / f"{name}.jpg"

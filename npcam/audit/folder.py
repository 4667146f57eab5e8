"""Photographs audited, one at a time, by whichever thread is free: one row for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from npcam.audit.measure import measure
from npcam.audit.randomise import Randomised, randomised
from npcam.audit.subject import make_subject
from npcam.datasets.photographs import Photograph, boxes_on
from npcam.localise.journal import failed_row
from npcam.model import Model
from npcam.shapes import Array
from npcam.stream.batches import Batches, Failed, Reading, Seen

if TYPE_CHECKING:
    from threading import Event

NO_LABEL = -1  # of a photograph whose class nobody says


@dataclass
class Auditing:
    """What is done with one batch: call it with the places of its photographs in the list.

    A photograph's map is that of the most probable class. The true boxes count where that is their class.

    Attributes:
        model: the network.
        photographs: all of them.
        reading: how they are read.
    """

    model: Model
    photographs: Sequence[Photograph]
    reading: Reading
    _batches: Batches[dict[str, Any]] = field(init=False)
    _networks: tuple[Randomised, ...] = field(init=False)

    def __post_init__(self) -> None:
        paths = [photograph.path for photograph in self.photographs]
        self._batches = Batches(self.model, paths, self.reading, self._measure)
        self._networks = randomised(self.model)

    @property
    def stop(self) -> "Event":
        """Set where nobody wants more results."""
        return self._batches.stop

    def __call__(self, batch: range) -> list[dict[str, Any]]:
        """A row for each photograph of a batch, or why there is none; fewer once it was stopped."""
        return [
            failed_row(self.photographs[one.number], one.message) if isinstance(one, Failed) else one
            for one in self._batches(batch)
        ]

    def _measure(self, one: Seen) -> dict[str, Any]:
        """What is measured of one photograph, from its pass."""
        photograph, seen = self.photographs[one.number], one.seen
        subject = make_subject(seen, None, self.reading.interpolation)
        e = subject.e
        boxes: Array | None = None
        if photograph.label == e.target:
            boxes = boxes_on(photograph, *seen.photo.size)
        return {
            "photo": photograph.name,
            "photo_sha256": one.sha256,
            "target": e.target,
            "class": e.label,
            "map": [*e.cam.shape, seen.features.shape[2]],
            **measure(subject, self._networks, boxes),
        }


def spread(photographs: Sequence[Photograph], limit: int | None) -> list[Photograph]:
    """At most so many photographs, evenly spread over the list, so that each folder has its share.

    >>> spread("abcdefghij", 4)
    ['a', 'c', 'f', 'h']
    """
    count = len(photographs)
    if limit is None or limit >= count:
        return list(photographs)
    return [photographs[i * count // limit] for i in range(limit)]

"""What is audited: one photograph, one class, its map, and the network's input."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from npcam.explain import Explanation, Pass
from npcam.images.preprocess import to_input
from npcam.labels import Target
from npcam.model import Model
from npcam.shapes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH = 8  # inputs that go through the network together


@dataclass(frozen=True)
class Subject:
    """One photograph and one class of it.

    Attributes:
        e: the explanation that is audited.
        x: the network's input, (H, W, 3), preprocessed.
        interpolation: how the photograph was resized.
    """

    e: Explanation
    x: Array
    interpolation: str

    @property
    def seen(self) -> Pass:
        """The pass that the explanation is from."""
        assert self.e.seen is not None
        return self.e.seen

    @property
    def model(self) -> Model:
        """The network."""
        return self.seen.model

    def probabilities(self, inputs: Iterable[Array]) -> Array:
        """The probability of the class for inputs (H, W, 3), a batch at a time: (n,) float64."""
        return of_class(self.model, inputs, self.e.target)


def make_subject(seen: Pass, target: Target | None = None, interpolation: str = "nearest") -> Subject:
    """Take a class of a photograph that went through the network.

    Args:
        seen: the pass.
        target: the class; None for the most probable one.
        interpolation: how the photograph was resized for that pass.

    Raises:
        InputError: the class is unknown, or the network has no top.
    """
    return Subject(seen.explain(target), network_input(seen.model, seen.photo, interpolation), interpolation)


def network_input(model: Model, photo: "Image", interpolation: str) -> Array:
    """A photograph (a Pillow image, RGB) as the network's input, (H, W, 3) float32."""
    grey = model.weights.preprocessing.grey
    pixels = to_input(photo, model.photo_size, interpolation, grey)
    x: Array = model.preprocess(pixels[None])[0]
    return x


def of_class(model: Model, inputs: Iterable[Array], target: int) -> Array:
    """The probability of one class for inputs (H, W, 3), a batch at a time: (n,) float64."""
    found = [model.predict(np.stack(some))[:, target] for some in batches(inputs)]
    return np.concatenate(found).astype(np.float64) if found else np.zeros(0)


def batches(inputs: Iterable[Array]) -> Iterator[list[Array]]:
    """Inputs in lists of at most `BATCH`.

    >>> [len(some) for some in batches([np.zeros(1)] * 11)]
    [8, 3]
    """
    left = iter(inputs)
    while some := list(islice(left, BATCH)):
        yield some

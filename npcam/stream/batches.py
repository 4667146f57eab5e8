"""Photographs decoded, run in batches and finished: one batch is one piece of work for a thread.

Which photographs share a batch depends on their list and their sizes alone. So a photograph's numbers
have the same bits in every run over the same list, however many threads or machines share the work.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from npcam.common.errors import InputError
from npcam.common.files import open_file
from npcam.common.hashes import sha256_of_file
from npcam.common.quiet import quiet
from npcam.explain import Pass, look
from npcam.images.photos import FORMATS, open_photo
from npcam.model import Model

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH = 8  # photographs; more make the engine no faster
LARGE = 24_000_000  # pixels of the photographs that share a batch; a larger one has it to itself
Result = TypeVar("Result")

_large_ones = threading.Lock()  # one large photograph at a time, however many threads there are


class Seen(NamedTuple):
    """A photograph that went through the network.

    Attributes:
        number: its place in the list.
        path: where it is.
        sha256: of its file.
        seen: what the network made of it.
    """

    number: int
    path: str
    sha256: str
    seen: Pass


class Failed(NamedTuple):
    """A photograph of which there is no result.

    Attributes:
        number: its place in the list.
        path: where it should be.
        message: why, in one line that begins with the path.
    """

    number: int
    path: str
    message: str


@dataclass(frozen=True)
class Reading:
    """How photographs are read and looked at; see `npcam.explain`."""

    interpolation: str = "nearest"
    exif_transpose: bool = False
    align: str = "corners"
    threshold: float = 0.2


def cut(count: int, first: int = 1) -> list[range]:
    """A list cut into batches: a small one first, so that its result is there soon.

    >>> cut(12)
    [range(0, 1), range(1, 9), range(9, 12)]
    """
    ends = [min(first, count), *range(first + BATCH, count, BATCH), count]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False) if start < end]


@dataclass
class Batches(Generic[Result]):
    """What is done with one batch: call it with the places of its photographs in the list.

    Attributes:
        model: the network.
        photos: the paths of all photographs.
        reading: how they are read.
        finish: what is done with each one that was seen.
        stop: set where nobody wants more results.
    """

    model: Model
    photos: Sequence[str]
    reading: Reading
    finish: Callable[[Seen], Result]
    stop: threading.Event = field(default_factory=threading.Event)

    def __getstate__(self) -> dict[str, object]:
        """What of it goes to another process; nobody here stops it there."""
        return {name: value for name, value in self.__dict__.items() if name != "stop"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state, stop=threading.Event())

    def __call__(self, batch: range) -> list[Result | Failed]:
        """The result of each photograph of a batch, or why there is none; fewer once it was stopped."""
        found: list[Result | Failed] = []
        for some, pixels in self._that_fit(batch):
            with _large_ones if pixels > LARGE else nullcontext():
                found += self._together(some)
            if self.stop.is_set():
                break
        return found

    def _that_fit(self, batch: range) -> Iterator[tuple[list[int], int]]:
        """The batch in parts that are not too large to be in memory at once, and the pixels of each."""
        part: list[int] = []
        pixels = 0
        for number in batch:
            more = _pixels(self.photos[number])
            if part and pixels + more > LARGE:
                yield part, pixels
                part, pixels = [], 0
            part.append(number)
            pixels += more
        yield part, pixels

    def _together(self, numbers: Sequence[int]) -> list[Result | Failed]:
        """Decode some photographs, run them, finish each."""
        opened = {number: self._open(number) for number in numbers}
        seen: dict[int, Seen | Failed] = {n: one for n, one in opened.items() if isinstance(one, Failed)}
        seen |= self._look({n: one for n, one in opened.items() if not isinstance(one, Failed)})
        found: list[Result | Failed] = []
        for number in numbers:
            if self.stop.is_set():
                break
            one = seen[number]
            found.append(one if isinstance(one, Failed) else self._finished(one))
        return found

    def _open(self, number: int) -> "tuple[Image, str] | Failed":
        """A photograph, and the hash of its file."""
        path = self.photos[number]
        try:
            photo = open_photo(path, self.reading.exif_transpose)
            with open_file(path, "give the path of a photograph") as file:
                return photo, sha256_of_file(file)
        except (InputError, MemoryError, OSError) as error:
            return _failed(number, path, error)

    def _finished(self, seen: Seen) -> Result | Failed:
        """What becomes of a photograph; one that cannot be drawn does not stop the others."""
        try:
            return self.finish(seen)
        except (InputError, MemoryError, OSError) as error:
            return _failed(seen.number, seen.path, error)

    def _look(self, decoded: "Mapping[int, tuple[Image, str]]") -> dict[int, Seen | Failed]:
        """Run photographs in one batch; where that fails, each by itself, to tell which one it is."""
        if not decoded:
            return {}
        reading, photos = self.reading, [photo for photo, _ in decoded.values()]
        try:
            passes = look(self.model, photos, reading.interpolation, reading.align, reading.threshold)
        except (InputError, MemoryError) as error:
            if len(decoded) == 1:
                return {number: _failed(number, self.photos[number], error) for number in decoded}
            return {n: one for number, two in decoded.items() for n, one in self._look({number: two}).items()}
        return {
            number: Seen(number, self.photos[number], sha256, seen)
            for (number, (_, sha256)), seen in zip(decoded.items(), passes, strict=True)
        }


def _failed(number: int, path: str, error: InputError | MemoryError | OSError) -> Failed:
    """Why there is no result, in one line."""
    if isinstance(error, InputError):
        return Failed(number, path, str(error))
    reason = "not enough memory" if isinstance(error, MemoryError) else error.strerror or str(error)
    return Failed(number, path, f"{path}: {reason}")


def _pixels(path: str) -> int:
    """How many pixels a photograph has, as its file says; 0 where it cannot be told, or is refused later."""
    from PIL import Image

    with suppress(Exception), quiet(tiff=False), open_file(path, "") as file:
        return math.prod(Image.open(file, formats=FORMATS).size)
    return 0

"""The contact sheet of `npcam explain`: every picture made small, on as few pages as hold them."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npcam.cli.explaining import Explained
from npcam.cli.names import require_picture
from npcam.cli.table import in_order_of
from npcam.common.errors import InputError
from npcam.pictures.saved import Origin, save_picture
from npcam.pictures.sheet import Sheet

if TYPE_CHECKING:
    from PIL.Image import Image

    from npcam.stream.batches import Failed


class SmallPictures:
    """Puts pictures on the sheet as they come; where they are to be sorted, once all are there."""

    def __init__(self, path: Path, count: int, sort: str | None) -> None:
        """Begin a sheet for so many photographs; further pages are called `FILE-2.png`, ...

        Raises:
            InputError: a file is there that is no contact sheet of npcam's.
        """
        self._path, self._sort = path, sort
        self._sheet = Sheet(count, finished=self._save) if count else None
        for page in range(self._sheet.page_count if self._sheet else 1):
            _require_sheet(self._page(page))
        self._next = 0
        self._kept: list[dict[str, Any]] = []

    def add(self, one: "Explained | Failed") -> None:
        """The picture of one photograph; a crossed cell where there is none."""
        if isinstance(one, Explained):
            picture, words, result = one.thumbnail, one.caption, one.result
        else:
            picture, words, result = None, (Path(one.path).name, "cannot be read"), {"photo": one.path}
        if self._sort:
            self._kept.append({**result, "picture": picture and _packed(picture), "words": words})
        else:
            self._put(picture, words)

    def write(self) -> None:
        """Finish the last page."""
        for one in in_order_of(self._kept, self._sort):
            self._put(one["picture"] and _unpacked(one["picture"]), one["words"])

    def _put(self, picture: "Image | None", words: tuple[str, ...]) -> None:
        assert self._sheet is not None
        self._sheet.add(self._next, picture, *words)
        self._next += 1

    def _save(self, page: int, image: "Image") -> None:
        _require_sheet(self._page(page))  # again: this run's own pictures have come since
        save_picture(image, self._page(page), Origin())

    def _page(self, page: int) -> Path:
        name = f"{self._path.stem}-{page + 1}{self._path.suffix}" if page else self._path.name
        return self._path.with_name(name)


def _require_sheet(path: Path) -> None:
    """See to it that nothing but a contact sheet of npcam's is written over."""
    found = require_picture(path, "--contact-sheet")
    if found is not None and found.photo:
        raise InputError(f"{path}: is the picture of a photograph; choose another --contact-sheet")


def _packed(picture: "Image") -> bytes:
    """A small picture in a tenth of the memory."""
    data = io.BytesIO()
    picture.save(data, format="JPEG", quality=95, subsampling=0)
    return data.getvalue()


def _unpacked(data: bytes) -> "Image":
    """The small picture again."""
    from PIL import Image

    return Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB")

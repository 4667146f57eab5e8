"""A contact sheet: small pictures in equal cells with a line or two under each, put there one at a time."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from npcam.common.errors import InputError
from npcam.pictures.fonts import font_for
from npcam.pictures.lettering import BLACK, GREY, cut

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_CELL, USUAL_CELL, SMALLEST_CELL = 320, 160, 96  # pixels a side, of few, many and very many cells
COMFORTABLE = 2240  # pixels across; cells are larger than usual as long as a page is no wider
MOST_PIXELS = 2**26  # of one page, which take 0.2 GB
LONGEST = 30_000  # pixels of a page's longer side: more than that few programs show
PAGE, GROUND = (250, 250, 250), (226, 226, 226)
CROSS = (190, 190, 190)


class Sheet:
    """Small pictures in equal cells, in rows, on as few pages as hold them.

    Pictures are added in any order; no more is kept of them than the pages. Cells have 320 pixels a side
    where there are few, 160 from 14 columns on; from about 2,000 pictures on they shrink down to 96, and
    beyond some 5,000 there are several pages.

    Args:
        count: how many pictures there will be.
        cell: pixels of a cell's side, at most; None for 320 to 160, by their number.
        columns: how many stand in a row, at most; None for as many as there are rows.
        lines: how many lines of words each has room for.
        finished: called with a page's number, from 0, and the page as soon as all its pictures are there; the
            page is then let go. None keeps all of them, for `pages`.

    Attributes:
        cell: pixels of a cell's side: a picture of that longer side is put there as it is.
        columns: how many stand in a row.
        per_page: how many stand on a page.

    Raises:
        InputError: no pictures, no columns, or a cell without room.

    >>> from PIL import Image
    >>> sheet = Sheet(1177)
    >>> sheet.columns, sheet.cell, sheet.per_page >= 1177
    (35, 160, True)
    >>> sheet = Sheet(2)
    >>> sheet.add(1, Image.new("RGB", (160, 120)), "cat 97 %", "cat/x.jpg")
    >>> sheet.image.size
    (664, 389)
    """

    def __init__(
        self,
        count: int,
        cell: int | None = None,
        columns: int | None = None,
        *,
        lines: int = 2,
        finished: Callable[[int, "Image"], None] | None = None,
    ) -> None:
        if count < 1 or 0 in (cell, columns) or (columns or 1) < 1 or (cell or 16) < 16 or lines < 0:
            found = f"{count} pictures, cells of {cell}, {columns} columns and {lines} lines"
            expected = "pictures, columns, and cells of 16 pixels"
            raise InputError(f"contact sheet: expected {expected}, got {found}")
        self.count, self.lines, self._finished = count, lines, finished
        wanted = min(count, columns or (count if count <= 4 else math.ceil(math.sqrt(count))))
        self.cell = cell or max(USUAL_CELL, min(LARGEST_CELL, COMFORTABLE // wanted))
        self._measure(wanted)
        while self.cell > SMALLEST_CELL and self.per_page < count:
            self.cell -= 1
            self._measure(wanted)
        if columns is None and self.per_page < count:
            self._measure(math.ceil(math.sqrt(self.per_page)))
        self._pages: dict[int, Image] = {}
        self._there: set[int] = set()
        self._left = [len(self._on(page)) for page in range(self.page_count)]

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return -(-self.count // self.per_page)

    @property
    def pages(self) -> tuple["Image", ...]:
        """All pages as they are now, RGB, but for those that were handed on when they were finished."""
        numbers = range(self.page_count)
        return tuple(self._page(number) for number in numbers if self._left[number] or not self._finished)

    @property
    def image(self) -> "Image":
        """The first page as it is now, RGB."""
        return self._page(0)

    def place(self, index: int) -> tuple[int, int, int]:
        """Where a picture's cell is: its page, and its upper left corner there, (page, x, y) in pixels.

        >>> Sheet(3).place(2)
        (0, 664, 8)
        """
        page, on_page = divmod(index, self.per_page)
        row, column = divmod(on_page, self.columns)
        across, down = self._pitch
        return page, self._gap + column * across, self._gap + row * down

    def add(self, index: int, thumbnail: "Image | None", *caption: str) -> None:
        """Put one picture into its cell, fitted in with nothing of it cut off, and its words under it.

        Args:
            index: which of the pictures it is, from 0; each is added once.
            thumbnail: the picture; None for a crossed cell, where there is none to show.
            caption: a line each; what is too long ends in dots, and lines without room are left out.

        Raises:
            InputError: there is no such cell, or it has its picture.
        """
        from PIL import Image, ImageDraw

        if not 0 <= index < self.count or index in self._there:
            what = "has its picture" if index in self._there else f"is none of {self.count}"
            raise InputError(f"contact sheet: cell {index} {what}")
        number, x, y = self.place(index)
        page = self._page(number)
        draw = ImageDraw.Draw(page)
        end = self.cell - 1
        draw.rectangle((x, y, x + end, y + end), fill=GROUND)
        if thumbnail is None:
            draw.line((x, y, x + end, y + end), fill=CROSS)
            draw.line((x, y + end, x + end, y), fill=CROSS)
        else:
            factor = self.cell / max(thumbnail.size)
            size = (max(1, round(thumbnail.width * factor)), max(1, round(thumbnail.height * factor)))
            if size != thumbnail.size:
                how = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.LANCZOS
                thumbnail = thumbnail.resize(size, how, reducing_gap=None if factor > 1 else 3.0)
            page.paste(thumbnail, (x + (self.cell - size[0]) // 2, y + (self.cell - size[1]) // 2))
        for i, line in enumerate(caption[: self.lines]):
            top = y + self.cell + self._letters // 4 + i * self._line
            words = cut(line, self._letters, self.cell)
            draw.text((x, top), words, font=font_for(words, self._letters), fill=GREY if i else BLACK)
        self._there.add(index)
        self._left[number] -= 1
        if self._finished and not self._left[number]:
            self._finished(number, self._pages.pop(number))

    def _measure(self, wanted: int) -> None:
        """Work out from the cell's size how large letters are, and how many cells a page has."""
        self._gap = max(4, self.cell // 40)
        self._letters = max(9, min(18, self.cell // 13))
        self._line = self._letters * 5 // 4
        words = self._letters // 2 + self.lines * self._line if self.lines else 0
        across, down = self._pitch = self.cell + self._gap, self.cell + words + self._gap
        self.columns = max(1, min(wanted, (LONGEST - self._gap) // across))
        width = self.columns * across + self._gap
        rows = max(1, (min(LONGEST, MOST_PIXELS // width) - self._gap) // down)
        self.per_page = self.columns * rows

    def _on(self, page: int) -> range:
        """The pictures that stand on a page."""
        return range(page * self.per_page, min(self.count, (page + 1) * self.per_page))

    def _page(self, number: int) -> "Image":
        """A page; an empty one is made where there is none yet."""
        from PIL import Image

        if number not in self._pages:
            across, down = self._pitch
            rows = -(-len(self._on(number)) // self.columns)
            size = (self.columns * across + self._gap, rows * down + self._gap)
            self._pages[number] = Image.new("RGB", size, PAGE)
        return self._pages[number]

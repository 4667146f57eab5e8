"""A report read from its page: a stranger's file, of which nothing is run and nothing is fetched."""

import base64
import binascii
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.limits import MAX_REPORT_FILE, MAX_REPORT_PHOTOS, MAX_REPORT_PICTURE, MAX_REPORT_TAGS
from npcam.common.whole_files import parse_unique, read_text
from npcam.report.canonical import canonical
from npcam.report.photograph import MIME
from npcam.report.shape import check_shape

DATA_ID = "npcam-report"  # of the script element that holds the data
NUMBER = "data-photo"  # the attribute of a photograph's <img>: its place among the photographs
_BEFORE = f"data:{MIME};base64,"
_ADVICE = "give the path of a page that `npcam report` wrote"


@dataclass(frozen=True)
class Report:
    """What a page holds.

    Attributes:
        path: where it is.
        page: its text.
        data: its data, of the shape that reports have.
        pictures: the photographs that it shows, as the bytes of files.
        as_written: whether the data's text is the one that npcam writes for them.
    """

    path: str
    page: str = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    pictures: tuple[bytes, ...] = field(repr=False)
    as_written: bool


def read_report(path: str | Path) -> Report:
    """Read the data and the pictures of a page.

    Raises:
        InputError: it cannot be read, is no report or a damaged one, or is larger than any.
    """
    page = read_text(path, MAX_REPORT_FILE, _ADVICE)
    if page.count("<") > MAX_REPORT_TAGS:
        raise InputError(f"{path}: has more than {MAX_REPORT_TAGS:,} tags, which no report has; {_ADVICE}")
    elements = _Elements(str(path))
    elements.feed(page)
    elements.close()
    if not elements.texts:
        raise InputError(f"{path}: holds no report (no script element with the id {DATA_ID}); {_ADVICE}")
    if len(elements.texts) > 1:
        raise InputError(f"{path}: holds {len(elements.texts)} elements with a report's data; it must be one")
    text = elements.texts[0].strip()
    data = parse_unique(text, f"{path}: its data")
    if isinstance(data, dict) and data.get("format") == "npcam-report" and data.get("version") != 1:
        raise InputError(f"{path}: a report of another version than 1; use the npcam that wrote it")
    check_shape(data, str(path))
    return Report(str(path), page, data, _pictures(elements, len(data["photos"])), text == canonical(data))


class _Elements(HTMLParser):
    """Takes the text of the data's element, and the addresses of the photographs' pictures."""

    def __init__(self, path: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.texts: list[str] = []
        self.sources: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = False
        given = dict(attrs)
        ours = given.get("id") == DATA_ID or NUMBER in given
        if ours and len(given) != len(attrs):
            raise InputError(f"{self.path}: an element of the report has an attribute twice")
        if given.get("id") == DATA_ID:
            if tag != "script" or (given.get("type"), "src" in given) != ("application/json", False):
                raise InputError(f"{self.path}: the element {DATA_ID} is no script of JSON; {_ADVICE}")
            self.texts.append("")
            self._inside = True
        if tag == "img" and NUMBER in given:
            number = given[NUMBER] or ""
            if number in self.sources or len(self.sources) >= MAX_REPORT_PHOTOS:
                raise InputError(f"{self.path}: holds two pictures of photo {number[:20]}, or too many")
            self.sources[number] = given.get("src") or ""

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[-1] += data


def _pictures(elements: _Elements, count: int) -> tuple[bytes, ...]:
    """The bytes of each photograph's picture."""
    path, found = elements.path, []
    if elements.sources.keys() != {str(number) for number in range(count)}:
        have = f"{len(elements.sources):,} pictures of photographs for {count:,} photographs"
        raise InputError(f"{path}: holds {have}, or numbers them wrongly; it is damaged")
    for number in range(count):
        source, where = elements.sources[str(number)], f"{path}: the picture of photo {number + 1}"
        if not source.startswith(_BEFORE):
            raise InputError(f"{where} is not within the page as {MIME}; it is damaged")
        if len(source) > len(_BEFORE) + MAX_REPORT_PICTURE * 4 // 3:
            raise InputError(f"{where} is larger than {MAX_REPORT_PICTURE:,} bytes; no report has such a one")
        try:
            found.append(base64.b64decode(source[len(_BEFORE) :], validate=True))
        except binascii.Error as error:
            raise InputError(f"{where} is no base64 ({error}); it is damaged") from error
    return tuple(found)

"""A report read from its page: a stranger's file, of which nothing is run and nothing is fetched."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from npcam.common.errors import InputError
from npcam.common.limits import (
    MAX_REPORT_FILE,
    MAX_REPORT_PHOTOS,
    MAX_REPORT_PICTURE,
    MAX_REPORT_SEARCH,
    MAX_REPORT_TAG,
)
from npcam.common.whole_files import parse_unique, read_bytes
from npcam.report.canonical import canonical
from npcam.report.photograph import MIME
from npcam.report.shape import FORMAT, VERSION, check_shape

DATA_ID = "npcam-report"  # of the script element that holds the data
INDEX_ID = "npcam-report-index"  # of that of an index
NUMBER = "data-photo"  # the attribute of a photograph's <img>: its place among the photographs
LONG = 1_000  # letters of base64 that are set aside while the page is parsed
_BEFORE = f"data:{MIME};base64,"
_ADVICE = "give the path of a page that `npcam report` wrote"


@dataclass(frozen=True)
class Report:
    """What a page holds.

    Attributes:
        path: where it is.
        page: its bytes.
        data: its data, of the shape that reports have.
        pictures: the photographs that it shows, as the bytes of files.
        as_written: whether the data's text is the one that npcam writes for them.
    """

    path: str
    page: bytes = field(repr=False)
    data: dict[str, Any] = field(repr=False)
    pictures: tuple[bytes, ...] = field(repr=False)
    as_written: bool


def read_report(path: str | Path) -> Report:
    """Read the data and the pictures of a page.

    Raises:
        InputError: it cannot be read, is no report or a damaged one, or is larger than any.
    """
    page = read_bytes(path, MAX_REPORT_FILE, _ADVICE)
    try:
        whole = page.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text, which reports are; {_ADVICE}") from error
    short, long_ones = _without_long_runs(whole, str(path))
    elements = _Elements(str(path))
    elements.feed(short)
    elements.close()
    if elements.index and not elements.texts:
        raise InputError(f"{path}: is an index; check the pages of its photographs, which --pages writes")
    if not elements.texts:
        raise InputError(f"{path}: holds no report (no script element with the id {DATA_ID}); {_ADVICE}")
    if len(elements.texts) > 1:
        raise InputError(f"{path}: holds {len(elements.texts)} elements with a report's data; it must be one")
    text = _whole(elements.texts[0], long_ones).strip()
    data = parse_unique(text, f"{path}: its data")
    if isinstance(data, dict) and data.get("format", FORMAT) != FORMAT:
        raise InputError(f"{path}: holds the data of another program than npcam; {_ADVICE}")
    if isinstance(data, dict) and data.get("version", VERSION) != VERSION:
        raise InputError(f"{path}: a report of another version than {VERSION}; use the npcam that wrote it")
    check_shape(data, str(path))
    sources = {number: _whole(source, long_ones) for number, source in elements.sources.items()}
    pictures = _pictures(sources, len(data["photos"]), str(path))
    return Report(str(path), page, data, pictures, text == canonical(data))


def _without_long_runs(page: str, path: str) -> tuple[str, list[str]]:
    """The page with a mark in place of each long run of base64, so that little is left to parse; the runs.

    Raises:
        InputError: too much is left: a tag that has no end would be sought for hours.
    """
    if "\0" in page:
        raise InputError(f"{path}: holds a NUL, which no page does; {_ADVICE}")
    runs: list[str] = []

    def mark(run: re.Match[str]) -> str:
        if len(run[0]) < LONG:
            return run[0]
        runs.append(run[0])
        return f"\0{len(runs) - 1}\0"

    short = re.sub(r"[A-Za-z0-9+/=]+", mark, page)
    endless = re.search(rf"<[A-Za-z/](?![^>]{{0,{MAX_REPORT_TAG}}}>)", short)
    if endless or short.count("<") * len(short) > MAX_REPORT_SEARCH:
        raise InputError(f"{path}: has longer tags, or more of them, than any report; {_ADVICE}")
    return short, runs


def _whole(text: str, runs: Sequence[str]) -> str:
    """The text with the long runs in the places of their marks."""
    return re.sub("\0([0-9]+)\0", lambda mark: runs[int(mark[1])], text)


class _Elements(HTMLParser):
    """Takes the text of the data's element, and the addresses of the photographs' pictures."""

    def __init__(self, path: str) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.texts: list[str] = []
        self.sources: dict[str, str] = {}
        self.index = False
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = False
        self.index |= ("id", INDEX_ID) in attrs
        given = dict(reversed(attrs))  # of two the first counts, as in browsers
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


def _pictures(sources: Mapping[str, str], count: int, path: str) -> tuple[bytes, ...]:
    """The bytes of each photograph's picture."""
    found = []
    if sources.keys() != {str(number) for number in range(count)}:
        have = f"{len(sources):,} pictures of photographs for {count:,} photographs"
        raise InputError(f"{path}: holds {have}, or numbers them wrongly; it is damaged")
    for number in range(count):
        source, where = sources[str(number)], f"{path}: the picture of photo {number + 1}"
        if not source.startswith(_BEFORE):
            raise InputError(f"{where} is not within the page as {MIME}; it is damaged")
        if len(source) > len(_BEFORE) + MAX_REPORT_PICTURE * 4 // 3:
            raise InputError(f"{where} is larger than {MAX_REPORT_PICTURE:,} bytes; no report has such a one")
        try:
            found.append(base64.b64decode(source[len(_BEFORE) :], validate=True))
        except binascii.Error as error:
            raise InputError(f"{where} is no base64 ({error}); it is damaged") from error
    return tuple(found)

"""Letters for words in pictures: Pillow's own, and the system's for what those lack.

Pillow's own letters are the same on every machine, but they are those of English alone. No picture
shows boxes in the place of letters: where no font here has them, they are written as Python's escapes.
"""

import os
import sys
import unicodedata
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

# Plain fonts of many scripts, as systems name their files; the first that has all letters of a text is taken.
FILES = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf"),
    *("NotoSansCJK-Regular.ttc", "NotoSansJP-Regular.otf", "DroidSansFallbackFull.ttf", "wqy-microhei.ttc"),
    *("NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf"),
    *("NotoSansBengali-Regular.ttf", "NotoSansTamil-Regular.ttf", "NotoSansThai-Regular.ttf", "FreeSans.ttf"),
    *("segoeui.ttf", "YuGothR.ttc", "msgothic.ttc", "msyh.ttc", "malgun.ttf", "Nirmala.ttf", "tahoma.ttf"),
    *("Arial Unicode.ttf", "PingFang.ttc", "AppleSDGothicNeo.ttc", "Kohinoor.ttc", "Thonburi.ttc"),
)
MISSING = "\uffff"  # no character, so every font draws in its place what it draws for all that it lacks


def drawable(text: str) -> str:
    r"""A text as it can be drawn here: characters that no font has are written as escapes.

    >>> print(drawable("garbage truck \uffff"))
    garbage truck \uffff
    """
    text = unicodedata.normalize("NFC", text)
    if text.isascii() or _file_for(_letters(text)) is not None or _writes(None, text):
        return text
    return "".join(c if _writes(None, c) else c.encode("unicode_escape").decode("ascii") for c in text)


def font_for(text: str, size: int) -> "FreeTypeFont | ImageFont":
    """Letters of so many pixels for a text: Pillow's own where they have all of its characters."""
    return _font(None if text.isascii() else _file_for(_letters(text)), size)


def _letters(text: str) -> str:
    """The characters of a text, each once: however long it is, that is what is kept of it."""
    return "".join(sorted(set(text)))


@cache
def _font(file: Path | None, size: int) -> "FreeTypeFont | ImageFont":
    """Letters of so many pixels, from a file; None for Pillow's own."""
    from PIL import ImageFont

    return ImageFont.load_default(size) if file is None else ImageFont.truetype(str(file), size)


@lru_cache(maxsize=4096)
def _file_for(characters: str) -> Path | None:
    """The font that has all of some characters; None for Pillow's own, and where there is none."""
    if _writes(None, characters) or not _can_be_set(characters):
        return None
    return next((file for file in _files() if _writes(file, characters)), None)


def _can_be_set(text: str) -> bool:
    """Whether Pillow can join and turn the letters of a text, which takes Raqm, or none are to be."""
    from PIL import features

    joined = any(
        unicodedata.bidirectional(c) in ("R", "AL", "AN") or unicodedata.category(c).startswith("M")
        for c in text
    )
    return not joined or bool(features.check("raqm"))


def _writes(file: Path | None, text: str) -> bool:
    """Whether a font has all characters of a text, blanks apart."""
    return all(c.isspace() or _has(file, c) for c in text)


@lru_cache(maxsize=4096)
def _has(file: Path | None, character: str) -> bool:
    """Whether a font draws a character as itself, and not as it draws all that it lacks."""
    if file is None and character.isascii():
        return True
    try:
        letters = _one_by_one(file)
        found, missing = (letters.getmask(c) for c in (character, MISSING))
    except (OSError, UnicodeError):  # no font, or one without Unicode
        return False
    return (found.size, bytes(found)) != (missing.size, bytes(missing))


@cache
def _one_by_one(file: Path | None) -> "FreeTypeFont | ImageFont":
    """A font that draws each character for itself: Raqm draws a mark that is missing at another place."""
    from PIL import ImageFont

    letters = _font(file, 32)
    if isinstance(letters, ImageFont.ImageFont):
        return letters
    source = BytesIO(letters.font_bytes) if file is None else str(file)
    return ImageFont.truetype(source, 32, layout_engine=ImageFont.Layout.BASIC)


@cache
def _files() -> tuple[Path, ...]:
    """Those of `FILES` that are in the system's usual folders, in that order."""
    found: dict[str, Path] = {}
    for top in _folders():
        for folder, _, names in os.walk(top):
            for name in set(names).intersection(FILES):
                found.setdefault(name, Path(folder, name))
    return tuple(found[name] for name in FILES if name in found)


def _folders() -> list[Path]:
    """Where systems keep fonts, the user's own first."""
    home, value = Path.home(), os.environ.get
    if sys.platform == "win32":
        local = value("LOCALAPPDATA") or home / "AppData" / "Local"
        return [Path(local, "Microsoft", "Windows", "Fonts"), Path(value("WINDIR") or r"C:\Windows", "Fonts")]
    if sys.platform == "darwin":
        return [Path(top, "Library", "Fonts") for top in (home, "/", "/System")]
    shared = (value("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    own = value("XDG_DATA_HOME") or home / ".local" / "share"
    return [home / ".fonts", *(Path(top, "fonts") for top in (own, *shared) if top)]

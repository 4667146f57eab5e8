"""Letters of any script: which font writes what, and what is written where none does."""

from pathlib import Path

import numpy as np
import pytest
from helpers.needs import needs
from PIL import Image, ImageDraw, ImageFont, features

from npcam.pictures import fonts, lettering
from npcam.pictures.fonts import drawable, font_for
from npcam.pictures.lettering import one_line, width_of, write_in_a_corner

CAFE, KOT, NEKO, ARABIC, MARKS = "caf\xe9", "\u043a\u043e\u0442", "\u732b", "\u0642\u0637\u0629", "x\u0336"
KEPT = (fonts._file_for, fonts._files, lettering.width_of, lettering._letters)


@pytest.fixture
def only(monkeypatch):
    """A machine with these fonts alone."""

    def forget():
        for kept in KEPT:
            kept.cache_clear()

    def these(*files):
        forget()
        monkeypatch.setattr(fonts, "_files", lambda: files)

    yield these
    monkeypatch.undo()
    forget()


@pytest.fixture
def dejavu():
    """DejaVu Sans, which Matplotlib brings: Latin, Greek, Cyrillic, Hebrew, Arabic, and no Chinese."""
    return Path(needs("matplotlib").get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def test_what_a_font_has_is_what_its_table_lists(dejavu):
    """For each of the first 12,288 characters that print, as fontTools reads the font's own table."""
    listed = needs("fontTools.ttLib").TTFont(dejavu).getBestCmap()
    characters = [chr(i) for i in range(0x21, 0x3000) if chr(i).isprintable()]
    characters = [c for c in characters if not c.isspace()]
    found = [fonts._has.__wrapped__(dejavu, c) for c in characters]
    expected = [ord(c) in listed for c in characters]
    assert found == expected
    assert 1000 < sum(expected) < len(expected) - 1000


def test_english_is_in_pillows_own_letters(only, dejavu):
    """The same on every machine, whatever fonts it has."""
    own = ImageFont.load_default(20).getname()
    only(dejavu)
    everything = "".join(chr(i) for i in range(32, 127))
    assert font_for(everything, 20).getname() == own
    assert drawable(everything) == everything
    only()
    assert font_for(everything, 20).getname() == own
    assert font_for(NEKO, 20).getname() == own


@pytest.mark.parametrize("text", [CAFE, KOT, "cat \u2013 \u03b3\u03ac\u03c4\u03b1"])
def test_other_scripts_are_in_a_font_that_has_them(only, dejavu, text):
    """Drawn as Pillow draws them with that font, and as wide; without a font, as escapes."""
    only(dejavu)
    assert one_line(text) == text
    theirs = ImageFont.truetype(str(dejavu), 22)
    left, _, right, _ = theirs.getbbox(text)
    assert width_of(text, 22) == right - left + 1
    found, expected = (Image.new("RGB", (400, 100)) for _ in range(2))
    lettering.write(found, (20, 30), text, 22, (255, 255, 255))
    ImageDraw.Draw(expected).text((20, 30), text, font=theirs, fill="white")
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    only()
    assert one_line(text) == "".join(c if c.isascii() else ascii(c)[1:-1] for c in text)


def test_what_no_font_has_is_escaped(only, dejavu):
    """A picture shows no box in the place of a letter, and no two names look the same."""
    only(dejavu)
    assert one_line(f"{NEKO} 97.3%") == r"\u732b 97.3%"
    assert one_line("\U0002070e") == r"\U0002070e"
    pictures = []
    for text in (f"{NEKO} 97.3%", r"\u732b 97.3%"):
        pictures.append(Image.new("RGB", (400, 100)))
        write_in_a_corner(pictures[-1], text)
    np.testing.assert_array_equal(*map(np.asarray, pictures))


@pytest.mark.parametrize("text", [ARABIC, MARKS])
def test_letters_that_are_joined_need_raqm(only, dejavu, text, monkeypatch):
    """Arabic from left to right in single letters is no Arabic: without Raqm it is escaped."""
    for raqm in (True, False):
        only(dejavu)
        monkeypatch.setattr(features, "check", lambda _, raqm=raqm: raqm)
        assert one_line(text) == (text if raqm else "".join(c if c < "~" else ascii(c)[1:-1] for c in text))


def test_composed():
    """A letter and its accent are one character where Unicode has it."""
    assert drawable("e\u0301") == drawable("\xe9")


def test_a_broken_font_is_passed_over(only, dejavu, tmp_path):
    """A file that is no font has no letters; the next one is taken."""
    broken = tmp_path / "DejaVuSans.ttf"
    broken.write_bytes(b"no font")
    only(broken, dejavu)
    assert font_for(KOT, 20).getname() == ImageFont.truetype(str(dejavu), 20).getname()


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_fonts_are_sought_in_the_systems_folders(tmp_path, monkeypatch, platform):
    """By their names and in the list's order, at any depth, the user's own first; nowhere else."""
    monkeypatch.setattr(fonts.sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_DATA_DIRS", "XDG_DATA_HOME", "LOCALAPPDATA", "WINDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    mine = [folder for folder in fonts._folders() if folder.is_relative_to(tmp_path)]
    assert mine[0] == fonts._folders()[0]
    for file in ("a/FreeSans.ttf", "DejaVuSans.ttf", "other.ttf"):
        for folder in (mine[0], mine[-1]):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
    monkeypatch.setattr(fonts, "_folders", lambda: mine)
    assert fonts._files.__wrapped__() == (mine[0] / "DejaVuSans.ttf", mine[0] / "a" / "FreeSans.ttf")

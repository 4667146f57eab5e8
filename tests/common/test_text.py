"""Words for a terminal: every character of every name, every encoding, every stream."""

import errno
import io
import json
import math
import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npcam.common.text import finish_output, open_streams, printable, say, show, to_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat, chien, ネコ, \u00e9 \\ 'x'", "cat, chien, ネコ, \u00e9 \\ 'x'"),
        ("\x1b[2J\x07\x00", r"\x1b[2J\x07\x00"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\ud800", r"\ud800"),
        ("\udcff\udc80", r"\xff\x80"),  # bytes of a name that are no UTF-8, as Python has them
        ("\u202etxt.exe", r"\u202etxt.exe"),  # right to left
        ("\u2028\x85\U000e0001", r"\u2028\x85\U000e0001"),
    ],
)
def test_what_does_not_print_as_itself_is_escaped(text, shown):
    """Control characters, line breaks, half surrogates, bytes, and what turns the line around."""
    assert printable(text) == shown


@given(st.text())
def test_any_text_is_one_line_of_marks(text):
    """Whatever comes in, no character of the categories Cc, Cf, Cs, Co, Cn, Zl, Zp comes out."""
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert shown.encode("utf-8").decode("utf-8") == shown


class Terminal(io.TextIOWrapper):
    """A stream of an encoding, strict as `PYTHONIOENCODING=ascii` has it, that keeps its bytes."""

    def __init__(self, encoding):
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding=encoding, errors="strict")


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", rb"caf\xe9 \u30cd"), ("latin-1", b"caf\xe9 \\u30cd"), ("utf-8", "café ネ".encode())],
)
def test_letters_that_an_encoding_lacks(monkeypatch, encoding, shown):
    """They are escaped; the line is printed all the same."""
    monkeypatch.setattr(sys, "stdout", Terminal(encoding))
    say("café ネ")
    assert sys.stdout.kept.getvalue() == shown + b"\n"


def test_lines_and_blocks(capsys):
    """`say` makes one line of a text, `show` keeps the lines of a table; both escape the rest."""
    say("a\nb\x1b")
    show("c\nd\x1b")
    say("e", error=True)
    assert capsys.readouterr() == ("a\\nb\\x1b\nc\nd\\x1b\n", "e\n")


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_stream_that_takes_nothing(monkeypatch):
    """Nothing is raised while the work goes on; at the end it is told, once, of standard output only."""
    monkeypatch.setattr(sys, "stderr", Broken())
    say("a", error=True)
    assert finish_output() is None
    monkeypatch.setattr(sys, "stdout", Broken())
    say("a")
    show("b\nc")
    assert finish_output().errno == errno.ENOSPC
    assert finish_output() is None
    monkeypatch.setattr(sys, "stdout", None)  # closed when Python started
    say("a")
    assert finish_output() is None


def test_streams_that_are_open_stay_so():
    """Nothing is kept open besides them."""
    before = os.dup(1)
    os.close(before)
    open_streams()
    after = os.dup(1)
    os.close(after)
    assert after == before


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_json(value):
    """Always ASCII, always what a strict parser reads, and the same value but for NaN and infinity."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    def expected(value):
        if isinstance(value, dict):
            return {key: expected(item) for key, item in value.items()}
        if isinstance(value, list):
            return [expected(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    text = to_json(value)
    assert text.isascii()
    assert json.loads(text, parse_constant=refuse) == expected(value)

"""How far long work is: on a terminal alone, with tqdm or without."""

import io
import sys

import pytest
from helpers.needs import needs

from npcam.stream import progress
from npcam.stream.progress import Progress, in_words


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    encoding = "utf-8"

    def isatty(self):
        return True


def look(monkeypatch):
    """Standard error as a terminal; from within a test, for pytest sets its own one before."""
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    return stream


@pytest.fixture
def plain(monkeypatch):
    """No tqdm, and a clock that stands still until it is moved."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (1, 2, 0.5, "1/2 photographs, 2.0 a second, 0:00 left"),
        (120, 1177, 2.0, "120/1177 photographs, 60.0 a second, 0:18 left"),
        (10, 100, 100, "10/100 photographs, 0.1 a second, 15:00 left"),
        (1, 3601, 1, "1/3601 photographs, 1.0 a second, 1:00:00 left"),
        (1, 100_000, 1, "1/100000 photographs, 1.0 a second, 27:46:39 left"),
        (9, 9, 3, "9/9 photographs, 3.0 a second, 0:00 left"),
        (0, 9, 3, "0/9 photographs, 0.0 a second, 0:00 left"),
        (0, 0, 0, "0/0 photographs, 0.0 a second, 0:00 left"),
    ],
)
def test_in_words(done, total, seconds, expected):
    """Done of all, the rate so far, and what is left at that rate in seconds, minutes and hours."""
    assert in_words(done, total, seconds, "photographs") == expected


def test_what_was_done_before_says_nothing_of_how_fast_it_goes():
    """A run that goes on: ten in ten seconds, although fifty are done."""
    assert in_words(50, 100, 10, "photographs", 40) == "50/100 photographs, 1.0 a second, 0:50 left"
    assert in_words(40, 100, 10, "photographs", 40) == "40/100 photographs, 0.0 a second, 0:00 left"


def test_a_run_that_goes_on(monkeypatch, plain):
    """It begins at what was done before; where one is left, nothing is shown."""
    terminal = look(monkeypatch)
    with Progress(9, before=8) as shown:
        shown.advance()
    assert terminal.getvalue() == ""
    with Progress(9, before=5) as shown:
        plain[0] += 1
        shown.advance()
    assert terminal.getvalue().split("\r\x1b[K")[1] == "6/9 photographs, 1.0 a second, 0:03 left"


def test_nobody_looks(monkeypatch):
    """In a file or a pipe, without standard error, and for one photograph there is nothing."""
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    with Progress(5) as shown:
        shown.advance(5)
        shown.clear()
    assert stream.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", None)
    with Progress(5) as shown:
        shown.advance()
        shown.clear()


@pytest.mark.parametrize("total", [0, 1])
def test_one_thing_needs_no_progress(monkeypatch, total):
    """It is there before anybody has read the line."""
    terminal = look(monkeypatch)
    with Progress(total) as shown:
        shown.advance(total)
    assert terminal.getvalue() == ""


def test_without_tqdm(monkeypatch, plain):
    """A line drawn over itself, ten times a second at most, and at the end; gone when all is done."""
    terminal = look(monkeypatch)
    with Progress(40, "cats") as shown:
        for _ in range(40):
            plain[0] += 0.03
            shown.advance()
    lines = terminal.getvalue().split("\r\x1b[K")
    assert lines[0] == lines[-1] == ""
    drawn = lines[1:-1]
    assert [int(line.split("/")[0]) for line in drawn] == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]
    assert drawn[0] == "4/40 cats, 33.3 a second, 0:01 left"
    assert "\n" not in terminal.getvalue()


def test_words_between(monkeypatch, plain):
    """The line makes room for other words, and comes back with the next step."""
    terminal = look(monkeypatch)
    with Progress(3) as shown:
        plain[0] += 1
        shown.advance()
        shown.clear()
        terminal.write("npcam: note\n")
        plain[0] += 1
        shown.advance()
    lines = terminal.getvalue().replace("\r\x1b[K", "|").split("\n")
    assert lines == [
        "|1/3 photographs, 1.0 a second, 0:02 left|npcam: note",
        "|2/3 photographs, 1.0 a second, 0:01 left|",
    ]


def test_with_tqdm(monkeypatch):
    """Its bar with done, all and the unit; nothing of it is left at the end."""
    terminal = look(monkeypatch)
    needs("tqdm")
    with Progress(3, "cats") as shown:
        for _ in range(3):
            shown.clear()
            shown.advance()
        shown._bar.refresh()
        assert shown._bar.n == 3
    with Progress(9, before=5) as shown:
        shown.advance()
        assert (shown._bar.n, shown._bar.initial) == (6, 5)
    written = terminal.getvalue()
    assert "3/3" in written
    assert " cats" in written
    assert written.split("\r")[-1].strip() == ""

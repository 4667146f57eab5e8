"""Columns that line up."""

import pytest

from npcam.common.tables import align

ROWS = [("name", "n", "of what"), ("a", "10,000", ""), ("bcdefg", "7", "x y")]


def test_by_hand():
    """Two spaces between columns, numbers at the right, a line below the headings, no blanks at the end."""
    assert align(ROWS, right=[1], rules=[0]) == (
        "name         n  of what\n"
        "------  ------  -------\n"
        "a       10,000\n"
        "bcdefg       7  x y"
    )  # fmt: skip


def test_without_lines_and_numbers():
    """All columns start at the left, and every row is one line."""
    assert align(ROWS) == "name    n       of what\na       10,000\nbcdefg  7       x y"


def test_every_cell_starts_where_its_heading_does():
    """Whatever the widths are: found again by cutting each line where the headings stand."""
    rows = [("first", "second", "third"), *((f"{10**k}", "b" * (9 - k), "c") for k in range(0, 9, 3))]
    lines = align(rows, rules=[0, 3]).split("\n")
    starts = [lines[0].index(heading) for heading in rows[0]]
    cut = [
        tuple(line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)) for line in lines
    ]
    assert cut == [rows[0], ("-" * 7, "-" * 9, "-" * 5), *rows[1:], ("-" * 7, "-" * 9, "-" * 5)]
    assert [line[a - 2 : a] for line in lines for a in starts[1:]] == ["  "] * 12


def test_rows_of_other_lengths_are_refused():
    """A cell is never lost without a word."""
    with pytest.raises(ValueError, match="zip"):
        align([("a", "b"), ("c",)])

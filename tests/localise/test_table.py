"""Rows as columns: halves, classes that share a name, rows that are damaged."""

import numpy as np
import pytest
from helpers.measured import row

from npcam import InputError
from npcam.localise.table import read_rows


def test_rows_are_put_in_the_order_of_their_names():
    """Whatever order they come in, what is of a photograph stays together."""
    rows = [
        row(f"{name}.jpg", label=name == "b", drop=drop)
        for name, drop in zip("bca", (0.2, 0.3, 0.1), strict=True)
    ]
    rows.insert(1, {"photo": "bad.jpg", "error": "is empty"})
    table, names, unreadable = read_rows(rows)
    assert table.records["drop"].tolist() == [0.1, 0.2, 0.3]
    assert table.records["label"].tolist() == [0, 1, 0]
    assert (names, unreadable) == ({0: "class 0", 1: "class 1"}, 1)
    assert [bits.ravel().tolist() for bits in table.hits.bits] == [[0] * 500] * 3


def test_halves_alternate_within_each_class_in_the_order_of_names():
    """Photographs without boxes take no place in a half."""
    labels = [5, 2, 5, 5, 2, 5, 2]
    rows = [row(f"{i}.jpg", label=label) for i, label in enumerate(labels)]
    rows.insert(3, row("2b.jpg", label=5, boxed=False))
    table, _, _ = read_rows(reversed(rows))
    assert table.hits.second_half.tolist() == [False, False, True, False, True, True, False]
    part = table.of_class(2)
    assert part.hits.second_half.tolist() == [False, True, False]
    assert len(part.records) == 3
    assert table.of_class(7).hits is None


def test_a_photograph_with_two_rows_is_refused():
    """It would count twice."""
    with pytest.raises(InputError, match=r"a\.jpg has two rows"):
        read_rows([row("a.jpg"), row("b.jpg"), row("a.jpg")])


@pytest.mark.parametrize("text", ["00" * 499, "zz" * 500, 7])
def test_damaged_hits_are_refused(text):
    """Too few, not hexadecimal, no text: one line that names the photograph."""
    with pytest.raises(InputError, match=r"hits of a\.jpg are not"):
        read_rows([row("a.jpg") | {"hits": text}])


def test_no_rows_make_an_empty_table():
    """Nothing was read, or there was nothing to read."""
    table, names, unreadable = read_rows([{"photo": "a.jpg", "error": "is empty"}])
    assert (len(table.records), table.hits, names, unreadable) == (0, None, {}, 1)
    assert table.right.shape == (0,)
    assert table.right.dtype == np.bool_

"""A message is one line of at most so many characters, all of which print."""

import pytest

from npcam import InputError
from npcam.common.limits import MAX_MESSAGE


def test_one_line():
    """Whatever a name out of a file holds: what does not print is shown as Python writes it."""
    found = str(InputError("layer 'a\r\n\t b\x1b[2J\x00\u202e' is\u2028missing"))
    assert found == r"layer 'a\r\n\t b\x1b[2J\x00\u202e' is\u2028missing"
    assert found.isprintable()


@pytest.mark.parametrize("cut", [0, 1, 5, MAX_MESSAGE])
def test_long_messages_are_cut(cut):
    """Up to the limit a message stays whole; what is beyond it is three dots."""
    message = "x" * MAX_MESSAGE
    assert str(InputError(message)) == message
    assert str(InputError(message + "y" * cut)) == (f"{message}..." if cut else message)


def test_escapes_count():
    """A message is cut after it was escaped, so that no line is longer than the limit."""
    assert str(InputError("\x1b" * MAX_MESSAGE)) == r"\x1b" * (MAX_MESSAGE // 4) + "..."


def test_it_is_a_value_error():
    """Callers who know nothing of npcam catch it as Python's own."""
    assert issubclass(InputError, ValueError)

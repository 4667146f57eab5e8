"""A message is one line of at most so many characters, all of which print."""

import pytest

from npcam import InputError
from npcam.common.limits import MAX_MESSAGE


def test_one_line():
    """Whatever a name out of a file holds: line breaks become blanks, what does not print a question mark."""
    assert (
        str(InputError(" layer 'a\r\n\t b\x1b[2J\x00\u202e' \n is\u2028missing "))
        == "layer 'a b?[2J??' is missing"
    )


@pytest.mark.parametrize("cut", [0, 1, 5, MAX_MESSAGE])
def test_long_messages_are_cut(cut):
    """Up to the limit a message stays whole; what is beyond it is three dots."""
    message = "x" * MAX_MESSAGE
    assert str(InputError(message)) == message
    assert str(InputError(message + "y" * cut)) == (f"{message}..." if cut else message)


def test_blanks_do_not_use_up_a_message():
    """A message is cut after its blanks are joined, if it has no more than as many blanks as letters."""
    half = MAX_MESSAGE // 2
    assert str(InputError("a" + " " * MAX_MESSAGE + "b" * half)) == f"a {'b' * half}"


def test_it_is_a_value_error():
    """Callers who know nothing of npcam catch it as Python's own."""
    assert issubclass(InputError, ValueError)

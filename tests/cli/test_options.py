"""What several commands share: a number that counts, the weights, and the one line of a complaint."""

import argparse

import pytest

from npcam.cli.options import add_weights_option, positive


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("2", 2), ("007", 7), ("1000", 1000)])
def test_numbers_that_count(text, value):
    """Decimal digits, from 1 up."""
    assert positive(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "+1", "1.0", "1e3", "one", "", "²"])
def test_numbers_that_do_not(text):
    """Anything else is refused with what was found and what was expected."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        positive(text)
    assert str(caught.value) == f"expected a whole number from 1 up, got {text!r}"


def test_weights():
    """`--weights` takes one path or name; without it the value is None, which is the bundled model."""
    parser = argparse.ArgumentParser()
    add_weights_option(parser)
    assert parser.parse_args([]).weights is None
    assert parser.parse_args(["--weights", "a.h5"]).weights == "a.h5"

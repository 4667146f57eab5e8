"""What several commands share: a number that counts, the weights, and the one line of a complaint."""

import argparse

import pytest

from npcam.cli.options import add_weights_option, complain, positive, size


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


def test_a_complaint_is_one_line(capsys):
    """Line breaks and escape sequences are shown as such; it goes to standard error, and the status is 2."""
    assert complain("a\x1b[2J.h5:\n  is\tdamaged") == 2
    assert capsys.readouterr() == ("", "npcam: a\\x1b[2J.h5:\\n  is\\tdamaged\n")


@pytest.mark.parametrize(
    ("text", "value"), [("160", (160, 160)), ("160x224", (160, 224)), ("160X224", (160, 224)), ("0", (0, 0))]
)
def test_sizes(text, value):
    """One number is both sides, two are height and width; whether a network takes them is asked later."""
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "x", "160x", "x160", "1x2x3", "-1", "1.5", "1 x 2", "\u0663", "9" * 10])
def test_sizes_that_are_none(text):
    """Signs, fractions, digits of other scripts, and numbers that no picture has are told back."""
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        size(text)
    assert str(caught.value) == f"expected a number of pixels, or HEIGHTxWIDTH, got {text!r}"


def test_weights():
    """`--weights` takes one path or name; without it the value is None, which is the bundled model."""
    parser = argparse.ArgumentParser()
    add_weights_option(parser)
    assert parser.parse_args([]).weights is None
    assert parser.parse_args(["--weights", "a.h5"]).weights == "a.h5"

"""From probabilities to names and from names to classes."""

import re

import numpy as np
import pytest

from npcam import InputError, decode_predictions
from npcam.labels import find_class

BIRDS = ["crane", "golf_ball", "Tabby cat", "crane", "tiger cat", "7"]


def test_decode_predictions_as_keras(keras, monkeypatch):
    """The same classes, names and probabilities in the same order as Keras, for ImageNet's 1000."""
    from keras.src.applications import imagenet_utils

    index = {str(k): [f"n{k:08}", f"class {k}"] for k in range(1000)}
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", index)
    probs = np.random.default_rng(0).dirichlet(np.ones(1000), 3).astype(np.float32)
    theirs = keras.applications.resnet50.decode_predictions(probs, top=7)
    ours = decode_predictions(probs, top=7, class_names=[name for _, name in index.values()])
    assert [[(f"n{p.index:08}", p.name, p.probability) for p in row] for row in ours] == theirs


def test_equal_probabilities_start_with_argmax():
    """Ties go by index, so that the first class is the one that argmax explains."""
    probs = np.array([[0.2, 0.4, 0.4]], np.float16)
    assert [p.index for p in decode_predictions(probs)[0]] == [1, 2, 0]
    assert [p.name for p in decode_predictions(probs)[0]] == ["1", "2", "0"]


@pytest.mark.parametrize("probs", [np.ones(4), np.ones((1, 2, 3)), np.array([["a"]])])
def test_decode_predictions_refuses(probs):
    """Anything that is not (N, classes), and names for another number of classes."""
    with pytest.raises(InputError, match="expected probabilities"):
        decode_predictions(probs)
    with pytest.raises(InputError, match="1 class names for 2 classes"):
        decode_predictions(np.ones((1, 2)), class_names=["cat"])


@pytest.mark.parametrize(
    ("target", "index"),
    [
        (3, 3),
        (np.int64(3), 3),
        ("3", 3),
        ("golf_ball", 1),
        ("Golf-Ball", 1),
        (" golf  ball ", 1),
        ("TABBY_CAT", 2),
        ("7", 5),
        ("n00000004", 4),
    ],
)
def test_find_class(target, index):
    """Indices, digits, names however they are spelled, WordNet ids; a name before its digits."""
    assert find_class(target, BIRDS, 6, wnids=[f"n0000000{k}" for k in range(6)]) == index


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("crane", r"2 classes: crane \(0\), crane \(3\)"),
        ("Crane", r"2 classes: crane \(0\), crane \(3\)"),
        ("cat", r"did you mean Tabby cat \(2\), tiger cat \(4\)\?"),
        ("golfbal", r"did you mean golf_ball \(1\)\?"),
        ("zebra", r"knows crane \(0\)"),
        ("", "no such class"),
        ("x" * 100_000, "no such class"),
        ("9" * 5000, "no such class"),
        (6, "0 to 5"),
        (7, "0 to 5"),
        (-1, "0 to 5"),
        ("-1", "0 to 5"),
        (True, "bool"),
        (1.0, "float"),
    ],
)
def test_no_such_class(target, said):
    """Ambiguous and unknown names list the candidates with their indices, in one short line."""
    with pytest.raises(InputError, match=said) as caught:
        find_class(target, BIRDS, 6)
    assert len(str(caught.value)) < 400


def test_without_names():
    """A model without names knows its classes by their indices only."""
    assert find_class("2", None, 3) == 2
    with pytest.raises(InputError, match="no class names"):
        find_class("cat", None, 3)


def test_messages_stay_short():
    """Eight names are listed and the rest is counted; sixty letters are shown whole, more are cut."""
    with pytest.raises(InputError, match=r"names 10 classes: .*cat \(7\) and 2 more; give the index"):
        find_class("cat", ["cat"] * 10, classes=10)
    with pytest.raises(InputError, match=r"cat \(7\); give the index"):
        find_class("cat", ["cat"] * 8, classes=8)
    for text, shown in (("x" * 60, f"'{'x' * 60}'"), ("x" * 61, f"'{'x' * 60}...'")):
        with pytest.raises(InputError, match=f"target {re.escape(shown)}: no such class"):
            find_class(text, ["cat"], classes=1)


def test_how_many_are_listed():
    """Five unless it is said, none, all that there are, and never more."""
    probs = np.linspace(0.3, 0, 7)[None]
    for top, listed in ((0, 0), (-1, 0), (1, 1), (7, 7), (100, 7)):
        found = decode_predictions(probs, top=top)
        assert [[p.index for p in best] for best in found] == [list(range(listed))]
    assert len(decode_predictions(probs)[0]) == 5

"""Classes by index, name and WordNet id, and what is said where none or several are meant."""

import json

import numpy as np
import pytest

from npcam import InputError, decode_predictions
from npcam.labels import find_class, read_class_names

BIRDS = ["crane", "maillot", "American robin", "crane", "garbage_truck"]


def test_decode_predictions_sorts_as_argsort_does():
    """The order is that of a plain sort by probability, whatever the number of classes."""
    probs = np.random.default_rng(0).dirichlet(np.ones(30), size=4)
    for row, found in zip(probs, decode_predictions(probs, top=7), strict=True):
        expected = sorted(range(30), key=lambda i: -row[i])[:7]
        assert [p.index for p in found] == expected
        assert [p.probability for p in found] == [row[i] for i in expected]
        assert [p.name for p in found] == [str(i) for i in expected]


def test_decode_predictions_agrees_with_keras(keras, monkeypatch):
    """On 1000 classes, names and probabilities are those of Keras's function."""
    index = {str(i): [f"n{i:08}", f"class-{i}"] for i in range(1000)}
    monkeypatch.setattr("keras.src.applications.imagenet_utils.CLASS_INDEX", index)
    probs = np.random.default_rng(1).dirichlet(np.ones(1000), size=2)
    expected = keras.applications.resnet50.decode_predictions(probs, top=5)
    found = decode_predictions(probs, top=5, class_names=[name for _, name in index.values()])
    assert [[(p.name, p.probability) for p in row] for row in found] == [
        [(n, p) for _, n, p in row] for row in expected
    ]


def test_fewer_classes_than_asked_for():
    """Two classes give two predictions, not an error."""
    assert len(decode_predictions(np.array([[0.2, 0.8]]))[0]) == 2


@pytest.mark.parametrize(
    ("target", "index"),
    [
        (2, 2),
        ("2", 2),
        ("maillot", 1),
        ("american robin", 2),
        ("Garbage-Truck", 4),
        ("n2", 2),
        (np.int64(4), 4),
    ],
)
def test_a_class_is_found_by_index_name_spelling_and_wnid(target, index):
    """What a person may write for a class leads to its index."""
    assert find_class(target, BIRDS, 5, wnids=[f"n{i}" for i in range(5)]) == index


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("crane", r"2 classes: crane \(0\), crane \(3\)"),
        ("Crane", r"2 classes: crane \(0\), crane \(3\)"),
        ("robin", r"did you mean American robin \(2\)"),
        ("malliot", r"did you mean maillot \(1\)"),
        ("zebra", r"knows crane \(0\), maillot \(1\)"),
        (5, "from 0 to 4"),
        (-1, "from 0 to 4"),
    ],
)
def test_ambiguous_and_unknown_classes_list_the_candidates(target, words):
    """The message holds what the person may have meant, with indices."""
    with pytest.raises(InputError, match=words):
        find_class(target, BIRDS, 5)


def test_a_model_without_names_takes_indices_only():
    """There the message says so."""
    assert find_class("3", None, 5) == 3
    with pytest.raises(InputError, match="no class names"):
        find_class("cat", None, 5)


@pytest.mark.parametrize(
    ("text", "wnids"),
    [
        ("cat\ndog\n\n", None),
        ("\ufeffcat\r\ndog", None),
        (json.dumps(["cat", "dog"]), None),
        (json.dumps({"1": "dog", "0": "cat"}), None),
        (json.dumps({"dog": 1, "cat": 0}), None),
        (json.dumps({"0": ["n0", "cat"], "1": ["n1", "dog"]}), ("n0", "n1")),
        (json.dumps([["n0", "cat"], ["n1", "dog"]]), ("n0", "n1")),
    ],
)
def test_class_names_are_read_from_text_and_json(tmp_path, text, wnids):
    """Every usual form of a list of names gives the same names in the same order."""
    path = tmp_path / "names"
    path.write_text(text, encoding="utf-8")
    assert read_class_names(path) == (("cat", "dog"), wnids)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"0": "cat", "2": "dog"}', "[1, 2]", '{"a": "b"}', "[" * 100_000]
)
def test_bad_class_name_files_are_named_in_one_line(tmp_path, text):
    """Empty, broken, incomplete and absurdly deep files raise InputError."""
    path = tmp_path / "names"
    path.write_text(text)
    with pytest.raises(InputError, match="names") as caught:
        read_class_names(path)
    assert "\n" not in str(caught.value)

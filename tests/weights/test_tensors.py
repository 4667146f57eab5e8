"""A network's tensors: cast without copying what fits, and hashed so that every change shows."""

import copy
import dataclasses
import hashlib
import pickle

import numpy as np
import pytest

from npcam.preprocessing import MODES, Preprocessing, Step
from npcam.resnet import Architecture
from npcam.weights import Weights, cast, tensors_sha256
from npcam.weights.tensors import freeze

RNG = np.random.default_rng(0)


def tensors():
    return {
        "b": {"kernel": RNG.normal(size=(2, 3)).astype("f4"), "bias": np.zeros(3, "f4")},
        "a": {"gamma": np.ones(4, "f4"), "empty": np.ones((0, 2), "f4")},
    }


def test_the_size_of_a_photograph():
    """The network's own, or smaller where its preprocessing enlarges it, if that leaves nothing over."""
    enlarging = Preprocessing("model", (Step("enlarge", (2, 4)), Step("enlarge", (1, 2))))
    for size, photo, evenly in (((64, 96), (32, 12), True), ((64, 100), (32, 12), False)):
        weights = Weights(Architecture(), {}, input_size=size, preprocessing=enlarging)
        assert (weights.photo_size, weights.enlarges_evenly) == (photo, evenly)
    plain = Weights(Architecture(), {}, input_size=(33, 35))
    assert (plain.photo_size, plain.enlarges_evenly) == ((33, 35), True)


def test_what_is_assumed_in_words():
    """A sentence for each: what is assumed, and the option that says otherwise."""
    weights = Weights(
        Architecture(activation="sigmoid"),
        {},
        input_size=(160, 96),
        preprocessing=MODES["unit"],
        assumed=("preprocessing", "input_size", "activation", "pooling"),
    )
    assert weights.assumptions == (
        "preprocessing unit (divide 255) is assumed; convert with --preprocessing if it differs",
        "input size 160x96 is assumed; convert with --input-size if it differs",
        "activation sigmoid is assumed; convert with --activation if it differs",
        "pooling by global average is assumed; convert the whole model if it differs",
    )
    assert Weights(Architecture(), {}).assumptions == ()


def test_cast():
    """Names and order stay, numbers are rounded, and arrays of the type already are the same ones."""
    found = tensors()
    doubles = cast(found, np.float64)
    assert {layer: list(arrays) for layer, arrays in doubles.items()} == {
        "b": ["kernel", "bias"],
        "a": ["gamma", "empty"],
    }
    for layer, arrays in doubles.items():
        for name, array in arrays.items():
            assert array.dtype == np.float64
            np.testing.assert_array_equal(array, found[layer][name])
    again = cast(found, np.float32)
    assert all(
        again[layer][name] is array for layer, arrays in found.items() for name, array in arrays.items()
    )
    halves = cast(found, np.float16)["b"]["kernel"]
    np.testing.assert_array_equal(halves, found["b"]["kernel"].astype("f2"))


def test_the_hash():
    """As docs/format.md has it: by name, each with its name and shape, in little-endian float32."""
    found = tensors()
    expected = hashlib.sha256()
    for layer, name in (("a", "empty"), ("a", "gamma"), ("b", "bias"), ("b", "kernel")):
        array = found[layer][name]
        expected.update(f"{layer}/{name} {array.shape}\n".encode())
        expected.update(array.tobytes())
    assert tensors_sha256(found) == expected.hexdigest()


def test_what_the_hash_does_not_depend_on():
    """The order of dictionaries, the float type that holds float32 values, bytes' order, memory's layout."""
    found = tensors()
    whole = tensors_sha256(found)
    assert tensors_sha256({layer: dict(reversed(found[layer].items())) for layer in reversed(found)}) == whole
    assert tensors_sha256(cast(found, np.float64)) == whole
    assert tensors_sha256(cast(found, ">f4")) == whole
    turned = {"a": found["a"], "b": found["b"] | {"kernel": np.asfortranarray(found["b"]["kernel"])}}
    assert tensors_sha256(turned) == whole


def test_what_the_hash_shows():
    """One bit of one number, a name, a shape, an array more or less."""
    found = tensors()
    whole = tensors_sha256(found)
    bits = found["b"]["kernel"].copy()
    bits.view(np.uint32)[1, 2] ^= 1
    others = [
        found | {"b": found["b"] | {"kernel": bits}},
        {"a": found["a"], "c": found["b"]},
        found | {"b": {"kernel": found["b"]["kernel"], "offset": found["b"]["bias"]}},
        found | {"b": found["b"] | {"kernel": found["b"]["kernel"].reshape(3, 2)}},
        found | {"b": found["b"] | {"kernel": found["b"]["kernel"].reshape(6)}},
        {"b": found["b"]},
        found | {"a": found["a"] | {"more": np.ones((0, 2), "f4")}},
    ]
    assert len({whole, *(tensors_sha256(other) for other in others)}) == 1 + len(others)


def test_nobody_changes_weights():
    """Neither what is known of them nor a number, by whatever view; a copy and a pickle are the same."""
    weights = Weights(Architecture(), tensors(), input_size=(64, 96))
    assert weights.class_names is weights.wnids is None
    for one in (weights, copy.deepcopy(weights), pickle.loads(pickle.dumps(weights))):
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.input_size = (1, 1)
        with pytest.raises(ValueError, match="read-only"):
            one.tensors["b"]["bias"][0] = 1
        with pytest.raises(TypeError):
            one.tensors["c"] = {}
        assert one.input_size == (64, 96)
        assert tensors_sha256(one.tensors) == tensors_sha256(weights.tensors)


def test_memory_that_is_frozen():
    """What an array is a view of can't be written to either, so that nothing need be copied."""
    whole = np.zeros(6, "f4")
    view = whole[1:5].reshape(2, 2)
    freeze({"a": {"kernel": view}})
    for array in (view, view.base, whole):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 1
    weights = Weights(Architecture(), {"a": {"kernel": view}})
    assert np.shares_memory(weights.tensors["a"]["kernel"], whole)

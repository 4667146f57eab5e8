"""A network's tensors: cast without copying what fits, and hashed so that every change shows."""

import hashlib

import numpy as np

from npcam.preprocessing import MODES, Preprocessing, Step
from npcam.resnet import Architecture
from npcam.weights import Weights, cast, tensors_sha256

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

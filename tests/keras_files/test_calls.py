"""What a layer was called with, as every version of Keras writes it."""

import pytest

from npcam.keras_files.calls import constant, parse_call, tensors_in, with_paths
from npcam.keras_files.graph import Call, Tensor

A, B, C = Tensor(("a",)), Tensor(("b",), 2), Tensor(("c",), 1)


def keras3(name, output=0):
    """A tensor in Keras 3's words."""
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, output]}}


def test_keras_3():
    """Arguments by position and by name, as they were; `training` is left out, which `predict` overrules."""
    call = {
        "args": [[keras3("a"), keras3("b", 2)], 2.5],
        "kwargs": {"axis": -1, "y": keras3("c", 1), "training": True},
    }
    assert parse_call(call) == Call(([A, B], 2.5), (("axis", -1), ("y", C)))
    assert parse_call({"args": [keras3("a")], "kwargs": {}}) == Call((A,), ())
    assert parse_call({}) == Call((), ())


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ([["a", 0, 0, {}]], Call((A,))),
        ([["a", 0, 0]], Call((A,))),
        (["a", 0, 0, {}], Call((A,))),
        ([[["b", 1, 2, {}]]], Call((B,))),
        ([["a", 0, 0, {}], ["b", 0, 2, {}]], Call(([A, B],))),
        ([["a", 0, 0, {"training": True}]], Call((A,), (("training", True),))),
        ([["a", 0, 0, {"y": ["c", 0, 1], "name": None}]], Call((A,), (("y", C), ("name", None)))),
        ([["_CONSTANT_VALUE", -1, 2.5, {"y": ["c", 0, 1]}]], Call((2.5,), (("y", C),))),
        ([["_CONSTANT_VALUE", -1, [1.0, 2.0], {}]], Call(([1.0, 2.0],))),
        ([["a", 0, 0, {}], ["_CONSTANT_VALUE", -1, 3, {"axis": 1}]], Call(([A, 3],), (("axis", 1),))),
        ([], Call()),
        (None, Call()),
    ],
)
def test_keras_2(call, expected):
    """Histories of layers, constants in a tensor's place, keywords; and Keras 1's, without the dict."""
    assert parse_call(call) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1.5, 1.5),
        ("same", "same"),
        (None, None),
        ([1, [2, 3]], [1, [2, 3]]),
        ({"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}}, [1.0]),
        ({"class_name": "__numpy__", "config": {"value": 2.0, "dtype": "float32"}}, 2.0),
        ({"class_name": "__ellipsis__", "config": {}}, Ellipsis),
        ({"class_name": "__slice__", "config": {"start": 1, "stop": -1, "step": 2}}, slice(1, -1, 2)),
        ({"start": None, "stop": 3, "step": None}, slice(None, 3, None)),
        ({"start": None, "stop": 3}, {"start": None, "stop": 3}),
        ({"start": 1, "stop": 3, "step": 1, "more": 2}, {"start": 1, "stop": 3, "step": 1, "more": 2}),
        ([{"class_name": "__ellipsis__"}, 2], [Ellipsis, 2]),
        ({"class_name": "Other", "config": [keras3("a")]}, {"class_name": "Other", "config": [A]}),
        (keras3("b", 2), B),
        (["b", 0, 2], B),
        (["b", 0, 2, {}], B),
        (["b", 0], ["b", 0]),
        (["b", 0, 2, {}, 1], ["b", 0, 2, {}, 1]),
        (["b", 0, "c"], ["b", 0, "c"]),
        (["b", "c", 0], ["b", "c", 0]),
        ([1, 0, 2], [1, 0, 2]),
        (["_CONSTANT_VALUE", -1, 2], ["_CONSTANT_VALUE", -1, 2]),
    ],
)
def test_constants(written, expected):
    """Numbers, arrays, slices and tensors out of what either Keras packs them in."""
    found = constant(written)
    assert found == expected
    assert type(found) is type(expected)


def test_tensors_of_a_call():
    """In order, however deep they are, by position before by name; constants are none."""
    call = Call(([A, (B, 1.0)], {"x": [C]}), (("y", [A]), ("axis", -1)))
    assert list(tensors_in(call)) == [A, B, C, A]
    assert list(tensors_in(B)) == [B]
    assert list(tensors_in([1, "a", None])) == []


def test_tensors_by_other_paths():
    """Each is replaced where it stands; constants, and the types of what holds them, stay."""
    paths = {A: Tensor(("model", "a")), B: Tensor(("model", "b"), 2)}
    call = Call(([A, (B, 1.0)], {"x": B}), (("y", A), ("axis", -1)))
    moved = with_paths(call, paths)
    assert moved == Call(([paths[A], (paths[B], 1.0)], {"x": paths[B]}), (("y", paths[A]), ("axis", -1)))
    assert isinstance(moved, Call)

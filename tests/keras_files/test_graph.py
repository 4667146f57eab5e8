"""JSON from strangers, and what trips over it, on one line."""

import pytest

from npcam import InputError
from npcam.common.limits import MAX_JSON
from npcam.keras_files.graph import Call, Node, Tensor, parse_json, reading_config


def test_json_of_every_type():
    """Bytes and text are parsed alike."""
    for text in (b'{"a": [1, 2.5, null, true, "\xc3\xa9"]}', '{"a": [1, 2.5, null, true, "é"]}'):
        assert parse_json(text, "a.keras") == {"a": [1, 2.5, None, True, "é"]}


def test_json_has_a_limit():
    """A configuration may be so long, and not one byte longer."""
    assert parse_json(b"1".rjust(MAX_JSON), "a.keras") == 1
    with pytest.raises(InputError) as error:
        parse_json(b"1".rjust(MAX_JSON + 1), "a.keras: config.json")
    assert str(error.value) == (
        "a.keras: config.json: 8388609 bytes of JSON, 8388608 at most; no ResNet needs that"
    )


def test_json_that_is_none():
    """Nested too deeply for Python, cut off, or no text."""
    cases = {
        b"[" * 100_000: "JSON nested too deeply; no Keras model is",
        b'{"a": ': "damaged JSON (Expecting value: line 1 column 7 (char 6)); save the model again",
        b"\xff\xff\xff\xff": "damaged JSON (",
    }
    for text, reason in cases.items():
        with pytest.raises(InputError) as error:
            parse_json(text, "x")
        assert str(error.value).startswith(f"x: {reason}")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: {}["class_name"],
        [].pop,
        lambda: None + 1,
        lambda: None.items,
        lambda: int("one"),
        lambda: 1 // 0,
    ],
)
def test_settings_of_other_types(wrong):
    """Whatever a setting of another type than Keras's makes Python complain of."""
    with pytest.raises(InputError) as error, reading_config("a.keras"):
        wrong()
    message = str(error.value)
    assert message.startswith("a.keras: the model's configuration is not one that Keras writes (")
    assert message.endswith("Error('one')); save it again") or message.endswith("); save it again")
    assert "Error(" in message


def test_other_errors_while_reading_a_configuration():
    """Depth is said as such, npcam's own errors stay as they are, and mistakes in npcam come through."""
    with pytest.raises(InputError) as error, reading_config("a.keras"):
        raise RecursionError
    assert str(error.value) == "a.keras: the model's configuration is nested too deeply"
    with pytest.raises(InputError) as error, reading_config("a.keras"):
        raise InputError("as it is")
    assert str(error.value) == "as it is"
    with pytest.raises(AssertionError), reading_config("a.keras"):
        raise AssertionError


def test_labels():
    """Messages name a layer by its path and its class."""
    node = Node(("outer", "conv1_conv"), (), "Conv2D", {}, (), Call(), True)
    assert node.label == "outer/conv1_conv (Conv2D)"


def test_arguments_of_a_call():
    """By position, else by any of the names given, else the default; a tensor is its layer's first."""
    call = Call(("a", "b"), (("axis", -1), ("keepdims", True)))
    assert call.get(0, "axis") == "a"
    assert call.get(1) == "b"
    assert call.get(2, "axis") == call.get(None, "other", "axis") == -1
    assert call.get(None, "keepdims", "axis") == -1
    assert call.get(2) is None
    assert call.get(None, "other", default=0) == 0
    assert Tensor(("a",)) == Tensor(("a",), 0)

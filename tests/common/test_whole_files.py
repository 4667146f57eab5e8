"""Files of strangers, read whole."""

import pytest

from npcam import InputError
from npcam.common.whole_files import parse_unique, read_bytes, read_text


def test_as_long_as_it_may_be(tmp_path):
    """A file of as many bytes as allowed is read, one more is not; what to do is said."""
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5, "shorten it") == b"12345"
    for read in (read_bytes, read_text):
        with pytest.raises(InputError, match=r"a: is longer than 4 bytes; shorten it$"):
            read(path, 4, "shorten it")
        with pytest.raises(InputError, match=r"b: no such file; shorten it$"):
            read(tmp_path / "b", 4, "shorten it")


def test_text(tmp_path):
    """UTF-8 with a byte order mark or without; nothing else is guessed at."""
    path = tmp_path / "a"
    for data in (b"F\xc3\xbcchse\r\n", b"\xef\xbb\xbfF\xc3\xbcchse\r\n"):
        path.write_bytes(data)
        assert read_text(path, 99, "") == "Füchse\r\n"
    path.write_bytes("Füchse".encode("latin-1"))
    with pytest.raises(InputError, match=r"a: is not UTF-8 text; save it as UTF-8$"):
        read_text(path, 99, "")


def test_a_key_twice_on_any_level():
    """One of the two would be lost; the key is named. The same key in two objects is none."""
    assert parse_unique('[{"a": 1}, {"a": {"a": 2}}]', "j") == [{"a": 1}, {"a": {"a": 2}}]
    with pytest.raises(InputError, match=r'^j: is not valid JSON \(the key "b" is there twice\)$'):
        parse_unique('{"x": [{"a": 1, "b": 2, "c": 3, "b": 4, "a": 5}]}', "j")


def test_unwanted_keys_are_let_go():
    """On every level, and a key twice among them is told all the same."""
    assert parse_unique('{"a": 1, "b": [{"a": 2, "c": 3}]}', "j", ("a",)) == {"b": [{"c": 3}]}
    with pytest.raises(InputError, match='the key "a" is there twice'):
        parse_unique('{"a": 1, "a": 1}', "j", ("a",))


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**6])
def test_nested_too_deeply(text):
    """It is one line, not the end of the program."""
    with pytest.raises(InputError, match=r"^j: is not valid JSON \(nested too deeply\)$"):
        parse_unique(text, "j")


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "nonsense", "9" * 5000])
def test_no_json(text):
    """Damaged text, and numbers of more digits than Python turns into one."""
    with pytest.raises(InputError, match=r"^j: is not valid JSON \("):
        parse_unique(text, "j")

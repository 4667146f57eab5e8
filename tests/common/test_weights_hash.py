"""The hash of a weights file, begun early."""

import hashlib
import subprocess
import sys

import pytest
from helpers.program import environment

from npcam.common import weights_hash
from npcam.common.errors import InputError
from npcam.common.weights_hash import begin, hash_meanwhile, named_weights


@pytest.fixture
def path(tmp_path):
    """A file to hash."""
    path = tmp_path / "a.h5"
    path.write_bytes(b"abc")
    return path


def test_the_hash_is_that_of_the_file(path):
    """Whether it was begun before or not, and once for each time that it was begun."""
    expected = hashlib.sha256(b"abc").hexdigest()
    assert hash_meanwhile(path)() == expected
    begin(["explain", "cat.jpg", "--weights", str(path)])
    assert list(weights_hash._begun) == [str(path)]
    found = hash_meanwhile(path)
    assert not weights_hash._begun
    path.write_bytes(b"abcd")
    assert found() in (expected, hashlib.sha256(b"abcd").hexdigest())
    assert hash_meanwhile(path)() == hashlib.sha256(b"abcd").hexdigest()


def test_what_cannot_be_hashed_is_said_where_it_is_asked_for(tmp_path):
    """Not where it is begun."""
    found = hash_meanwhile(tmp_path / "none")
    with pytest.raises(InputError, match="no such file"):
        found()


def test_which_file_a_command_names(path, tmp_path):
    """One that is there, after either form of the option; none where another may be meant."""
    name = str(path)
    assert named_weights(["explain", "x", "--weights", name]) == path
    assert named_weights(["evaluate", f"--weights={name}", "x"]) == path
    for arguments in (
        [],
        ["explain"],
        ["explain", "x", "--weights"],
        ["explain", "x", name],
        ["explain", "--weights", name, "--weights", name],
        ["explain", "--weights", str(tmp_path)],
        ["explain", "--weights", "resnet50"],
        ["inspect", "--weights", name],
        ["explain", "--weights", "x" * 5000],
    ):
        assert named_weights(arguments) is None
        begin(arguments)
    assert not weights_hash._begun


@pytest.mark.parametrize("command", ["explain", "inspect"])
def test_the_program_begins_before_numpy_is_there(command, path):
    """And only for a command that says the hash."""
    program = f"""if True:
        import sys
        class Watch:
            def find_spec(name, *_):
                if name == "numpy":
                    print(*sys.modules["npcam.common.weights_hash"]._begun)
        sys.meta_path.insert(0, Watch)
        sys.argv = ["npcam", "{command}", "--weights", {str(path)!r}]
        import npcam"""
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment())
    assert done.stdout.split() == ([str(path)] if command == "explain" else [])

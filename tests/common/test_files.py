"""A path that must be a file: what is there instead is said in one line."""

import os

import pytest

from npcam import InputError
from npcam.common.files import require_file


def test_a_file_is_given_back(tmp_path):
    """The path of a regular file comes back, and so does a link to one."""
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert require_file(str(tmp_path / "a"), "") == tmp_path / "a"
    assert require_file(tmp_path / "b", "") == tmp_path / "b"


def test_what_is_there_instead(tmp_path):
    """Nothing, a directory, a device, a circle of links, a path that no system takes."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    found = {
        tmp_path / "nothing": "no such file",
        tmp_path: "is a directory",
        tmp_path / "fifo": "not a regular file",
        tmp_path / "circle": "no such file",
        "a\0b": "no such file",
        tmp_path / ("x" * 300): "cannot be read",
    }
    for path, what in found.items():
        with pytest.raises(InputError, match=rf"{what}.*; take another"):
            require_file(path, "take another")

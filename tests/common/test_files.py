"""Files that are there, and files that are whole or not there; what is wrong is said in one line."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from npcam import InputError
from npcam.common import files
from npcam.common.files import open_file, replacing, require_file, shorten
from npcam.common.hashes import md5_file


def write_half(path, error):
    """Begin to write a file, until an error comes."""
    with replacing(path) as unfinished:
        unfinished.write_text("half")
        raise error


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
    long = tmp_path / ("x" * 300)
    found = {
        tmp_path / "nothing": "no such file",
        tmp_path: "is a directory",
        tmp_path / "fifo": "not a regular file",
        tmp_path / "circle": "no such file",
        long: f"cannot be read ({os.strerror(errno.ENAMETOOLONG)})",
    }
    for path, what in found.items():
        with pytest.raises(InputError) as caught:
            require_file(path, "take another")
        assert str(caught.value) == f"{path}: {what}; take another"
    with pytest.raises(InputError, match=r"^a\\x00b: no such file; take another$"):
        require_file("a\0b", "take another")


def test_a_path_that_python_refuses(tmp_path, monkeypatch):
    """Where the system has no reason of its own, Python's is given."""

    def refuse(_):
        raise ValueError("no such path can be")

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(InputError) as caught:
        require_file(tmp_path / "a", "take another")
    assert str(caught.value) == f"{tmp_path / 'a'}: cannot be read (no such path can be); take another"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path, umask):
    """As any program's new file: the same rights as `open` gives, and the umask is as before."""
    before = os.umask(umask)
    try:
        (tmp_path / "plain").write_text("")
        with replacing(tmp_path / "new") as unfinished:
            unfinished.write_text("whole")
    finally:
        assert os.umask(before) == umask
    assert (tmp_path / "new").read_text() == "whole"
    rights = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "new")]
    assert rights == [0o666 & ~umask] * 2


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    """Meanwhile the new one lies hidden beside it, and goes if the writing fails."""
    path = tmp_path / "a.h5"
    path.write_text("old")
    with replacing(path) as unfinished:
        assert unfinished.parent == tmp_path
        assert unfinished.name.startswith(".a.h5.")
        assert unfinished.suffix == ".part"
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    with pytest.raises(KeyboardInterrupt):
        write_half(path, KeyboardInterrupt())
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_long_names(tmp_path):
    """The longest name that a file may have, which the temporary name must not outgrow."""
    path = tmp_path / ("x" * 255)
    with replacing(path) as unfinished:
        assert len(unfinished.name) < 130  # a hundred of the name's letters, and what tells it apart
    assert path.is_file()


@pytest.mark.parametrize(
    ("name", "most", "kept"),
    [("abc", 3, "abc"), ("abc", 2, "ab"), ("abc", 0, ""), ("grüße", 3, "gr"), ("grüße", 4, "grü")],
)
def test_the_beginning_of_a_name(name, most, kept):
    """As many whole characters as fit, and no fewer."""
    assert shorten(name, most) == kept


def test_where_nothing_can_be_written(tmp_path):
    """A missing folder, a directory in the way, a file as a folder: one line each, nothing is left behind."""
    (tmp_path / "file").write_text("")
    here = {
        tmp_path / "none" / "a": os.strerror(errno.ENOENT),
        tmp_path: "a directory",
        tmp_path / "file" / "a": os.strerror(errno.ENOTDIR),
    }
    for path, reason in here.items():
        with pytest.raises(InputError) as caught, replacing(path):
            pass
        assert str(caught.value) == f"{path}: cannot write here ({reason}); choose another place"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("cannot write block\nat 0x12\nfor want of space"), "cannot write block"),  # as HDF5 has it
    ],
)
def test_a_full_disk(tmp_path, error, reason):
    """The reason stands in the line, without the details that follow in a library's own lines."""
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(InputError) as caught:
        write_half(path, error)
    assert str(caught.value) == f"{path}: writing failed ({reason}); nothing was changed"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name(tmp_path, monkeypatch):
    """The file is synchronised while the old one still has the name."""
    path = tmp_path / "a"
    path.write_text("old")
    seen = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((os.fstat(handle).st_size, path.read_text())))
    with replacing(path) as unfinished:
        unfinished.write_text("the new one")
    assert seen == [(len("the new one"), "old")]


def test_a_file_that_becomes_a_pipe(tmp_path, monkeypatch):
    """Where one has taken the file's place since it was looked at, nobody waits for it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setattr(files, "require_file", lambda path, _: path)
    found = []

    def opened():
        try:
            open_file(path, "take another").close()
        except InputError as error:
            found.append(str(error))

    waiting = threading.Thread(target=opened, daemon=True)
    waiting.start()
    waiting.join(10)
    assert found == [f"{path}: not a regular file; take another"]


def test_what_others_left(tmp_path):
    """Unfinished files of a process that is no more are removed, of another machine once they are old."""
    with replacing(tmp_path / "a") as unfinished:
        own = unfinished.name
        unfinished.write_text("whole")
    number, dead = f"-{os.getpid()}-", subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = own.replace(number, f"-{dead.pid}-")
    elsewhere = ".a.npcam-0-1-0.part"
    alive = own.replace(number, f"-{os.getppid()}-")
    for name in (left, elsewhere, alive, ".a.part"):
        (tmp_path / name).write_text("half")
    now = time.time()
    os.utime(tmp_path / elsewhere, (now, now - files.ABANDONED + 600))
    files._sweep.cache_clear()
    with replacing(tmp_path / "b"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", alive, ".a.part", elsewhere}
    os.utime(tmp_path / elsewhere, (now, now - files.ABANDONED - 600))
    files._sweep.cache_clear()
    with replacing(tmp_path / "b"):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", alive, ".a.part"}


def test_md5_where_it_is_not_allowed_for_security(tmp_path, monkeypatch):
    """A system that forbids MD5 for security still computes it for a checksum."""
    real = hashlib.md5

    def strict(data=b"", *, usedforsecurity=True):
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return real(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", strict)
    (tmp_path / "abc").write_bytes(b"abc")
    assert md5_file(tmp_path / "abc") == "900150983cd24fb0d6963f7d28e17f72"

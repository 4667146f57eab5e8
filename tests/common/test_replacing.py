"""A file that takes another's place: links, permissions, interrupts, and what a killed process leaves."""

import contextlib
import itertools
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from helpers.program import environment

from npcam import InputError
from npcam.common import files
from npcam.common.files import is_same_file, replacing, require_apart, same_place, shorten


def write(path, text="new"):
    with replacing(path) as unfinished:
        unfinished.write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o750])
def test_permissions_survive(tmp_path, mode):
    """The new file has the old one's permissions, whatever the umask says."""
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(mode)
    before = os.umask(0o027)
    try:
        write(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text() == "new"


def test_a_new_file_has_what_the_umask_leaves(tmp_path):
    """As any program's file; the umask itself is never touched."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "a")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_link_is_followed(tmp_path):
    """The file at its end is replaced, or made; the link stays, and so does a link to the link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_text("old")
    (tmp_path / "link").symlink_to("real/a")
    (tmp_path / "other").symlink_to("link")
    (tmp_path / "dangling").symlink_to("real/b")
    write(tmp_path / "other")
    write(tmp_path / "dangling", "made")
    assert (tmp_path / "real" / "a").read_text() == "new"
    assert (tmp_path / "real" / "b").read_text() == "made"
    assert all((tmp_path / name).is_symlink() for name in ("link", "other", "dangling"))
    assert names(tmp_path / "real") == ["a", "b"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to(path), "a link to itself"),
        (lambda path: path.mkdir(), "a directory"),
        (os.mkfifo, "not a file"),
        (lambda path: path.symlink_to("/dev/null"), "not a file"),
        (lambda path: path.symlink_to("none/a"), "No such file or directory"),
    ],
)
def test_what_is_no_place_for_a_file(tmp_path, make, said):
    """A circle of links, a folder, a pipe, a device: one line, and they stay what they are."""
    path = tmp_path / "a"
    make(path)
    before = path.lstat()
    with pytest.raises(InputError) as caught:
        write(path)
    assert str(caught.value) == f"{path}: cannot write here ({said}); choose another place"
    assert path.lstat() == before
    assert names(tmp_path) == ["a"]


def test_a_file_that_may_not_be_written_to(tmp_path, monkeypatch):
    """Its owner has said so; that the folder may be written to does not change it."""
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o444)
    if os.geteuid() == 0:  # to whom all is allowed
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="a read-only file"):
        write(path)
    assert path.read_text() == "old"


def interrupted_at(line, path):
    """Write a file with a KeyboardInterrupt at the so-many-th line of `files`; whether it came to that."""
    seen = 0

    def trace(frame, event, _argument):
        nonlocal seen
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    files._sweep.cache_clear()
    sys.settrace(trace)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            write(path)
    finally:
        sys.settrace(None)
    return seen >= line


# Between a file's opening and the `with` that closes it, Python itself warns of what is left open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_leaves_nothing(tmp_path):
    """A KeyboardInterrupt at each line in turn: the file is the old one or the new one, and alone."""
    path, umask = tmp_path / "a", os.umask(0o022)
    os.umask(umask)
    for line in itertools.count(1):
        path.write_text("old")
        if not interrupted_at(line, path):
            break
        assert path.read_text() in ("old", "new")
        assert names(tmp_path) == ["a"], line
        assert os.umask(umask) == umask
    assert line > 25


@pytest.mark.slow
def test_what_a_killed_process_leaves_is_swept(tmp_path):
    """The next one that writes there removes it; what is not npcam's, or still being written, stays."""
    program = (
        "import sys, time; from npcam.common.files import replacing\n"
        "with replacing(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_text('half'); print('half', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a")]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) for _ in range(2)
    ]
    try:
        for child in children:
            assert child.stdout.readline() == "half\n"
        dead, alive = children
        dead.kill()
        dead.wait()
        (tmp_path / ".a.x.part").write_text("another program's")
        (tmp_path / ".a.npcam-0-1-0.part").write_text("of another machine")
        assert len(names(tmp_path)) == 4
        files._sweep.cache_clear()
        write(tmp_path / "b")
        left = names(tmp_path)
        assert left == [
            ".a.npcam-0-1-0.part",
            next(n for n in left if f"-{alive.pid}-" in n),
            ".a.x.part",
            "b",
        ]
        yesterday = time.time() - files.ABANDONED - 60
        os.utime(tmp_path / ".a.npcam-0-1-0.part", (yesterday, yesterday))
        files._sweep.cache_clear()
        write(tmp_path / "b")
        assert names(tmp_path) == left[1:]
    finally:
        for child in children:
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()


def test_names_as_long_as_they_can_be(tmp_path):
    """Of 255 bytes, in letters of one byte and of four."""
    for letter in ("x", "\U0001f408"):
        name = shorten(letter * 255, 255)
        write(tmp_path / name)
        assert (tmp_path / name).read_text() == "new"
    write(tmp_path / os.fsdecode(b"\xff" * 255))
    assert len(list(tmp_path.iterdir())) == 3


def test_one_file_by_several_paths(tmp_path, monkeypatch):
    """The same path written otherwise, a link, a second name: all are the file, a copy is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_text("x")
    (tmp_path / "copy").write_text("x")
    (tmp_path / "link").symlink_to("a")
    os.link("a", "second")
    for path in ("a", "./a", tmp_path / "a", "link", "second"):
        assert is_same_file("a", path)
        with pytest.raises(InputError) as caught:
            require_apart(path, [None, "none", "copy", "a"], "choose another")
        assert str(caught.value) == f"{path}: is the input a itself; choose another"
    require_apart("copy", [None, "a", "none", "a\0b"], "")
    require_apart("none", ["none"], "")  # no file is there that could be lost
    assert same_place("none", tmp_path / "none")
    assert not same_place("none", "a")

"""A file opened, its groups listed and entered: by plain links only, and errors name the place."""

import io
import os

import h5py
import numpy as np
import pytest

from npcam import InputError
from npcam.hdf5 import Dataset, Group, open_hdf5


@pytest.fixture
def path(tmp_path):
    """A file with a group in a group, an array, links of every kind, and a datatype."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/b/x"] = np.arange(3.0)
        file["a/é"] = np.arange(2.0)
        file["a/hard"] = file["a/b"]
        file["a/soft"] = h5py.SoftLink("/a/b")
        file["a/external"] = h5py.ExternalLink("other.h5", "/x")
        file["a/hanging"] = h5py.SoftLink("/nowhere")
        file["type"] = np.dtype("f4")
    return path


def test_members(path):
    """Names, how many, and whether one is there; where a link points is not asked for that."""
    with open_hdf5(path) as file:
        group = file.group("a")
        assert sorted(group) == ["b", "external", "hanging", "hard", "soft", "é"]
        assert len(group) == 6
        assert len(file) == 2
        assert "soft" in group
        assert "hanging" in group
        assert "é" in group
        assert "x" not in group
        assert (file.name, file.where) == ("/", f"{path}: /")
        assert (group.name, group.where) == ("/a", f"{path}: /a")


def test_plain_links(path):
    """Groups and arrays are reached by name, step by step, and know their place."""
    with open_hdf5(path) as file:
        for route in ("a/b/x", "a/hard/x"):
            found = file.dataset(route)
            assert isinstance(found, Dataset)
            assert found.where == f"{path}: /{route}"
            np.testing.assert_array_equal(found.read(), [0, 1, 2])
        assert isinstance(file.child("a/b"), Group)
        assert isinstance(file.group("a").child("é"), Dataset)
        assert file.group("a").dataset("b/x").where == f"{path}: /a/b/x"


REFUSED = {
    "a/soft": "/a/soft is a link to elsewhere; npcam reads plain data only",
    "a/soft/x": "/a/soft is a link to elsewhere; npcam reads plain data only",
    "a/external": "/a/external is a link to elsewhere; npcam reads plain data only",
    "a/hanging": "/a/hanging is a link to elsewhere; npcam reads plain data only",
    "a/c": "/a/c is missing",
    "c/d/e": "/c is missing",
    "": "/ is missing",
    ".": "/. is missing",
    "a//b": "/a/ is missing",
    "a/./b": "/a/. is missing",
    "a/..": "/a/.. is missing",
    "a/b/x/y": "/a/b/x/y: a group was expected where an array is",
    "type": "type is neither a group nor an array",
}


@pytest.mark.parametrize("route", REFUSED)
def test_what_is_not_there(path, route):
    """Links to elsewhere, missing members, and odd steps are refused, by the step that is the reason."""
    with open_hdf5(path) as file:
        for reach in (file.child, file.group, file.dataset):
            with pytest.raises(InputError) as error:
                reach(route)
            assert str(error.value) == f"{path}: {REFUSED[route]}"


def test_a_group_is_no_array(path):
    """What is expected is said, and what is there."""
    with open_hdf5(path) as file:
        with pytest.raises(InputError) as error:
            file.group("a/b/x")
        assert str(error.value) == f"{path}: /a/b/x is an array where a group was expected"
        with pytest.raises(InputError) as error:
            file.dataset("a/b")
        assert str(error.value) == f"{path}: /a/b is a group where an array was expected"


def test_names_of_any_bytes(tmp_path):
    """A name that is no UTF-8 is listed, found and opened."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        h5py.h5g.create(file.id, b"\xff\xfe")
    with open_hdf5(tmp_path / "a.h5") as file:
        (name,) = file
        assert name in file
        assert len(file.group(name)) == 0


def test_groups_of_many_members(path, monkeypatch):
    """A group's members are listed up to the limit, and one more is refused."""
    monkeypatch.setattr("npcam.hdf5.reader.MAX_HDF5_MEMBERS", 6)
    with open_hdf5(path) as file:
        assert len(list(file.group("a"))) == 6
    monkeypatch.setattr("npcam.hdf5.reader.MAX_HDF5_MEMBERS", 5)
    with open_hdf5(path) as file:
        with pytest.raises(InputError) as error:
            iter(file.group("a"))
        assert str(error.value) == f"{path}: /a has 6 members; no weights file has as many"


def test_files_that_are_none(tmp_path, path):
    """Nothing, a folder, a pipe, text, a web page, a file cut short: one line each, with what to do."""
    (tmp_path / "text.h5").write_bytes(b"hello")
    (tmp_path / "page.h5").write_bytes(b"<!DOCTYPE html>")
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "cut.h5").write_bytes(path.read_bytes()[:-100])
    damaged = "not an HDF5 file, or a truncated one; get it again or convert it anew"
    cases = {
        tmp_path / "none.h5": "no such file; give the path of a weights file",
        tmp_path: "is a directory; give the path of a weights file",
        tmp_path / "text.h5": damaged,
        tmp_path / "pipe.h5": "not a regular file; give the path of a weights file",
        tmp_path / "empty.h5": "is empty (0 bytes); get it again",
        tmp_path / "page.h5": "is a web page, perhaps an error page of the server; download it again",
        tmp_path / "cut.h5": damaged,
    }
    for where, reason in cases.items():
        with pytest.raises(InputError) as error, open_hdf5(where):
            pass
        assert str(error.value) == f"{where}: {reason}"


def test_a_file_that_may_not_be_read(path, monkeypatch):
    """That the system forbids it is another thing than damage."""

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(h5py, "File", forbidden)
    with pytest.raises(InputError) as error, open_hdf5(path):
        pass
    assert str(error.value) == f"{path}: no permission to read it"


def test_an_open_file_instead_of_the_path(tmp_path, path):
    """HDF5 out of a zip is read from memory; the path is only its name."""
    where = tmp_path / "model.keras"
    raw = io.BytesIO(path.read_bytes())
    with open_hdf5(where, raw) as file:
        assert file.where == f"{where}: /"
        np.testing.assert_array_equal(file.dataset("a/b/x").read(), [0, 1, 2])
        assert file.attribute("none") is None
    assert raw.closed
    with (
        pytest.raises(InputError, match=r"model\.keras: not an HDF5 file"),
        open_hdf5(where, io.BytesIO(b"no")),
    ):
        pass


def test_the_file_is_closed(path):
    """After the block the file can be written to, whether the block went well or not."""
    with open_hdf5(path):
        pass
    with pytest.raises(KeyError), open_hdf5(path):
        raise KeyError
    with h5py.File(path, "a") as file:
        file["new"] = 1


def test_behind_a_user_block(tmp_path):
    """HDF5 may begin behind bytes of another kind; texts and arrays are found there, too."""
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file["x"] = np.arange(4.0)
        file.attrs["text"] = ["one", "two"]
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file.attribute("text") == ["one", "two"]
        np.testing.assert_array_equal(file.dataset("x").read(), np.arange(4))

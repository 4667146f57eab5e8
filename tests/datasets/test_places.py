"""A folder's photographs, and what a list's paths may mean."""

import os
from pathlib import Path

import pytest
from helpers.labelled import touch

from npcam import InputError
from npcam.datasets import places
from npcam.datasets.places import Places, files_below


def of(folder):
    return Places(folder, files_below(folder, (".jpg",))[0])


def test_files_in_any_depth_sorted_by_name(tmp_path):
    """Names have "/" and go by their letters; what is hidden or of another kind is left out."""
    touch(
        tmp_path,
        "b/2.jpg",
        "b/deep/1.JPG",
        "a.jpg",
        "b.jpg",
        ".hidden.jpg",
        ".git/x.jpg",
        "b/.x/y.jpg",
        "a.txt",
    )
    found, links = files_below(tmp_path, (".jpg",))
    assert list(found) == ["a.jpg", "b.jpg", "b/2.jpg", "b/deep/1.JPG"]
    assert links == []
    assert all(Path(path) == tmp_path / name for name, path in found.items())


def test_linked_folders_are_named_and_not_entered(tmp_path):
    """Neither one that leads elsewhere nor one that leads back, which would have no end."""
    touch(tmp_path, "all/cat/1.jpg", "other/2.jpg")
    (tmp_path / "all/dog").symlink_to(tmp_path / "other")
    (tmp_path / "all/cat/up").symlink_to(tmp_path / "all")
    found, links = files_below(tmp_path / "all", (".jpg",))
    assert list(found) == ["cat/1.jpg"]
    assert links == ["cat/up", "dog"]


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    """It is an error, not an empty folder."""

    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder)))
        return iter(())

    monkeypatch.setattr(places.os, "walk", walk)
    with pytest.raises(InputError, match="cannot be read \\(Permission denied\\); check its permissions"):
        files_below(tmp_path, (".jpg",))


def test_paths_are_relative_to_the_list_or_to_the_photographs(tmp_path):
    """The list's own folder comes first; absolute paths, Windows's and roundabout ones are the same."""
    touch(tmp_path, "dev/cat/1.jpg", "dev/dev/cat/1.jpg", "dev/dog/2.jpg")
    known = of(tmp_path / "dev")
    for beside in (
        tmp_path / "boxes.json",
        tmp_path / "dev" / "boxes.json",
        tmp_path / "far/away/boxes.json",
    ):
        assert known.find("dog/2.jpg", beside) == "dog/2.jpg"
        assert known.find("./x/../dog//2.jpg", beside) == "dog/2.jpg"
        assert known.find("dog\\2.jpg", beside) == "dog/2.jpg"
        assert known.find(str(tmp_path / "dev/dog/2.jpg"), beside) == "dog/2.jpg"
    for beside in (tmp_path / "boxes.json", tmp_path / "far/away/boxes.json"):
        assert known.find("dev/dog/2.jpg", beside) == "dog/2.jpg"
    assert known.find("dev/cat/1.jpg", tmp_path / "boxes.json") == "cat/1.jpg"
    assert known.find("dev/cat/1.jpg", tmp_path / "dev/boxes.json") == "dev/cat/1.jpg"


def test_paths_relative_to_where_one_stands(tmp_path, monkeypatch):
    """A folder and a list that are given by relative paths; the next folder one stands in counts anew."""
    touch(tmp_path, "one/dev/cat/1.jpg", "two/dev/dog/1.jpg")
    for where, name in (("one", "cat/1.jpg"), ("two", "dog/1.jpg")):
        monkeypatch.chdir(tmp_path / where)
        assert of("dev").find(f"dev/{name}", "boxes.json") == name
        assert of(".").find(f"dev/{name}", "boxes.json") == f"dev/{name}"


def test_a_folder_that_is_a_link(tmp_path):
    """The list may write the link's path or the one that it leads to."""
    touch(tmp_path, "data/dev/cat/1.jpg")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/dev").symlink_to(tmp_path / "data/dev")
    known = of(tmp_path / "here/dev")
    assert known.find("dev/cat/1.jpg", tmp_path / "here/boxes.json") == "cat/1.jpg"
    assert known.find(str(tmp_path / "data/dev/cat/1.jpg"), tmp_path / "here/boxes.json") == "cat/1.jpg"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "../secret.jpg",
            "cat/../../secret.jpg",
            "/etc/passwd",
            "..\\secret.jpg",
            "\0",
            "cat/1.jpg\0",
            "",
            ".",
        ),
        *("cat", "C:\\secret.jpg", "~/secret.jpg", "//secret.jpg", "cat/1.jpg/", "../dev2/cat/1.jpg"),
    ],
)
def test_no_path_leads_out_of_the_folder(tmp_path, key):
    """Whatever a list writes, what is not among the folder's photographs is none."""
    touch(tmp_path, "secret.jpg", "dev/cat/2.jpg", "dev2/cat/1.jpg")
    known = of(tmp_path / "dev")
    assert known.find(key, tmp_path / "dev/boxes.json") is None
    assert os.sep != "/" or known.find("cat/2.jpg", tmp_path / "dev/boxes.json") == "cat/2.jpg"

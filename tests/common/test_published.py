"""The weights that Keras publishes, and where fetched ones lie on each system."""

import sys
from pathlib import Path

import pytest

from npcam import InputError
from npcam.common.published import (
    ADDRESS,
    CLASSES_ADDRESS,
    CLASSES_FILE,
    CLASSES_MD5,
    FILES,
    NAMES,
    cache_folder,
    find,
    identify,
    known_name,
    published,
)

# With top, without; keras/src/applications/resnet.py (WEIGHTS_HASHES), and keras-applications 1.0.4.
MD5 = {
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
}
MD5_2017 = ("a7b3fe01876f51b976af0dea6bc144eb", "a268eb855778b3df3c7506639542a6af")


def test_files():
    """Each file is known by its MD5: its model, with the top or without, and the network it belongs to."""
    table = [(model, md5, network) for model, md5 in MD5.items() for network in ("keras",)]
    for model, (top, no_top), network in [*table, ("resnet50", MD5_2017, "2017")]:
        for md5, has_top in ((top, True), (no_top, False)):
            found = identify(md5)
            assert (found.model, found.network, found.has_top) == (model, network, has_top)
            end = "" if has_top else "_notop"
            assert found.file == f"{model}_weights_tf_dim_ordering_tf_kernels{end}.h5"
    assert len(FILES) == 8
    assert identify("0" * 32) is None


def test_names():
    """Keras's names, and the file that it downloads for each today."""
    assert set(NAMES) == set(MD5)
    for name, (md5, _) in MD5.items():
        assert known_name(name) == name
        assert published(name).md5 == md5
    with pytest.raises(InputError) as error:
        known_name("resnet18")
    assert str(error.value) == (
        "resnet18: no official weights of that name; there are resnet50, resnet101, resnet152"
    )


def test_addresses():
    """Where Keras downloads from, by https."""
    assert ADDRESS == "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    assert CLASSES_ADDRESS == "https://storage.googleapis.com/download.tensorflow.org/data/"
    # keras/src/applications/imagenet_utils.py (decode_predictions)
    assert (CLASSES_FILE, CLASSES_MD5) == ("imagenet_class_index.json", "c2c37ea517e94d9795004a39431a14cb")


def test_cache_folders(monkeypatch, tmp_path):
    """What was chosen; else what each system has for caches."""
    home = tmp_path / "home"
    monkeypatch.setattr(Path, "home", lambda: home)
    for name in ("NPCAM_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == home / ".cache" / "npcam"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == home / ".cache" / "npcam"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "npcam"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == home / "Library" / "Caches" / "npcam"
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache_folder() == home / "AppData" / "Local" / "npcam" / "Cache"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "npcam" / "Cache"
    for system in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "chosen"))
        assert cache_folder() == tmp_path / "chosen"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NPCAM_CACHE", "~/weights")
    assert cache_folder() == home / "weights"


def test_fetched_files(monkeypatch, tmp_path):
    """A file of that name in the cache, or what to do where there is none."""
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path))
    (tmp_path / "resnet50.h5").write_bytes(b"")
    assert find("resnet50") == tmp_path / "resnet50.h5"
    (tmp_path / "resnet101.h5").mkdir()
    for name in ("resnet101", "resnet152"):
        with pytest.raises(InputError) as error:
            find(name)
        assert str(error.value) == (
            f"{name}: not fetched yet; run `npcam fetch {name}`, or give the path of a file"
        )
    with pytest.raises(InputError, match="no official weights of that name"):
        find("resnet18")

"""Official weights by name, from a server on localhost: good, wrong, cut off, absent and slow."""

import contextlib
import errno
import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import InputError
from npcam.common import published as official
from npcam.common.published import FILES, Official, cache_folder, find, identify, published
from npcam.convert import fetch
from npcam.model import load_model
from npcam.resnet import Architecture
from npcam.weights import read_weights

TINY = Architecture(blocks=(1, 1, 1, 1), strides=(1, 2, 2, 2))
CLASSES = json.dumps({str(i): [f"n{i:08}", f"class{i}"] for i in range(5)}).encode()


@pytest.fixture(scope="module")
def published_bytes(tmp_path_factory):
    """A small ResNet in the layout of Keras's published files."""
    return published_file(tmp_path_factory.mktemp("published") / "file.h5", random_tensors(TINY))


def published_file(path, tensors):
    """The bytes of a file that holds these tensors as Keras's published files do."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in tensors]
        for layer, arrays in tensors.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in arrays]
            for name, array in arrays.items():
                group[f"{layer}/{name}:0"] = array
    return path.read_bytes()


@pytest.fixture
def world(tmp_path, monkeypatch, published_bytes):
    """A cache of our own, a table of published files with the small one in it, and a server."""
    file = Official("resnet50", "published.h5", hashlib.md5(published_bytes).hexdigest())
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(official, "FILES", (file,))
    monkeypatch.setattr(fetch, "CLASSES_MD5", hashlib.md5(CLASSES).hexdigest())
    monkeypatch.setattr(fetch, "TIMEOUT", (0.5, 0.5))
    behaviour = {"how": "good", "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            how = behaviour["how"]
            behaviour["asked"].append(self.path)
            data = CLASSES if self.path.endswith(".json") else published_bytes
            if how == "absent":
                self.send_error(404)
                return
            if how == "silent":
                time.sleep(1.5)
                return
            if how == "slow":
                time.sleep(0.2)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if how == "cut":
                data = data[: len(data) // 2]
            if how == "wrong":
                data = bytes(len(data))
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    behaviour["address"] = f"http://127.0.0.1:{server.server_port}/"
    yield behaviour
    server.shutdown()
    server.server_close()
    thread.join()


def get(world, **options):
    """Fetch from the server on localhost."""
    address = world["address"]
    return fetch.fetch("resnet50", address=address, classes_address=address, progress=False, **options)


@pytest.mark.parametrize("how", ["good", "slow"])
def test_fetched_once_and_converted(world, how):
    """The file is checked, converted, named, and not asked for again; the name then loads everywhere."""
    world["how"] = how
    path = get(world)
    assert path == find("resnet50")
    weights = read_weights(path)
    assert weights.class_names == tuple(f"class{i}" for i in range(5))
    assert weights.wnids == tuple(f"n{i:08}" for i in range(5))
    assert (weights.source, weights.notes) == ("published.h5", ("Keras's official resnet50",))
    for layer, arrays in random_tensors(TINY).items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(weights.tensors[layer][name], array)
    assert get(world) == path
    assert world["asked"] == ["/published.h5", "/imagenet_class_index.json"]
    assert load_model("resnet50").class_names == weights.class_names
    kept = {file.name for file in cache_folder().iterdir()}
    assert kept == {"resnet50.h5", "imagenet_class_index.json"}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("wrong", r": what came is not the published file \(its MD5 is not [0-9a-f]{32}\);"),
        ("cut", r": (no connection, or it was cut \(ChunkedEncodingError\)|what came is not the .*);"),
        ("absent", ": the server says 404;"),
        ("silent", ": the server does not answer;"),
    ],
)
def test_nothing_is_kept_of_a_failed_download(world, how, reason):
    """Whatever fails, the cache stays empty, and the line says what to do by hand."""
    world["how"] = how
    with pytest.raises(InputError, match=reason) as error:
        get(world)
    line = str(error.value)
    assert line.startswith(f"{world['address']}published.h5: ")
    end = "; nothing was kept; try again, or download it by hand and run `npcam fetch resnet50 --from FILE`"
    assert line.endswith(end)
    assert list(cache_folder().iterdir()) == []
    world["how"] = "good"
    assert get(world).is_file()


def test_no_server(world):
    """Offline."""
    world["address"] = "http://127.0.0.1:9/"
    with pytest.raises(InputError, match=r": no connection, or it was cut \(ConnectionError\); nothing was"):
        get(world)


def test_class_names_that_do_not_come(world, tmp_path):
    """Without them nothing is converted, and the line names their address."""
    address = world["address"]
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/imagenet_class_index\.json: no connection"):
        fetch.fetch("resnet50", address=address, classes_address="http://127.0.0.1:9", progress=False)
    assert not (tmp_path / "cache" / "resnet50.h5").exists()


def test_a_folder_that_cannot_be_written_to(world, monkeypatch):
    """The cache folder and the system's reason stand in the line."""
    import pooch

    for error, reason in ((OSError(28, "No space left on device"), "No space"), (OSError("gone"), "gone")):

        def refuse(*_, error=error, **__):
            raise error

        monkeypatch.setattr(pooch, "retrieve", refuse)
        with pytest.raises(InputError) as caught:
            get(world)
        assert f"published.h5: {cache_folder()} cannot be written to ({reason}" in str(caught.value)


def test_a_bar_for_the_large_file_alone(world, monkeypatch):
    """The class names come too fast for one."""
    import pooch

    real, bars = pooch.HTTPDownloader, []

    def downloader(*, progressbar, **options):
        bars.append(progressbar)
        return real(**options)

    monkeypatch.setattr(pooch, "HTTPDownloader", downloader)
    address = world["address"]
    fetch.fetch("resnet50", address=address, classes_address=address, progress=True)
    assert bars == [True, False]


def test_what_pooch_is_asked_for(world, monkeypatch):
    """Patience of 10 and 60 seconds; a bar on a terminal, unless one is asked for or not; no other words."""
    import logging

    import pooch

    monkeypatch.undo()  # the short patience of these tests
    monkeypatch.setenv("NPCAM_CACHE", str(cache_folder()))
    asked = []

    class Downloader:
        def __init__(self, **options):
            asked.append(options)

    def refuse(url, *_, **__):
        raise OSError(url)

    monkeypatch.setattr(pooch, "HTTPDownloader", Downloader)
    monkeypatch.setattr(pooch, "retrieve", refuse)
    for terminal, said in ((True, {}), (False, {}), (True, {"progress": False}), (False, {"progress": True})):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        with pytest.raises(InputError, match="tensorflow/keras-applications/resnet/resnet50_weights"):
            fetch.fetch("resnet50", **said)
    assert [options["progressbar"] for options in asked] == [True, False, False, True]
    assert {options["timeout"] for options in asked} == {(10, 60)}
    assert pooch.get_logger().level == logging.WARNING
    assert world["asked"] == []


def test_from_a_copy(world, tmp_path, published_bytes):
    """`--from` takes the published file from disk, and its class names from beside it; no server is asked."""
    copy = tmp_path / "copy.h5"
    copy.write_bytes(published_bytes)
    assert read_weights(get(world, source=copy)).class_names is None
    (tmp_path / "imagenet_class_index.json").write_bytes(CLASSES)
    assert read_weights(get(world, source=copy)).class_names[0] == "class0"
    assert world["asked"] == []
    (tmp_path / "imagenet_class_index.json").rename(cache_folder() / "imagenet_class_index.json")
    assert read_weights(get(world, source=str(copy))).class_names[4] == "class4"
    copy.write_bytes(published_bytes + b"x")
    md5, wanted = (hashlib.md5(data).hexdigest() for data in (copy.read_bytes(), published_bytes))
    end = "a file of your own converts with `npcam convert`"
    with pytest.raises(InputError) as caught:
        get(world, source=copy)
    said = f"MD5 {md5} is none of Keras's files, expected {wanted} (resnet50); {end}"
    assert str(caught.value) == f"{copy}: {said}"
    with pytest.raises(InputError) as caught:
        get(world, source=tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'}: no such file; give the path of a weights file"
    assert read_weights(find("resnet50")).class_names[4] == "class4"  # what was there before stays


def test_a_copy_of_another_model(world, tmp_path, monkeypatch, published_bytes):
    """A published file under another one's name is told by its MD5."""
    copy = tmp_path / "copy.h5"
    copy.write_bytes(published_bytes)
    other = Official("resnet101", "other.h5", hashlib.md5(published_bytes).hexdigest())
    monkeypatch.setattr(official, "FILES", (Official("resnet50", "published.h5", "0" * 32), other))
    with pytest.raises(InputError, match=rf"MD5 {other.md5} is Keras's resnet101, expected 0{{32}} "):
        get(world, source=copy)


def test_a_copy_without_top_of_2017(world, tmp_path, monkeypatch):
    """It has no class names, even where they lie beside it, and says of which year it is."""
    tensors = {name: arrays for name, arrays in random_tensors(TINY).items() if name != "predictions"}
    data = published_file(tmp_path / "copy.h5", tensors)
    file = Official("resnet50", "old.h5", hashlib.md5(data).hexdigest(), has_top=False, network="2017")
    monkeypatch.setattr(official, "FILES", (file,))
    (tmp_path / "imagenet_class_index.json").write_bytes(CLASSES)
    weights = read_weights(get(world, source=tmp_path / "copy.h5"))
    assert weights.class_names is None
    assert (weights.architecture.pool_padding, weights.architecture.epsilon) == (0, 1e-3)
    assert (weights.source, weights.notes) == ("old.h5", ("Keras's official resnet50, the file of 2017",))
    assert (weights.assumed, weights.preprocessing.name, weights.input_size) == ((), "caffe", (224, 224))


def test_a_copy_replaces_what_is_there(world, tmp_path, published_bytes):
    """What is fetched already is used as it is, unless a copy is given."""
    path = get(world)
    path.write_bytes(b"old")
    assert get(world).read_bytes() == b"old"
    copy = tmp_path / "copy.h5"
    copy.write_bytes(published_bytes)
    assert read_weights(get(world, source=copy)).source == "published.h5"


@pytest.mark.usefixtures("world")
def test_unknown_and_unfetched():
    """A name that is none, and one that is not there yet."""
    for look in (fetch.fetch, find):
        with pytest.raises(InputError) as caught:
            look("vgg16")
        known = "resnet50, resnet101, resnet152"
        assert str(caught.value) == f"vgg16: no official weights of that name; there are {known}"
    with pytest.raises(InputError) as caught:
        find("resnet101")
    advice = "run `npcam fetch resnet101`, or give the path of a file"
    assert str(caught.value) == f"resnet101: not fetched yet; {advice}"
    with pytest.raises(InputError, match="run `npcam fetch resnet50`"):
        load_model("resnet50")


@pytest.mark.parametrize("name", ["pooch", "requests", "tqdm"])
def test_without_pooch(world, monkeypatch, name):
    """The commands that install it: one that works anywhere, and one for a copy of the repository."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError) as caught:
        get(world)
    brings = "`pip install pooch tqdm` brings it, or `pip install '.[fetch]'` in a copy of the repository"
    assert str(caught.value) == f"downloading needs {name}; {brings}"


def test_cache_folder(monkeypatch):
    """NPCAM_CACHE, else the platform's own folder."""
    monkeypatch.setenv("NPCAM_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.setenv("NPCAM_CACHE", "~/weights")
    assert cache_folder() == Path.home() / "weights"
    monkeypatch.delenv("NPCAM_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/npcam")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "npcam"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "npcam"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "npcam"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/npcam/Cache")
    monkeypatch.delenv("LOCALAPPDATA")
    assert cache_folder() == Path.home() / "AppData" / "Local" / "npcam" / "Cache"


def test_an_unusable_cache(monkeypatch, tmp_path):
    """A cache folder that cannot be made is named, with the variable that moves it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError) as caught:
        fetch.fetch("resnet50")
    reason = os.strerror(errno.ENOTDIR)
    said = f"cannot make the cache folder ({reason}); set NPCAM_CACHE to another"
    assert str(caught.value) == f"{tmp_path / 'file' / 'cache'}: {said}"


def test_the_cache_folder_is_made_with_its_parents(world, monkeypatch, tmp_path):
    """However deep it lies, and whether it is there or not."""
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "a" / "b" / "c"))
    assert get(world) == tmp_path / "a" / "b" / "c" / "resnet50.h5"


def test_two_files_of_one_name():
    """The official files of ResNet-50 have one name and are told apart by MD5."""
    old, new = identify("a7b3fe01876f51b976af0dea6bc144eb"), published("resnet50")
    assert old is not None
    assert (old.file, old.network) == (new.file, "2017")
    assert new.network == "keras"


@pytest.mark.usefixtures("keras")
def test_table_is_keras_own():
    """Addresses and checksums are those that live Keras has."""
    from keras.src.applications import imagenet_utils, resnet

    assert official.ADDRESS == resnet.BASE_WEIGHTS_PATH
    assert imagenet_utils.CLASS_INDEX_PATH == official.CLASSES_ADDRESS + official.CLASSES_FILE
    today = {(f.model, f.has_top): f.md5 for f in FILES if f.network == "keras"}
    assert today == {
        (name, top): resnet.WEIGHTS_HASHES[name][0 if top else 1]
        for name in official.NAMES
        for top in (True, False)
    }

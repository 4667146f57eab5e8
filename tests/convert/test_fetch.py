"""Official weights by name, from a server on localhost: good, wrong, cut off, absent and slow."""

import contextlib
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors

from npcam import InputError
from npcam.convert import fetch
from npcam.model import load_model
from npcam.resnet import Architecture
from npcam.weights import published as official
from npcam.weights import read_weights
from npcam.weights.published import FILES, Official, cache_folder, find, identify, published

TINY = Architecture(blocks=(1, 1, 1, 1), strides=(1, 2, 2, 2))
CLASSES = json.dumps({str(i): [f"n{i:08}", f"class{i}"] for i in range(5)}).encode()


@pytest.fixture(scope="module")
def published_bytes(tmp_path_factory):
    """A small ResNet in the layout of Keras's published files."""
    path = tmp_path_factory.mktemp("published") / "file.h5"
    with h5py.File(path, "w") as file:
        tensors = random_tensors(TINY)
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
        ("wrong", "not the published file"),
        ("cut", "cut|not the published file"),
        ("absent", "the server says 404"),
        ("silent", "does not answer"),
    ],
)
def test_nothing_is_kept_of_a_failed_download(world, how, reason):
    """Whatever fails, the cache stays empty, and the line says what to do by hand."""
    world["how"] = how
    with pytest.raises(InputError, match=reason) as error:
        get(world)
    assert "--from FILE" in str(error.value)
    assert world["address"] in str(error.value)
    assert list(cache_folder().iterdir()) == []
    world["how"] = "good"
    assert get(world).is_file()


def test_no_server(world):
    """Offline."""
    world["address"] = "http://127.0.0.1:9/"
    with pytest.raises(InputError, match="no connection"):
        get(world)


def test_from_a_copy(world, tmp_path, published_bytes):
    """`--from` takes the published file from disk, and its class names from beside it; no server is asked."""
    copy = tmp_path / "copy.h5"
    copy.write_bytes(published_bytes)
    assert read_weights(get(world, source=copy)).class_names is None
    (tmp_path / "imagenet_class_index.json").write_bytes(CLASSES)
    assert read_weights(get(world, source=copy)).class_names[0] == "class0"
    assert world["asked"] == []
    copy.write_bytes(published_bytes + b"x")
    with pytest.raises(InputError, match="none of Keras's files"):
        get(world, source=copy)
    with pytest.raises(InputError, match="cannot be read"):
        get(world, source=tmp_path / "none")


@pytest.mark.usefixtures("world")
def test_unknown_and_unfetched():
    """A name that is none, and one that is not there yet."""
    with pytest.raises(InputError, match="there are resnet50, resnet101, resnet152"):
        fetch.fetch("vgg16")
    with pytest.raises(InputError, match="run `npcam fetch resnet101`"):
        find("resnet101")
    with pytest.raises(InputError, match="run `npcam fetch resnet50`"):
        load_model("resnet50")


def test_without_pooch(world, monkeypatch):
    """The extra is named, with the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(InputError, match=r'pip install "npcam\[fetch\]"'):
        get(world)


def test_cache_folder(monkeypatch):
    """NPCAM_CACHE, else the platform's own folder."""
    monkeypatch.setenv("NPCAM_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("NPCAM_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/npcam")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache" / "npcam"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "npcam"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/npcam/Cache")


def test_an_unusable_cache(monkeypatch, tmp_path):
    """A cache folder that cannot be made is named, with the variable that moves it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match="set NPCAM_CACHE"):
        fetch.fetch("resnet50")


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

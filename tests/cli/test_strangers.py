"""Files that brought npcam down once, and places that are no files: one line at once, and nothing is left."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.networks import random_tensors, small_file
from helpers.program import peak_memory, start
from PIL import Image

from npcam.cli.commands import main
from npcam.resnet import Architecture
from npcam.verify.npy import read_numbers
from npcam.weights import read_weights

pytestmark = pytest.mark.slow  # large files, in processes of their own

CASES = Path(__file__).parents[1] / "cases"
ONCE_FUZZED = sorted([*CASES.glob("*.npy"), *CASES.glob("npcam_*.h5"), *CASES.glob("record_*.h5")])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own, with a photograph and weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NPCAM_CACHE", str(tmp_path / "cache"))
    Image.new("RGB", (60, 40), (200, 90, 9)).save("cat.png")
    small_file("w.h5")


def every_use(path):
    """All that a command can be given a file for."""
    weights = ["--weights", "w.h5"]
    return [
        ["explain", path, *weights],
        ["explain", "cat.png", "--weights", path],
        ["convert", path, "o.h5"],
        ["convert", "w.h5", "o.h5", "--class-names", path],
        ["fetch", "resnet50", "--from", path],
        ["summary", "--weights", path],
        ["record", path, *weights, "-o", "r.h5"],
        ["record", "cat.png", "--weights", path, "-o", "r.h5"],
        ["record", "cat.png", "--keras", path, "-o", "r.h5"],
        ["verify", path, *weights, "--against", "reference"],
        ["verify", "cat.png", *weights, "--against", path],
        ["inspect", path],
    ]


def only_a_line(capfd, words):
    """A command says one line that can be printed, ends with 2, and leaves nothing."""
    before = sorted(os.listdir())  # noqa: PTH208
    status = main([str(word) for word in words])
    out, err = capfd.readouterr()
    assert (status, err.count("\n")) == (2, 1), (words, err)
    assert out == ""
    assert err.startswith("npcam: ")
    assert err[:-1].isprintable()
    assert sorted(set(os.listdir()) - {"cache"}) == sorted(set(before) - {"cache"})  # noqa: PTH208


def test_what_fuzzing_found_is_there():
    """Nothing of it is passed over: each of them is a test below."""
    assert len(ONCE_FUZZED) >= 10


@pytest.mark.parametrize("path", ONCE_FUZZED, ids=lambda path: path.name)
def test_what_fuzzing_found(path, monkeypatch, capfd):
    """Whatever the file is given for, it is refused in one line; `inspect` describes what it can."""
    monkeypatch.setitem(sys.modules, "keras", None)  # which would take ten seconds to refuse it
    for words in every_use(path)[:-1]:
        only_a_line(capfd, words)
    assert main(["inspect", str(path)]) in (1, 2)
    out, err = capfd.readouterr()
    assert len(err.splitlines()) <= 1
    assert all(line.isprintable() for line in (out + err).splitlines())


def test_half_a_letter_in_a_layers_name(capfd):
    """A name that no encoding has is converted, shown escaped, and the network runs."""
    assert main(["convert", str(CASES / "lone_surrogate.keras"), "o.h5"]) == 0
    assert main(["explain", "cat.png", "--weights", "o.h5"]) == 0
    assert main(["inspect", str(CASES / "lone_surrogate.keras")]) == 0
    out, _ = capfd.readouterr()
    assert all(line.isprintable() for line in out.splitlines())


def fifo():
    os.mkfifo("place")
    return "place"


def sparse():
    with Path("place").open("wb") as file:
        file.truncate(2**40)
    return "place"


def loop():
    Path("place").symlink_to("place")
    return "place"


def pipe_of_a_number():
    reading, _ = os.pipe()
    return f"/dev/fd/{reading}"


@pytest.mark.parametrize(
    "make", [fifo, sparse, loop, pipe_of_a_number, lambda: "/dev/zero", lambda: "/dev/null"]
)
def test_what_has_no_end_or_is_no_file(make, monkeypatch, capfd):
    """Pipes that nobody writes to, devices, files of a terabyte, circles of links: nothing is waited for."""
    monkeypatch.setitem(sys.modules, "keras", None)
    path = make()
    for words in every_use(path):
        only_a_line(capfd, words)


@pytest.mark.parametrize("make", [fifo, loop, lambda: "/dev/null", lambda: "/dev/full"])
def test_what_is_no_place_to_write(make, capfd):
    """Nothing is written into a pipe or a device, and a circle of links is told."""
    path = make()
    for words in (
        ["convert", str(CASES / "windows.keras"), path],
        ["record", "cat.png", "--weights", "w.h5", "-o", path],
        ["verify", "cat.png", "--weights", "w.h5", "--against", "reference", "--csv", path],
        ["verify", "cat.png", "--weights", "w.h5", "--against", "reference", "--plot", path],
        ["explain", "cat.png", "--weights", "w.h5", "-o", path],
    ):
        only_a_line(capfd, words)


def test_a_loop_among_good_photographs(capfd):
    """As a photograph, or in an overlay's place: the others are done."""
    for name in ("one.png", "two.png"):
        shutil.copy("cat.png", name)
    for name in ("loop.png", "two_cam.png"):
        Path(name).symlink_to(name)
    assert main(["explain", "one.png", "loop.png", "two.png", "cat.png", "--weights", "w.h5"]) == 2
    assert capfd.readouterr().err.splitlines() == [
        "npcam: loop.png: no such file; give the path of a photograph",
        "npcam: two_cam.png: cannot write here (a link to itself); choose another place",
    ]
    assert Path("one_cam.png").is_file()
    assert Path("cat_cam.png").is_file()


@pytest.mark.parametrize("cache", ["~nosuchuser/x", None])
def test_no_home(cache, monkeypatch, capfd):
    """A user that the system does not know has no folder for a cache: one line says how to give one."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if cache:
        monkeypatch.setenv("NPCAM_CACHE", cache)
    else:
        monkeypatch.delenv("NPCAM_CACHE")
        monkeypatch.setattr(os, "getuid", lambda: 54321)
    for words in (["fetch", "resnet50"], ["summary", "--weights", "resnet50"]):
        only_a_line(capfd, words)
    assert not Path("~nosuchuser").exists()


def test_weights_of_1e30(capfd):
    """Far beyond float32 on the way: one line, and none of NumPy's own."""
    weights = read_weights("w.h5")
    tensors = {
        layer: {name: array * np.float32(1e30 if name == "kernel" else 1) for name, array in arrays.items()}
        for layer, arrays in weights.tensors.items()
    }
    small_file("large.h5", tensors=tensors)
    only_a_line(capfd, ["explain", "cat.png", "--weights", "large.h5"])
    assert main(["verify", "cat.png", "--weights", "large.h5", "--against", "fast"]) == 1
    assert capfd.readouterr().err == ""


def test_the_size_that_a_weights_file_declares(capfd):
    """A hundred million pixels in 50 KB: refused before anything is allocated."""
    with h5py.File("w.h5", "r+") as file:
        file.attrs["input_size"] = np.array([10000, 10000])
    for words in every_use("cat.png")[0], ["summary", "--weights", "w.h5"]:
        only_a_line(capfd, words)


def sparse_batch(path, shape):
    """A batch of zeros that takes no room on the disk."""
    with Path(path).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + 2 * int(np.prod(shape)))
    return path


@pytest.mark.parametrize("shape", [(1, 20000, 2500, 3), (3000, 224, 224, 3)])
def test_batches_that_are_too_large(shape, capfd):
    """By their pixels, or all together."""
    sparse_batch("x.npy", shape)
    only_a_line(capfd, ["record", "x.npy", "--weights", "w.h5", "-o", "r.h5", "--layers", "predictions"])


@pytest.mark.slow
def test_a_batch_of_which_one_layer_is_recorded():
    """All layers of a hundred photographs take a gigabyte; only what is asked for is kept."""
    sparse_batch("x.npy", (100, 224, 224, 3))
    arch = Architecture(blocks=(1, 1), strides=(1, 2))
    small_file("wider.h5", tensors=random_tensors(arch, width=16))
    words = ["record", "x.npy", "--weights", "wider.h5", "-o", "r.h5", "--layers", "predictions"]
    status, said, peak = peak_memory(*words)
    assert (status, said) == (0, "")
    assert peak < 500e6


def test_a_batch_that_is_cut_short_while_it_is_read(monkeypatch, capfd):
    """Between its header and its numbers: nothing is mapped into memory, and one line says what happened."""
    np.save("x.npy", np.zeros((10, 224, 224, 3), np.float32))

    def cut_short(file, header, path, dtype):
        os.truncate("x.npy", 5000)
        return read_numbers(file, header, path, dtype)

    monkeypatch.setattr("npcam.verify.batch.read_numbers", cut_short)
    only_a_line(capfd, ["record", "x.npy", "--weights", "w.h5", "-o", "r.h5", "--layers", "predictions"])


@pytest.mark.slow
def test_a_batch_that_is_cut_short_at_any_moment():
    """The process is not killed, whenever it happens: it has read the batch, or says that it could not."""
    x = np.zeros((10, 224, 224, 3), np.float32)
    for delay in (0.1, 0.2, 0.3, 0.4, 0.6):
        np.save("x.npy", x)
        words = ["record", "x.npy", "--weights", "w.h5", "-o", "r.h5", "--layers", "predictions"]
        with start(*words) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):  # which it has not done yet
                process.wait(delay)
            os.truncate("x.npy", 5000)
            _, said = process.communicate(timeout=60)
        assert (process.returncode, said.count("\n")) in ((0, 0), (2, 1)), said

"""What is printed: names of every kind, streams that are closed or full, and readers that leave."""

import json
import os
from pathlib import Path

import h5py
import pytest
from helpers.networks import small_file
from helpers.program import run, shell
from PIL import Image

from npcam.cli.commands import main

pytestmark = pytest.mark.slow  # each test starts processes

STRANGE = ("cat\x1b[2J", "\x07\ndog", "café", "ネコ", "\ud800")
SHOWN = (r"cat\x1b[2J", r"\x07\ndog", "café", "ネコ", r"\ud800")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Each test has a folder of its own, with a photograph, and weights whose classes have odd names."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (60, 40), (200, 90, 9)).save("cat.png")
    small_file("w.h5", class_names=STRANGE)


def escaped(shown, encoding):
    """What a stream of that encoding gets of a line: the letters that it lacks escaped, too."""
    return shown.encode(encoding, "backslashreplace")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_names_out_of_a_file(encoding):
    """Every class's name stands on one line, escaped, whatever the encoding; the picture is drawn."""
    done = run("explain", "cat.png", "--weights", "w.h5", env={"PYTHONIOENCODING": f"{encoding}:strict"})
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    assert {line[11:] for line in lines[1:6]} == {escaped(name, encoding) for name in SHOWN}
    assert Path("cat_cam.png").is_file()
    assert b"\x1b" not in done.stdout + done.stderr


def test_json_stays_json():
    """Names come out as they are, in ASCII."""
    done = run("explain", "cat.png", "--weights", "w.h5", "--json", env={"PYTHONIOENCODING": "ascii"})
    (found,) = json.loads(done.stdout.decode("ascii"))
    assert {entry["name"] for entry in found["top"]} == set(STRANGE)


@pytest.mark.parametrize("name", [b"\xff.png", b"a\x1b[2J\nb.png", b"x" * 251 + b".png", "ネ".encode() * 83])
def test_names_of_photographs(name):
    """Bytes that are no text, control characters, and names as long as they can be are explained."""
    photo = os.fsdecode(name)
    Path("cat.png").rename(photo)
    for encoding in ("ascii:strict", "utf-8:strict"):
        environment = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
        done = run("explain", photo, "gone.png", "--weights", "w.h5", "-o", "maps", env=environment)
        assert (done.returncode, done.stderr.count(b"\n"), done.stdout.count(b"\n")) == (2, 1, 10)
        (made,) = os.listdir("maps")  # noqa: PTH208  # names as they are
        assert made.endswith("_cam.png")
        assert made.startswith(Path(photo).stem[:70])


def test_weights_and_records_of_names_that_are_no_text():
    """Read and written, and what is said of them is escaped."""
    weights, made = os.fsdecode(b"\xff.h5"), os.fsdecode(b"\xfe.h5")
    Path("w.h5").rename(weights)
    command = ["record", "cat.png", "--weights", weights, "-o", made, "--layers", "predictions"]
    done = run(*command, env={"PYTHONIOENCODING": "utf-8:strict"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(rb"\xfe.h5: 2 layers, ")
    assert Path(made).is_file()


def test_what_a_record_says_of_itself(capsys):
    """Who made it may be anything: an escape sequence does not reach the terminal."""
    assert main(["record", "cat.png", "--weights", "w.h5", "-o", "r.h5"]) == 0
    with h5py.File("r.h5", "r+") as file:
        file.attrs["made_by"] = b"somebody\x1b[2J\nnpcam: all is well"
    capsys.readouterr()
    assert main(["verify", "cat.png", "--weights", "w.h5", "--against", "r.h5"]) == 0
    out = capsys.readouterr().out
    assert r"yours: somebody\x1b[2J\nnpcam: all is well, " in out
    assert "\x1b" not in out


GONE = "npcam: gone.png: no such file; give the path of a photograph\n"
FULL = "npcam: output: No space left on device\n"


@pytest.mark.parametrize(
    ("redirections", "said"),
    [
        (">&-", GONE),
        ("2>&-", ""),
        ("<&- >&- 2>&-", ""),
        (">/dev/full", GONE + FULL),
        ("2>/dev/full", ""),
        (">/dev/full 2>/dev/full", ""),
    ],
)
def test_streams_that_take_nothing(redirections, said):
    """Closed or full, the one photograph fails and the other one is done, and nothing but that is said."""
    done = shell(f"npcam explain gone.png cat.png --weights w.h5 {redirections}")
    assert (done.returncode, done.stderr) == (2, said)
    with Image.open("cat_cam.png") as image:
        image.load()


@pytest.mark.parametrize("words", ["--version", "explain --help", "summary --weights w.h5"])
def test_only_words_into_a_full_device(words):
    """Where the words are all that was asked for, it is a failure, said in one line."""
    done = shell(f"npcam {words} >/dev/full")
    assert (done.returncode, done.stderr) == (2, FULL)
    assert shell(f"npcam {words} >&-").returncode == 0


def test_a_reader_that_leaves():
    """`| head -n 1`: the other photographs are still done, with status 0 and no word about it."""
    photos = [f"{n}.png" for n in range(4)]
    for photo in photos:
        Image.open("cat.png").save(photo)
    line = f"(npcam explain {' '.join(photos)} --weights w.h5; echo $? >status) | head -n 1"
    done = shell(line)
    assert (done.stdout, done.stderr) == ("0.png\n", "")
    assert Path("status").read_text() == "0\n"
    assert all(Path(f"{n}_cam.png").is_file() for n in range(4))


def test_a_closed_stream_lends_its_number_to_no_file():
    """With standard error closed, what libtiff writes there must not land in a file that npcam writes."""
    done = shell("npcam record cat.png --weights w.h5 -o r.h5 <&- >&- 2>&-")
    assert done.returncode == 0
    with h5py.File("r.h5") as file:
        assert file.attrs["format"] == b"npcam record"
